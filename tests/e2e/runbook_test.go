//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const runbookPage = "../../docs/runbook.md"

// order is a block of commands of the runbook, and the persona who types it.
type order struct {
	persona, commands string
}

// question is a heading of the runbook, and what is to be typed.
type question struct {
	heading string
	orders  []order
}

// runbookCommand matches the beginning of a command; a line that goes on with the one before it is indented.
var runbookCommand = regexp.MustCompile(`(?m)^(vault|curl) `)

// runbook reads the page: each question has at most three commands, and the last persona that was named types them.
func runbook(t *testing.T) []question {
	t.Helper()
	page, err := os.ReadFile(runbookPage)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile("(?s)vault-policies\\.md#([\\w-]+)\\)|```sh\n(.*?)```")
	var all []question
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		q, persona, commands := question{heading: heading}, "", 0
		for _, m := range part.FindAllStringSubmatch(text, -1) {
			if m[1] != "" {
				persona = m[1]
				continue
			}
			if persona == "" {
				t.Errorf("%s: nobody is said to type %s", heading, m[2])
			}
			commands += len(runbookCommand.FindAllString(m[2], -1))
			q.orders = append(q.orders, order{persona, m[2]})
		}
		if commands > 3 {
			t.Errorf("%s: %d commands, want at most three", heading, commands)
		}
		if commands > 0 {
			all = append(all, q)
		}
	}
	return all
}

// runbookTest types the runbook about one server.
type runbookTest struct {
	*env
	id, account, entity string
	alice               *env
	held                issued // what alice was given last
	snapshot            string // of the server, while it had her first password
}

// outcome is what happens around a question: something before it is asked, then what its commands print, all together.
type outcome struct {
	before func(t *testing.T)
	holds  []string
	after  func(t *testing.T)
}

// settled waits until the account is ready with another version than alice was given.
func (r *runbookTest) settled(t *testing.T) {
	t.Helper()
	harness.Eventually(t, rotatesWithin, "another password", func() error {
		if a := r.accountOf(t, r.held); a.State != "ready" || a.CurrentVersion <= r.held.Version {
			return fmt.Errorf("the account is %s, version %d, last error %q", a.State, a.CurrentVersion, a.LastError)
		}
		return nil
	})
	r.sim.Refuses(t, r.id, r.held.Username, r.held.Password)
}

// read has alice read the password.
func (r *runbookTest) read(t *testing.T) {
	t.Helper()
	r.held = r.alice.first(t, "web")
}

// moved wants the account to belong to a role.
func (r *runbookTest) moved(role string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		if got := r.Read(t, r.account).Data["role"]; got != role {
			t.Errorf("the account belongs to role %v, want %s", got, role)
		}
	}
}

// ready waits until an account is at rest.
func (r *runbookTest) ready(t *testing.T, path string) {
	t.Helper()
	harness.Eventually(t, rotatesWithin, "an account at rest", func() error {
		if data := r.Read(t, path).Data; data["state"] != "ready" {
			return fmt.Errorf("the account is %v, last error %v", data["state"], data["last_error"])
		}
		return nil
	})
}

// movedBack looks at the account at its new connection, and moves it back: both use one credential, which is replaced later.
func (r *runbookTest) movedBack(t *testing.T) {
	t.Helper()
	there := strings.Replace(r.account, "prod-tencent", "new-tencent", 1)
	if got := r.Read(t, there).Data["role"]; got != "backend" {
		t.Errorf("the account belongs to role %v, want backend", got)
	}
	r.ready(t, there)
	r.Write(t, there+"/move", map[string]any{"connection": "prod-tencent"})
	for _, path := range []string{"roles/backend", "config/new-tencent"} {
		r.Delete(t, "cloudpw/"+path)
	}
}

