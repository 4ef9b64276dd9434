package request

import (
	"maps"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
	"github.com/hashicorp/vault/sdk/framework"
)

// Fields is what a write names. A field that it does not name stays as it is, and an empty value
// unsets a field.
type Fields struct {
	Data *framework.FieldData
	// WriteOnly reports whether a field that is no secret is never read back, so that no text repeats it, either; nil: none
	// is.
	WriteOnly func(field string) bool
}

// Has reports whether the write names the field.
func (n Fields) Has(field string) bool {
	_, ok := n.Data.Raw[field]
	return ok
}

// Gives reports whether the write names the field with a value that is not empty.
func (n Fields) Gives(field string) bool { return n.Has(field) && !n.Empty(field) }

// Empty reports whether the write names the field with an empty value.
func (n Fields) Empty(field string) bool {
	raw, ok := n.Data.Raw[field]
	if !ok {
		return false
	}
	switch v := raw.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case []string:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

// The setters below change *at if the write names the field; the framework has checked that the
// value fits the field's type.

// Text sets *at to "" for an empty value, blanks included.
func (n Fields) Text(field string, at *string) {
	switch {
	case n.Empty(field):
		*at = ""
	case n.Has(field):
		*at = n.Data.Get(field).(string)
	}
}

// Trimmed is text without the blanks around it.
func (n Fields) Trimmed(field string, at *string) {
	n.Text(field, at)
	*at = strings.TrimSpace(*at)
}

// List sets *at to the elements, without empty and repeated ones.
func (n Fields) List(field string, at *[]string) {
	if n.Has(field) {
		*at = distinct(n.Data.Get(field).([]string))
	}
}

// Everybody is the allow-list that keeps nobody out.
const Everybody = "*"

// AllowList sets *at to a list of names and globs. Empty means nobody, and everybody is said in words: a
// list that was emptied by mistake, or by a template without values, must not open what it was to close.
// A new thing whose write does not name the list is open to everybody.
func (n Fields) AllowList(field string, at *[]string, isNew bool) error {
	switch {
	case n.Empty(field), n.Data.Raw[field] == "[]": // as the vault command is given an empty list
		*at = []string{}
	case n.Has(field):
		*at = append([]string{}, distinct(n.Data.Get(field).([]string))...)
	case isNew:
		*at = []string{Everybody}
	}
	if n.Has(field) {
		return checkGlobs(field, *at)
	}
	return nil
}

// Pairs sets *at to nil for an empty value.
func (n Fields) Pairs(field string, at *map[string]string) {
	if n.Has(field) {
		*at = nil
		if given := n.Data.Get(field).(map[string]string); len(given) > 0 {
			*at = maps.Clone(given)
		}
	}
}

// Flag sets *at to nil for an empty value.
func (n Fields) Flag(field string, at **bool) {
	switch {
	case n.Empty(field):
		*at = nil
	case n.Has(field):
		v := n.Data.Get(field).(bool)
		*at = &v
	}
}

// Number sets *at to 0 for an empty value.
func (n Fields) Number(field string, at *int) {
	switch {
	case n.Empty(field):
		*at = 0
	case n.Has(field):
		*at = n.Data.Get(field).(int)
	}
}

// Duration sets *at to nil for an empty value. Vault's field type would cut off fractions of a
// second; here they are refused, since durations are read back as whole seconds.
func (n Fields) Duration(field string, at **time.Duration) error {
	if n.Empty(field) {
		*at = nil
		return nil
	}
	if !n.Has(field) {
		return nil
	}
	d, err := parseutil.ParseDurationSecond(n.Data.Raw[field])
	if err != nil || d < 0 || d%time.Second != 0 {
		return Invalidf("%s: must be a number of whole seconds, or a duration such as 90s, 15m or 24h", field)
	}
	*at = &d
	return nil
}

// Real sets *at to 0 for an empty value.
func (n Fields) Real(field string, at *float64) error {
	switch {
	case n.Empty(field):
		*at = 0
	case n.Has(field):
		*at = n.Data.Get(field).(float64)
		if math.IsNaN(*at) || *at <= 0 {
			return Invalidf("%s: must be above 0; an empty value restores the default", field)
		}
	}
	return nil
}

// distinct drops empty and repeated elements and keeps the order.
func distinct(list []string) []string {
	var out []string
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Seconds is how durations are read back.
func Seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Timestamp is how times are read back; "" stands for never.
func Timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// FormatDuration writes a duration as clients do: 24h, not 24h0m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
