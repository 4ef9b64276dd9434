package backend

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// The pages below docs/api have what people write and what the code says. What stands below the headings
// "Parameters" and "Response" is the code's: the tests of this file fail where a page says anything else, and
// `make docs` puts it there. Its order is the page's own; what is new comes last. The rest of a page is
// written by hand, and checked against the code in docs_samples_test.go.

var updatePages = flag.Bool("update", false, "write what the code says into the pages of docs/api")

const (
	apiFolder         = "../docs/api"
	parametersHeading = "### Parameters"
	responseHeading   = "### Response"
)

// served is one operation of one path, as HTTP clients know it.
type served struct{ method, path string }

// apiSection is what one heading of second order of an API page holds.
type apiSection struct {
	page, title string
	operations  []served
	lines       []string // with its heading
}

var methods = map[logical.Operation]string{
	logical.ReadOperation:   http.MethodGet,
	logical.CreateOperation: http.MethodPost,
	logical.UpdateOperation: http.MethodPost,
	logical.DeleteOperation: http.MethodDelete,
	logical.ListOperation:   "LIST",
}

// operation is one that the mount serves.
type operation struct {
	path    *framework.Path
	handler *framework.PathOperation
}

// servedOperations is everything that can be asked of a mount.
func servedOperations(t *testing.T) map[served]operation {
	t.Helper()
	return operationsServed(referencePaths(t))
}

func operationsServed(paths []*framework.Path) map[served]operation {
	all := map[served]operation{}
	for _, path := range paths {
		for op, handler := range path.Operations {
			all[served{methods[op], "/cloudpw/" + readable(path.Pattern)}] = operation{path, handler.(*framework.PathOperation)}
		}
	}
	return all
}

// readable writes a path's pattern as the pages do: creds/:role/:instance_id.
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
		out.WriteString(":" + name)
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
		"creds/" + framework.GenericNameRegex("role") + "/" + framework.GenericNameRegex("instance_id") + "$": "creds/:role/:instance_id",
		"accounts/" + framework.GenericNameRegex("connection") + "/?$":                                        "accounts/:connection",
		"a/(?P<username>" + request.UsernamePattern + ")$":                                                    "a/:username",
	} {
		if got := readable(pattern); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func referencePaths(t *testing.T) []*framework.Path {
	t.Helper()
	paths := (&backend{registry: providers()}).paths()
	if len(paths) == 0 {
		t.Fatal("no paths")
	}
	return paths
}

func apiPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(apiFolder + "/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages in %s (%v)", apiFolder, err)
	}
	return slices.DeleteFunc(pages, func(name string) bool { return filepath.Base(name) == "README.md" })
}

// apiSections cuts a page at its headings of second order. The first section is what stands before them.
func apiSections(t *testing.T, page string) []*apiSection {
	t.Helper()
	sections := []*apiSection{{page: page}}
	row := regexp.MustCompile("^\\| `([A-Z]+)` +\\| `([^`]+)` +\\|$")
	for _, line := range strings.Split(readPage(t, page), "\n") {
		if strings.HasPrefix(line, "## ") {
			sections = append(sections, &apiSection{page: page, title: strings.TrimPrefix(line, "## ")})
		}
		s := sections[len(sections)-1]
		s.lines = append(s.lines, line)
		if m := row.FindStringSubmatch(line); m != nil {
			s.operations = append(s.operations, served{m[1], m[2]})
		}
	}
	return sections
}

