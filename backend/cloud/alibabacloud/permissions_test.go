package alibabacloud

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// permitted answers all calls of a check; denied are those that the caller lacks.
func permitted(t *testing.T, empty bool, denied ...string) (*provider, *fakeCloud) {
	t.Helper()
	return answering(t, func(r request) (int, any) {
		for _, action := range denied {
			switch {
			case action != r.action:
			case r.action == "DescribeInstances" && r.params.Get("DryRun") == "":
				return 200, described()
			case r.header.Get("x-acs-version") == "2014-05-26":
				return failure(403, "Forbidden.RAM")
			default:
				return failure(403, "NoPermission")
			}
		}
		switch r.action {
		case "GetCallerIdentity":
			return 200, callerAnswer()
		case "DescribeInstances":
			if r.params.Get("DryRun") == "true" {
				return failure(400, "DryRunOperation")
			}
			if empty {
				return 200, described()
			}
			return 200, described(testInstance)
		case "RunCommand":
			if r.params.Get("RepeatMode") != "DryRun" {
				return failure(500, "InternalError")
			}
			if r.params.Get("InstanceId.1") != testInstance {
				return failure(404, "InvalidInstance.NotFound")
			}
			return 200, object{}
		case "DescribeInvocations":
			if empty {
				return 200, object{"Invocations": object{}}
			}
			return 200, object{"Invocations": object{"Invocation": []object{named("t-1", "x", testInstance)}}}
		case "DescribeInvocationResults":
			if empty {
				return 200, object{"Invocation": object{}}
			}
			return failure(404, "InvalidInvokeId.NotFound")
		case "DescribeCloudAssistantStatus":
			if empty {
				return 200, object{}
			}
			return 200, agentAnswer("true")
		case "ListAccessKeys":
			return 200, keyList(testAccessKey)
		}
		return failure(404, "EntityNotExist.User.AccessKey")
	})
}

func TestCheckPermissions(t *testing.T) {
	const yes, no, unknown = cloud.PermissionGranted, cloud.PermissionDenied, cloud.PermissionUnknown
	all := func(changes map[string]cloud.Verdict) map[string]cloud.Verdict {
		want := map[string]cloud.Verdict{"ecs:DescribeInstances": yes, "ecs:RunCommand": yes, "ecs:DescribeInvocationResults": yes,
			"ecs:DescribeInvocations": yes, "ecs:DescribeCloudAssistantStatus": yes, "sts:GetCallerIdentity": yes, "ram:ListAccessKeys": yes,
			"ram:CreateAccessKey": unknown,
			"ram:UpdateAccessKey": yes, "ram:DeleteAccessKey": yes}
		for name, verdict := range changes {
			want[name] = verdict
		}
		return want
	}
	for name, c := range map[string]struct {
		empty  bool
		denied []string
		want   map[string]cloud.Verdict
	}{
		"all":           {want: all(nil)},
		"a new account": {empty: true, want: all(nil)},
		"no instances":  {denied: []string{"DescribeInstances"}, want: all(map[string]cloud.Verdict{"ecs:DescribeInstances": no})},
		"no commands": {denied: []string{"RunCommand", "DescribeInvocationResults", "DescribeInvocations"}, want: all(map[string]cloud.Verdict{
			"ecs:RunCommand": no, "ecs:DescribeInvocationResults": no, "ecs:DescribeInvocations": no})},
		"no keys": {denied: []string{"ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"}, want: all(map[string]cloud.Verdict{
			"ram:ListAccessKeys": no, "ram:UpdateAccessKey": no, "ram:DeleteAccessKey": no})},
		"no identity": {denied: []string{"GetCallerIdentity"}, want: all(map[string]cloud.Verdict{"sts:GetCallerIdentity": no,
			"ram:ListAccessKeys": unknown, "ram:UpdateAccessKey": unknown, "ram:DeleteAccessKey": unknown})},
	} {
		p, f := permitted(t, c.empty, c.denied...)
		permissions, err := p.CheckPermissions(t.Context())
		if err != nil || len(permissions) != len(c.want) {
			t.Errorf("%s: %d of %d, %v", name, len(permissions), len(c.want), err)
		}
		for _, one := range permissions {
			if one.Verdict != c.want[one.Action] {
				t.Errorf("%s: %s is %s (%s), want %s", name, one.Action, one.Verdict, one.Message, c.want[one.Action])
			}
			var policy struct {
				Version   string
				Statement []struct{ Effect, Action, Resource string }
			}
			if json.Unmarshal([]byte(one.Policy), &policy) != nil || policy.Version != "1" || policy.Statement[0].Action != one.Action ||
				policy.Statement[0].Effect != "Allow" || policy.Statement[0].Resource != "*" {
				t.Errorf("%s: %s", one.Action, one.Policy)
			}
			if empty := strings.Contains(one.Message, "an empty list without an error"); empty != (c.empty &&
				strings.Contains(one.Action, "Describe") &&
				one.Action != "ecs:DescribeInstances") {
				t.Errorf("%s: %s: %s", name, one.Action, one.Message)
			}
			if one.Verdict == no && !strings.Contains(one.Message, one.Action) {
				t.Errorf("%s: %s", one.Action, one.Message)
			}
		}
		for _, r := range f.seen() {
			if id := r.params.Get("UserAccessKeyId"); r.action == "CreateAccessKey" || id != "" && id != probeKey {
				t.Errorf("%s: %s of %s", name, r.action, id)
			}
		}
	}
}

