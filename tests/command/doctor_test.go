//go:build e2e

package command

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// diagnosis is what `cloudpw doctor -o json` prints.
type diagnosis struct {
	Wrong    bool `json:"wrong"`
	Findings []struct{ Part, Level, Text, Next string }
}

func (d diagnosis) of(part string) string {
	var all []string
	for _, f := range d.Findings {
		if f.Part == part {
			all = append(all, f.Level+": "+f.Text)
		}
	}
	return strings.Join(all, "\n")
}

// TestDoctor: it finds the mount, its version and a persona's rights, and what is wrong: a role without servers that work, a token that
// ended, a mount that is none.
func TestDoctor(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.role(t, "web", nil, "ubuntu-1")
	operator := e.token(t, "olivia", "Operator")
	sound := e.run(t, operator, "doctor", "-o", "json")
	d := decoded[diagnosis](t, sound.out)
	if sound.code != 0 || d.Wrong {
		t.Errorf("a sound mount: %s", sound)
	}
	wants(t, "vault", d.of("Vault"), "ok: Vault ", "is unsealed")
	wants(t, "mount", d.of("mount"), "ok: cloudpw/, plugin v", "as this command")
	wants(t, "token", d.of("token"), "ok: of userpass-olivia, policies default, operator")
	wants(t, "permissions", d.of("permissions"), "ok: Operator: yes", "note: Emergency: in parts", "nothing of: On-call")
	wants(t, "connections", d.of("connections"), "ok: 1, all work")
	wants(t, "accounts", d.of("accounts"), "ok: 1, none fails")

	reader := e.run(t, e.token(t, "rita", "Reader"), "doctor", "-o", "json")
	wants(t, "a reader's permissions", decoded[diagnosis](t, reader.out).of("permissions"), "ok: Reader: yes, for web",
		"ok: nothing of: Operator")
	wants(t, "a reader's connections", decoded[diagnosis](t, reader.out).of("connections"), "note: the token may not see")

	if err := e.Client.Sys().PutPolicy("other", `path "secret/*" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	stranger, err := e.Client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"other"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		args  []string
		parts []string
	}{
		"no token":      {"hvs.unknown", nil, []string{"token\n", "wrong  Vault does not know it", "try: vault login"}},
		"no mount":      {operator, []string{"--mount", "servers"}, []string{"wrong  servers/ is no mount", "try: vault secrets list"}},
		"no permission": {stranger.Auth.ClientToken, nil, []string{"wrong  the token can do nothing with cloudpw/"}},
		"no Vault": {operator, []string{"--address", "http://127.0.0.1:1"},
			[]string{"wrong  http://127.0.0.1:1 does not answer", "VAULT_ADDR"}},
	} {
		r := e.run(t, c.token, append([]string{"doctor"}, c.args...)...)
		if r.code != 1 {
			t.Errorf("%s: %s", name, r)
		}
		wants(t, name, r.out, c.parts...)
	}
}

// TestDoctorOfASealedVault says so.
func TestDoctorOfASealedVault(t *testing.T) {
	t.Parallel()
	e := startRaft(t)
	if err := e.Client.Sys().Seal(); err != nil {
		t.Fatal(err)
	}
	r := e.run(t, "hvs.any", "doctor")
	if r.code != 1 {
		t.Errorf("%s", r)
	}
	wants(t, "the findings", r.out, "is sealed", "try: vault operator unseal")
}
