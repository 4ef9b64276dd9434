package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Agent is a running `vault agent` that renders one template.
type Agent struct {
	*Process
	// Output is the file that it renders.
	Output string
}

// StartAgent runs Vault Agent with the server's root token and has it render template (Consul Template's language).
func (v *Vault) StartAgent(tb testing.TB, template string) *Agent {
	tb.Helper()
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
template {
  source      = %q
  destination = %q
}
`, filepath.Join(dir, "pid"), v.Address, token, source, output),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatalf("Vault Agent's files: %v", err)
		}
	}
	process := startProcess(tb, "vault agent", filepath.Join(dir, "agent.log"), environment(dir), v.bin.Vault,
		"agent", "-log-level=debug", "-config="+config)
	return &Agent{Process: process, Output: output}
}

// Rendered returns what the agent has rendered, or an error while there is nothing.
func (a *Agent) Rendered() (string, error) {
	if err := a.alive(); err != nil {
		return "", err
	}
	content, err := os.ReadFile(a.Output)
	if err == nil && len(content) == 0 {
		err = errors.New("the rendered file is empty")
	}
	return string(content), err
}