// answers has every question of the runbook.
func (r *runbookTest) answers() map[string]outcome {
	return map[string]outcome{
		"Who has the password of a server now?":   {holds: []string{"ubuntu-1", "userpass-alice", r.entity}},
		"Which passwords are older than 30 days?": {holds: []string{r.id}},
		"Why did a server restart, or its password change?": {
			holds: []string{`"reason": "first"`, `"request_id"`, `"state": "ready"`}},
		"Is it true: does the server still have the password?": {holds: []string{"matches", `"drifted": false`}},
		"Which servers have another password than Vault?":      {holds: []string{"accounts_to_check"}},
		"How do I rotate a role now, and when is it done?":     {holds: []string{"not_yet_ordered"}, after: r.settled},
		"How do I rotate everything of a connection now, and when is it done?": {
			before: r.read, holds: []string{"not_yet_ordered", "prod-tencent: ok"}, after: r.settled},
		"What do I do when somebody leaves?": {
			before: r.read, holds: []string{"accounts_due", r.id}, after: func(t *testing.T) {
				t.Helper()
				r.settled(t)
				if _, err := r.alice.TryRead(t.Context(), "cloudpw/creds/web"); harness.Status(err) != 403 {
					t.Errorf("alice reads with her old token: %v", err)
				}
				r.held = r.issue(t, "web")
			}},
		"Vault was restored from yesterday's backup: what now?": {
			before: func(t *testing.T) { // the server has another password than the record, as after a restore of Vault
				t.Helper()
				r.restore(t, r.snapshot, r.held)
			},
			holds: []string{"accounts_to_check"}, after: func(t *testing.T) {
				t.Helper()
				r.settled(t)
				r.issue(t, "web")
			}},
		"The plugin crashed: what now?": {
			before: func(t *testing.T) { r.KillPlugin(t) }, holds: []string{"running"}},
		"The cloud credential has expired: what now?":                   {holds: []string{"prod-tencent"}},
		"When does a cloud credential expire, and how do I replace it?": {holds: []string{"credential_id"}},
		"How do I move a server to another role?":                       {after: r.moved("db")},
		"How do I move all servers of a role to another role?":          {after: r.moved("frontend")},
		"How do I move a server to another connection?": {before: func(t *testing.T) {
			t.Helper()
			r.ready(t, r.account)
			r.Write(t, "cloudpw/config/new-tencent", r.connection(model.TencentCloud))
		}, holds: []string{"new-tencent/" + r.id}, after: r.movedBack},
		"How do I rename the mount?": {after: func(t *testing.T) {
			t.Helper()
			r.Read(t, strings.Replace(r.account, "cloudpw/", "servers/", 1))
		}},
	}
}

// TestTheRunbookInATerminal types every command of docs/runbook.md with a token of the persona's policy alone, and looks at what it
// does. Questions are asked in the page's order.
func TestTheRunbookInATerminal(t *testing.T) {
	t.Parallel()
	e := start(t)
	policies := documentedPolicies(t)
	for name, policy := range policies {
		if err := e.Client.Sys().PutPolicy(name, policy); err != nil {
			t.Fatal(err)
		}
	}
	e.Write(t, "cloudpw/config/prod-tencent", e.connection(model.TencentCloud))
	r := &runbookTest{env: e, id: e.sim.ServerID(t, model.TencentCloud, "ubuntu-1")}
	r.account = "cloudpw/accounts/prod-tencent/" + r.id + "/ubuntu"
	e.Write(t, "cloudpw/roles/web", map[string]any{"connection": "prod-tencent", "instance_ids": r.id, "reset_method": "command",
		"check_method": "command", "min_reset_interval": 0})
	e.Write(t, "sys/auth/userpass", map[string]any{"type": "userpass"})
	r.alice, r.entity = e.signIn(t, "alice", "reader")
	r.read(t)
	var err error
	if r.snapshot, err = e.sim.Snapshot(t.Context(), r.id); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seeded := e.sim.Info.Seeded[model.TencentCloud]
	if err := os.WriteFile(filepath.Join(dir, "secret-key.txt"), []byte(seeded.SecretKey), 0o600); err != nil {
		t.Fatal(err)
	}
	typed := strings.NewReplacer("ins-r8hr2upy", r.id, "7d2e3179-f69b-450c-7179-ac8ee8bd8ca9", r.entity, "older_than=720h", "older_than=0s",
		"AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", seeded.AccessKey)

	answers, secrets := r.answers(), []string{seeded.SecretKey}
	for _, q := range runbook(t) {
		want, ok := answers[q.heading]
		if !ok {
			t.Errorf("no answer of %q is known", q.heading)
			continue
		}
		delete(answers, q.heading)
		if want.before != nil {
			want.before(t)
		}
		secrets = append(secrets, r.held.Password)
		var printed strings.Builder
		for _, o := range q.orders {
			out, err := e.shell(t, "set -e\ncd "+dir+"\n"+typed.Replace(o.commands), e.Address, e.persona(t, o.persona))
			if err != nil {
				t.Fatalf("%s, as %s:\n%s%v\n%s", q.heading, o.persona, o.commands, err, out)
			}
			printed.WriteString(out)
		}
		for _, holds := range want.holds {
			if !strings.Contains(printed.String(), holds) {
				t.Errorf("%s: no %q in\n%s", q.heading, holds, printed.String())
			}
		}
		for _, secret := range secrets {
			if strings.Contains(printed.String(), secret) {
				t.Errorf("%s: a secret is printed", q.heading)
			}
		}
		if want.after != nil {
			want.after(t)
		}
	}
	for heading := range answers {
		t.Errorf("the runbook has no question %q", heading)
	}
}

// persona returns a token with the persona's policy; those on call have the operator's, too.
func (e *env) persona(t *testing.T, name string) string {
	t.Helper()
	policies := []string{name}
	if name == "on-call" {
		policies = append(policies, "operator")
	}
	return e.tokenOf(t, policies...)
}
