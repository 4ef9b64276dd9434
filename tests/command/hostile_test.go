//go:build e2e

package command

import (
	"os"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }

// TestHostileNames: what somebody calls a server of a cloud is shown as text, and runs nowhere.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	e := start(t)
	account := e.sim.Info.Seeded[model.TencentCloud]
	names := []string{"=cmd|'/c calc'!A1", "web\x1b[2J\x1b]0;owned\x07", "admin\u202etxt.exe", "$(touch owned)",
		"<script>alert(1)</script>", "-o"}
	var ids []string
	for _, name := range names {
		server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID, Region: account.Region,
			Name: name, Platform: model.Linux})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	e.Write(t, "cloudpw/roles/web", map[string]any{"connection": "tencentcloud", "instance_ids": ids, "force_stop": true,
		"min_reset_interval": 0})
	operator := e.token(t, "olivia", "Operator")
	e.done(t, operator, "rotate", "--role", "web")
	for _, args := range [][]string{
		{"servers"}, {"servers", "-o", "json"}, {"servers", "-o", "csv"}, {"show", ids[1]}, {"why", ids[1]}, {"who", ids[1]},
		{"rotate", ids[1], ids[2]}, {"__complete", "show", ""}, {"show", ids[2], "-o", "json"},
	} {
		r := e.run(t, operator, args...)
		if r.code != 0 {
			t.Errorf("cloudpw %v: %s", args, r)
		}
		obeyed := func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' || c == '\u202e' || c == 0x9b }
		if strings.ContainsFunc(r.out+r.err, obeyed) {
			t.Errorf("cloudpw %v prints %q", args, r.out+r.err)
		}
	}
	csv := e.done(t, operator, "servers", "-o", "csv")
	wants(t, "the CSV", csv, "'=cmd|", "'-o,")
	// Completion offers such servers by their ids.
	words := e.done(t, operator, "__complete", "show", "")
	for line := range strings.Lines(words) {
		if word, _, _ := strings.Cut(line, "\t"); strings.ContainsAny(word, "$'<=(") {
			t.Errorf("completion offers %q", word)
		}
	}
	wants(t, "completion", words, ids[0]+"\t", ids[3]+"\t$(touch owned), role web")
}
