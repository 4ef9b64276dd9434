package backend

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// The tests of this file run the samples of the pages against the schemas of the paths: their requests name paths and
// fields that are served, and the sample responses are such as the mount gives.

// blocks returns the fenced blocks of a language below a heading of the section.
func (s *apiSection) blocks(heading, language string) []string {
	text := strings.Join(s.lines, "\n")
	_, text, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		return nil
	}
	if next := strings.Index(text, "\n### "); next >= 0 {
		text = text[:next]
	}
	return codeBlocks(text, language)
}

func TestSamplesOfEveryOperation(t *testing.T) {
	operations := servedOperations(t)
	for _, s := range documented(t) {
		requests := strings.Join(s.blocks("### Sample request", "sh"), "\n")
		for _, tool := range []string{"curl ", "vault "} {
			if !strings.Contains(requests, tool) {
				t.Errorf("%s: the section %q has no sample request with %s", s.page, s.title, tool)
			}
		}
		if sent, have := strings.Contains(requests, "@payload.json"), len(s.blocks("### Sample payload", "json")) > 0; sent != have {
			t.Errorf("%s: the section %q has a payload: %v, and sends one: %v", s.page, s.title, have, sent)
		}
		for _, c := range requestsIn(t, s.page, requests) {
			if !slices.ContainsFunc(s.operations, func(op served) bool { return op.method == c.method && matches(op.path, c.path) }) {
				t.Errorf("%s: the sample request %s %s is none of the section %q", s.page, c.method, c.path, s.title)
			}
		}
		if response := s.response(operations); len(response) > 0 && len(s.blocks("### Sample response", "json")) == 0 {
			t.Errorf("%s: the section %q has no sample response", s.page, s.title)
		}
	}
}

