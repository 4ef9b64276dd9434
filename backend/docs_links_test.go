package backend

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// linkingPages are all pages of the repository, also those of .github, examples and tests.
func linkingPages(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, d.Name()):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".md"):
			all = append(all, name)
		}
		return nil
	})
	if err != nil || !slices.Contains(all, readmePage) || !slices.Contains(all, "../CONTRIBUTING.md") {
		t.Fatalf("found only %d pages (%v); does this test still know where they are?", len(all), err)
	}
	return all
}

var (
	fence      = regexp.MustCompile("(?ms)^[ \t]*(```|~~~).*?^[ \t]*(```|~~~)[ \t]*$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	// A link or picture of Markdown, with or without a title; a definition; an attribute of HTML.
	markdownLink   = regexp.MustCompile(`(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)`)
	linkDefinition = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s*(\S+)`)
	htmlLink       = regexp.MustCompile(`<[a-z]+ [^>]*(?:src|href|srcset)="([^"]*)"`)
	htmlPicture    = regexp.MustCompile(`<img [^>]*>`)
	explicitAnchor = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// prose is a page without its examples of code, in which nothing links.
func prose(page string) string {
	return inlineCode.ReplaceAllString(fence.ReplaceAllString(page, ""), "``")
}

// linksOf are the targets to which a page links, pictures included.
func linksOf(page string) []string {
	var all []string
	text := fence.ReplaceAllString(page, "")
	for _, m := range markdownLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(text, "``"), -1) {
		all = append(all, m[3])
		for _, inner := range markdownLink.FindAllStringSubmatch(m[2], -1) { // a picture that is a link
			all = append(all, inner[3])
		}
	}
	for _, form := range []*regexp.Regexp{linkDefinition, htmlLink} {
		for _, m := range form.FindAllStringSubmatch(prose(page), -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// outside reports whether a link leaves the repository: nothing here can tell whether that exists.
func outside(link string) bool {
	return strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:")
}

func TestPagesLinkToWhatExists(t *testing.T) {
	checked := 0
	for _, page := range linkingPages(t) {
		for _, link := range linksOf(readPage(t, page)) {
			if outside(link) {
				continue
			}
			checked++
			if wrong := wrongLink(t, page, link); wrong != "" {
				t.Errorf("%s: %s", page, wrong)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d links checked", checked)
	}
}

// wrongLink says what is wrong with a page's link to a file or heading of the repository; empty if nothing is.
func wrongLink(t *testing.T, page, link string) string {
	t.Helper()
	file, heading, _ := strings.Cut(link, "#")
	target := page
	if file != "" {
		target = filepath.Join(filepath.Dir(page), file)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	switch absolute, err := filepath.Abs(target); {
	case err != nil:
		t.Fatal(err)
	case strings.HasPrefix(link, "/"), absolute != root && !strings.HasPrefix(absolute, root+"/"):
		return fmt.Sprintf("the link %q leads out of the repository", link)
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return fmt.Sprintf("the link %q leads to nothing", link)
	case heading == "" && strings.Contains(link, "#"):
		return fmt.Sprintf("the link %q names no heading", link)
	case heading != "" && !info.IsDir() && !slices.Contains(anchors(readPage(t, target)), heading):
		return fmt.Sprintf("the link %q leads to a heading that %s does not have", link, target)
	case heading != "" && info.IsDir():
		return fmt.Sprintf("the link %q leads to a heading of a folder", link)
	case !info.IsDir() && info.Size() == 0:
		return fmt.Sprintf("the link %q leads to an empty file", link)
	}
	return ""
}

// anchors are the links that a page's headings make, as GitHub and GitLab make them: lower case, hyphens for blanks, other signs
// dropped, and a number after the second heading of a name. Signs in front of a line of code are no headings.
func anchors(page string) []string {
	var all []string
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := markdownLink.ReplaceAllString(m[1], "$2")
		text = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "-")
		text = regexp.MustCompile(`[^\pL\pN_-]`).ReplaceAllString(text, "")
		if n := seen[text]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", text, n))
		} else {
			all = append(all, text)
		}
		seen[text]++
	}
	for _, m := range explicitAnchor.FindAllStringSubmatch(page, -1) {
		all = append(all, m[1])
	}
	return all
}

// TestPicturesHaveAText wants words for those who do not see a picture.
func TestPicturesHaveAText(t *testing.T) {
	for _, page := range linkingPages(t) {
		text := prose(readPage(t, page))
		for _, m := range markdownLink.FindAllStringSubmatch(text, -1) {
			if m[1] == "!" && strings.TrimSpace(m[2]) == "" {
				t.Errorf("%s: the picture %s has no text", page, m[3])
			}
		}
		for _, picture := range htmlPicture.FindAllString(text, -1) {
			if !regexp.MustCompile(`alt="[^"]+"`).MatchString(picture) {
				t.Errorf("%s: %s has no alt text", page, picture)
			}
		}
	}
}

// TestLinksAreFound checks the checker with a page that has each kind of link.
func TestLinksAreFound(t *testing.T) {
	page := "# A page\n\n## Again\n## Again\n## With `code` and [a link](x.md)\n\n" +
		"[a](one.md) ![b](two.png) [![c](three.png)](four.md#five \"title\")\n" +
		"<img src=\"six.png\" alt=\"d\">\n[ref]: seven.md\n`[no](eight.md)`\n\n```sh\n# no heading\necho '[no](nine.md)'\n```\n"
	want := []string{"x.md", "one.md", "two.png", "four.md#five", "three.png", "seven.md", "six.png"}
	if got := linksOf(page); !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
	if got, want := anchors(page), []string{"a-page", "again", "again-1", "with-code-and-a-link"}; !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
	for link, want := range map[string]string{
		"nothing.md": "leads to nothing", "../README.md#no-such-heading": "does not have", "../README.md#": "names no heading",
		"../../etc": "out of the repository", "/README.md": "out of the repository", "../docs#words": "heading of a folder",
		"../README.md#limits": "", "../docs": "", "../docs/concepts.md#words": "",
	} {
		if got := wrongLink(t, "../backend/page.md", link); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

// TestPagesAreLinkedTo finds pages that nobody would find.
func TestPagesAreLinkedTo(t *testing.T) {
	linked := map[string]bool{readmePage: true, docsFolder + "/README.md": true}
	for _, page := range linkingPages(t) {
		for _, link := range linksOf(readPage(t, page)) {
			file, _, _ := strings.Cut(link, "#")
			target := filepath.Join(filepath.Dir(page), file)
			linked[target] = linked[target] || file != "" && !outside(link) && target != page
		}
	}
	for _, page := range pages(t) {
		if !linked[page] {
			t.Errorf("no page links to %s", page)
		}
	}
}
