//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// thisTest is how the list of commands names TestPagesInATerminal.
const thisTest = "tests/e2e/typed_test.go:TestPagesInATerminal"

// typedPage is a page whose commands are typed one after another, in a mount of its own.
type typedPage struct {
	servers []model.Server
	// before is typed first, for what the page takes as given.
	before string
	// between is typed before a command that begins so: pages show alternatives, too.
	between map[string]string
	// prints is what must be among what the commands print.
	prints []string
}

// Servers that the pages name.
var (
	tencentWeb  = model.Server{Cloud: model.TencentCloud, ID: "ins-r8hr2upy", OSName: "Ubuntu Server 22.04 LTS 64bit"}
	otcWindows  = model.Server{Cloud: model.OpenTelekomCloud, ID: otcID, Platform: model.Windows, KeyName: "ops-2026"}
	awsWindows  = model.Server{Cloud: model.AWS, ID: "i-0123456789abcdef0", Platform: model.Windows, KeyName: "ops-2026"}
	awsWindows2 = model.Server{Cloud: model.AWS, ID: "i-0fedcba9876543210", Platform: model.Windows, KeyName: "ops-2026"}
)

const otcID = "05184ba3-00ba-4fbc-b7a2-03b62b884931"

// tagged is a server with one tag more.
func tagged(s model.Server, key, value string) model.Server {
	s.Tags = map[string]string{key: value}
	return s
}

// typedPages are the pages of which TestPagesInATerminal types the commands that backend/testdata/commands.json says so of.
func typedPages() map[string]typedPage {
	connections := `vault write cloudpw/config/prod-tencent provider=tencentcloud region=eu-frankfurt \
    access_key=AKIDexample secret_key=@secret-key.txt
vault write cloudpw/config/prod-aws provider=aws region=eu-central-1 access_key=AKIAIOSFODNN7EXAMPLE secret_key=@secret-key.txt
vault write cloudpw/config/prod-otc provider=opentelekomcloud region=eu-de username=vault password=@password.txt \
    user_domain_name=OTC-EU-DE-00000000001000000000 project_name=eu-de
vault write cloudpw/keys/ops-2026 private_key=@ops-2026.pem
`
	web := `vault write cloudpw/roles/web connection=prod-tencent instance_ids=ins-r8hr2upy \
    reset_method=command check_method=command min_reset_interval=0
vault read cloudpw/creds/web wait=45s
`
	return map[string]typedPage{
		"docs/quick-start.md": {servers: []model.Server{tencentWeb, tagged(otcWindows, "team", "ops"), awsWindows, awsWindows2},
			prints: []string{"password", "lease_id", "current_version", "ssh-ed25519 "}},
		"docs/clouds/alibabacloud.md": {servers: []model.Server{{Cloud: model.AlibabaCloud, ID: "i-bp67acfmxazb4p1x2y3z"}},
			prints: []string{"password"}},
		"docs/clouds/aws.md": {servers: []model.Server{awsWindows,
			tagged(model.Server{Cloud: model.AWS}, "team", "web"), tagged(awsWindows2, "team", "db")},
			between: map[string]string{"vault write cloudpw/roles/windows-leased": "vault delete cloudpw/roles/windows\n" +
				"vault delete cloudpw/accounts/prod-aws/i-0123456789abcdef0/Administrator force=true\n"}, prints: []string{"password"}},
		"docs/clouds/azure.md": {servers: []model.Server{
			tagged(model.Server{Cloud: model.Azure, ID: "4f2e9c1a-6a3d-4b2e-8a55-0c1d2e3f4a5b"}, "app", "web")}, prints: []string{"password"}},
		"docs/clouds/huaweicloud.md": {servers: []model.Server{
			tagged(model.Server{Cloud: model.HuaweiCloud, Platform: model.Windows, KeyName: "ops-2026"}, "team", "ops"),
			{Cloud: model.HuaweiCloud, ID: "05184ba3-00ba-4fbc-b7a2-03b62b884931"}}, prints: []string{"password"}},
		"docs/clouds/openstack.md": {servers: []model.Server{
			tagged(model.Server{Cloud: model.OpenStack, Platform: model.Windows, KeyName: "ops-2026"}, "team", "ops"),
			tagged(model.Server{Cloud: model.OpenStack}, "team", "web")},
			between: map[string]string{"vault write cloudpw/roles/private-admins": "vault delete cloudpw/roles/private-windows\n"}},
		"docs/clouds/opentelekomcloud.md": {servers: []model.Server{tagged(otcWindows, "team", "ops")}, prints: []string{"password"}},
		"docs/clouds/tencentcloud.md": {servers: []model.Server{tencentWeb, {Cloud: model.TencentCloud, ID: "ins-5d8a23rs"}},
			prints: []string{"password"}},
		"docs/clouds/ssh.md": {prints: []string{"ssh-ed25519 "}},
		"docs/concepts.md":   {servers: []model.Server{otcWindows}, before: connections, prints: []string{"password"}},
		"docs/api/creds.md": {servers: []model.Server{tencentWeb, otcWindows}, before: connections + web + otcRole,
			prints: []string{"password"}},
		"docs/api/status.md":   {servers: []model.Server{tencentWeb}, before: connections + web, prints: []string{"cloudpw_accounts", "running"}},
		"docs/api/accounts.md": {servers: []model.Server{tencentWeb}, before: connections + web, prints: []string{"current_version"}},
		"docs/api/config.md": {servers: []model.Server{tencentWeb, awsWindows}, before: connections + web,
			prints: []string{"AKIAIOSFODNN7EXAMPLE"}},
		"docs/api/roles.md": {servers: []model.Server{tencentWeb,
			{Cloud: model.AWS, Platform: model.Windows, KeyName: "ops-2026", Tags: map[string]string{"team": "ops", "os": "windows"}}},
			before: connections + web, prints: []string{"ins-r8hr2upy"}},
		"docs/api/keys.md": {before: connections,
			between: map[string]string{"vault write -field=authorized_key": "vault delete cloudpw/keys/vault-made\n"},
			prints:  []string{"vault-made"}},
		"docs/api/versions.md": {servers: []model.Server{tencentWeb}, before: connections + web, prints: []string{"confirmed"}},
		"docs/operations.md":   {servers: []model.Server{tencentWeb}, before: connections + web},
	}
}

