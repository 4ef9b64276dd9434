package backend

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// TestPicturesOfStates holds the diagram and the table of an account's states against the protocol's.
func TestPicturesOfStates(t *testing.T) {
	_, section, _ := strings.Cut(readPage(t, docsFolder+"/concepts.md"), "\n## The states of an account\n")
	section, _, _ = strings.Cut(section, "\n## ")
	want := slices.Sorted(slices.Values(rotation.States()))

	drawn := map[string]bool{}
	for _, block := range codeBlocks(section, "mermaid") {
		for _, m := range regexp.MustCompile(`(?m)^ +(\S+) --> (\w+)`).FindAllStringSubmatch(block, -1) {
			drawn[m[1]], drawn[m[2]] = true, true
		}
	}
	delete(drawn, "[*]")
	if got := slices.Sorted(maps.Keys(drawn)); !slices.Equal(got, want) {
		t.Errorf("the diagram has the states %s; an account has %s", got, want)
	}

	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
		told = append(told, m[1])
	}
	slices.Sort(told)
	if !slices.Equal(told, want) {
		t.Errorf("the table has the states %s; an account has %s", told, want)
	}
}
