package awsapi

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a request to EC2: its filters, the values of all of them, and the characters of a value.
const (
	maxEC2Filters   = 50
	maxFilterValues = 200
	maxFilterLength = 255
)

// index reads the N of a parameter such as InstanceId.N; 0 means none.
func index(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || strconv.Itoa(n) != s {
		return 0
	}
	return n
}

// list reads the values X, X.1, X.2, … in order.
func list(form url.Values, name string) []string {
	var out []string
	if v := form.Get(name); v != "" {
		out = append(out, v)
	}
	byIndex := map[int]string{}
	for p := range form {
		if rest, ok := strings.CutPrefix(p, name+"."); ok && index(rest) > 0 {
			byIndex[index(rest)] = form.Get(p)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byIndex)) {
		out = append(out, byIndex[n])
	}
	return out
}

// filter is one condition of a list call: any of the values.
type filter struct {
	name   string
	values []string
}

// filters reads Filter.N.Name and Filter.N.Value.M.
func filters(form url.Values) ([]filter, *failure) {
	byIndex := map[int]string{}
	for p := range form {
		parts := strings.Split(p, ".")
		if len(parts) >= 2 && parts[0] == "Filter" {
			byIndex[index(parts[1])] = parts[1]
		}
	}
	var out []filter
	total := 0
	for _, n := range slices.Sorted(maps.Keys(byIndex)) {
		prefix := "Filter." + byIndex[n]
		f := filter{form.Get(prefix + ".Name"), list(form, prefix+".Value")}
		switch {
		case f.name == "":
			return nil, fail("InvalidParameterValue", "The filter 'null' is invalid")
		case len(f.values) == 0:
			return nil, fail("InvalidParameterValue", "The filter '"+f.name+"' has no values")
		}
		if total += len(f.values); total > maxFilterValues {
			return nil, fail("FilterLimitExceeded", fmt.Sprintf("The maximum number of filter values specified on a single call is %d",
				maxFilterValues))
		}
		if slices.ContainsFunc(f.values, func(v string) bool { return utf8.RuneCountInString(v) > maxFilterLength }) {
			return nil, fail("FilterLimitExceeded", fmt.Sprintf("The maximum length for a filter value is %d characters", maxFilterLength))
		}
		out = append(out, f)
	}
	if len(out) > maxEC2Filters {
		return nil, fail("FilterLimitExceeded", fmt.Sprintf("The maximum number of filters specified on a single call is %d", maxEC2Filters))
	}
	return out, nil
}

// matches says whether one of the values matches one of those that a thing
// has. Values may hold * and ?, and \ before what is meant literally.
func (f filter) matches(have ...string) bool {
	return slices.ContainsFunc(f.values, func(want string) bool {
		// path.Match gives [ a meaning which EC2 does not, and its * stops
		// at a slash.
		pattern := strings.NewReplacer("[", `\[`, "/", "\x00").Replace(want)
		return slices.ContainsFunc(have, func(h string) bool {
			ok, err := path.Match(pattern, strings.ReplaceAll(h, "/", "\x00"))
			return err == nil && ok
		})
	})
}

// page cuts a list into pages. MaxResults may be absent.
func page[T any](form url.Values, all []T, least, most int) (part []T, next string, f *failure) {
	size := len(all)
	if text := form.Get("MaxResults"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return nil, "", fail("InvalidParameterValue", "Invalid value '"+text+"' for maxResults. Expecting an integer.")
		case n < least:
			return nil, "", fail("InvalidParameterValue",
				fmt.Sprintf("Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than or equal to %d.", n, least))
		case n > most:
			return nil, "", fail("InvalidParameterValue",
				fmt.Sprintf("Value ( %d ) for parameter maxResults is invalid. Expecting a value less than or equal to %d.", n, most))
		}
		size = n
	}
	part, next, ok := cut(all, form.Get("NextToken"), size)
	if !ok {
		return nil, "", fail("InvalidNextToken", "The specified NextToken is not valid.")
	}
	return part, next, nil
}

// cut returns the part of a list that a token asks for and the token of the next part; false for a token
// that is none of ours. The part is never nil.
func cut[T any](all []T, token string, size int) (part []T, next string, ok bool) {
	start := 0
	if token != "" {
		raw, err := base64.StdEncoding.DecodeString(token)
		n, ours := strings.CutPrefix(string(raw), "from:")
		if start = index(n); err != nil || !ours || start == 0 {
			return nil, "", false
		}
		start = min(start, len(all))
	}
	end := min(len(all), start+size)
	if end < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte("from:" + strconv.Itoa(end)))
	}
	return append([]T{}, all[start:end]...), next, true
}
