package request

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Bounds of the tags that instances are chosen by.
const (
	MaxTags     = 20
	maxTagKey   = 128 // characters; EC2 allows most, see its user guide on tags
	maxTagValue = 256
)

// CheckPair checks a key and value that reach a cloud or storage.
func CheckPair(field, key, value string, maxKey, maxValue int) error {
	switch {
	case key == "":
		return Invalidf("%s: a pair without a key", field)
	case utf8.RuneCountInString(key) > maxKey || utf8.RuneCountInString(value) > maxValue:
		return Invalidf("%s: %.40q: the key may have at most %d characters, the value %d", field, key, maxKey, maxValue)
	case text.Check(key+value) != nil:
		return Invalidf("%s: %.40q: must be printable text: %s", field, key, text.Check(key+value))
	}
	return nil
}

// CheckTags checks tags that instances are chosen by.
func CheckTags(field string, tags map[string]string) error {
	if len(tags) > MaxTags {
		return Invalidf("%s: %d tags; give at most %d", field, len(tags), MaxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := CheckPair(field, key, tags[key], maxTagKey, maxTagValue); err != nil {
			return err
		}
	}
	return nil
}

// maxListed is how many names an error lists.
const maxListed = 10

// Summarize lists names for a message: all, or the first ten and how many more there are.
func Summarize(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

// ValueOr is what a pointer leads to, or else the default.
func ValueOr[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

// TruncateWarnings keeps a response readable when a whole fleet is left out.
func TruncateWarnings(warnings []hint.Text) []hint.Text {
	if len(warnings) <= maxListed {
		return warnings
	}
	return append(warnings[:maxListed:maxListed], hint.Textf("and %d warnings more", len(warnings)-maxListed))
}
