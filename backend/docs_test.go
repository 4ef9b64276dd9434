package backend

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
)

// The tests of this file hold the pages for operators against the code: a field, a permission or a message
// that one side does not have fails them.

const (
	readmePage = "../README.md"
	fieldsPage = "../docs/reference.md"
	advicePage = "../docs/troubleshooting.md"
)

// documentedPath is what one section of the reference says.
type documentedPath struct {
	operations []string
	fields     map[string]documentedField
	answers    []string
}

type documentedField struct{ kind, meaning string }

var quoted = regexp.MustCompile("`([^`]+)`")

// quotedIn returns what a text has in backticks.
func quotedIn(text string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; the pages for operators belong to the checkout", err)
	}
	return string(raw)
}

// documentedPaths reads the reference. A section is about every path that its heading has in backticks.
func documentedPaths(t *testing.T) map[string]*documentedPath {
	t.Helper()
	paths := map[string]*documentedPath{}
	section, table := &documentedPath{}, ""
	for _, line := range strings.Split(readPage(t, fieldsPage), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case strings.HasPrefix(line, "## "):
			section, table = &documentedPath{fields: map[string]documentedField{}}, ""
			for _, path := range quotedIn(line) {
				paths[strings.TrimSuffix(path, "/")] = section
			}
		case strings.HasPrefix(line, "Operations: "):
			section.operations = quotedIn(line)
		case !strings.HasPrefix(line, "|"):
			table = ""
		case table == "":
			table = strings.TrimSpace(cells[0])
		case table == "field" && len(quotedIn(cells[0])) == 1 && len(cells) >= 4:
			section.fields[quotedIn(cells[0])[0]] = documentedField{strings.TrimSpace(cells[1]), cells[3]}
		case table == "answer":
			section.answers = append(section.answers, quotedIn(cells[0])...)
		}
	}
	return paths
}

// readable writes a path's pattern as the reference does: creds/<role>/<instance_id>.
func readable(pattern string) string {
	var out strings.Builder
	for pattern != "" {
		rest, ok := strings.CutPrefix(pattern, "(?P<")
		if !ok {
			out.WriteByte(pattern[0])
			pattern = pattern[1:]
			continue
		}
		name, group, _ := strings.Cut(rest, ">")
		out.WriteString("<" + name + ">")
		depth := 1
		for depth > 0 {
			switch group[0] {
			case '(':
				depth++
			case ')':
				depth--
			}
			group = group[1:]
		}
		pattern = group
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.Trim(out.String(), "^$"), "?"), "/")
}

