//go:build console

package console

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// installAxe fetches axe-core at the version of package-lock.json, and returns its text.
func installAxe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		content, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	source, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// accessible fails the test for each rule of axe-core that the page breaks, and if the page is wider than the window.
func (b *tab) accessible(axe, what string) {
	b.Helper()
	var wider float64
	b.js(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wider)
	if wider > 0 {
		b.Errorf("%s: the page is %v pixels wider than the window", what, wider)
	}
	var loaded bool
	b.js(`typeof globalThis.axe === "object"`, &loaded)
	if !loaded {
		b.js("(() => { "+axe+"\n })()", nil)
	}
	var result struct {
		Violations []struct {
			ID, Impact, Help string
			Nodes            []string
		}
		Passes int
	}
	b.js(`axe.run(document, { resultTypes: ["violations"] }).then((all) => ({
		violations: all.violations.map((one) => ({ id: one.id, impact: one.impact, help: one.help,
			nodes: one.nodes.slice(0, 4).map((node) => node.html.slice(0, 300) + " " + node.failureSummary) })),
		passes: all.passes.length }))`, &result)
	if result.Passes < 10 {
		b.Errorf("%s: axe has passed only %d rules: has it looked at the page?", what, result.Passes)
	}
	for _, one := range result.Violations {
		b.Errorf("%s: %s (%s): %s\n%q", what, one.ID, one.Impact, one.Help, one.Nodes)
	}
}
