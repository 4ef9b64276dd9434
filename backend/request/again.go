package request

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Again is what to type for this write with some fields changed or added, as name=value. Secrets stand as
// files to read them from.
func (n Fields) Again(prefix string, changed ...string) hint.Hint {
	fields := map[string][]string{}
	for name, value := range n.Data.Raw {
		if field := n.Data.Schema[name]; field != nil && value != nil && name != "name" { // that is in the path
			if IsSensitive(field) || n.WriteOnly != nil && n.WriteOnly(name) {
				fields[name] = []string{hint.File(name)}
				continue
			}
			fields[name] = commandValues(field.Type, value)
		}
	}
	for _, pair := range changed {
		name, _, _ := strings.Cut(pair, "=")
		delete(fields, name)
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			words = append(words, name+"="+value)
		}
	}
	name, _ := n.Data.Get("name").(string)
	return hint.New("write", prefix+name, append(words, changed...)...)
}

// longestValue is the longest value, in bytes, that a command repeats.
const longestValue = 300

// leftOut stands for a value that a command does not repeat.
const leftOut = "..."

// commandValues are the values that a field was given, as a command line has them: one word for each pair.
func commandValues(kind framework.FieldType, value any) []string {
	switch v := value.(type) {
	case map[string]any:
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, CommandValue(fmt.Sprintf("%s=%v", key, v[key])))
		}
		return pairs
	case []any:
		elements := make([]string, 0, len(v))
		for _, element := range v {
			elements = append(elements, fmt.Sprint(element))
		}
		if kind != framework.TypeKVPairs {
			return []string{CommandValue(strings.Join(elements, ","))}
		}
		for i := range elements {
			elements[i] = CommandValue(elements[i])
		}
		return elements
	case json.Number:
		return []string{CommandValue(v.String())}
	}
	return []string{CommandValue(fmt.Sprint(value))}
}

// CommandValue leaves out what is too long, what no line can hold, and URLs that may hold a password.
func CommandValue(value string) string {
	if len(value) > longestValue || text.Check(value) != nil || strings.Contains(value, "://") && strings.Contains(value, "@") {
		return leftOut
	}
	return value
}
