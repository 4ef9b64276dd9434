package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandsFile says of each shell command in README.md and the pages who types it: a test, or nobody, and then why. If a command is new,
// `go test ./backend -run '^TestEveryCommandIsTyped$' -update` adds it, and takes out those that no longer exist; then fill in its test or
// its reason.
const commandsFile = "testdata/commands.json"

// typedCommand is a command of a page. One of Test and Untested is set.
type typedCommand struct {
	Page    string `json:"page"`
	Command string `json:"command"`
	// Test is the file and the name of the test that types the command, as tests/e2e/fleet_test.go:TestName.
	Test string `json:"test,omitempty"`
	// Untested is the reason why no test types it.
	Untested string `json:"untested,omitempty"`
}

func (c typedCommand) key() string { return c.Page + "\n" + c.Command }

// fencedBlock matches a block of a page; a list may have it indented.
var fencedBlock = regexp.MustCompile("(?ms)^( *)```(\\w*)\n(.*?)^ *```")

// shells are the languages of blocks with commands.
var shells = []string{"sh", "shell", "bash", "console", "zsh", "fish", "powershell"}

// commandsIn are the commands of a page, as written, in their order. A line that is indented, or follows one that ends in a backslash or
// a pipe, goes on with the command before it.
func commandsIn(page string) []string {
	var all []string
	for _, m := range fencedBlock.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(shells, m[2]) {
			continue
		}
		open := false
		for line := range strings.Lines(m[3]) {
			line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimRight(line, " \n"), m[1]), " ")
			switch {
			case strings.TrimSpace(line) == "" || !open && strings.HasPrefix(line, "#"):
				open = false
				continue
			case len(all) > 0 && (open || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")):
				all[len(all)-1] += "\n" + line
			default:
				all = append(all, line)
			}
			open = strings.HasSuffix(line, "\\") || strings.HasSuffix(line, "|")
		}
	}
	return all
}

func TestCommandsOfAPage(t *testing.T) {
	page := "text\n```sh\n# a comment\nmake demo\nvault read \\\n    x\n\ncurl y |\njq .\n```\n   ```sh\n   vault list z\n   ```\n```json\n{}\n```\n" +
		"```text\nnot this\n```\n```console\nid\n```\n"
	want := []string{"make demo", "vault read \\\n    x", "curl y |\njq .", "vault list z", "id"}
	if got := commandsIn(page); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// commandPages are the pages with commands, as named from the checkout's root, and what they say.
func commandPages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range pages(t) {
		all[strings.TrimPrefix(name, "../")] = readPage(t, name)
	}
	return all
}

// TestEveryCommandIsTyped: whoever writes a command into a page has a test type it, or says why none does.
func TestEveryCommandIsTyped(t *testing.T) {
	raw, err := os.ReadFile(commandsFile)
	if err != nil {
		t.Fatal(err)
	}
	var listed []typedCommand
	if err := json.Unmarshal(raw, &listed); err != nil {
		t.Fatalf("%s: %v", commandsFile, err)
	}
	known := map[string]typedCommand{}
	for _, c := range listed {
		if _, twice := known[c.key()]; twice {
			t.Errorf("%s: %q of %s is there twice", commandsFile, c.Command, c.Page)
		}
		known[c.key()] = c
	}
	var now []typedCommand
	texts := commandPages(t)
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		seen := map[string]bool{}
		for _, command := range commandsIn(texts[page]) {
			if seen[command] {
				continue
			}
			seen[command] = true
			c := typedCommand{Page: page, Command: command}
			if old, ok := known[c.key()]; ok {
				c = old
			} else if !*updatePages {
				t.Errorf("%s: no test types %q, nor does %s say why; run this test with -update and fill it in", page, command, commandsFile)
			}
			delete(known, c.key())
			now = append(now, c)
		}
	}
	if *updatePages {
		text, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text)) + "\n")
		if err := os.WriteFile(commandsFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, c := range known {
		t.Errorf("%s: %s no longer has the command %q; run this test with -update", commandsFile, c.Page, c.Command)
	}
	tests := map[string]error{}
	for _, c := range now {
		if (c.Test == "") == (c.Untested == "") {
			t.Errorf("%s: %q of %s needs a test, or the reason why it has none", commandsFile, c.Command, c.Page)
			continue
		}
		if c.Test == "" {
			continue
		}
		key := c.Test + " " + c.Page
		if _, checked := tests[key]; !checked {
			tests[key] = typesPage(c.Test, c.Page)
		}
		if tests[key] != nil {
			t.Errorf("%s: %q of %s: %v", commandsFile, c.Command, c.Page, tests[key])
		}
	}
}

// typesPage says why a test does not exist, or cannot type a page, since its folder does not even name it.
func typesPage(test, page string) error {
	file, name, found := strings.Cut(test, ":")
	if !found {
		return fmt.Errorf("test %q: want file:TestName", test)
	}
	code, err := os.ReadFile(path.Join("..", file))
	if err != nil {
		return fmt.Errorf("test %q: %w", test, err)
	}
	if !strings.HasSuffix(file, "_test.go") || !regexp.MustCompile(`(?m)^func `+regexp.QuoteMeta(name)+`\(`).Match(code) {
		return fmt.Errorf("test %q: there is no such test", test)
	}
	if !strings.Contains(string(code), strings.TrimPrefix(page, "docs/")) {
		return fmt.Errorf("test %q: its file does not name the page", test)
	}
	return nil
}

func TestWhoCannotType(t *testing.T) {
	const here, page = "backend/docs_commands_test.go", "docs/clouds/nowhere.md"
	for says, test := range map[string]string{
		"want file:TestName":      here,
		"no such file":            "backend/none_test.go:TestWhoCannotType",
		"there is no such test":   here + ":TestWhoCanType",
		"does not name the page":  "backend/docs_test.go:TestPagesQuoteRealMessages",
		"there is no such test\"": "backend/backend.go:Factory",
	} {
		if err := typesPage(test, page); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(says, "\"")) {
			t.Errorf("%s: %v, want %q", test, err, says)
		}
	}
	if err := typesPage(here+":TestWhoCannotType", page); err != nil { // it names clouds/nowhere.md
		t.Error(err)
	}
}

// A shell can read every block of commands. What stands for something of the reader's own, in angle brackets, is taken for a word.
func TestCommandsAreShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	placeholder := regexp.MustCompile(`<[a-z][a-z_ ]*>`)
	for page, text := range commandPages(t) {
		for _, command := range commandsIn(text) {
			cmd := exec.CommandContext(t.Context(), sh, "-n")
			cmd.Stdin = strings.NewReader(placeholder.ReplaceAllString(command, "word") + "\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %q: %s", page, command, out)
			}
		}
	}
}
