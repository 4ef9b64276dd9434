package request

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
	"github.com/hashicorp/vault/sdk/framework"
)

// The framework makes every JSON value fit the type of its field somehow: true becomes the text "1" and
// the number 1, 010 becomes 8, 1.50 becomes "1.5", and null in a pair becomes "". What it would keep in
// another form than it was written is refused here, before that.

var (
	wholeNumber   = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)
	decimalNumber = regexp.MustCompile(`^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)
)

// exactFloat bounds the whole numbers of which a float64 holds each: Vault's way to a plugin makes one of
// every JSON number.
const exactFloat = 1 << 53

// asWritten checks the form of a field's value and returns it in the form in which the framework keeps it
// as it was written. Its errors name the field, and never the value, which may be secret.
func asWritten(name string, field *framework.FieldSchema, value any) (any, error) {
	if value == nil {
		if field.Type == framework.TypeKVPairs {
			return map[string]any{}, nil
		}
		return nil, nil // unsets the field
	}
	switch field.Type {
	case framework.TypeString:
		text, ok := textAsWritten(value)
		if !ok {
			return nil, Invalidf("%s: must be a string; put the value in quotes", name)
		}
		return text, nil
	case framework.TypeBool:
		if !isFlag(value) {
			return nil, Invalidf("%s: must be true or false", name)
		}
	case framework.TypeInt:
		if !isWholeNumber(value) {
			return nil, Invalidf("%s: must be a whole number", name)
		}
	case framework.TypeFloat:
		if !isNumber(value) {
			return nil, Invalidf("%s: must be a number", name)
		}
	case framework.TypeDurationSecond:
		if !isDuration(value) {
			return nil, Invalidf("%s: must be a whole number of seconds, or a duration such as 90s, 15m or 24h", name)
		}
	case framework.TypeCommaStringSlice:
		return listAsWritten(name, value)
	case framework.TypeKVPairs:
		return pairsAsWritten(name, value)
	}
	return value, nil
}

// textAsWritten is the text of a string, or of a whole number, which is written in one way only.
func textAsWritten(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), wholeNumber.MatchString(v.String())
	case float64:
		return strconv.FormatFloat(v, 'f', 0, 64), v == math.Trunc(v) && math.Abs(v) <= exactFloat
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

func isFlag(value any) bool {
	switch v := value.(type) {
	case bool:
		return true
	case string:
		_, err := strconv.ParseBool(v)
		return v == "" || err == nil
	}
	return false
}

func isWholeNumber(value any) bool {
	text, ok := textAsWritten(value)
	if !ok {
		return false
	}
	_, err := strconv.Atoi(text)
	return text == "" || wholeNumber.MatchString(text) && err == nil
}

func isNumber(value any) bool {
	switch v := value.(type) {
	case string:
		_, err := strconv.ParseFloat(v, 64)
		return v == "" || decimalNumber.MatchString(v) && err == nil
	case json.Number:
		_, err := v.Float64()
		return err == nil
	case float64, int, int64:
		return true
	}
	return false
}

func isDuration(value any) bool {
	switch v := value.(type) {
	case string, int, int64:
	case float64:
		// Beyond what a duration holds, the conversion to one has no defined outcome.
		if v != math.Trunc(v) || math.Abs(v) > exactFloat {
			return false
		}
	case json.Number:
		if !wholeNumber.MatchString(v.String()) {
			return false
		}
	default:
		return false
	}
	_, err := parseutil.ParseDurationSecond(value)
	return err == nil
}

// listAsWritten takes a list of texts, or one text with commas between them.
func listAsWritten(name string, value any) (any, error) {
	var elements []any
	switch v := value.(type) {
	case []any:
		elements = v
	case []string:
		return v, nil
	case map[string]any:
		if len(v) == 0 {
			return []string{}, nil
		}
	default:
		if text, ok := textAsWritten(value); ok {
			return text, nil
		}
	}
	list := make([]any, 0, len(elements))
	for _, element := range elements {
		text, ok := textAsWritten(element)
		if !ok {
			return nil, Invalidf("%s: every element must be a string; put it in quotes", name)
		}
		list = append(list, text)
	}
	if elements == nil {
		return nil, Invalidf("%s: must be a list of strings, or one string with commas between them", name)
	}
	return list, nil
}

// pairsAsWritten takes an object, or texts of the form key=value.
func pairsAsWritten(name string, value any) (any, error) {
	refused := func() (any, error) {
		return nil, Invalidf("%s: must be an object of strings, or key=value; an empty value drops all pairs", name)
	}
	switch v := value.(type) {
	case map[string]any:
		pairs := make(map[string]any, len(v))
		for key, of := range v {
			text, ok := textAsWritten(of)
			if flag, is := of.(bool); is {
				text, ok = strconv.FormatBool(flag), true
			}
			if !ok {
				return nil, Invalidf("%s: the value of %.40q must be a string; put it in quotes", name, key)
			}
			pairs[key] = text
		}
		return pairs, nil
	case map[string]string:
		return v, nil
	case string:
		if v == "" {
			return map[string]any{}, nil
		}
		return pairList(name, []string{v})
	case []string:
		return pairList(name, v)
	case []any:
		list := make([]string, 0, len(v))
		for _, element := range v {
			text, ok := element.(string)
			if !ok {
				return refused()
			}
			list = append(list, text)
		}
		return pairList(name, list)
	}
	return refused()
}

// pairList reads key=value from each text.
func pairList(name string, list []string) (any, error) {
	pairs := make(map[string]any, len(list))
	for _, text := range list {
		if text != "" && strings.ContainsRune("[{", rune(text[0])) && json.Valid([]byte(text)) {
			return nil, Invalidf("%s: is JSON inside a text; give key=value, or the whole write as JSON: vault write PATH @FILE.json", name)
		}
		key, of, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, Invalidf("%s: each pair must be key=value; this one has no key or no =", name)
		}
		if _, twice := pairs[key]; twice {
			return nil, Invalidf("%s: %.40q is given twice", name, key)
		}
		pairs[key] = of
	}
	return pairs, nil
}