func TestReadablePath(t *testing.T) {
	for pattern, want := range map[string]string{
		"config/?$": "config",
		"creds/" + framework.GenericNameRegex("role") + "/" + framework.GenericNameRegex("instance_id") + "$": "creds/<role>/<instance_id>",
		"accounts/" + framework.GenericNameRegex("connection") + "/?$":                                        "accounts/<connection>",
		"a/(?P<username>" + usernamePattern + ")$":                                                            "a/<username>",
	} {
		if got := readable(pattern); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

// kinds are the reference's words for the types of fields.
var kinds = map[framework.FieldType]string{
	framework.TypeString:           "string",
	framework.TypeCommaStringSlice: "list",
	framework.TypeKVPairs:          "pairs",
	framework.TypeBool:             "bool",
	framework.TypeInt:              "integer",
	framework.TypeFloat:            "number",
	framework.TypeDurationSecond:   "duration",
}

func TestReferenceHasEveryPath(t *testing.T) {
	documented := documentedPaths(t)
	sections := map[*documentedPath][]*framework.Path{}
	known := map[string]bool{}
	for _, path := range referencePaths(t) {
		name := readable(path.Pattern)
		known[name] = true
		section := documented[name]
		if section == nil {
			t.Errorf("%s has no section for the path `%s`", fieldsPage, name)
			continue
		}
		sections[section] = append(sections[section], path)
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("%s: the path `%s` is not served", fieldsPage, name)
		}
	}
	for section, paths := range sections {
		checkOperations(t, section, paths)
		checkRequestFields(t, section, paths)
		checkAnswerFields(t, section, paths)
	}
}

func referencePaths(t *testing.T) []*framework.Path {
	t.Helper()
	paths := (&backend{}).paths()
	if len(paths) == 0 {
		t.Fatal("no paths")
	}
	return paths
}

func checkOperations(t *testing.T, section *documentedPath, paths []*framework.Path) {
	t.Helper()
	served := map[string]bool{}
	for _, path := range paths {
		for op := range path.Operations {
			served[verb(op)] = true
		}
	}
	got := slices.Sorted(slices.Values(section.operations))
	if want := slices.Sorted(maps.Keys(served)); !slices.Equal(got, want) {
		t.Errorf("%s: %s has the operations %q; the page says %q", fieldsPage, readable(paths[0].Pattern), want, got)
	}
}

func checkRequestFields(t *testing.T, section *documentedPath, paths []*framework.Path) {
	t.Helper()
	taken := map[string]bool{}
	for _, path := range paths {
		name := readable(path.Pattern)
		for field, schema := range path.Fields {
			if inURL(path, field) {
				continue
			}
			taken[field] = true
			said, ok := section.fields[field]
			if !ok {
				t.Errorf("%s: the section of `%s` lacks the field `%s` (%s)", fieldsPage, name, field, schema.Description)
				continue
			}
			if want := kinds[schema.Type]; said.kind != want {
				t.Errorf("%s: `%s` of `%s` is said to be a %q; it is a %q", fieldsPage, field, name, said.kind, want)
			}
			for _, allowed := range schema.AllowedValues {
				if text := jsonText(t, allowed); !strings.Contains(said.meaning, text) {
					t.Errorf("%s: `%s` of `%s` does not name the value %s", fieldsPage, field, name, text)
				}
			}
		}
	}
	for field := range section.fields {
		if !taken[field] {
			t.Errorf("%s: `%s` has no field `%s`", fieldsPage, readable(paths[0].Pattern), field)
		}
	}
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(raw), `"`)
}

// checkAnswerFields wants every field of an answer in the table of answers, unless it is a field of the
// request that is read back.
func checkAnswerFields(t *testing.T, section *documentedPath, paths []*framework.Path) {
	t.Helper()
	given := map[string]bool{}
	for _, path := range paths {
		for field := range answerFields(path) {
			given[field] = true
			if _, request := section.fields[field]; !request && !slices.Contains(section.answers, field) {
				t.Errorf("%s: the section of `%s` lacks the answer `%s`", fieldsPage, readable(path.Pattern), field)
			}
		}
	}
	for _, field := range section.answers {
		if !given[field] {
			t.Errorf("%s: `%s` does not answer with `%s`", fieldsPage, readable(paths[0].Pattern), field)
		}
	}
}

// answerFields are the fields of all answers of a path.
func answerFields(path *framework.Path) map[string]*framework.FieldSchema {
	all := map[string]*framework.FieldSchema{}
	for _, op := range path.Operations {
		for _, response := range op.Properties().Responses[http.StatusOK] {
			maps.Copy(all, response.Fields)
		}
	}
	return all
}

// TestReadmeLimitsAreLimits catches the page that says that something is left out which is there.
func TestReadmeLimitsAreLimits(t *testing.T) {
	_, limits, _ := strings.Cut(readPage(t, readmePage), "\n## Limits\n")
	limits, _, _ = strings.Cut(limits, "\n## ")
	left := regexp.MustCompile(`(?m)^\* .*$`).FindAllString(limits, -1)
	for _, line := range left {
		for _, name := range quotedIn(line) {
			for _, path := range referencePaths(t) {
				first, _, _ := strings.Cut(path.Pattern, "/")
				if path.Fields[name] != nil || first == strings.TrimSuffix(name, "/") {
					t.Errorf("%s: the limits say that `%s` is left out, and the plugin has it", readmePage, name)
					break
				}
			}
		}
	}
	if len(left) == 0 {
		t.Error("the limits list nothing; does this test still know how they are written?")
	}
}

