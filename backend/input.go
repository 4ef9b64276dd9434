package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
	"github.com/hashicorp/vault/sdk/framework"
)

// input is what a write names. A field that it does not name stays as it is, and an empty value
// unsets a field.
type input struct {
	data *framework.FieldData
	// writeOnly reports whether a field that is no secret is never read back, so that no text repeats it, either; nil: none
	// is.
	writeOnly func(field string) bool
}

// has reports whether the write names the field.
func (n input) has(field string) bool {
	_, ok := n.data.Raw[field]
	return ok
}

// gives reports whether the write names the field with a value that is not empty.
func (n input) gives(field string) bool { return n.has(field) && !n.empty(field) }

// empty reports whether the write names the field with an empty value.
func (n input) empty(field string) bool {
	raw, ok := n.data.Raw[field]
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

// text sets *at to "" for an empty value, blanks included.
func (n input) text(field string, at *string) {
	switch {
	case n.empty(field):
		*at = ""
	case n.has(field):
		*at = n.data.Get(field).(string)
	}
}

// trimmed is text without the blanks around it.
func (n input) trimmed(field string, at *string) {
	n.text(field, at)
	*at = strings.TrimSpace(*at)
}

func (n input) list(field string, at *[]string) {
	if n.has(field) {
		*at = distinct(n.data.Get(field).([]string))
	}
}

// everybody is the allow-list that keeps nobody out.
const everybody = "*"

// allowList sets *at to a list of names and globs. Empty means nobody, and everybody is said in words: a
// list that was emptied by mistake, or by a template without values, must not open what it was to close.
// A new thing whose write does not name the list is open to everybody.
func (n input) allowList(field string, at *[]string, isNew bool) {
	switch {
	case n.empty(field), n.data.Raw[field] == "[]": // as the vault command is given an empty list
		*at = []string{}
	case n.has(field):
		*at = append([]string{}, distinct(n.data.Get(field).([]string))...)
	case isNew:
		*at = []string{everybody}
	}
}

func (n input) pairs(field string, at *map[string]string) {
	if n.has(field) {
		*at = nil
		if given := n.data.Get(field).(map[string]string); len(given) > 0 {
			*at = maps.Clone(given)
		}
	}
}

// flag sets *at to nil for an empty value.
func (n input) flag(field string, at **bool) {
	switch {
	case n.empty(field):
		*at = nil
	case n.has(field):
		v := n.data.Get(field).(bool)
		*at = &v
	}
}

// number sets *at to 0 for an empty value.
func (n input) number(field string, at *int) {
	switch {
	case n.empty(field):
		*at = 0
	case n.has(field):
		*at = n.data.Get(field).(int)
	}
}

// duration sets *at to nil for an empty value. Vault's field type would cut off fractions of a
// second; here they are refused, since durations are read back as whole seconds.
func (n input) duration(field string, at **time.Duration) error {
	if n.empty(field) {
		*at = nil
		return nil
	}
	if !n.has(field) {
		return nil
	}
	d, err := parseutil.ParseDurationSecond(n.data.Raw[field])
	if err != nil || d < 0 || d%time.Second != 0 {
		return invalidf("%s: must be a number of whole seconds, or a duration such as 90s, 15m or 24h", field)
	}
	*at = &d
	return nil
}

// real sets *at to 0 for an empty value.
func (n input) real(field string, at *float64) error {
	switch {
	case n.empty(field):
		*at = 0
	case n.has(field):
		*at = n.data.Get(field).(float64)
		if math.IsNaN(*at) || *at <= 0 {
			return invalidf("%s: must be above 0; an empty value restores the default", field)
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

// intOf reads a number that has crossed to Vault and back as JSON.
func intOf(v any) (int, error) {
	switch n := v.(type) {
	case int:
		return n, nil
	case int64:
		return int(n), nil
	case float64:
		return int(n), nil
	case json.Number:
		i, err := strconv.Atoi(n.String())
		return i, err
	case string:
		return strconv.Atoi(n)
	}
	return 0, fmt.Errorf("a %T is no number", v)
}

// seconds is how durations are read back.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// timestamp is how times are read back; "" stands for never.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// inWords writes a duration as clients do: 24h, not 24h0m0s.
func inWords(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
