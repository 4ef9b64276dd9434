// Package hint holds what messages tell people to type: a [Hint] is a command about the mount as a value, a [Text] a
// message that keeps its hints. Where a mount is, only a request tells: its answer renders the hints there ([Text.At]).
// Logs have them without the mount ([Text.String]), and records keep them as they are.
package hint

import (
	"slices"
	"strings"
	"unicode"
)

// Hint is a command to type: a verb of the vault command with its flags, a path below the mount, and fields as name=value.
type Hint struct {
	Verb   string   `json:"verb"`
	Path   string   `json:"path"`
	Fields []string `json:"fields,omitempty"`
}

// New makes a hint.
func New(verb, path string, fields ...string) Hint { return Hint{verb, path, fields} }

// At is the command at a mount, whose path ends with a slash, ready to paste into a shell.
func (h Hint) At(mount string) string { return "vault " + h.words(shellWord(mount)) }

// String is the command for a log line, which does not know where the mount is: it has neither the program nor the mount.
func (h Hint) String() string { return h.words("") }

// IsZero reports whether there is no hint.
func (h Hint) IsZero() bool { return h.Verb == "" }

func (h Hint) words(mount string) string {
	words := []string{h.Verb}
	if path := mount + pathWords(h.Path); path != "" {
		words = append(words, path)
	}
	for _, field := range h.Fields {
		words = append(words, shellWord(field))
	}
	return strings.Join(words, " ")
}

func (h Hint) equal(other Hint) bool {
	return h.Verb == other.Verb && h.Path == other.Path && slices.Equal(h.Fields, other.Fields)
}

// File is how a secret is given on a command line: vault reads it from a file.
func File(field string) string {
	return "@" + strings.ReplaceAll(field, "_", "-") + ".txt"
}

// shellWord quotes a word for a shell, unless every shell takes it as it is.
func shellWord(word string) string {
	special := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !strings.ContainsRune("_@%+=:,./-", c)
	}
	if word != "" && !strings.ContainsFunc(word, special) {
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