func TestReferenceNamesEveryProvider(t *testing.T) {
	provider := documentedPaths(t)["config/<name>"].fields["provider"].meaning
	readme := readPage(t, readmePage)
	for name := range providers() {
		if !strings.Contains(provider, "`"+name+"`") {
			t.Errorf("%s: the field `provider` does not name %s", fieldsPage, name)
		}
		if !strings.Contains(readme, "| `"+name+"` |") {
			t.Errorf("%s: the table of clouds lacks %s", readmePage, name)
		}
	}
}

// calls are the forms in which the provider packages name their permissions.
var calls = []struct {
	folder string
	form   *regexp.Regexp
	prefix func(service string) string
}{
	{"cloud/aws", regexp.MustCompile(`call\{(?:service: )?endpoint(EC2)?(?:STS)?, (?:action: )?"(\w+)"`), func(string) string { return "ec2:" }},
	{"cloud/tencentcloud", regexp.MustCompile(`action\{"(\w+)", "(\w+)"`), func(service string) string { return service + ":" }},
	{"cloud/openstack", regexp.MustCompile(`permission\w+\s+= "(ecs):([\w:]+)"`), func(service string) string { return service + ":" }},
}

func TestReadmeHasEveryPermission(t *testing.T) {
	policies := strings.Join(codeBlocks(readPage(t, readmePage), "json"), "\n")
	for _, c := range calls {
		found := 0
		for _, m := range c.form.FindAllStringSubmatch(sources(t, c.folder), -1) {
			if m[1] == "" { // sts GetCallerIdentity of AWS needs no permission
				continue
			}
			found++
			if permission := c.prefix(m[1]) + m[2]; !strings.Contains(policies, `"`+permission+`"`) {
				t.Errorf("%s: no policy allows %s, which %s calls", readmePage, permission, c.folder)
			}
		}
		if found < 3 {
			t.Errorf("%s: found only %d calls; does this test still know how they are written?", c.folder, found)
		}
	}
}

// codeBlocks returns the fenced blocks of a language.
func codeBlocks(page, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

func TestReadmePoliciesAreJSON(t *testing.T) {
	blocks := codeBlocks(readPage(t, readmePage), "json")
	if len(blocks) != 3 {
		t.Errorf("%d policies, want one for each of AWS, Tencent Cloud and the two Nova clouds", len(blocks))
	}
	for _, block := range blocks {
		if !json.Valid([]byte(block)) {
			t.Errorf("not JSON:\n%s", block)
		}
	}
}

func TestReadmePathsOfPoliciesAreServed(t *testing.T) {
	for _, block := range codeBlocks(readPage(t, readmePage), "hcl") {
		for _, m := range regexp.MustCompile(`path "cloudpw/([\w-]+)/`).FindAllStringSubmatch(block, -1) {
			served := slices.ContainsFunc(referencePaths(t), func(p *framework.Path) bool { return strings.HasPrefix(p.Pattern, m[1]+"/") })
			if !served {
				t.Errorf("%s: a policy is about cloudpw/%s/, which is not served", readmePage, m[1])
			}
		}
	}
}

func TestTroubleshootingQuotesRealMessages(t *testing.T) {
	code := sources(t, ".")
	checked := 0
	for _, line := range strings.Split(readPage(t, advicePage), "\n") {
		message, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		message, _, _ = strings.Cut(message, "` |")
		checked++
		if !strings.Contains(code, message) {
			t.Errorf("%s: no message of the plugin contains %q", advicePage, message)
		}
	}
	if checked < 20 {
		t.Errorf("only %d messages checked", checked)
	}
}

// sources returns the Go code below a folder, without tests.
func sources(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(name)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