func TestSamplePayloads(t *testing.T) {
	operations := servedOperations(t)
	checked := 0
	for _, s := range documented(t) {
		for _, block := range s.blocks("### Sample payload", "json") {
			var payload map[string]any
			if err := json.Unmarshal([]byte(block), &payload); err != nil {
				t.Errorf("%s: the payload of %q: %v", s.page, s.title, err)
				continue
			}
			checked++
			for _, op := range s.operations {
				o, ok := operations[op]
				if !ok {
					continue
				}
				for name := range payload {
					if o.path.Fields[name] == nil || request.InURL(o.path, name) {
						t.Errorf("%s: the payload of %q has the field %s, which %s does not take", s.page, s.title, name, op.path)
					}
				}
				if err := (&framework.FieldData{Raw: payload, Schema: o.path.Fields}).Validate(); err != nil {
					t.Errorf("%s: the payload of %q: %v", s.page, s.title, err)
				}
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d payloads checked", checked)
	}
}

func TestSampleResponses(t *testing.T) {
	operations := servedOperations(t)
	checked := 0
	for _, s := range documented(t) {
		for _, block := range s.blocks("### Sample response", "json") {
			var answer struct {
				LeaseID       string         `json:"lease_id"`
				LeaseDuration int            `json:"lease_duration"`
				Renewable     bool           `json:"renewable"`
				Warnings      []string       `json:"warnings"`
				Data          map[string]any `json:"data"`
			}
			decoder := json.NewDecoder(strings.NewReader(block))
			decoder.DisallowUnknownFields()
			decoder.UseNumber()
			if err := decoder.Decode(&answer); err != nil {
				t.Errorf("%s: a response of %q: %v", s.page, s.title, err)
				continue
			}
			fits := false // of a section's operations, some may have fields that others lack
			for _, op := range s.operations {
				o, ok := operations[op]
				if !ok || !hasAll(o.handler.Responses[http.StatusOK][0].Fields, answer.Data) {
					continue
				}
				fits = true
				checked++
				t.Run(op.method+" "+op.path, func(t *testing.T) {
					schema.ValidateResponse(t, &o.handler.Responses[http.StatusOK][0], &logical.Response{Data: answer.Data}, true)
				})
			}
			if !fits {
				t.Errorf("%s: a response of %q has fields that none of its operations answers with", s.page, s.title)
			}
			checkMembers(t, s, answer.Data, s.response(operations))
		}
	}
	if checked < 15 {
		t.Errorf("only %d responses checked", checked)
	}
}

// hasAll reports whether the schema knows every field of the data.
func hasAll(fields map[string]*framework.FieldSchema, data map[string]any) bool {
	for name := range data {
		if fields[name] == nil {
			return false
		}
	}
	return true
}

// checkMembers wants the members of objects and arrays in the descriptions of these fields.
func checkMembers(t *testing.T, s *apiSection, data map[string]any, fields map[string]*framework.FieldSchema) {
	t.Helper()
	for name, value := range data {
		field := fields[name]
		if field == nil || field.Type != framework.TypeMap && field.Type != framework.TypeSlice {
			continue
		}
		for _, member := range membersOf(field, value) {
			if !regexp.MustCompile(`\b` + member + `\b`).MatchString(field.Description) {
				t.Errorf("%s: the response of %q has %s in %s, which the field's description does not name", s.page, s.title, member, name)
			}
		}
	}
}

// membersOf are the members of the objects in a value. The keys of an object that holds things "by" something, or
// counts them, are no members.
func membersOf(field *framework.FieldSchema, value any) []string {
	var all []string
	add := func(v any) {
		if object, ok := v.(map[string]any); ok {
			all = append(all, slices.Collect(maps.Keys(object))...)
		}
	}
	if elements, ok := value.([]any); ok {
		for _, e := range elements {
			add(e)
		}
		return all
	}
	if strings.HasPrefix(field.Description, "By ") || strings.HasPrefix(field.Description, "Number of ") {
		for _, v := range value.(map[string]any) {
			add(v)
		}
		return all
	}
	add(value)
	return all
}

// call is a request that a page shows.
type call struct {
	method, path string
	fields       []string
}

// requestsIn finds the requests to the mount in a shell script: those of curl and of the vault command.
func requestsIn(t *testing.T, page, script string) []call {
	t.Helper()
	var all []call
	for _, line := range strings.Split(strings.ReplaceAll(script, "\\\n", " "), "\n") {
		words := shellWords(line)
		for i, word := range words {
			switch {
			case word == "vault" && i+1 < len(words):
				if c, ok := vaultCall(words[i+1:]); ok {
					all = append(all, c)
				}
			case word == "curl":
				if c, ok := curlCall(t, page, words[i+1:]); ok {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// shellWords splits a line into words as a shell does; quotes keep blanks together.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`).FindAllString(line, -1) {
		words = append(words, strings.NewReplacer(`"`, "", "'", "").Replace(m))
	}
	return words
}

var vaultVerbs = map[string]string{"read": http.MethodGet, "write": http.MethodPost, "delete": http.MethodDelete, "list": "LIST"}

// vaultCall reads the arguments of a vault command; false: it is not about the mount.
func vaultCall(words []string) (call, bool) {
	c := call{method: vaultVerbs[words[0]]}
	for _, word := range words[1:] {
		switch {
		case word == "|" || word == ">" || strings.HasPrefix(word, "#"):
			return c, c.method != "" && c.path != ""
		case strings.HasPrefix(word, "-"):
		case c.path == "" && !strings.HasPrefix(word, "cloudpw/"):
			return c, false
		case c.path == "":
			c.path = "/" + strings.TrimSuffix(word, "/")
		default:
			field, _, _ := strings.Cut(word, "=")
			c.fields = append(c.fields, field)
		}
	}
	return c, c.method != "" && c.path != ""
}

// curlCall reads the arguments of curl; false: it is not about the mount.
func curlCall(t *testing.T, page string, words []string) (call, bool) {
	t.Helper()
	c := call{method: http.MethodGet}
	for i, word := range words {
		if (word == "--request" || word == "-X") && i+1 < len(words) {
			c.method = words[i+1]
		}
		_, target, found := strings.Cut(word, "$VAULT_ADDR/v1")
		if !found || !strings.HasPrefix(target, "/cloudpw/") {
			continue
		}
		u, err := url.Parse(target)
		if err != nil {
			t.Errorf("%s: %v", page, err)
			return c, false
		}
		c.path = u.Path
		c.fields = slices.Sorted(maps.Keys(u.Query()))
		if i := slices.Index(c.fields, "list"); i >= 0 {
			c.method, c.fields = "LIST", slices.Delete(c.fields, i, i+1)
		}
	}
	return c, c.path != ""
}

// matches reports whether a request's path is one of a documented form: /cloudpw/creds/:role. A page may leave a
// part of it open, as in /cloudpw/creds/<role>.
func matches(form, path string) bool {
	parts, given := strings.Split(form, "/"), strings.Split(path, "/")
	if len(parts) != len(given) {
		return false
	}
	for i, part := range parts {
		if open := strings.HasPrefix(part, ":") && given[i] != ""; !open && part != given[i] {
			return false
		}
	}
	return true
}

// TestRequestsOfPages checks every request of every page.
func TestRequestsOfPages(t *testing.T) {
	operations := servedOperations(t)
	checked := 0
	for _, page := range pages(t) {
		text := readPage(t, page)
		for _, c := range requestsIn(t, page, strings.Join(slices.Concat(codeBlocks(text, "sh"), codeBlocks(text, "hcl")), "\n")) {
			checked++
			var path *framework.Path
			for op, o := range operations {
				if op.method == c.method && matches(op.path, c.path) {
					path = o.path
					for _, name := range c.fields {
						if o.path.Fields[name] == nil || request.InURL(o.path, name) || !takes(op, o.path, name) {
							t.Errorf("%s: %s %s does not take the field %s", page, c.method, c.path, name)
						}
					}
				}
			}
			if path == nil {
				t.Errorf("%s: %s %s is not served", page, c.method, c.path)
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d requests checked", checked)
	}
}

// TestPathHelpShowsRequests wants examples in the help of every path: requests of its own, which it serves.
func TestPathHelpShowsRequests(t *testing.T) {
	shown := map[served]bool{}
	for _, path := range referencePaths(t) {
		own := false
		for _, c := range requestsIn(t, path.Pattern, strings.ReplaceAll(path.HelpDescription, "$ vault", "vault")) {
			for op, o := range servedOperations(t) {
				if op.method != c.method || !matches(op.path, c.path) {
					continue
				}
				own = own || o.path.Pattern == path.Pattern
				shown[op] = true
				for _, name := range c.fields {
					if o.path.Fields[name] == nil || request.InURL(o.path, name) || !takes(op, o.path, name) {
						t.Errorf("the help of %s: %s %s does not take the field %s", path.Pattern, c.method, c.path, name)
					}
				}
			}
		}
		if !own {
			t.Errorf("the help of %s shows no request to it", path.Pattern)
		}
	}
	for op := range servedOperations(t) {
		if !shown[op] {
			t.Errorf("no help shows %s %s", op.method, op.path)
		}
	}
}
