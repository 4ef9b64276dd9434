package openstack

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// verdicts are permissions by action, in one line each.
func verdicts(t *testing.T, p *provider) map[string]cloud.Permission {
	t.Helper()
	all, err := p.CheckPermissions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]cloud.Permission{}
	for _, permission := range all {
		if permission.Purpose == "" || permission.Verdict == "" {
			t.Errorf("incomplete: %+v", permission)
		}
		if permission.Verdict != cloud.PermissionGranted && permission.Message == "" {
			t.Errorf("without a reason: %+v", permission)
		}
		if known, twice := out[permission.Action]; !twice || known.Verdict == cloud.PermissionGranted {
			out[permission.Action] = permission
		}
	}
	return out
}

func TestCheckPermissions(t *testing.T) {
	const granted, denied, unknown = cloud.PermissionGranted, cloud.PermissionDenied, cloud.PermissionUnknown
	rotateOpenStack := "identity:create_application_credential, identity:delete_application_credential"
	for _, test := range []struct {
		name, access string
		noServer     bool
		deny         []string
		want         map[string]cloud.Verdict
	}{
		{"all", "huawei signed", false, nil, map[string]cloud.Verdict{
			permissionList: granted, permissionShow: granted, permissionPassword: granted, permissionKeypair: granted,
			"GET /v3.0/OS-CREDENTIAL/credentials": granted, "POST, DELETE /v3.0/OS-CREDENTIAL/credentials": unknown,
		}},
		{"all", "otc token by project name", false, nil, map[string]cloud.Verdict{
			permissionList: granted, permissionShow: granted, permissionPassword: granted, permissionKeypair: granted,
		}},
		{"no server", "otc signed", true, nil, map[string]cloud.Verdict{
			permissionList: granted, permissionShow: unknown, permissionPassword: unknown, permissionKeypair: granted,
			"GET /v3.0/OS-CREDENTIAL/credentials": granted, "POST, DELETE /v3.0/OS-CREDENTIAL/credentials": unknown,
		}},
		{"no passwords", "huawei signed", false, []string{"ShowServerPassword", "ListPermanentAccessKeys"}, map[string]cloud.Verdict{
			permissionList: granted, permissionShow: granted, permissionPassword: denied, permissionKeypair: granted,
			"GET /v3.0/OS-CREDENTIAL/credentials": denied, "POST, DELETE /v3.0/OS-CREDENTIAL/credentials": unknown,
		}},
		{"no list", "otc signed", false, []string{"ListServersDetails", "ShowKeypair"}, map[string]cloud.Verdict{
			permissionList: denied, permissionShow: unknown, permissionPassword: unknown, permissionKeypair: denied,
			"GET /v3.0/OS-CREDENTIAL/credentials": granted, "POST, DELETE /v3.0/OS-CREDENTIAL/credentials": unknown,
		}},
		{"all", "openstack application credential", false, nil, map[string]cloud.Verdict{
			policies[actionList]: granted, policies[actionShow]: granted, policies[actionPassword]: granted,
			policies[actionClear]: unknown, policies[actionKeypair]: granted, policies[actionChange]: unknown, policies[actionImage]: granted,
			policies[actionListApplication]: granted, policies[actionShowApplication]: granted, rotateOpenStack: unknown,
		}},
		{"not its own end", "openstack application credential", true, []string{"ShowApplicationCredential"}, map[string]cloud.Verdict{
			policies[actionList]: granted, policies[actionShow]: unknown, policies[actionPassword]: unknown,
			policies[actionClear]: unknown, policies[actionKeypair]: granted, policies[actionChange]: unknown, policies[actionImage]: unknown,
			policies[actionListApplication]: granted, policies[actionShowApplication]: denied, rotateOpenStack: unknown,
		}},
		{"no passwords", "openstack user", false, []string{"ShowServerPassword", "ListApplicationCredentials", "ShowImage"},
			map[string]cloud.Verdict{
				policies[actionList]: granted, policies[actionShow]: granted, policies[actionPassword]: denied,
				policies[actionClear]: unknown, policies[actionKeypair]: granted, policies[actionChange]: unknown, policies[actionImage]: unknown,
				policies[actionListApplication]: denied, rotateOpenStack: unknown,
			}},
	} {
		t.Run(test.access+", "+test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, test.access), novaapi.Options{})
			if !test.noServer {
				s.server(t, func(m *model.Server) { m.Platform = model.Linux })
				s.server(t, nil)
			}
			s.deny(test.deny...)
			got := verdicts(t, s.provider(t, nil))
			if len(got) != len(test.want) {
				t.Errorf("%d permissions, want %d: %v", len(got), len(test.want), got)
			}
			for action, want := range test.want {
				if got[action].Verdict != want {
					t.Errorf("%s: %+v, want %s", action, got[action], want)
				}
			}
			for _, action := range []string{actionClear, actionChange, actionCreateKey, actionDeleteKey, actionCreateApplication,
				actionDeleteApplication} {
				if n := s.requests(action); n != 0 {
					t.Errorf("%s was sent %d times by a check", action, n)
				}
			}
		})
	}
}

func TestRestrictedApplicationCredentialIsSaid(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	s.app.Unrestricted = false
	s.AddAppCredential(s.app)
	got := verdicts(t, s.provider(t, nil))["identity:create_application_credential, identity:delete_application_credential"]
	if got.Verdict != cloud.PermissionDenied || !strings.Contains(got.Policy, "--unrestricted") {
		t.Errorf("got %+v", got)
	}
}

func TestCheckWithWrongCredentials(t *testing.T) {
	for name, change := range map[string]func(*cloud.Config){
		"huawei signed":  func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "wrong-secret-key"}) },
		"openstack user": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"password": "wrong-password"}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			_, err := s.provider(t, change).CheckPermissions(context.Background())
			s.checkError(t, err, cloud.Denied, "")
		})
	}
}

func TestPolicyText(t *testing.T) {
	var policy struct {
		Version   string
		Statement []struct {
			Effect string
			Action []string
		}
	}
	if err := json.Unmarshal([]byte(huawei().policyText(permissionPassword)), &policy); err != nil ||
		policy.Version != "1.1" || len(policy.Statement) != 1 || policy.Statement[0].Effect != "Allow" ||
		policy.Statement[0].Action[0] != permissionPassword {
		t.Errorf("policy is %+v, %v", policy, err)
	}
	want := `"os_compute_api:os-server-password:show": "role:member and project_id:%(project_id)s"`
	if got := plainOpenStack().policyText(policies[actionPassword]); !strings.HasSuffix(got, want) {
		t.Errorf("policy is %s", got)
	}
}
