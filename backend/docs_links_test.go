package backend

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPagesLinkToWhatExists(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(readPage(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(readPage(t, target)), m[2]) {
				t.Errorf("%s links to the heading %s of %s, which does not exist", page, m[2], target)
			}
		}
	}
}

// anchors are the links that a page's headings make: lower case, hyphens for blanks, other signs dropped.
func anchors(page string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		all = append(all, "#"+regexp.MustCompile(`[^\w-]`).ReplaceAllString(text, ""))
	}
	return all
}

// TestPagesAreLinkedTo finds pages that nobody would find.
func TestPagesAreLinkedTo(t *testing.T) {
	linked := map[string]bool{readmePage: true, docsFolder + "/README.md": true}
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+\.md)(#[^)]*)?\)`).FindAllStringSubmatch(readPage(t, page), -1) {
			linked[filepath.Join(filepath.Dir(page), m[1])] = true
		}
	}
	for _, page := range pages(t) {
		if !linked[page] {
			t.Errorf("no page links to %s", page)
		}
	}
}
