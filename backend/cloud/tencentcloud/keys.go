package tencentcloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	cam "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cam/v20190116"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	// sessionName is the name of role sessions, as the cloud's audit shows it.
	sessionName = "cloudpw"
	// sessionLife is how long a role session lasts: AssumeRole's own default.
	sessionLife = 2 * time.Hour
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

// newSession makes the clients of a set of keys.
func newSession(cfg cloud.Config, k keys) (*session, error) {
	credential := common.NewTokenCredential(k.id, k.secret, k.token)
	out := newTransport(cfg.HTTPClient)
	settings := map[string]*profile.ClientProfile{}
	for _, service := range []string{endpointCVM, endpointSTS, endpointCAM, endpointTAT} {
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

// origin is where the keys of a connection come from, in the words of error messages.
type origin struct {
	keys      string    // what to check when the cloud refuses them
	id        string    // the name of their SecretId
	mismatch  string    // what to say when the cloud refuses a signature, and the way out
	ended     string    // the same for a token
	principal string    // who needs a permission
	check     hint.Hint // what to type to see which permissions there are
}

var (
	originStatic = origin{
		keys: "access_key and secret_key of the connection", id: "access_key",
		mismatch:  "secret_key does not belong to access_key; write both again",
		ended:     "access_key is a temporary key, which works with its token only; give the API key of a CAM user (CAM console, API keys)",
		principal: "the user of access_key",
	}
	originAmbient = origin{
		keys: "the ambient credentials of the Vault server (use_ambient_credentials)", id: "the SecretId of the ambient credentials",
		mismatch: "the SecretKey of the ambient credentials does not belong to their SecretId; correct it where the Vault server finds them " +
			"(variables, shared file, role of the CVM instance), the next call reads them again",
		ended: "the ambient credentials of the Vault server were revoked or have expired, or their token is missing; the next call reads " +
			"them again",
		principal: "the user or role of the ambient credentials",
	}
)

// originRole is the origin of a role's sessions.
func originRole(arn string, check hint.Hint) origin {
	return origin{
		keys: "the role " + arn + " and its sessions", id: "the SecretId of the role's session",
		mismatch: "the cloud does not accept the signature of a session of the role " + arn +
			"; the next call assumes it again; check endpoints.sts if this continues",
		ended:     "the session of the role " + arn + " was revoked or has expired; the next call assumes the role again",
		principal: "the role " + arn, check: check,
	}
}

// keySource gives the sessions that sign a connection's requests: with its own keys, those of the
// environment, or those of a role that is assumed with either.
type keySource struct {
	renewed *cloud.Renewed[*session]
	origin  origin
	// static is the access key id of a connection whose own key signs its requests, else "".
	static string
	// assumes is the name of the role to assume, else "".
	assumes string
}

func newKeySource(cfg cloud.Config, environment *ambient) (*keySource, error) {
	base := &keySource{origin: originStatic, static: cfg.Text(cloud.AccessKey)}
	// Whatever signs later, the clients can be made: the configuration is checked here.
	own, err := newSession(cfg, keys{id: cfg.Text(cloud.AccessKey), secret: cfg.Text(cloud.SecretKey)})
	if err != nil {
		return nil, err
	}
	if cfg.Flag(cloud.AmbientCredentials) {
		base = &keySource{origin: originAmbient}
		base.renewed = cloud.NewRenewed(sessions(cfg, environment.fetch))
	} else {
		base.renewed = cloud.NewRenewed(func(context.Context) (*session, time.Time, error) { return own, time.Time{}, nil })
	}
	base.origin.check = cfg.CheckHint()
	if cfg.Text(cloud.RoleARN) == "" {
		return base, nil
	}
	role := &assumedRole{cfg, sender{cfg.Limiter, cfg.RequestTimeout, base}}
	return &keySource{
		renewed: cloud.NewRenewed(sessions(cfg, role.fetch)),
		origin:  originRole(cfg.Text(cloud.RoleARN), cfg.CheckHint()),
		assumes: cfg.Text(cloud.RoleARN),
	}, nil
}

// sessions makes the clients for fetched keys.
func sessions(cfg cloud.Config, fetch func(context.Context) (keys, time.Time, error)) func(context.Context) (*session, time.Time, error) {
	return func(ctx context.Context) (*session, time.Time, error) {
		k, end, err := fetch(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		s, err := newSession(cfg, k)
		return s, end, err
	}
}

// get returns the session to sign with. Its errors are *cloud.Error values.
func (k *keySource) get(ctx context.Context) (*session, error) { return k.renewed.Get(ctx) }

// refused makes the next call fetch new keys if the failure says that the used ones are dead, or do not
// belong together, as when a file with them was read while it was edited. The connection's own keys stay
// what they are.
func (k *keySource) refused(used *session, failure *cloud.Error) {
	if k.static != "" {
		return
	}
	switch failure.Code {
	case "AuthFailure.TokenFailure", "AuthFailure.SecretIdNotFound", "AuthFailure.InvalidSecretId", "AuthFailure.SignatureFailure",
		cvm.UNAUTHORIZEDOPERATION_INVALIDTOKEN:
		k.renewed.Drop(func(have *session) bool { return have == used })
	}
}

// assumedRole gets the keys of a role by sts AssumeRole.
type assumedRole struct {
	cfg  cloud.Config
	base sender
}

// fetch makes one AssumeRole request. Whoever needs the keys repeats it, if it was throttled.
func (r *assumedRole) fetch(ctx context.Context) (keys, time.Time, error) {
	request := sts.NewAssumeRoleRequest()
	request.RoleArn = common.StringPtr(r.cfg.Text(cloud.RoleARN))
	request.RoleSessionName = common.StringPtr(sessionName)
	request.DurationSeconds = common.Uint64Ptr(uint64(sessionLife / time.Second))
	if r.cfg.Text(cloud.ExternalID) != "" {
		request.ExternalId = common.StringPtr(r.cfg.Text(cloud.ExternalID))
	}
	var answer *sts.AssumeRoleResponseParams
	asked := time.Now()
	err := r.base.askOnce(ctx, assumeRole, func(ctx context.Context, s *session) error {
		response, err := s.assumeRole(ctx, request)
		if err == nil {
			answer = response.Response
		}
		return err
	})
	if err != nil {
		return keys{}, time.Time{}, r.explain(err)
	}
	if answer == nil || answer.Credentials == nil || answer.ExpiredTime == nil || value(answer.Credentials.TmpSecretId) == "" ||
		value(answer.Credentials.TmpSecretKey) == "" || value(answer.Credentials.Token) == "" {
		return keys{}, time.Time{}, cloud.Errorf(cloud.Unavailable, "%s for %s: the answer holds no session; check endpoints.sts", assumeRole,
			r.cfg.Text(cloud.RoleARN))
	}
	// Our clock and the cloud's may differ: what ends first counts.
	end := asked.Add(sessionLife)
	if told := time.Unix(*answer.ExpiredTime, 0); told.Before(end) {
		end = told
	}
	return keys{*answer.Credentials.TmpSecretId, *answer.Credentials.TmpSecretKey, *answer.Credentials.Token}, end, nil
}

// explain makes a refusal to assume the role name what is usually missing.
func (r *assumedRole) explain(err error) error {
	if !permissionMissing(err) {
		return err
	}
	out := *cloud.AsError(err)
	out.Message = fmt.Sprintf("%s: %s may not assume %s; allow sts:AssumeRole on it in their CAM policies, let the role trust their account",
		assumeRole, r.base.source.origin.principal, r.cfg.Text(cloud.RoleARN))
	if r.cfg.Text(cloud.ExternalID) == "" {
		out.Message += ", and if it asks for an external id, set external_id"
	} else {
		out.Message += ", and compare external_id with what it asks for"
	}
	return &out
}
