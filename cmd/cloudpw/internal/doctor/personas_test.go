package doctor

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	ruleForm = regexp.MustCompile(`path "([^"]+)" \{\s+capabilities = \[([^\]]*)\]\s+([^}]*)\}`)
	wordForm = regexp.MustCompile(`"([^"]+)"`)
)

// TestPersonasAreThoseOfTheDocs: the personas and their rules are those of docs/vault-policies.md. Rules that name what nobody knows here,
// and those with parameters, are left out.
func TestPersonasAreThoseOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/vault-policies.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, order := map[string]string{}, []string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		for _, block := range strings.Split(body, "```hcl\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			for _, r := range ruleForm.FindAllStringSubmatch(block, -1) {
				if strings.Contains(r[3], "_parameters") || strings.Contains(r[1], "/auth/") || strings.HasPrefix(r[1], "sys/remount") {
					continue
				}
				if documented[heading] == "" {
					order = append(order, heading)
				}
				var caps []string
				for _, w := range wordForm.FindAllStringSubmatch(r[2], -1) {
					caps = append(caps, w[1])
				}
				documented[heading] += fmt.Sprintln(r[1], caps)
			}
		}
	}
	var names []string
	for _, p := range personas() {
		names = append(names, p.name)
		rules := ""
		for _, r := range p.rules {
			rules += fmt.Sprintln(r.path, r.capabilities)
		}
		if rules != documented[p.name] {
			t.Errorf("%s:\n%s\nand in the docs:\n%s", p.name, rules, documented[p.name])
		}
	}
	if fmt.Sprint(names) != fmt.Sprint(order) {
		t.Errorf("the personas are %v, and in the docs %v", names, order)
	}
}
