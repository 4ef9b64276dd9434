package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Errors end with the command to type next, ready to paste. Texts are written, stored and logged with the
// path at which every page of the documentation has the mount; what leaves in an answer has the real one.

// documentedMount is that path.
const documentedMount = "cloudpw/"

// mountCommand finds the commands about this mount in a text: vault, words and flags, then a path.
var mountCommand = regexp.MustCompile(`\b(vault(?: -?[a-z][\w=-]*)+ )` + documentedMount)

// atMount makes the commands of a text about the mount that a request came to.
func atMount(text, mount string) string {
	if mount == "" || mount == documentedMount || !strings.Contains(text, documentedMount) {
		return text
	}
	return mountCommand.ReplaceAllStringFunc(text, func(found string) string {
		return strings.TrimSuffix(found, documentedMount) + shellWord(mount)
	})
}

// errorAtMount is atMount for an error. One without a command stays what it is.
func errorAtMount(err error, mount string) error {
	if err == nil {
		return nil
	}
	text := atMount(err.Error(), mount)
	if text == err.Error() {
		return err
	}
	var coded logical.HTTPCodedError
	if errors.As(err, &coded) {
		return logical.CodedError(coded.Code(), text)
	}
	return errors.New(text)
}

// toldFields are the fields of answers that hold texts with commands.
var toldFields = []string{"error", "last_error", "message", "reason"}

// responseAtMount is atMount for an answer's warnings and texts.
func responseAtMount(resp *logical.Response, mount string) *logical.Response {
	if resp == nil || mount == documentedMount {
		return resp
	}
	for i, warning := range resp.Warnings {
		resp.Warnings[i] = atMount(warning, mount)
	}
	dataAtMount(resp.Data, mount)
	return resp
}

func dataAtMount(data map[string]any, mount string) {
	for name, value := range data {
		switch v := value.(type) {
		case string:
			if slices.Contains(toldFields, name) {
				data[name] = atMount(v, mount)
			}
		case map[string]any:
			dataAtMount(v, mount)
		case []map[string]any:
			for _, element := range v {
				dataAtMount(element, mount)
			}
		}
	}
}

// command is what to type at a shell: vault, a verb with its flags, a path of the mount, and the fields as
// words name=value.
func command(verb, path string, fields ...string) string {
	words := []string{"vault", verb, documentedMount + pathWords(path)}
	for _, field := range fields {
		words = append(words, shellWord(field))
	}
	return strings.Join(words, " ")
}

// plainWord is a word that every shell takes as it is.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// shellWord quotes a word for a shell, if it needs that.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// pathWords quotes those parts of a path that a shell would change: user names may have blanks.
func pathWords(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part != "" {
			parts[i] = shellWord(part)
		}
	}
	return strings.Join(parts, "/")
}

// again is the command of this write with some fields changed or added, as name=value. Secrets stand as
// files to read them from.
func (n input) again(prefix string, changed ...string) string {
	fields := map[string][]string{}
	for name, value := range n.data.Raw {
		if field := n.data.Schema[name]; field != nil && value != nil && name != "name" { // that is in the path
			if isSensitive(field) || n.writeOnly != nil && n.writeOnly(name) {
				fields[name] = []string{secretFile(name)}
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
	name, _ := n.data.Get("name").(string)
	return command("write", prefix+name, append(words, changed...)...)
}

// secretFile is how a secret is given on a command line: vault reads it from a file.
func secretFile(field string) string {
	return "@" + strings.ReplaceAll(field, "_", "-") + ".txt"
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
			pairs = append(pairs, commandValue(fmt.Sprintf("%s=%v", key, v[key])))
		}
		return pairs
	case []any:
		elements := make([]string, 0, len(v))
		for _, element := range v {
			elements = append(elements, fmt.Sprint(element))
		}
		if kind != framework.TypeKVPairs {
			return []string{commandValue(strings.Join(elements, ","))}
		}
		for i := range elements {
			elements[i] = commandValue(elements[i])
		}
		return elements
	case json.Number:
		return []string{commandValue(v.String())}
	}
	return []string{commandValue(fmt.Sprint(value))}
}

// commandValue leaves out what is too long, what no line can hold, and URLs that may hold a password.
func commandValue(value string) string {
	if len(value) > longestValue || text.Check(value) != nil || strings.Contains(value, "://") && strings.Contains(value, "@") {
		return leftOut
	}
	return value
}