const otcRole = `vault write cloudpw/roles/otc-windows connection=prod-otc instance_ids=05184ba3-00ba-4fbc-b7a2-03b62b884931 key=ops-2026
`

// typedHere are the commands of the pages that this test types, by page, in the pages' order.
func typedHere(t *testing.T) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile("../../backend/testdata/commands.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Page, Command, Test string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, c := range list {
		if c.Test == thisTest {
			all[c.Page] = append(all[c.Page], c.Command)
		}
	}
	return all
}

// desk is where a page is typed: a folder with the files that pages read, and a `vault` that leads to the simulated clouds.
type desk struct {
	*env
	dir   string
	typed *strings.Replacer
}

// sit makes the desk. The simulated accounts get the keys of the pages' examples; what cannot be chosen there is replaced in what is typed.
func (e *env) sit(t *testing.T) *desk {
	t.Helper()
	const secret = "the-secret-of-the-examples"
	d, seeded := &desk{env: e, dir: t.TempDir()}, e.sim.Info.Seeded
	for cloud, id := range map[model.Cloud]string{model.AWS: "AKIAIOSFODNN7EXAMPLE", model.TencentCloud: "AKIDexample",
		model.AlibabaCloud: "LTAI5tExample", model.HuaweiCloud: "HPUA0EXAMPLE"} {
		account := seeded[cloud]
		d.admin(t, http.MethodPost, "/v1/access-keys", model.AccessKey{Cloud: cloud, ID: id, Secret: secret, AccountID: account.AccountID,
			UserID: account.UserID})
	}
	private := seeded[model.AWS].PrivateKey
	for _, cloud := range model.Clouds() {
		d.admin(t, http.MethodPost, "/v1/key-pairs", map[string]any{"cloud": cloud, "account_id": seeded[cloud].AccountID,
			"name": "ops-2026", "pem": private})
	}
	otc, azure, openstack := seeded[model.OpenTelekomCloud], seeded[model.Azure], seeded[model.OpenStack]
	for name, text := range map[string]string{"secret-key.txt": secret, "ops-2026.pem": private, "password.txt": otc.Password,
		"client-secret.txt": azure.ClientSecret, "secret.txt": openstack.AppCredential, "db1-host-key.pub": exampleHostKey,
		"vault": d.vault()} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.typed = strings.NewReplacer(
		"username=vault password=@password.txt user_domain_name=OTC-EU-DE-00000000001000000000",
		"username="+otc.Username+" password=@password.txt user_domain_name="+otc.UserDomainName,
		"username=vault password=@password.txt \\\n    user_domain_name=OTC-EU-DE-00000000001000000000",
		"username="+otc.Username+" password=@password.txt user_domain_name="+otc.UserDomainName,
		"project_id=0123456789abcdef0123456789abcdef", "project_id="+seeded[model.HuaweiCloud].ProjectID,
		"0b1f6471-1bf0-4dda-aec3-cb9272f09590", azure.SubscriptionID, "72f988bf-86f1-41af-91ab-2d7cd011db47", azure.TenantID,
		"25a1b1f0-7cf4-4c1e-9d2f-3f4b5a6c7d8e", azure.ClientID,
		"https://keystone.example.com:5000", e.sim.Info.Endpoints[model.OpenStack]["identity"],
		"21dced0fd20347869b93710d2b98aae0", openstack.AppCredentialID,
	)
	return d
}

