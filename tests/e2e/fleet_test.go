//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestTheFleetInATerminal: the vault command finds accounts by filters, and prints the state of the mount a thing a line.
func TestTheFleetInATerminal(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	connection := string(model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"mode": "static"})
	account := connection + "/" + id + "/ubuntu"
	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	password, _ := e.Read(t, "cloudpw/creds/web").Data["password"].(string)
	if password == "" {
		t.Fatal("no password")
	}
	type report struct {
		Data struct {
			Accounts []map[string]any
			Total    int
		}
		Warnings []string
	}
	read := func(filters ...string) (got report) {
		t.Helper()
		out := e.CLI(t, append([]string{"read", "-format=json", "cloudpw/report"}, filters...)...)
		if strings.Contains(out, password) {
			t.Error("the report has a password")
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return got
	}
	if got := read("connection="+connection, "role=web", "state=ready,due", "name=ubuntu*", "failing=false"); got.Data.Total != 1 ||
		got.Data.Accounts[0]["instance_id"] != id || got.Data.Accounts[0]["version"] != 1.0 {
		t.Errorf("the report is %+v", got)
	}
	if got := read("older_than=720h"); got.Data.Total != 0 || len(got.Warnings) != 0 {
		t.Errorf("older than 30 days: %+v", got)
	}
	if got := read("role=wbe"); got.Data.Total != 0 || len(got.Warnings) != 1 {
		t.Errorf("of a role that does not exist: %+v", got)
	}
	if csv := e.CLI(t, "read", "-field=csv", "cloudpw/report", "format=csv"); strings.Count(strings.TrimSpace(csv), "\n") != 1 ||
		!strings.Contains(csv, connection+","+id+",ubuntu,ubuntu-1,") {
		t.Errorf("the text is %s", csv)
	}
	if listed := e.CLI(t, "list", "-detailed", "cloudpw/accounts/"+connection+"/"+id); !strings.Contains(listed, "ready") ||
		strings.Contains(listed, password) {
		t.Errorf("the list is %s", listed)
	}
	lines := strings.Split(e.CLI(t, "read", "cloudpw/status"), "\n")
	for _, want := range []string{"  " + connection + ": ok, 1 account", "  web (connection " + connection + "), 1 account"} {
		found := false
		for _, line := range lines {
			found = found || line == want
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	// The page's commands, typed.
	for _, start := range []string{"vault read -field=summary", "vault list -detailed", "older_than=720h", "failing=true", "due_reason=",
		"name=db-1", "limit=2", "detailed=true"} {
		commands := strings.NewReplacer("prod-tencent/ins-r8hr2upy/ubuntu", account, "prod-tencent/ins-r8hr2upy", connection+"/"+id,
			"prod-tencent", connection).Replace(block(t, "fleet.md", "sh", start))
		if out, err := e.shell(t, "set -e\n"+commands, e.Address, e.Client.Token()); err != nil || strings.Contains(out, password) {
			t.Errorf("%s: %v\n%s", commands, err, out)
		}
	}
}