// documented are the sections of all API pages that are about operations.
func documented(t *testing.T) []*apiSection {
	t.Helper()
	var all []*apiSection
	for _, page := range apiPages(t) {
		for _, s := range apiSections(t, page) {
			if len(s.operations) > 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

func TestAPIPagesHaveEveryOperation(t *testing.T) {
	operations := servedOperations(t)
	seen := map[served]string{}
	for _, s := range documented(t) {
		for _, op := range s.operations {
			if _, ok := operations[op]; !ok {
				t.Errorf("%s: %s %s is not served", s.page, op.method, op.path)
			}
			if other, twice := seen[op]; twice {
				t.Errorf("%s: %s %s is in %s already", s.page, op.method, op.path, other)
			}
			seen[op] = s.page
		}
	}
	for op, o := range operations {
		if seen[op] == "" {
			t.Errorf("%s has no section with the row | `%s` | `%s` | (%s)", apiFolder, op.method, op.path, o.handler.Summary)
		}
	}
}

func TestAPIIndexHasEveryOperation(t *testing.T) {
	index := apiSections(t, apiFolder+"/README.md")
	listed := map[served]bool{}
	row := regexp.MustCompile("(?m)^\\| `([A-Z]+)` \\| \\[`([^`]+)`\\]\\(([^)]+)\\) \\|")
	for _, s := range index {
		for _, m := range row.FindAllStringSubmatch(strings.Join(s.lines, "\n"), -1) {
			listed[served{m[1], m[2]}] = true
		}
	}
	operations := servedOperations(t)
	for op := range operations {
		if !listed[op] {
			t.Errorf("%s/README.md does not list %s %s", apiFolder, op.method, op.path)
		}
	}
	for op := range listed {
		if _, ok := operations[op]; !ok {
			t.Errorf("%s/README.md lists %s %s, which is not served", apiFolder, op.method, op.path)
		}
	}
}

// TestAPIPagesSayWhatTheCodeSays compares the parameters and response fields of every section.
func TestAPIPagesSayWhatTheCodeSays(t *testing.T) {
	operations := servedOperations(t)
	for _, page := range apiPages(t) {
		want, have := writtenPage(t, page, operations), readPage(t, page)
		switch {
		case want == have:
		case *updatePages:
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is not what the code says; run make docs and look at what it changes. First: %s", page, firstDifference(have, want))
		}
	}
}

// writtenPage is a page as it should be.
func writtenPage(t *testing.T, page string, operations map[served]operation) string {
	t.Helper()
	var out []string
	for _, s := range apiSections(t, page) {
		out = append(out, s.written(t, operations)...)
	}
	return strings.Join(out, "\n")
}

func firstDifference(have, want string) string {
	h, w := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(h) || h[i] != w[i] {
			return fmt.Sprintf("line %d should be %q", i+1, w[i])
		}
	}
	return "it has more lines"
}

// parameters are the fields that the section's operations take: those of the URL, and of the body or the query.
func (s *apiSection) parameters(operations map[served]operation) map[string]*framework.FieldSchema {
	all := map[string]*framework.FieldSchema{}
	for _, op := range s.operations {
		o, ok := operations[op]
		if !ok {
			continue
		}
		for name, field := range o.path.Fields {
			if takes(op, o.path, name) {
				all[name] = field
			}
		}
	}
	return all
}

// takes reports whether an operation takes a field. CheckFields of strict.go decides the same; that force is
// for deletes is known to the handler alone.
func takes(op served, path *framework.Path, name string) bool {
	switch {
	case request.InURL(path, name), op.method == http.MethodPost:
		return true
	case name == "force":
		return op.method == http.MethodDelete
	}
	return path.Fields[name].Query
}

// response are the fields that the section's operations answer with.
func (s *apiSection) response(operations map[served]operation) map[string]*framework.FieldSchema {
	all := map[string]*framework.FieldSchema{}
	for _, op := range s.operations {
		if o, ok := operations[op]; ok {
			for _, response := range o.handler.Responses[http.StatusOK] {
				maps.Copy(all, response.Fields)
			}
		}
	}
	return all
}

// readsBack takes those fields out of the answer of a read that it reads back as they were written: the section
// of the write describes them. It reports whether there are any.
func (s *apiSection) readsBack(response map[string]*framework.FieldSchema, operations map[served]operation) bool {
	told := false
	for _, op := range s.operations {
		write, writable := operations[served{http.MethodPost, op.path}]
		if op.method != http.MethodGet || !writable {
			continue
		}
		for name, field := range response {
			if taken := write.path.Fields[name]; taken != nil && taken.Description == field.Description {
				delete(response, name)
				told = true
			}
		}
	}
	return told
}

// written is the section as it should be.
func (s *apiSection) written(t *testing.T, operations map[served]operation) []string {
	t.Helper()
	parameters, response := s.parameters(operations), s.response(operations)
	told := s.readsBack(response, operations)
	var out []string
	found := map[string]bool{}
	for i := 0; i < len(s.lines); i++ {
		line := s.lines[i]
		out = append(out, line)
		if line != parametersHeading && line != responseHeading {
			continue
		}
		found[line] = true
		end := i + 1
		for end < len(s.lines) && !strings.HasPrefix(s.lines[end], "#") {
			end++
		}
		old := s.lines[i+1 : end]
		out = append(out, "")
		if line == parametersHeading {
			for _, name := range inOrder(parameters, old, regexp.MustCompile("^- `(\\w+)`")) {
				out = append(out, parameterLine(t, s, name, parameters[name]))
			}
		} else {
			if told {
				text := "The fields of the write, except those that are never read back."
				if len(response) > 0 {
					text += " Also:"
				}
				out = append(out, text, "")
			}
			if len(response) > 0 {
				out = append(out, "| field | type | meaning |", "| --- | --- | --- |")
				for _, name := range inOrder(response, old, regexp.MustCompile("^\\| `(\\w+)`")) {
					out = append(out, responseLine(t, s, name, response[name]))
				}
			}
		}
		if out[len(out)-1] != "" {
			out = append(out, "")
		}
		i = end - 1
	}
	if len(parameters) > 0 && !found[parametersHeading] {
		t.Errorf("%s: the section %q has no heading %q", s.page, s.title, parametersHeading)
	}
	if (len(response) > 0 || told) && !found[responseHeading] {
		t.Errorf("%s: the section %q has no heading %q", s.page, s.title, responseHeading)
	}
	for len(out) > 1 && out[len(out)-1] == "" && out[len(out)-2] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// inOrder sorts fields as the page has them; those that it does not have follow by name.
func inOrder(fields map[string]*framework.FieldSchema, page []string, form *regexp.Regexp) []string {
	var order []string
	for _, line := range page {
		if m := form.FindStringSubmatch(line); m != nil && fields[m[1]] != nil && !slices.Contains(order, m[1]) {
			order = append(order, m[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	return order
}

// kinds are the pages' words for the types of fields.
var kinds = map[framework.FieldType]string{
	framework.TypeString:           "string",
	framework.TypeCommaStringSlice: "list",
	framework.TypeStringSlice:      "list",
	framework.TypeKVPairs:          "pairs",
	framework.TypeBool:             "bool",
	framework.TypeInt:              "integer",
	framework.TypeFloat:            "number",
	framework.TypeDurationSecond:   "duration",
	framework.TypeTime:             "time",
	framework.TypeMap:              "object",
	framework.TypeSlice:            "array",
}

func kindOf(t *testing.T, s *apiSection, name string, field *framework.FieldSchema) string {
	t.Helper()
	kind, ok := kinds[field.Type]
	if !ok {
		t.Errorf("%s: the field %s has the type %s, for which there is no word", s.page, name, field.Type)
	}
	return kind
}

var (
	requiredSentence = regexp.MustCompile(` Required( [^.]*)?\.$`)
	defaultSentence  = regexp.MustCompile(` Default: (.*)\.$`)
)

// split takes a description apart: what the field means, and its default, or that it is required. Every
// description ends in one of the two, unless the schema itself says that the field is required.
func split(field *framework.FieldSchema) (meaning, value string) {
	if m := requiredSentence.FindStringSubmatchIndex(field.Description); m != nil {
		when := ""
		if m[2] >= 0 {
			when = field.Description[m[2]:m[3]]
		}
		return field.Description[:m[0]], "<required" + when + ">"
	}
	if m := defaultSentence.FindStringSubmatchIndex(field.Description); m != nil {
		return field.Description[:m[0]], field.Description[m[2]:m[3]]
	}
	if field.Required { // a part of the URL
		return field.Description, "<required>"
	}
	return field.Description, ""
}

func parameterLine(t *testing.T, s *apiSection, name string, field *framework.FieldSchema) string {
	t.Helper()
	meaning, value := split(field)
	if value == "" {
		t.Errorf("%s: the description of %s says no default: it ends neither in \"Default: ....\" nor in \"Required ....\"", s.page, name)
	}
	if field.Default != nil {
		if want := strings.Trim(fmt.Sprint(field.Default), "[]"); want != value {
			t.Errorf("%s: the description of %s says that the default is %s; it is %s", s.page, name, value, want)
		}
	}
	return fmt.Sprintf("- `%s` `(%s: %s)` – %s", name, kindOf(t, s, name, field), value, marked(meaning, field))
}

func responseLine(t *testing.T, s *apiSection, name string, field *framework.FieldSchema) string {
	t.Helper()
	meaning := marked(field.Description, field)
	if !field.Required && !strings.HasPrefix(meaning, "Only ") && s.operations[0].method != "LIST" {
		meaning = "Optional: " + strings.ToLower(meaning[:1]) + meaning[1:]
	}
	return fmt.Sprintf("| `%s` | %s | %s |", name, kindOf(t, s, name, field), meaning)
}

// code matches what a description has of names and values: snake_case, key=value, paths, providers.
var code = regexp.MustCompile(`(^|[ (])(` +
	`[a-z]+(?:_[a-z]+)+(?:=[\w*]+)?|` +
	`[a-zA-Z]+=[\w*]+|` +
	`(?:[a-z-]+/)+(?:<\w+>/?)*|` +
	`rotate-(?:role|root|connection)|0 3 \* \* SAT|` +
	strings.Join(slices.Collect(maps.Keys(providers())), "|") + `)([ ,.;:)]|$)`)

// marked puts names and values of a description into backticks.
func marked(text string, field *framework.FieldSchema) string {
	if field.Type == framework.TypeMap || field.Type == framework.TypeSlice {
		text = membersMarked(text)
	}
	for range 2 { // matches that follow each other share the blank between them
		text = code.ReplaceAllString(text, "$1`$2`$3")
	}
	for _, value := range field.AllowedValues {
		if word, _ := value.(string); word != "" {
			// A value is explained ("api: by a call") or listed ("direct or scoped"). Elsewhere it is a word like others.
			text = regexp.MustCompile(`(^|[ (])(`+word+`)([:,.;)]| or |$)`).ReplaceAllString(text, "$1`$2`$3")
			text = regexp.MustCompile(`( or )(`+word+`)([ ,.;:)]|$)`).ReplaceAllString(text, "$1`$2`$3")
		}
	}
	return text
}

// membersMarked marks what follows a colon: the names of an object's members.
func membersMarked(text string) string {
	before, list, ok := strings.Cut(text, ": ")
	if !ok {
		return text
	}
	list, after, _ := strings.Cut(list, ".")
	members := regexp.MustCompile(`(^|[,;] )([a-z_]+)(?: \(|[,;]|$)`)
	for range 2 { // those that follow each other share their comma
		list = members.ReplaceAllStringFunc(list, func(item string) string {
			return regexp.MustCompile(`[a-z_]+`).ReplaceAllStringFunc(item, func(name string) string { return "`" + name + "`" })
		})
	}
	return before + ": " + list + "." + after
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", time.Hour: "1h", 24 * time.Hour: "24h", 0: "0s",
		time.Hour + 10*time.Minute: "1h10m",
	} {
		if got := request.FormatDuration(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
