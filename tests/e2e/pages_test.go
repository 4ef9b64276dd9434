//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// block returns the first fenced block of a page that holds a text.
func block(t *testing.T, page, language, holds string) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		if strings.Contains(m[1], holds) {
			return m[1]
		}
	}
	t.Fatalf("%s has no block of %s with %q", page, language, holds)
	return ""
}

// shell runs a page's commands as typed, with the Vault's own address and the token given.
func (e *env) shell(t *testing.T, commands, address, token string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", commands)
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+address, "VAULT_TOKEN="+token, "PATH="+e.pathWithVault(t)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pathWithVault is a folder in which `vault` is the one of these tests.
func (e *env) pathWithVault(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(os.Getenv("VAULT_BIN"), dir+"/vault"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTheMonitoringCheckOfThePage: it passes while all is well, and fails when Vault refuses or cannot be reached.
func TestTheMonitoringCheckOfThePage(t *testing.T) {
	t.Parallel()
	e := start(t)
	check := block(t, "operations.md", "sh", "jq -e")
	if out, err := e.shell(t, check, e.Address, e.Client.Token()); err != nil {
		t.Errorf("all is well, and the check fails: %v\n%s", err, out)
	}
	for name, at := range map[string][2]string{
		"a token that may not": {e.Address, "no-such-token"},
		"no Vault there":       {"http://127.0.0.1:1", e.Client.Token()},
	} {
		if out, err := e.shell(t, check, at[0], at[1]); err == nil {
			t.Errorf("%s: the check passes:\n%s", name, out)
		}
	}
}

// TestTheAgentOfThePage types the role of the page about Vault Agent, and has an Agent render the page's template.
func TestTheAgentOfThePage(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.Write(t, "cloudpw/config/prod-tencent", e.connection(model.TencentCloud))
	id := e.sim.ServerID(t, model.TencentCloud, "ubuntu-1")
	commands := strings.ReplaceAll(block(t, "consumers/vault-agent.md", "sh", "cloudpw/roles/db"), "ins-0m4lq9ra", id)
	if out, err := e.shell(t, "set -e\n"+commands, e.Address, e.Client.Token()); err != nil {
		t.Fatalf("the page's commands: %v\n%s", err, out)
	}
	template := regexp.MustCompile(`(?s)contents\s+= <<T\n(.*?)\nT\n`).FindStringSubmatch(block(t, "consumers/vault-agent.md", "hcl",
		"auto_auth"))
	agent := e.StartAgent(t, "", template[1])
	harness.Eventually(t, rotatesWithin, "a rendered password that logs in", func() error {
		text, err := agent.Rendered()
		if err != nil {
			return err
		}
		values := map[string]string{}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			values[name] = value
		}
		return e.sim.Login(t, id, values["SSH_USER"], values["SSH_PASSWORD"])
	})
}
