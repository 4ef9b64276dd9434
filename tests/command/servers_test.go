//go:build e2e

package command

import (
	"strings"
	"testing"
)

// TestServers: an operator finds servers by filters, in every format.
func TestServers(t *testing.T) {
	t.Parallel()
	e := start(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	operator := e.token(t, "olivia", "Operator")

	table := e.done(t, operator, "servers", "--role", "web")
	wants(t, "the table", table, "SERVER", "ubuntu-1", "linux-1", ids[0], ids[1], "tencentcloud")
	list := decoded[[]struct {
		Instance string `json:"instance_id"`
		Name     string `json:"name"`
	}](t, e.done(t, operator, "servers", "--name", "ubuntu-*", "-o", "json"))
	if len(list) != 1 || list[0].Instance != ids[0] || list[0].Name != "ubuntu-1" {
		t.Errorf("--name gives %v", list)
	}
	csv := e.done(t, operator, "servers", "--sort", "name", "-o", "csv")
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 3 || !strings.Contains(lines[1], "linux-1") {
		t.Errorf("the CSV is\n%s", csv)
	}

	reader := e.token(t, "rita", "Reader")
	denied := e.run(t, reader, "servers")
	if denied.code != 2 {
		t.Errorf("a reader's list: %s", denied)
	}
	wants(t, "stderr", denied.err, "permission denied", "try: vault token capabilities cloudpw/report")
	wrong := e.run(t, operator, "servers", "--sort", "colour")
	if wrong.code != 1 {
		t.Errorf("a wrong key: %s", wrong)
	}
	wants(t, "stderr", wrong.err, "--sort", "age", "try: cloudpw servers --help")
}
