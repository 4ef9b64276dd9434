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
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// fuzzedSecret is sent in every reset, and must not come back in its error.
const fuzzedSecret = "Correct-Horse-7-Battery"

// fuzzedLimit is how long one input may take: the server is in this process, so only something that waits takes long.
const fuzzedLimit = 10 * time.Second

// fuzzedAnswer is an answer of a cloud. Any status stands for one from 200 to 599.
type fuzzedAnswer struct {
	status uint16
	body   string
}

func (a fuzzedAnswer) served() (int, string) { return int(200 + a.status%400), a.body }

// fuzzAnswers gives a provider's real SDK any answer to every kind of call. The first seed is the description of the
// instance: a false cloud that the provider does not understand would find nothing.
func fuzzAnswers(f *testing.F, provider, instance string, seeds ...fuzzedAnswer) {
	var answer atomic.Pointer[fuzzedAnswer]
	answer.Store(&seeds[0])
	p := falseProvider(f, provider, falseCloud(f, func(r *http.Request) (int, string) {
		if isTokenRequest(r) {
			return 0, ""
		}
		return answer.Load().served()
	}).URL)
	if found, err := p.DescribeInstances(f.Context(), []string{instance}); err != nil || len(found) != 1 || found[0].Tags["env"] != "prod" {
		f.Fatalf("%v, %v", found, err)
	}
	for _, seed := range seeds {
		f.Add(seed.status, seed.body)
	}
	methods := providers()[provider].ResetMethodNames()
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		answer.Store(&fuzzedAnswer{status, body})
		ctx, cancel := context.WithTimeout(t.Context(), fuzzedLimit)
		defer cancel()
		askEverything(ctx, t, p, instance, methods)
	})
}

