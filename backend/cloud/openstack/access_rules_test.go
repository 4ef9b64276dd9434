package openstack

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/terraform"
)

// TestAccessRulesOfTerraform: under the access rules of the module for Terraform a provider may do all that it does, and what the
// module's switches take away is missing.
func TestAccessRulesOfTerraform(t *testing.T) {
	module, err := terraform.Load("../../../examples/terraform/modules/openstack")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]cty.Value{"clear_initial": cty.True, "rotate_root": cty.True}
	without := func(name string) map[string]cty.Value {
		return map[string]cty.Value{"clear_initial": cty.True, "rotate_root": cty.True, name: cty.False}
	}
	for _, c := range []struct {
		name      string
		variables map[string]cty.Value
		denied    []string
	}{
		{"everything", all, nil},
		{"no initial passwords", without("initial_passwords"), []string{actionPassword}},
		{"no resets", without("resets"), nil}, // nothing can be told of these without a try, see below
		{"no fingerprints", without("fingerprints"), []string{actionKeypair}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
			server := s.server(t, func(m *model.Server) { m.Metadata = map[string]string{"os_admin_user": "Admin"} })
			rules, err := module.Local("access_rules", c.variables, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.app.AccessRules = nil
			for _, rule := range rules.AsValueSlice() {
				fields := rule.AsValueMap()
				s.app.AccessRules = append(s.app.AccessRules, model.AccessRule{Service: fields["service"].AsString(),
					Method: fields["method"].AsString(), Path: fields["path"].AsString()})
			}
			s.AddAppCredential(s.app)
			p := s.provider(t, nil)
			got := verdicts(t, p)
			wanted := map[string]bool{}
			for _, action := range c.denied {
				wanted[policies[action]] = true
			}
			for name, permission := range got {
				if denied := permission.Verdict == cloud.PermissionDenied; denied != wanted[name] {
					t.Errorf("%s is %s: %s", name, permission.Verdict, permission.Message)
				}
			}
			_, err = p.Resetter(cloud.MethodAPI).StartReset(t.Context(), resetOf(server, "Admin"))
			if c.name == "no resets" {
				s.checkError(t, err, cloud.Denied, "access rules")
			} else if err != nil {
				t.Errorf("a reset: %v", err)
			}
			for _, action := range []string{actionList, actionShow, actionPassword, actionKeypair} {
				if name := policies[action]; !wanted[name] && got[name].Verdict != cloud.PermissionGranted {
					t.Errorf("%s is %s: %s", name, got[name].Verdict, got[name].Message)
				}
			}
		})
	}
}
