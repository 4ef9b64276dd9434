package backend

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// fuzzedSecret is sent in every reset, and must come back in no error.
const fuzzedSecret = "Correct-Horse-7-Battery"

// fuzzAnswers gives a provider's real SDK any answer to every kind of call.
func fuzzAnswers(f *testing.F, provider, instance string, methods ...string) {
	var answer atomic.Pointer[string]
	p := falseProvider(f, provider, falseCloud(f, func(*http.Request) string { return *answer.Load() }))
	f.Fuzz(func(t *testing.T, body string) {
		answer.Store(&body)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		shown := func(i cloud.Instance, err error) {
			t.Helper()
			all := i.ID + i.Name + i.OSName + i.KeyName + i.LoginUser + i.CloudState + i.PrivateIP + i.PublicIP
			for key, value := range i.Tags {
				all += key + value
			}
			if err != nil {
				all += err.Error()
			}
			if bad := text.Check(strings.ReplaceAll(all, "\uFFFD", "?")); bad != nil {
				t.Errorf("%q: %v", all, bad)
			}
			if strings.Contains(all, fuzzedSecret) {
				t.Errorf("%q holds the password", all)
			}
			if guard.Panicked(err) {
				t.Error(err)
			}
		}
		shown(cloud.Instance{}, p.Verify(ctx))
		for _, ask := range []func() ([]cloud.Instance, error){
			func() ([]cloud.Instance, error) { return p.DescribeInstances(ctx, []string{instance}) },
			func() ([]cloud.Instance, error) { return p.FindInstances(ctx, map[string]string{"env": "prod"}) },
		} {
			found, err := ask()
			shown(cloud.Instance{}, err)
			for _, i := range found {
				shown(i, nil)
			}
		}
		if r, ok := p.(cloud.InitialPasswordReader); ok {
			_, err := r.InitialPassword(ctx, instance)
			shown(cloud.Instance{}, err)
		}
		for _, method := range methods {
			r := p.(cloud.PasswordResetters).Resetter(method)
			reset := cloud.Reset{InstanceIDs: []string{instance}, Username: "svc", Password: fuzzedSecret, Platform: cloud.Linux, ForceStop: true}
			_, err := r.StartReset(ctx, reset)
			shown(cloud.Instance{}, err)
			records, err := r.ResetRecords(ctx, []cloud.ResetRef{{InstanceID: instance, RequestID: "0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50"}})
			shown(cloud.Instance{}, err)
			for _, record := range records {
				// The core keeps the password out of a record's text, and makes it a line.
				shown(cloud.Instance{Name: record.OperationID, OSName: text.Line(record.Message, 300, fuzzedSecret)}, nil)
			}
		}
	})
}

func FuzzAnswersOfAWS(f *testing.F) {
	f.Add(`<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId><tagSet><item><key>env</key><value>prod</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`)
	f.Add(`<Response><Errors><Error><Code>X</Code><Message>no Correct-Horse-7-Battery` + "\u202e" + `</Message></Error></Errors><RequestID>r</RequestID></Response>`)
	f.Add(`{"Command":{"CommandId":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50"},"Status":"Failed","ResponseCode":3,"StandardOutputContent":"Correct-Horse-7-Battery"}`)
	fuzzAnswers(f, "aws", "i-0123456789abcdef0", cloud.MethodCommand)
}

func FuzzAnswersOfTencentCloud(f *testing.F) {
	f.Add(`{"Response":{"TotalCount":1,"InstanceSet":[{"InstanceId":"ins-r8hr2upy","InstanceName":"a","LatestOperationState":"FAILED","LatestOperationErrorMsg":"Correct-Horse-7-Battery","Tags":[{"Key":"env","Value":"prod"},null]},null],"RequestId":"r"}}`)
	f.Add(`{"Response":{"Error":{"Code":"InvalidParameter","Message":"Correct-\u200bHorse-7-Battery"},"RequestId":"r"}}`)
	f.Add(`{"Response":{"InvocationTaskSet":[{"InvocationId":"inv-1","TaskStatus":"FAILED","TaskResult":{"Output":"eA==","ExitCode":3}}],"RequestId":"r"}}`)
	fuzzAnswers(f, "tencentcloud", "ins-r8hr2upy", cloud.MethodAPI, cloud.MethodCommand)
}

const fuzzedServer = `{"server":{"id":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50","name":"a","status":"ACTIVE","metadata":{"env":"prod"},"image":""},"servers":[{"id":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50"}],"password":"eA=="}`

func FuzzAnswersOfOpenStack(f *testing.F) {
	f.Add(fuzzedServer)
	f.Add(`{"badRequest":{"code":400,"message":"Correct-Horse\u0000-7-Battery"}}`)
	fuzzAnswers(f, "openstack", "0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50", cloud.MethodAPI)
}

func FuzzAnswersOfHuaweiCloud(f *testing.F) {
	f.Add(fuzzedServer)
	f.Add(`{"error_code":"APIGW.0301","error_msg":"bad\u001b","request_id":"r"}`)
	f.Add(`{"error":{"code":"Ecs.0114","message":"none"}}`)
	fuzzAnswers(f, "huaweicloud", "0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50")
}

// FuzzRequests sends any path and any field to the mount: no request panics, and no answer has a character that
// no screen shows.
func FuzzRequests(f *testing.F) {
	for _, path := range []string{"config/prod", "roles/web", "creds/web", "creds/web/srv-1", "accounts/prod/srv-1/root", "import/prod/srv-1/root", "versions/prod/srv-1/root/1", "keys/k", "discover/prod", "status"} {
		f.Add(path, "username", "root\u202e", uint8(0))
		f.Add(path, "instance_ids", "srv-1,../x", uint8(1))
		f.Add(path, "custom_metadata", "a=b", uint8(2))
	}
	f.Fuzz(func(t *testing.T, path, field, value string, op uint8) {
		h := newHarness(t)
		h.connection(t, "prod", resetCloud)
		operation := []logical.Operation{logical.UpdateOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation}[op%4]
		req := &logical.Request{Operation: operation, Path: path, Data: map[string]any{field: value}, Storage: h.storage}
		if operation == logical.UpdateOperation {
			_, exists, err := h.HandleExistenceCheck(t.Context(), req)
			if guard.Panicked(err) {
				t.Fatal(err)
			}
			if err == nil && !exists {
				req.Operation = logical.CreateOperation
			}
		}
		_, err := h.HandleRequest(t.Context(), req)
		if err != nil && strings.Contains(err.Error(), "internal error (panic") {
			t.Fatal(err)
		}
	})
}
