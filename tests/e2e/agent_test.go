//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// template is what an operator gives Vault Agent: user and password, which hold no blanks, in one line.
func template(role string) string {
	return fmt.Sprintf("{{ with secret \"cloudpw/creds/%s\" }}{{ .Data.username }} {{ .Data.password }}{{ end }}", role)
}

// rendered waits until the agent has rendered a password that the server accepts and that is not old.
func (e *env) rendered(t *testing.T, agent *harness.Agent, id, old string) string {
	t.Helper()
	var password string
	harness.Eventually(t, rotatesWithin, "a rendered password that logs in", func() error {
		text, err := agent.Rendered()
		if err != nil {
			return err
		}
		user, rest, _ := strings.Cut(text, " ")
		if password = rest; password == old {
			return errors.New("the old password is still there")
		}
		return e.sim.Login(t, id, user, password)
	})
	return password
}

func TestAgentRendersALeasedPasswordAndItsSuccessor(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"ttl": "6s"})
	agent := e.StartAgent(t, "", template("web"))
	password := e.rendered(t, agent, id, "")

	e.CLI(t, "lease", "revoke", "-prefix", "cloudpw/creds/web")
	// The agent learns of it when it wants to renew the lease.
	e.rendered(t, agent, id, password)
}

func TestAgentRendersAStaticPassword(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.AWS)
	id := e.role(t, "windows", model.AWS, "windows-1", nil)
	e.rendered(t, e.StartAgent(t, "", template("windows")), id, "")
}

// Agents that render a file and agents that run a program follow a password that a schedule rotates and one that max_ttl
// ends, over several rotations. At no time does Vault answer one of them a password that the server does not have, and
// none of them renders anything else than what Vault answered.
func TestAgentsFollowRotations(t *testing.T) {
	t.Parallel()
	const rotations = 3
	e := start(t)
	e.connect(t, model.TencentCloud)
	witness := e.StartWitness(t)
	ids := map[string]string{
		"static": e.role(t, "static", model.TencentCloud, "linux-1", map[string]any{
			"mode": "static", "rotation_period": "10s", "skip_import_rotation": false,
		}),
		"leased": e.role(t, "leased", model.TencentCloud, "ubuntu-1", map[string]any{"ttl": "4s", "max_ttl": "10s"}),
	}
	modes := map[string]func(testing.TB, string, string) *harness.Agent{"template": e.StartAgent, "exec": e.StartAgentExec}
	t.Run("agents", func(t *testing.T) { // returns when its parallel parts have ended
		for role, id := range ids {
			for mode, startAgent := range modes {
				agent := startAgent(t, witness.URL, template(role))
				t.Run(role+" "+mode, func(t *testing.T) {
					t.Parallel()
					var password string
					for n := range 1 + rotations {
						began := time.Now()
						password = e.rendered(t, agent, id, password)
						t.Logf("password %d after %s", n+1, time.Since(began).Round(100*time.Millisecond))
						if !answered(witness, id, password) {
							t.Errorf("password %d was rendered, and Vault did not answer it", n+1)
						}
					}
				})
			}
		}
	})
	for role, id := range ids {
		var answers []answer
		for _, a := range witness.Answers() {
			if a.InstanceID == id {
				answers = append(answers, answer{password: a.Password, asked: a.Asked, given: a.Given})
			}
		}
		if len(answers) <= rotations {
			t.Errorf("%s: %d answers for %d rotations", role, len(answers), rotations)
		}
		for _, fault := range checkAnswers(e.sim.PasswordAttempts(t, id), answers) {
			t.Errorf("%s: %s", role, fault)
		}
	}
}

// answered tells whether Vault has answered a server's password.
func answered(w *harness.Witness, id, password string) bool {
	for _, a := range w.Answers() {
		if a.InstanceID == id && a.Password == password {
			return true
		}
	}
	return false
}
