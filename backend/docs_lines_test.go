package backend

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// longestLine is how many columns a line of a page may have, like a line of code.
const longestLine = 140

// unbroken begins a line that cannot be broken: a row of a table, or a heading.
var unbroken = regexp.MustCompile(`^\s*(\||#)`)

// tooLong returns the lines of a page that somebody should break. Examples of code are as they are, and so is a single long word.
func tooLong(page string) []string {
	var all []string
	for line := range strings.Lines(fence.ReplaceAllString(page, "")) {
		line = strings.TrimRight(line, "\n")
		words := strings.Fields(line)
		if utf8.RuneCountInString(line) > longestLine && len(words) > 1 && !unbroken.MatchString(line) {
			all = append(all, line)
		}
	}
	return all
}

func TestPagesHaveShortLines(t *testing.T) {
	t.Parallel()
	for _, name := range linkingPages(t) {
		if strings.HasPrefix(name, apiFolder) { // made from the descriptions of fields, which are lines of any length
			continue
		}
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range tooLong(string(page)) {
			t.Errorf("%s: more than %d columns: %s", name, longestLine, line)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 28) + "w" // 141 columns
	for page, want := range map[string]int{
		"short\n" + long[1:] + "\n":            0,
		long + "\n\n" + long:                   2,
		strings.ReplaceAll(long[1:], "o", "ö"): 0, // columns, not bytes
		"* " + long:                            1,
		"| " + long + " |\n":                   0,
		"```\n" + long + "\n```\n":             0,
		strings.Repeat("x", 200):               0,
		fmt.Sprintf("## %s\n", long):           0,
	} {
		if got := len(tooLong(page)); got != want {
			t.Errorf("%d lines are too long, want %d, of %q", got, want, page)
		}
	}
}
