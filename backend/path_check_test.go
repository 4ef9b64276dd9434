package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestCheck(t *testing.T) {
	m := newRootMount(t)
	see := cloud.Permission{Action: "x:See", Purpose: "see", Required: true, Verdict: cloud.PermissionGranted}
	set := cloud.Permission{Action: "x:Set", Purpose: "set", Required: true, Verdict: cloud.PermissionDenied, Message: "no",
		Policy: "allow x:Set"}
	ask := cloud.Permission{Action: "x:Ask", Purpose: "ask", Required: true, Verdict: cloud.PermissionUnknown, Message: "cannot be tried"}
	extra := cloud.Permission{Action: "x:Extra", Purpose: "more", Verdict: cloud.PermissionDenied}
	for _, c := range []struct {
		checks           []cloud.Permission
		verdict, missing string
	}{
		{[]cloud.Permission{see, extra}, "granted", "[]"},
		{[]cloud.Permission{ask, set, see}, "denied", "[x:Set]"},
		{[]cloud.Permission{set, ask}, "denied", "[x:Set]"},
		{[]cloud.Permission{see, ask}, "unknown", "[]"},
	} {
		m.keys.checks = c.checks
		data := m.read(t, "check/prod", "detailed", true)
		if data["verdict"] != c.verdict || fmt.Sprint(data["missing"]) != c.missing ||
			len(data["details"].(map[string]any)["permissions"].([]map[string]any)) != len(c.checks) {
			t.Errorf("%v: %v", c.checks, data)
		}
	}
	m.keys.checks = []cloud.Permission{set}
	got := m.read(t, "check/prod", "detailed", true)["details"].(map[string]any)["permissions"].([]map[string]any)[0]
	if fmt.Sprint(got) != "map[action:x:Set message:no policy:allow x:Set purpose:set required:true verdict:denied]" {
		t.Errorf("permission %v", got)
	}
	set.Policy = `{"Version":"1","Statement":["x:Set"]}`
	extra.Policy, ask.Policy = `{"Version":"1","Statement":["x:Extra"]}`, `{"Version":"1","Statement":["x:Ask"]}`
	m.keys.checks = []cloud.Permission{see, set, ask, extra}
	data := m.read(t, "check/prod")
	if data["summary"] != "ok x:See\nmissing x:Set: needed to set\nunknown x:Ask: needed to ask; cannot be tried\n"+
		"missing x:Extra (optional): needed to more" {
		t.Errorf("the summary is %q", data["summary"])
	}
	if text := data["policy_to_add"].(string); strings.Join(strings.Fields(text), "") != `{"Version":"1","Statement":["x:Set","x:Extra"]}` {
		t.Errorf("the policy to add is %s", text)
	}
	if data["details"] != nil {
		t.Errorf("nobody asked for details: %v", data)
	}
}

func TestCheckRefusals(t *testing.T) {
	m := newRootMount(t)
	m.refused(t, logical.ReadOperation, "check/none", nil, http.StatusBadRequest, "config/none")
	m.connection(t, "other", resetCloud)
	m.refused(t, logical.ReadOperation, "check/other", nil, http.StatusBadRequest, resetCloud, "cannot tell")
	m.keys.denied["CheckPermissions"] = cloud.Errorf(cloud.Denied, "the key is deleted")
	m.refused(t, logical.ReadOperation, "check/prod", nil, http.StatusBadRequest, "prod", "does not accept the credentials",
		"the key is deleted")
}
