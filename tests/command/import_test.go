//go:build e2e

package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listed writes a CSV file, as a spreadsheet does, and returns its path.
func listed(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "servers.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\r\n")+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hosts is a list of hosts of the connection fleet.
func hosts(n int) []string {
	lines := []string{"\xEF\xBB\xBFconnection,server,address,trust_on_first_use,tags"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("fleet,web-%04d,192.0.2.%d,true,\"env=prod,rack=r%d\"", i, i%250, i%7))
	}
	return lines
}

// TestImportOfHosts: a keeper of hosts brings a list into the inventory, in several requests, and again without effect.
func TestImportOfHosts(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.Write(t, "cloudpw/config/fleet", map[string]any{"provider": "ssh", "login_user": "keeper", "generate_key": true})
	keeper := e.token(t, "kim", "Keeper of hosts")
	const n = 1200
	file := listed(t, hosts(n)...)
	report := filepath.Join(t.TempDir(), "report.csv")

	wants(t, "the dry run", e.done(t, keeper, "import", file, "--dry-run"), "1200 rows: 1200 would create")
	if list, err := e.Client.Logical().List("cloudpw/hosts"); err != nil || list != nil {
		t.Fatalf("after a dry run there are hosts: %v, %v", list, err)
	}
	wants(t, "the import", e.done(t, keeper, "import", file, "--report", report), "1200 rows: 1200 created")
	host, err := e.Client.Logical().Read("cloudpw/hosts/web-1199")
	if err != nil || host == nil || host.Data["address"] != "192.0.2.199" || host.Data["trust_on_first_use"] != true ||
		fmt.Sprint(host.Data["tags"]) != "map[env:prod rack:r2]" {
		t.Fatalf("the last host is %v, %v", host, err)
	}
	wants(t, "the second import", e.done(t, keeper, "import", file), "1200 rows: 1200 unchanged")
	if got, err := os.ReadFile(report); err != nil || strings.Count(string(got), ",created,") != n {
		t.Errorf("the report has %d lines, %v", strings.Count(string(got), "\n"), err)
	}

	lines := hosts(3)
	lines[2] = strings.Replace(lines[2], "192.0.2.1", "not an address", 1)
	refused := e.run(t, keeper, "import", listed(t, append(lines, "fleet,web-9999,192.0.2.9,,")...))
	if refused.code != 1 {
		t.Errorf("with a wrong address: %s", refused)
	}
	wants(t, "the refusal", refused.err, "line 3: web-0001: address", "nothing was sent", "try: ")
	if host, err := e.Client.Logical().Read("cloudpw/hosts/web-9999"); err != nil || host != nil {
		t.Errorf("written nevertheless: %v, %v", host, err)
	}
	wants(t, "with --partial", e.run(t, keeper, "import", "--partial", listed(t, append(lines, "fleet,web-9999,192.0.2.9,,")...)).out,
		"4 rows: 1 created, 2 unchanged, 1 failed")
}

// TestImportOfPasswords: a recorder, who may not read the report, records what people have set, by the names of servers; what failed is
// sent again, and no output has a password.
func TestImportOfPasswords(t *testing.T) {
	t.Parallel()
	const first, second = "By-Hand-First-1", "By-Hand,\"Second;2"
	e := start(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	if err := e.Client.Sys().PutPolicy("recorder", strings.ReplaceAll(policy(t, "Recorder"), "prod-otc", "tencentcloud")); err != nil {
		t.Fatal(err)
	}
	e.token(t, "rosa")
	e.Write(t, "auth/userpass/users/rosa", map[string]any{"password": "pw-rosa", "token_policies": "recorder"})
	recorder := e.Write(t, "auth/userpass/login/rosa", map[string]any{"password": "pw-rosa"}).Auth.ClientToken
	report := filepath.Join(t.TempDir(), "report.csv")
	quoted := `"` + strings.ReplaceAll(second, `"`, `""`) + `"`
	lines := []string{"connection;server;username;password;skip_import_rotation", "tencentcloud;ubuntu-1;ubuntu;" + first + ";true",
		"tencentcloud;" + ids[1] + ";nobody;" + quoted + ";true"}
	file := listed(t, lines...)

	half := e.run(t, recorder, "import", file, "--report", report)
	if half.code != 1 {
		t.Errorf("half of it: %s", half)
	}
	wants(t, "the outcome", half.out, "2 rows: 1 recorded, 1 failed")
	wants(t, "stderr", half.err, "line 3: "+ids[1]+": ")
	account, err := e.Client.Logical().Read("cloudpw/creds/web/" + ids[0])
	if err != nil || account == nil || account.Data["password"] != first {
		t.Errorf("the password is not that of the file: %v, %v", account, err)
	}

	lines[2] = strings.Replace(lines[2], "nobody", "root", 1)
	file = listed(t, lines...)
	wants(t, "the dry run of the rest", e.done(t, recorder, "import", file, "--resume", report, "--dry-run"), "1 would record")
	rest := e.run(t, recorder, "import", file, "--resume", report, "--report", report, "-o", "json")
	if rest.code != 0 {
		t.Errorf("the rest: %s", rest)
	}
	account, err = e.Client.Logical().Read("cloudpw/creds/web/" + ids[1])
	if err != nil || account == nil || account.Data["password"] != second {
		t.Errorf("the password is not that of the file: %v, %v", account, err)
	}
	versions, err := e.Client.Logical().List("cloudpw/versions/tencentcloud/" + ids[0] + "/ubuntu")
	if err != nil || versions == nil || len(versions.Data["keys"].([]any)) != 1 {
		t.Errorf("what was done is sent again: %v, %v", versions, err)
	}
	written, err := os.ReadFile(report)
	if err != nil || strings.Count(string(written), ",recorded,") != 2 {
		t.Errorf("the report is %s, %v", written, err)
	}
	for _, text := range []string{half.String(), rest.String(), string(written)} {
		if strings.Contains(text, first) || strings.Contains(text, second) || strings.Contains(text, quoted) {
			t.Errorf("a password is shown: %s", text)
		}
	}

	wrong := e.runIn(t, recorder, strings.Join(lines[1:], "\n"), "import", "-")
	if wrong.code != 1 || strings.Contains(wrong.String(), first) {
		t.Errorf("without a header: %s", wrong)
	}
	wants(t, "stderr", wrong.err, "line 1", "is unknown", "connection, server", "try: cloudpw import --help")
}
