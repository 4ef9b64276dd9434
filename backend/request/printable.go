package request

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Bounds of lists and pairs, whatever the field: each field has its own besides.
const (
	// MaxElements is also how many instances a role may have.
	MaxElements      = 10_000
	maxPairs         = 1000
	maxElementLength = 4096 // characters
)

// checkText refuses a value of a field in which some text is not printable, since it would come back in answers,
// errors and logs, or go to a cloud that reads it otherwise than people do. Files have a form of their own, and
// so has the passphrase of one: those are for their parsers.
func checkText(name string, field *framework.FieldSchema, value any) error {
	if isFile(field) || name == passphraseField {
		return nil
	}
	switch v := value.(type) {
	case string:
		if isList(field) {
			elements := strings.Split(v, ",")
			return checkElements(name, len(elements), MaxElements, func(yield func(string) bool) {
				for _, element := range elements {
					if !yield(strings.Trim(element, around)) {
						return
					}
				}
			})
		}
		return CheckPrintable(name, v)
	case []string:
		return checkElements(name, len(v), MaxElements, slices.Values(v))
	case []any:
		return checkElements(name, len(v), MaxElements, func(yield func(string) bool) {
			for _, element := range v {
				s, ok := element.(string)
				if isList(field) {
					s = strings.Trim(s, around)
				}
				if ok && !yield(s) {
					return
				}
			}
		})
	case map[string]string:
		return checkElements(name, 2*len(v), 2*maxPairs, func(yield func(string) bool) {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if !yield(key) || !yield(v[key]) {
					return
				}
			}
		})
	case map[string]any:
		return checkElements(name, 2*len(v), 2*maxPairs, func(yield func(string) bool) {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if s, ok := v[key].(string); !yield(key) || ok && !yield(s) {
					return
				}
			}
		})
	}
	return nil
}

// around may stand around the elements of a list: files and scripts put each on a line of its own.
const around = " \t\r\n"

// isList reports whether the field is a list, which may be given as one text with commas.
func isList(field *framework.FieldSchema) bool { return field.Type == framework.TypeCommaStringSlice }

// passphraseField decrypts a file, so it is whatever that was encrypted with.
const passphraseField = "passphrase"

// isFile reports whether the field takes the content of a file, with its lines.
func isFile(field *framework.FieldSchema) bool {
	return field.DisplayAttrs != nil && field.DisplayAttrs.EditType == "file"
}

func checkElements(name string, count, most int, elements func(func(string) bool)) (err error) {
	if count > most {
		return Invalidf("%s: has more than %d elements", name, most)
	}
	for s := range elements {
		if utf8.RuneCountInString(s) > maxElementLength {
			return Invalidf("%s: an element is longer than %d characters", name, maxElementLength)
		}
		if err := CheckPrintable(name, s); err != nil {
			return err
		}
	}
	return nil
}

// CheckPrintable refuses text with a character that is not printable. The error holds nothing else of the text, which
// may be a secret.
func CheckPrintable(name, value string) error {
	if err := text.Check(value); err != nil {
		return Invalidf("%s: must be printable text: %s", name, err)
	}
	return nil
}

// CheckList bounds a list of names that the framework has made, which may come from one text with commas.
func CheckList(name string, list []string, most, longest int) error {
	if len(list) > most {
		return Invalidf("%s: %d elements; give at most %d", name, len(list), most)
	}
	for _, element := range list {
		if utf8.RuneCountInString(element) > longest {
			return Invalidf("%s: %.40q is longer than %d characters", name, element, longest)
		}
	}
	return nil
}

// maxAllowed bounds the names and globs of a list of what is allowed.
const maxAllowed = 1000

// checkGlobs is CheckList for names and globs. What can match no name is refused: whoever wrote it meant others, and a list
// that closes more than it was to is noticed late.
func checkGlobs(name string, list []string) error {
	if err := CheckList(name, list, maxAllowed, MaxNameLength); err != nil {
		return err
	}
	for _, element := range list {
		if strings.ContainsFunc(element, func(c rune) bool { return c != '*' && !inName(c) }) {
			return Invalidf("%s: %.40q matches no name, which has letters, digits, dots, hyphens and underscores only; * stands for any of "+
				"them, and a comma separates two names", name, element)
		}
	}
	return nil
}

func inName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c)
}
