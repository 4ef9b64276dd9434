package cli

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The page about this command has its help, and what pages type of it exists. TestCommandPage makes the help's part with -update.

var updatePage = flag.Bool("update", false, "write docs/command.md")

const (
	repository  = "../../../.."
	commandPage = repository + "/docs/command.md"
	beginMark   = "<!-- the commands: made from the code by make docs -->\n"
	endMark     = "<!-- end of the commands -->\n"
	pageWidth   = 136
)

func TestCommandPage(t *testing.T) {
	raw, err := os.ReadFile(commandPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, began := strings.Cut(string(raw), beginMark)
	had, after, ended := strings.Cut(rest, endMark)
	if !began || !ended {
		t.Fatalf("%s has lost the marks around the commands", commandPage)
	}
	want := commandsOnPage(newRoot(&app{}))
	if *updatePage {
		if err := os.WriteFile(commandPage, []byte(before+beginMark+want+endMark+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if had != want {
		t.Errorf("%s does not have the help of the commands; update it: make docs\n%s", commandPage, firstDifference(had, want))
	}
	for _, cmd := range publicCommands(newRoot(&app{})) {
		if own, _, _ := strings.Cut(before+after, "\n## Commands\n"); cmd.Name() != "version" && cmd.Name() != "completion" &&
			!regexp.MustCompile("`(cloudpw )?"+cmd.Name()+"`").MatchString(own) {
			t.Errorf("%s does not say what policy %s needs", commandPage, cmd.Name())
		}
	}
}

// publicCommands are those that the help lists.
func publicCommands(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && cmd.Name() != "help" {
			all = append(all, cmd)
		}
	}
	return all
}

// commandsOnPage is the help of all commands, as the page has it.
func commandsOnPage(root *cobra.Command) string {
	var out strings.Builder
	for _, group := range root.Groups() {
		title := fmt.Sprintf("\n### %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range publicCommands(root) {
			if cmd.GroupID != group.ID {
				continue
			}
			fmt.Fprintf(&out, "%s\n#### %s\n\n%s.\n\n```text\n%s\n", title, cmd.Name(), cmd.Short, cmd.UseLine())
			title = ""
			if cmd.Long != "" {
				fmt.Fprintf(&out, "\n%s\n", strings.TrimSpace(cmd.Long))
			}
			for _, child := range publicCommands(cmd) {
				fmt.Fprintf(&out, "\n  %-12s%s", child.Name(), child.Short)
			}
			if flags := cmd.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
				fmt.Fprintf(&out, "\nFlags:\n%s", flags.FlagUsagesWrapped(pageWidth))
			}
			out.WriteString("```\n")
		}
	}
	fmt.Fprintf(&out, "\n### Flags of all commands\n\n```text\n%s```\n\n", root.PersistentFlags().FlagUsagesWrapped(pageWidth))
	return regexp.MustCompile(`(?m)[ \t]+$`).ReplaceAllString(out.String(), "")
}

// firstDifference shows where two texts begin to differ.
func firstDifference(had, want string) string {
	old, made := strings.Split(had, "\n"), strings.Split(want, "\n")
	for i := range min(len(old), len(made)) {
		if old[i] != made[i] {
			return fmt.Sprintf("line %d: the page has %q, the code %q", i+1, old[i], made[i])
		}
	}
	return fmt.Sprintf("the page has %d lines, the code %d", len(old), len(made))
}

// TestPagesTypeWhatExists looks at every use of this command in README and docs: the command and its flags exist.
func TestPagesTypeWhatExists(t *testing.T) {
	root, checked := newRoot(&app{}), 0
	pages := []string{repository + "/README.md"}
	err := filepath.WalkDir(repository+"/docs", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".md") {
			pages = append(pages, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range typedIn(withoutHelp(string(raw))) {
			checked++
			if wrong := wrongCommand(root, strings.Fields(words)); wrong != "" {
				t.Errorf("%s: cloudpw %s: %s", page, words, wrong)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d commands found", checked)
	}
}

// withoutHelp is a page without the part that comes from the code.
func withoutHelp(page string) string {
	before, rest, _ := strings.Cut(page, beginMark)
	_, after, _ := strings.Cut(rest, endMark)
	return before + after
}

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```(?:sh|shell|bash|console)\n(.*?)^ *```$")
	anyBlock   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inShell    = regexp.MustCompile(`(?m)(?:^ *(?:\$ )?|[(|;&] *)(?:bin/)?cloudpw +([a-z][^)|;&\n]*)`)
	inProse    = regexp.MustCompile("`cloudpw ([a-z][^`\n]*)`")
)

// typedIn are the arguments of this command that a page types: in blocks for a shell, and in code within prose.
func typedIn(page string) []string {
	var all []string
	for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
		for _, m := range inShell.FindAllStringSubmatch(strings.ReplaceAll(block[1], "\\\n", " "), -1) {
			all = append(all, m[1])
		}
	}
	for _, m := range inProse.FindAllStringSubmatch(anyBlock.ReplaceAllString(page, ""), -1) {
		all = append(all, m[1])
	}
	return all
}

// wrongCommand says what of the words after "cloudpw" does not exist; empty if all does.
func wrongCommand(root *cobra.Command, words []string) string {
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root {
		return "there is no such command"
	}
	for _, word := range rest {
		name, long := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		name = strings.TrimRight(name, ".,:'\"")
		switch {
		case word == "--":
			return ""
		case long && name != "help" && cmd.Flags().Lookup(name) == nil && root.PersistentFlags().Lookup(name) == nil:
			return "it has no flag --" + name
		case !long && len(word) == 2 && word[0] == '-' && cmd.Flags().ShorthandLookup(word[1:]) == nil &&
			root.PersistentFlags().ShorthandLookup(word[1:]) == nil:
			return "it has no flag " + word
		}
	}
	return ""
}

func TestWrongCommandsAreNoticed(t *testing.T) {
	page := "Type `cloudpw servers`, not cloudpw alone.\n```sh\ncloudpw show a\nx=$(bin/cloudpw take b)\nvault read cloudpw/creds/a\n```\n" +
		"```text\ncloudpw no command\n```\n"
	if got := typedIn(page); fmt.Sprint(got) != "[show a take b servers]" {
		t.Errorf("commands of the page: %q", got)
	}
	root := newRoot(&app{})
	for words, want := range map[string]string{
		"servers --sort age -o csv":      "",
		"servers --help":                 "",
		"server":                         "no such command",
		"servers --sorted age":           "no flag --sorted",
		"servers -x":                     "no flag -x",
		"servers --mount=x --older-than": "",
	} {
		if got := wrongCommand(root, strings.Fields(words)); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

// TestHelpFitsATerminal: a help text is printed as it stands in the code, with its indentation.
func TestHelpFitsATerminal(t *testing.T) {
	for _, cmd := range append(publicCommands(newRoot(&app{})), newRoot(&app{})) {
		for line := range strings.Lines(cmd.Long) {
			if line = strings.TrimSuffix(line, "\n"); strings.Contains(line, "\t") || len(line) > 140 {
				t.Errorf("%s: a tab, or more than 140 columns: %q", cmd.Name(), line)
			}
		}
	}
}