// askEverything calls a provider in every way, and looks at what comes back.
func askEverything(ctx context.Context, t *testing.T, p cloud.Provider, instance string, methods []string) {
	t.Helper()
	shows := func(err error, texts ...string) {
		t.Helper()
		if err != nil {
			texts = append(texts, err.Error())
		}
		all := strings.Join(texts, " ")
		if bad := text.Check(strings.ReplaceAll(all, "\uFFFD", "?")); bad != nil {
			t.Errorf("%q: %v", all, bad)
		}
		if len(all) > maxShown {
			t.Errorf("%d bytes: %.100q", len(all), all)
		}
		if guard.Panicked(err) {
			t.Error(err)
		}
	}
	shows(p.Verify(ctx))
	shows(nil, connection.TellAccount(ctx, p))
	found, err := p.DescribeInstances(ctx, []string{instance})
	shows(err)
	for _, i := range found {
		if i.ID != instance {
			t.Errorf("instance %q was not asked for", i.ID)
		}
	}
	tagged, err := p.FindInstances(ctx, map[string]string{"env": "prod"})
	shows(err)
	for _, i := range tagged {
		if i.Tags["env"] != "prod" || i.State == cloud.StateGone {
			t.Errorf("%+v was not asked for", i)
		}
	}
	for _, i := range append(found, tagged...) {
		shows(nil, i.ID, i.Name, i.OSName, i.KeyName, i.LoginUser, i.CloudState, i.PrivateIP, i.PublicIP, p.DefaultUsername(i))
		for key, value := range i.Tags {
			shows(nil, key, value)
		}
	}
	if r, ok := p.(cloud.InitialPasswordReader); ok {
		_, err := r.InitialPassword(ctx, instance) // hostile in any case; see password.FuzzDecryptInitial
		shows(err)
		shows(r.CheckInitialPassword(ctx, instance))
		fingerprint, err := r.KeyFingerprint(ctx, "key")
		shows(err, fingerprint)
	}
	if c, ok := p.(cloud.InitialPasswordClearer); ok {
		shows(c.ClearInitialPassword(ctx, instance))
	}
	if c, ok := p.(cloud.PermissionChecker); ok {
		permissions, err := c.CheckPermissions(ctx)
		shows(err)
		for _, one := range permissions {
			shows(nil, one.Action, one.Message, strings.ReplaceAll(one.Policy, "\n", " "))
		}
	}
	if c, ok := p.(cloud.CredentialRotator); ok {
		own, err := c.OwnCredentials(ctx)
		shows(err)
		for _, one := range own {
			shows(nil, one.ID)
		}
		_, err = c.CreateCredential(ctx)
		shows(err)
		shows(c.DeleteCredential(ctx, "AKIDz8krbsJ5yKBZQpn7"))
	}
	for _, method := range methods {
		r := p.(cloud.PasswordResetters).Resetter(method)
		reset := cloud.Reset{InstanceIDs: []string{instance}, Username: "svc", Password: fuzzedSecret, Platform: cloud.Linux, ForceStop: true,
			Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
		started, err := r.StartReset(ctx, reset)
		shows(err, started.RequestID)
		if err != nil && strings.Contains(err.Error(), fuzzedSecret) {
			t.Errorf("%q holds the password", err)
		}
		for _, id := range []string{"", "0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50", "inv-r8hr2upy"} {
			records, err := r.ResetRecords(ctx, []cloud.ResetRef{{InstanceID: instance, RequestID: id}})
			shows(err)
			for of, record := range records {
				// The core keeps the password out of a record's text, and makes it a line.
				shows(nil, record.OperationID, text.Line(record.Message, 300, fuzzedSecret))
				if of != instance {
					t.Errorf("instance %q was not asked for", of)
				}
			}
		}
	}
	if ctx.Err() != nil {
		t.Error("it took too long")
	}
}

// maxShown is more than any error or description has, in bytes.
const maxShown = 32 << 10

func FuzzAnswersOfAWS(f *testing.F) {
	fuzzAnswers(f, "aws", "i-0123456789abcdef0",
		fuzzedAnswer{0, `<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId><instanceState><name>running</name></instanceState><launchTime>2026-01-02T03:04:05Z</launchTime>` +
			`<tagSet><item><key>env</key><value>prod</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`},
		fuzzedAnswer{200, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no Correct-Horse-7-Battery` + "\u202e" +
			`</Message></Error></Errors><RequestID>r</RequestID></Response>`},
		fuzzedAnswer{0, `<GetPasswordDataResponse><instanceId>i-0123456789abcdef0</instanceId><passwordData>eA==</passwordData><timestamp>2026-01-02T03:04:05Z</timestamp></GetPasswordDataResponse>`},
		fuzzedAnswer{0, `<DescribeKeyPairsResponse><keySet><item><keyName>key</keyName><keyFingerprint>00:11</keyFingerprint></item></keySet></DescribeKeyPairsResponse>`},
		fuzzedAnswer{0, `<R><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn><Account>123456789012</Account></GetCallerIdentityResult>` +
			`<ListAccessKeysResult><AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status></member></AccessKeyMetadata></ListAccessKeysResult></R>`},
		fuzzedAnswer{0, `<R><GetCallerIdentityResult><Account>123` + "\u202e" + `</Account></GetCallerIdentityResult></R>`},
		fuzzedAnswer{203, `<ErrorResponse><Error><Type>Sender</Type><Code>LimitExceeded</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>`},
		fuzzedAnswer{0, `{"Command":{"CommandId":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50"},"CommandId":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50","InstanceId":"i-0123456789abcdef0","Status":"Failed","ResponseCode":3,"StandardOutputContent":"Correct-Horse-7-Battery"}`},
		fuzzedAnswer{0, `{"InstanceInformationList":[{"InstanceId":"i-0123456789abcdef0","PingStatus":"Lost","LastPingDateTime":1.5e9}]}`},
		fuzzedAnswer{200, `{"__type":"ns#InvocationDoesNotExist","message":"no"}`})
}

func FuzzAnswersOfTencentCloud(f *testing.F) {
	fuzzAnswers(f, "tencentcloud", "ins-r8hr2upy",
		fuzzedAnswer{0, `{"Response":{"TotalCount":1,"InstanceSet":[{"InstanceId":"ins-r8hr2upy","InstanceName":"a","LatestOperationState":"FAILED","LatestOperationErrorMsg":"Correct-Horse-7-Battery","Tags":[{"Key":"env","Value":"prod"},null]},null],"RequestId":"r"}}`},
		fuzzedAnswer{0, `{"Response":{"Error":{"Code":"InvalidParameter","Message":"Correct-\u200bHorse-7-Battery"},"RequestId":"r"}}`},
		fuzzedAnswer{0, `{"Response":{"InvocationId":"inv-r8hr2upy","InvocationTaskSet":[{"InvocationId":"inv-r8hr2upy","InstanceId":"ins-r8hr2upy","TaskStatus":"FAILED","TaskResult":{"Output":"eA==","ExitCode":3}}],"RequestId":"r"}}`},
		fuzzedAnswer{0, `{"Response":{"AutomationAgentSet":[{"InstanceId":"ins-r8hr2upy","AgentStatus":"Online","Environment":"Linux"}],"RequestId":"r"}}`},
		fuzzedAnswer{0, `{"Response":{"Arn":"a","AccountId":"1","UserId":"1","PrincipalId":"1","Type":"CAMUser","AccessKeys":[{"AccessKeyId":"AKIDx","Status":"Active","CreateTime":"2026-01-02 03:04:05"}],"RequestId":"r"}}`})
}

func FuzzAnswersOfAlibabaCloud(f *testing.F) {
	fuzzAnswers(f, "alibabacloud", "i-bp67acfmxazb4p000001",
		fuzzedAnswer{0, `{"RequestId":"r","Instances":{"Instance":[{"InstanceId":"i-bp67acfmxazb4p000001","InstanceName":"a","OSType":"linux","Status":"Running","CreationTime":"2026-01-02T03:04Z","Tags":{"Tag":[{"TagKey":"env","TagValue":"prod"},{}]}},{}]}}`},
		fuzzedAnswer{200, `{"RequestId":"r","Code":"InvalidParameter","Message":"Correct-\u200bHorse-7-Battery"}`},
		fuzzedAnswer{200, `{"RequestId":"r","Code":"MissingParameter","Message":"InstanceId.1"}`},
		fuzzedAnswer{0, `{"RequestId":"r","InvokeId":"t-hz0jdfwd9f","Invocation":{"InvocationResults":{"InvocationResult":[{"InvokeId":"t-hz0jdfwd9f","InstanceId":"i-bp67acfmxazb4p000001","InvocationStatus":"Failed","ExitCode":3,"Output":"eA==","Username":"root"}]}}}`},
		fuzzedAnswer{0, `{"RequestId":"r","InstanceCloudAssistantStatusSet":{"InstanceCloudAssistantStatus":[{"InstanceId":"i-bp67acfmxazb4p000001","CloudAssistantStatus":"true","OSType":"Linux"}]}}`},
		fuzzedAnswer{0, `{"RequestId":"r","IdentityType":"RAMUser","AccountId":"1","UserId":"1","Arn":"acs:ram::1:user/u","AccessKeys":{"AccessKey":[{"AccessKeyId":"LTAIx","Status":"Active","CreateDate":"2026-01-02T03:04:05Z"}]}}`},
		fuzzedAnswer{209, `{"RequestId":"r","Code":"LimitExceeded.User.AccessKey","Message":"no"}`})
}

const (
	fuzzedServerID = "0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50"
	fuzzedServer   = `{"server":{"id":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50","name":"a","status":"ACTIVE","metadata":{"env":"prod"},"image":"","addresses":{"n":[{"addr":"10.0.0.1","version":4}]}},` +
		`"servers":[{"id":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50","metadata":{"env":"prod"},"image":{"id":"i","properties":{"os_type":"windows"}}}],"password":"eA=="}`
	fuzzedCredentials = `{"credentials":[{"access":"HUAWEIACCESSKEY00000","user_id":"0a0a","status":"active"}],"credential":{"access":"a","secret":"b"},"domains":[{"id":"0a"}],"application_credentials":[{"id":"0a"}],"keypair":{"fingerprint":"00"}}`
)

func FuzzAnswersOfOpenStack(f *testing.F) {
	fuzzAnswers(f, "openstack", fuzzedServerID,
		fuzzedAnswer{0, fuzzedServer},
		fuzzedAnswer{200, `{"badRequest":{"code":400,"message":"Correct-Horse\u0000-7-Battery"}}`},
		fuzzedAnswer{209, `{"conflictingRequest":{"code":409,"message":"Cannot","retryAfter":"0"}}`},
		fuzzedAnswer{2, ""},
		fuzzedAnswer{0, fuzzedCredentials})
}

func FuzzAnswersOfHuaweiCloud(f *testing.F) {
	fuzzAnswers(f, "huaweicloud", fuzzedServerID,
		fuzzedAnswer{0, fuzzedServer},
		fuzzedAnswer{200, `{"error_code":"APIGW.0301","error_msg":"bad\u001b","request_id":"r"}`},
		fuzzedAnswer{204, `{"error":{"code":"Ecs.0114","message":"none"}}`},
		fuzzedAnswer{0, fuzzedCredentials},
		fuzzedAnswer{1, fuzzedCredentials})
}

const fuzzedMachine = `"id":"/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/a",` +
	`"name":"a","location":"westeurope","tags":{"env":"prod"},"properties":{"vmId":"0b1c2d3e-0b1c-0b1c-0b1c-0b1c2d3e4f50",` +
	`"storageProfile":{"osDisk":{"osType":"Linux"}},"instanceView":{"statuses":[{"code":"PowerState/running"}],"vmAgent":{"statuses":[{"displayStatus":"Ready"}]}}}`

// FuzzAnswersOfAzure gives Azure's client any answer to every kind of call. The provider remembers where machines are, and
// does not list them again at once, so each input has one of its own, which has found its machine.
func FuzzAnswersOfAzure(f *testing.F) {
	var answer atomic.Pointer[fuzzedAnswer]
	server := falseCloud(f, func(r *http.Request) (int, string) {
		if isEntraRequest(r) {
			return 0, ""
		}
		return answer.Load().served()
	})
	known := &fuzzedAnswer{0, `{"value":[{` + fuzzedMachine + `}],` + fuzzedMachine + `}`}
	f.Add(known.status, known.body)
	f.Add(uint16(0), `{"value":[{"name":"cloudpw-0b1c2d3e0b1c0b1c0b1c0b1c2d3e4f50","properties":{"instanceView":{"executionState":"Failed","exitCode":82,`+
		`"output":"Correct-Horse-7-Battery","startTime":"2026-01-02T03:04:05Z","endTime":"2026-01-02T03:04:05Z"}}}]}`)
	f.Add(uint16(0), `{"value":[],"nextLink":"https://192.0.2.1/subscriptions"}`)
	f.Add(uint16(203), `{"error":{"code":"AuthorizationFailed","message":"no Correct-Horse-7-Battery\u202e"}}`)
	f.Add(uint16(209), `{"code":"OperationNotAllowed","message":"too many","details":[{"code":"TooManyRequests","target":"HighCostGet","message":"{}"}]}`)
	f.Add(uint16(204), `{"error":{"code":"ResourceNotFound","message":"no"}}`)
	methods := providers()["azure"].ResetMethodNames()
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		ctx, cancel := context.WithTimeout(t.Context(), fuzzedLimit)
		defer cancel()
		p := falseProvider(t, "azure", server.URL)
		answer.Store(known)
		if found, err := p.DescribeInstances(ctx, []string{fuzzedServerID}); err != nil || len(found) != 1 || found[0].Tags["env"] != "prod" {
			t.Fatalf("%v, %v", found, err)
		}
		answer.Store(&fuzzedAnswer{status, body})
		askEverything(ctx, t, p, fuzzedServerID, methods)
	})
}

// FuzzAnswersOfKeystone gives OpenStack's SDK any answer to the request for a token, and so any catalogue. A provider
// keeps a token and remembers a refusal, so each input has one of its own.
func FuzzAnswersOfKeystone(f *testing.F) {
	var answer atomic.Pointer[fuzzedAnswer]
	answer.Store(&fuzzedAnswer{})
	server := falseCloud(f, func(r *http.Request) (int, string) {
		if isTokenRequest(r) {
			return answer.Load().served()
		}
		return http.StatusOK, fuzzedServer
	})
	f.Add(uint16(1), tokenHead+tokenEndpoint("URL")+tokenTail)
	f.Add(uint16(1), tokenHead+tokenEndpoint("http://127.0.0.1:1/\u202e")+tokenTail)
	f.Add(uint16(201), `{"error":{"code":401,"title":"Unauthorized","message":"not passw0rd-of-u"}}`)
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		answer.Store(&fuzzedAnswer{status, strings.ReplaceAll(body, "URL", server.URL)})
		defer server.CloseClientConnections() // the provider would keep them
		ctx, cancel := context.WithTimeout(t.Context(), fuzzedLimit)
		defer cancel()
		askEverything(ctx, t, falseProvider(t, "openstack", server.URL), fuzzedServerID, []string{cloud.MethodAPI})
	})
}

// FuzzRequests sends any path and any field to the mount: no request panics, and no answer has a character that
// no screen shows.
func FuzzRequests(f *testing.F) {
	for _, path := range []string{"config/prod", "roles/web", "creds/web", "creds/web/srv-1", "accounts/prod/srv-1/root",
		"import/prod/srv-1/root", "versions/prod/srv-1/root/1", "keys/k", "discover/prod", "status"} {
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
