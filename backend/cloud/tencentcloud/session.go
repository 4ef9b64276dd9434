package tencentcloud

import (
	"context"
	"errors"
	"fmt"

	cam "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cam/v20190116"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// keys are what signs requests; token belongs to temporary ones.
type keys struct{ id, secret, token string }

// session is a set of keys with the SDK's clients that sign with them. The SDK reads the parts of a
// credential one by one, so keys are never exchanged under a client.
//
// The clients are held as the few functions that this package calls, never as values: Vault's SDK asks
// for methods by name, so the linker keeps every exported method of a type that reflection can reach,
// and a client's are all actions of its service.
type session struct {
	keys keys

	describeInstances      operation[cvm.DescribeInstancesRequest, cvm.DescribeInstancesResponse]
	resetInstancesPassword operation[cvm.ResetInstancesPasswordRequest, cvm.ResetInstancesPasswordResponse]

	runCommand              operation[tat.RunCommandRequest, tat.RunCommandResponse]
	describeInvocationTasks operation[tat.DescribeInvocationTasksRequest, tat.DescribeInvocationTasksResponse]

	assumeRole        operation[sts.AssumeRoleRequest, sts.AssumeRoleResponse]
	getCallerIdentity operation[sts.GetCallerIdentityRequest, sts.GetCallerIdentityResponse]

	createAccessKey operation[cam.CreateAccessKeyRequest, cam.CreateAccessKeyResponse]
	updateAccessKey operation[cam.UpdateAccessKeyRequest, cam.UpdateAccessKeyResponse]
	deleteAccessKey operation[cam.DeleteAccessKeyRequest, cam.DeleteAccessKeyResponse]
	listAccessKeys  operation[cam.ListAccessKeysRequest, cam.ListAccessKeysResponse]
}

// operation is one action of a service.
type operation[Request, Response any] func(context.Context, *Request) (*Response, error)

// newSession makes the clients of a set of keys. clock is taught by the answers of CVM; nil: it is not.
func newSession(cfg cloud.Config, clock *cloud.RemoteClock, k keys) (*session, error) {
	credential := common.NewTokenCredential(k.id, k.secret, k.token)
	out := newTransport(cfg.HTTPClient)
	settings := map[string]*profile.ClientProfile{}
	for _, service := range endpointKeys {
		p, err := clientProfile(cfg, service)
		if err != nil {
			return nil, err
		}
		settings[service] = p
	}
	servers, errCVM := cvm.NewClient(credential, cfg.Text(cloud.Region), settings[endpointCVM])
	tokens, errSTS := sts.NewClient(credential, cfg.Text(cloud.Region), settings[endpointSTS])
	access, errCAM := cam.NewClient(credential, cfg.Text(cloud.Region), settings[endpointCAM])
	commands, errTAT := tat.NewClient(credential, cfg.Text(cloud.Region), settings[endpointTAT])
	if err := errors.Join(errCVM, errSTS, errCAM, errTAT); err != nil {
		return nil, fmt.Errorf("tencentcloud: %w", err)
	}
	for _, client := range []*common.Client{&servers.Client, &tokens.Client, &access.Client, &commands.Client} {
		client.WithHttpTransport(out).WithRequestClient("cloudpw")
	}
	servers.WithHttpTransport(transport{out.client, clock})
	return &session{
		keys:                    k,
		describeInstances:       servers.DescribeInstancesWithContext,
		resetInstancesPassword:  servers.ResetInstancesPasswordWithContext,
		runCommand:              commands.RunCommandWithContext,
		describeInvocationTasks: commands.DescribeInvocationTasksWithContext,
		assumeRole:              tokens.AssumeRoleWithContext,
		getCallerIdentity:       tokens.GetCallerIdentityWithContext,
		createAccessKey:         access.CreateAccessKeyWithContext,
		updateAccessKey:         access.UpdateAccessKeyWithContext,
		deleteAccessKey:         access.DeleteAccessKeyWithContext,
		listAccessKeys:          access.ListAccessKeysWithContext,
	}, nil
}
