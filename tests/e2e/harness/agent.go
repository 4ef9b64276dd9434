package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Agent is a running `vault agent` with one template.
type Agent struct {
	*Process
	// Output is the file that the agent renders, or in which its child process writes down what it was given.
	Output string

	exec bool
}

// StartAgent runs Vault Agent with the server's root token and has it render template (Consul Template's language).
// through is the address at which it finds Vault, "" for Vault's own.
func (v *Vault) StartAgent(tb testing.TB, through, template string) *Agent {
	tb.Helper()
	return v.startAgent(tb, through, false, func(output, source string) string {
		return fmt.Sprintf("template {\n  source      = %q\n  destination = %q\n}\n", source, output)
	}, template)
}

// agentSecret is the environment variable of an agent's child process.
const agentSecret = "CLOUDPW_SECRET"

// StartAgentExec runs Vault Agent as [Vault.StartAgent] does, and has it start a child process with the rendered text in
// its environment, and again whenever that changes. The child appends the text, in one line, to Output.
func (v *Vault) StartAgentExec(tb testing.TB, through, template string) *Agent {
	tb.Helper()
	return v.startAgent(tb, through, true, func(output, source string) string {
		child := fmt.Sprintf(`printf '%%s\n' "$%s" >> '%s'; exec sleep 600`, agentSecret, output)
		return fmt.Sprintf(`
env_template %q {
  source               = %q
  error_on_missing_key = true
}
exec {
  command                   = ["/bin/sh", "-c", %q]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
`, agentSecret, source, child)
	}, template)
}

func (v *Vault) startAgent(tb testing.TB, through string, exec bool, job func(output, source string) string, template string) *Agent {
	tb.Helper()
	if through == "" {
		through = v.Address
	}
	dir := tb.TempDir()
	token, source, output := filepath.Join(dir, "token"), filepath.Join(dir, "template.ctmpl"), filepath.Join(dir, "rendered")
	config := filepath.Join(dir, "agent.hcl")
	for path, content := range map[string]string{
		token:  v.token,
		source: template,
		config: fmt.Sprintf(`
pid_file = %q
vault {
  address = %q
}
auto_auth {
  method "token_file" {
    config = {
      token_file_path = %q
    }
  }
}
%s`, filepath.Join(dir, "pid"), through, token, job(output, source)),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatalf("Vault Agent's files: %v", err)
		}
	}
	process := startProcess(tb, "vault agent", filepath.Join(dir, "agent.log"), environment(dir), v.bin.Vault,
		"agent", "-log-level=debug", "-config="+config)
	return &Agent{Process: process, Output: output, exec: exec}
}

// Rendered returns what the agent has rendered last, or an error while there is nothing.
func (a *Agent) Rendered() (string, error) {
	if err := a.alive(); err != nil {
		return "", err
	}
	content, err := os.ReadFile(a.Output)
	if err != nil {
		return "", err
	}
	text := string(content)
	if a.exec { // the child's last whole line
		text = text[:strings.LastIndex(text, "\n")+1]
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		text = lines[len(lines)-1]
	}
	if text == "" {
		return "", errors.New("nothing has been rendered")
	}
	return text, nil
}
