package scripts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The workflows cannot be run here: what can be told of them without GitHub is that they run what exists.
func TestWorkflowsRunWhatExists(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("workflows: %q, %v", files, err)
	}
	makefile := read(t, "Makefile")
	minor := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if minor == nil {
		t.Fatal("go.mod names no Go")
	}
	all := ""
	for _, file := range files {
		text := read(t, ".github/workflows/"+filepath.Base(file))
		all += text
		for _, m := range regexp.MustCompile(`uses: *(\S+)(.*)`).FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`).MatchString(m[1]) || !regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`).MatchString(m[2]) {
				t.Errorf("%s: %s is not pinned to a commit, with its version in a comment", file, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`\bmake (?:--?[\w-]+ )*([a-z-]+)`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s runs make %s, which there is not", file, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`(?:golang:|go-version: ")(1\.\d+)`).FindAllStringSubmatch(text, -1) {
			if m[1] != minor[1] {
				t.Errorf("%s takes Go %s, and go.mod says %s", file, m[1], minor[1])
			}
		}
	}
	for _, want := range []string{
		"bash .ci/run", "make release\n", "make release-check", "subject-checksums: dist/SHA256SUMS", "golang:", "go-version:",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no workflow has %q", want)
		}
	}
}

// Whoever reads the templates meets what there is.
func TestTemplatesNameWhatExists(t *testing.T) {
	request := read(t, ".github/PULL_REQUEST_TEMPLATE.md")
	if request != read(t, ".gitlab/merge_request_templates/Default.md") {
		t.Error("the templates of GitHub and GitLab differ")
	}
	repository := "https://github.com/cloudpw/vault-plugin-secrets-cloudpw/"
	config := read(t, ".github/ISSUE_TEMPLATE/config.yml")
	pages := regexp.MustCompile(regexp.QuoteMeta(repository)+`blob/main/(\S+)`).FindAllStringSubmatch(config, -1)
	if len(pages) == 0 {
		t.Error("the links of the issue templates name no page")
	}
	for _, m := range pages {
		read(t, m[1])
	}
	if link := repository + "security/advisories/new"; !strings.Contains(config, link) || !strings.Contains(read(t, "SECURITY.md"), link) {
		t.Errorf("%s is not in both the templates and SECURITY.md", link)
	}
	for _, m := range regexp.MustCompile("`(make [a-z-]+|[\\w]+\\.md)`").FindAllStringSubmatch(request, -1) {
		if target, is := strings.CutPrefix(m[1], "make "); is {
			if !strings.Contains(read(t, "Makefile"), "\n"+target+":") {
				t.Errorf("the template names %s, which there is not", m[1])
			}
		} else {
			read(t, m[1])
		}
	}
}