// exampleHostKey is the public key of a server that does not exist.
const exampleHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEmGAGVSSGGhmmbLBV2sRzXOjyc+7eL5dMr0Vx3QgRjm"

func (d *desk) admin(t *testing.T, method, path string, in any) {
	t.Helper()
	if err := d.sim.Do(t.Context(), method, path, in, nil); err != nil {
		t.Fatal(err)
	}
}

// vault is a `vault` that adds the simulated clouds' URLs to connections, and takes the lease of the last read for the pages' one.
func (d *desk) vault() string {
	var cases strings.Builder
	for _, cloud := range model.Clouds() {
		connection := d.connection(cloud)
		fmt.Fprintf(&cases, "*' provider=%s '*) set -- \"$@\"", cloud)
		for service, url := range connection["endpoints"].(map[string]string) {
			fmt.Fprintf(&cases, " endpoints=%s=%s", service, url)
		}
		if cloud == model.OpenTelekomCloud {
			fmt.Fprintf(&cases, " auth_url=%s", connection["auth_url"])
		}
		fmt.Fprint(&cases, " ;;\n")
	}
	return `#!/bin/sh
lease=$(cat "` + d.dir + `/lease" 2>/dev/null)
for word; do
	shift
	case $word in */E3FrieBx2la2iLXc96qtA0WU) word=${word%/*}/$lease ;; esac
	set -- "$@" "$word"
done
case " $* " in
` + cases.String() + `esac
"` + os.Getenv("VAULT_BIN") + `" "$@" >"` + d.dir + `/out"
status=$?
cat "` + d.dir + `/out"
cd "` + d.dir + `"
sed -n 's|^lease_id  *cloudpw/creds/.*/||p' out | grep . >lease.new && mv lease.new lease
exit $status
`
}

// TestPagesInATerminal types the commands of pages whose examples are enough to go by. Which commands of a page it types,
// backend/testdata/commands.json says.
func TestPagesInATerminal(t *testing.T) {
	t.Parallel()
	e := start(t)
	d := e.sit(t)
	pages := typedPages()
	for page, commands := range typedHere(t) {
		p, known := pages[page]
		if !known {
			t.Errorf("backend/testdata/commands.json: this test does not know %s", page)
			continue
		}
		delete(pages, page)
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) { d.types(t, page, p, commands) })
	}
	for page := range pages {
		t.Errorf("no command of %s is said to be typed here", page)
	}
}

// types has a page typed.
func (d *desk) types(t *testing.T, page string, p typedPage, commands []string) {
	if err := d.Client.Sys().UnmountWithContext(t.Context(), harness.Mount); err != nil {
		t.Fatal(err)
	}
	d.MountAt(t, harness.Mount)
	for _, s := range p.servers {
		account := d.sim.Info.Seeded[s.Cloud]
		s.AccountID, s.ProjectID, s.Region = account.AccountID, account.ProjectID, account.Region
		var added adminapi.Server
		if err := d.sim.Do(t.Context(), http.MethodPost, "/v1/servers", adminapi.Server{Server: s}, &added); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.sim.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/v1/servers/"+added.ID+"?forget=true", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	raw, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	commands = append([]string{p.before}, commands...)
	var printed strings.Builder
	for _, command := range commands {
		payload := payloadOf(string(raw), command)
		for begins, first := range p.between {
			if strings.HasPrefix(command, begins) {
				payload += first
			}
		}
		script := "set -e\ncd " + d.dir + "\nPATH=" + d.dir + ":$PATH\n" + payload + d.typed.Replace(command)
		out, err := d.shell(t, script, d.Address, d.Client.Token())
		if err == nil && strings.HasPrefix(command, "curl ") && strings.Contains(out, `"errors"`) {
			err = fmt.Errorf("Vault refuses it")
		}
		if err != nil {
			t.Fatalf("%s: %s\n%v\n%s", page, command, err, out)
		}
		printed.WriteString(out)
	}
	for _, holds := range p.prints {
		if !strings.Contains(printed.String(), holds) {
			t.Errorf("%s: no %q in\n%s", page, holds, printed.String())
		}
	}
}

// payloadOf writes the file that a sample request sends: the sample payload above it.
func payloadOf(page, command string) string {
	if !strings.Contains(command, "@payload.json") {
		return ""
	}
	above, _, _ := strings.Cut(page, "\n"+command+"\n")
	_, payload, found := cutLast(above, "### Sample payload")
	if !found {
		return ""
	}
	_, payload, _ = strings.Cut(payload, "```json\n")
	payload, _, _ = strings.Cut(payload, "```")
	return "cat >payload.json <<'END'\n" + payload + "END\n"
}

// cutLast cuts around the last occurrence.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