// Where the keys themselves do not work nothing can be said; where the role cannot be assumed, that is what is missing.
func TestCheckOfKeysThatDoNotWork(t *testing.T) {
	p, _ := answering(t, func(request) (int, any) { return failure(404, "InvalidAccessKeyId.NotFound") })
	_, err := p.CheckPermissions(t.Context())
	_ = errorOfKind(t, err, cloud.Denied)

	f := newFakeCloud(t, func(request) (int, any) { return failure(403, "NoPermission") })
	permissions, err := newTestProvider(t, roleConfig(t, f, "")).CheckPermissions(t.Context())
	if err != nil || permissions[0].Action != "sts:AssumeRole" || permissions[0].Verdict != cloud.PermissionDenied || len(permissions) != 7 ||
		f.actions() != "AssumeRole" {
		t.Errorf("%+v, %v after %s", permissions, err, f.actions())
	}
	for _, one := range permissions[1:] {
		if one.Verdict != cloud.PermissionUnknown {
			t.Errorf("%+v", one)
		}
	}
}

// Verify asks STS, and ECS where STS may not be asked.
func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		denied []string
		noSTS  bool
		kind   cloud.Kind
		asked  string
	}{
		"by STS":      {asked: "GetCallerIdentity"},
		"STS says no": {denied: []string{"GetCallerIdentity"}, asked: "GetCallerIdentity DescribeInstances"},
		"no STS":      {noSTS: true, asked: "DescribeInstances"},
		"neither of it": {denied: []string{"GetCallerIdentity", "DescribeInstances"}, kind: cloud.Denied,
			asked: "GetCallerIdentity DescribeInstances"},
	} {
		_, f := permitted(t, false, c.denied...)
		cfg := testConfig(t, f.URL)
		if c.noSTS {
			delete(cfg.Endpoints, "sts")
		}
		p := newTestProvider(t, cfg)
		if err := p.Verify(t.Context()); cloud.KindOf(err) != c.kind || f.actions() != c.asked {
			t.Errorf("%s: %v after %s", name, err, f.actions())
		}
		account, err := p.CloudAccount(t.Context())
		if want := map[bool]string{false: testAccount}[c.noSTS]; len(c.denied) == 0 && (err != nil || account != want) {
			t.Errorf("%s: account %q, %v", name, account, err)
		}
	}
	p, _ := answering(t, func(request) (int, any) { return 200, object{} })
	_ = errorOfKind(t, p.Verify(t.Context()), cloud.Unknown)
}
