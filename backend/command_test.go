package backend

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestCommandsOfTheMount(t *testing.T) {
	for _, c := range []struct{ text, mount, want string }{
		{"see: vault read cloudpw/check/prod", "cloudpw/", "see: vault read cloudpw/check/prod"},
		{"see: vault read cloudpw/check/prod", "", "see: vault read cloudpw/check/prod"},
		{"see: vault read cloudpw/check/prod", "team/servers/", "see: vault read team/servers/check/prod"},
		{"vault write -force cloudpw/roles/r; vault list -detailed cloudpw/discover/c", "x/", "vault write -force x/roles/r; vault list -detailed x/discover/c"},
		{"vault lease revoke -prefix cloudpw/creds/r", "x/", "vault lease revoke -prefix x/creds/r"},
		{"vault secrets tune -max-lease-ttl=60s cloudpw/", "x/", "vault secrets tune -max-lease-ttl=60s x/"},
		{"vault read cloudpw/a", "two words/", "vault read 'two words/'a"},
		{"vault read cloudpw/a", "$1/", "vault read '$1/'a"},
		{"the server cloudpw/a", "x/", "the server cloudpw/a"},
		{"vault: cloudpw/a", "x/", "vault: cloudpw/a"},
		{"devault read cloudpw/a", "x/", "devault read cloudpw/a"},
	} {
		if got := atMount(c.text, c.mount); got != c.want {
			t.Errorf("%q at %q: %q, want %q", c.text, c.mount, got, c.want)
		}
	}
}

func TestErrorAtMountKeepsItsType(t *testing.T) {
	if err := errorAtMount(nil, "x/"); err != nil {
		t.Errorf("nil became %v", err)
	}
	if err := errorAtMount(logical.ErrReadOnly, "x/"); err != logical.ErrReadOnly { //nolint:errorlint // Vault compares it so.
		t.Errorf("ErrReadOnly became %v", err)
	}
	if got, message := statusOf(nil, errorAtMount(conflictf("vault read cloudpw/a"), "x/")); got != http.StatusConflict || message != "vault read x/a" {
		t.Errorf("a conflict became %d %q", got, message)
	}
	if err := errorAtMount(errors.New("vault read cloudpw/a"), "x/"); err.Error() != "vault read x/a" {
		t.Errorf("an error became %v", err)
	}
}

func TestAnswersAtMount(t *testing.T) {
	text := "vault read cloudpw/a"
	resp := &logical.Response{Warnings: []string{text}, Data: map[string]any{
		"password": text, "last_error": text,
		"group":       map[string]any{"last_error": text},
		"permissions": []map[string]any{{"message": text, "action": text}},
	}}
	responseAtMount(resp, "x/")
	group, permissions := resp.Data["group"].(map[string]any), resp.Data["permissions"].([]map[string]any)
	for name, got := range map[string]any{
		"warning": resp.Warnings[0], "last_error": resp.Data["last_error"], "group": group["last_error"], "message": permissions[0]["message"],
	} {
		if got != "vault read x/a" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if resp.Data["password"] != text || permissions[0]["action"] != text {
		t.Errorf("a field that holds no text of ours was changed: %v", resp.Data)
	}
}

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{
		"plain":                "plain",
		"ec2=https://e.com/x":  "ec2=https://e.com/x",
		"key=@my-key.pem":      "key=@my-key.pem",
		"":                     "''",
		"two words":            "'two words'",
		"it's":                 `'it'\''s'`,
		"$(reboot)":            "'$(reboot)'",
		"tags=a=b;c":           "'tags=a=b;c'",
		"allowed_roles=*":      "'allowed_roles=*'",
		"rotation_schedule=\n": "'rotation_schedule=\n'",
	} {
		if got := shellWord(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// A write that is refused for one field is repeated with that field put right, and with no secret in it.
func TestRefusedWriteTellsItsCorrection(t *testing.T) {
	h := roleMount(t)
	h.refusedWrite(t, "roles/r", map[string]any{"connection": initialCloud, "instance_ids": []any{"srv-1"}, "mode": "leased", "custom_metadata": map[string]any{"b": "it's", "a": 1}},
		"vault write cloudpw/roles/r connection="+initialCloud+` custom_metadata=a=1 'custom_metadata=b=it'\''s' instance_ids=srv-1 mode=static`)

	h.cloud.fail("Verify", cloud.Errorf(cloud.Denied, "the credentials are wrong"))
	data := connectionData(resetCloud)
	data["endpoints"] = map[string]any{"compute": "https://example.com"}
	h.refusedWrite(t, "config/new", data, "was not stored", "then write it again: vault write cloudpw/config/new access_key=@access-key.txt endpoints=compute=https://example.com "+
		"provider="+resetCloud+" region=r-1 secret_key=@secret-key.txt (to store it all the same, add verify_connection=false)")

	h.refusedWrite(t, "config/new", merged(data, map[string]any{"endpoints": map[string]any{"compute": "http://example.com"}}),
		"endpoints.compute: plain http", "use https; vault write cloudpw/config/new ", " endpoints=compute=https://example.com")
	data["endpoints"] = []any{"compute=https://example.com"} // what the vault command makes of endpoints given twice
	h.refusedWrite(t, "config/new", data, " endpoints=compute=https://example.com provider=")
	for _, url := range []string{"http://user:pw@example.com", "http://example.com/\n"} {
		_, message := statusOf(h.request(t, logical.UpdateOperation, "config/new", merged(data, map[string]any{"endpoints": map[string]any{"compute": url}})))
		if strings.Contains(message, "pw@") || strings.Contains(message, "\n") {
			t.Errorf("the refusal of %q repeats it: %s", url, message)
		}
	}
}

func TestMisspeltField(t *testing.T) {
	h := newHarness(t)
	for field, want := range map[string]string{
		"max_tll":     "did you mean max_ttl?",
		"instance_id": "did you mean instance_ids?",
		"instnce_ids": "did you mean instance_ids?",
		"password":    "custom_metadata, disable_automated_rotation",
	} {
		h.refusedWrite(t, "roles/web", map[string]any{field: "s3cr3t"}, "unknown field", want, "vault path-help cloudpw/roles/web")
	}
	_, message := statusOf(h.request(t, logical.UpdateOperation, "roles/web", map[string]any{"password": "s3cr3t"}))
	if strings.Contains(message, "did you mean") || strings.Contains(message, "s3cr3t") {
		t.Errorf("a field that is near to none: %s", message)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"ttl", "max_ttl", "username", "kitten"}
	for name, want := range map[string]string{
		"ttl": "ttl", "tll": "ttl", "tt": "", "ttll": "ttl", "mxa_ttl": "max_ttl", "usrname": "username", "usernames_all": "", "sitting": "", "": "",
		"überlang-name": "", strings.Repeat("max_ttl", 100_000): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
