package cloud

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// MergePolicies joins the policy texts of permissions to what is to be pasted to grant all of them: one document of the JSON ones,
// indented, and then the lines of the others. Nothing stands there twice.
func MergePolicies(policies []string) string {
	var documents []*document
	var texts [][]string
	for _, policy := range policies {
		d := readDocument(policy)
		if d == nil {
			if policy != "" {
				texts = append(texts, strings.Split(policy, "\n"))
			}
			continue
		}
		if i := slices.IndexFunc(documents, d.joins); i >= 0 {
			documents[i].add(d.statements)
		} else {
			documents = append(documents, d)
		}
	}
	var parts []string
	for _, d := range documents {
		parts = append(parts, d.String())
	}
	return strings.Join(append(parts, mergeTexts(texts)...), "\n")
}

// document is a policy in JSON: its statements, their key, and the rest.
type document struct {
	key        string
	rest       map[string]string
	statements []string
}

// readDocument reads a policy that is a JSON object with a list of statements; nil: it is none.
func readDocument(policy string) *document {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(policy), &fields) != nil {
		return nil
	}
	d := &document{rest: map[string]string{}}
	for name, value := range fields {
		if !strings.EqualFold(name, "statement") {
			d.rest[name] = string(value)
			continue
		}
		var statements []json.RawMessage
		if json.Unmarshal(value, &statements) != nil {
			return nil
		}
		d.key = name
		for _, s := range statements {
			d.add([]string{string(s)})
		}
	}
	if d.key == "" {
		return nil
	}
	return d
}

// joins reports whether two documents differ in their statements alone.
func (d *document) joins(other *document) bool {
	return d.key == other.key && maps.Equal(d.rest, other.rest)
}

func (d *document) add(statements []string) {
	for _, s := range statements {
		if !slices.Contains(d.statements, s) {
			d.statements = append(d.statements, s)
		}
	}
}

// String is the document with its statements last.
func (d *document) String() string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(d.rest)) {
		fields = append(fields, quoted(name)+":"+d.rest[name])
	}
	fields = append(fields, quoted(d.key)+":["+strings.Join(d.statements, ",")+"]")
	var out bytes.Buffer
	if json.Indent(&out, []byte("{"+strings.Join(fields, ",")+"}"), "", "  ") != nil { // all of it was valid JSON
		return ""
	}
	return out.String()
}

// quoted is a text as JSON, which texts always have.
func quoted(name string) string {
	text, err := json.Marshal(name)
	if err != nil {
		return ""
	}
	return string(text)
}

// mergeTexts are the lines of all texts, each once. What most lines frame is begun with, so that the others find their place in it.
func mergeTexts(texts [][]string) (lines []string) {
	slices.Reverse(texts) // mergeLines puts new lines before earlier ones
	slices.SortStableFunc(texts, func(a, b []string) int { return len(b) - len(a) })
	for _, text := range texts {
		lines = mergeLines(lines, text)
	}
	return lines
}

// mergeLines adds the lines of a text: each where it stands among the lines that both have.
func mergeLines(all, text []string) []string {
	at := 0
	for _, line := range text {
		if i := slices.Index(all, line); i >= 0 {
			at = i + 1
			continue
		}
		all = slices.Insert(all, at, line)
		at++
	}
	return all
}
