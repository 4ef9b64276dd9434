//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// template is what an operator gives Vault Agent: a line with the user and one with the password.
func template(role string) string {
	return fmt.Sprintf("{{ with secret \"cloudpw/creds/%s\" }}{{ .Data.username }}\n{{ .Data.password }}\n{{ end }}", role)
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
		user, rest, _ := strings.Cut(text, "\n")
		if password = strings.TrimSuffix(rest, "\n"); password == old {
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
	agent := e.StartAgent(t, template("web"))
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
	e.rendered(t, e.StartAgent(t, template("windows")), id, "")
}
