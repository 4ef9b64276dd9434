package alibabaapi

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// tag is a pair of key and value in a request.
type tag struct{ Key, Value string }

// common are the parameters that every call of ECS has beside its own (the SDK's models); only RegionId has an
// effect here.
var common = []string{"RegionId", "OwnerAccount", "OwnerId", "ResourceOwnerAccount", "ResourceOwnerId"}

// list reads Name.1, Name.2, … in order.
func (a *arrival) list(name string) []string {
	byIndex := map[int]string{}
	for p, value := range a.params {
		if rest, ok := strings.CutPrefix(p, name+"."); ok && index(rest) > 0 {
			byIndex[index(rest)] = value
		}
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(byIndex)) {
		out = append(out, byIndex[n])
	}
	return out
}

// pairs reads Name.N.Key and Name.N.Value in order.
func (a *arrival) pairs(name string) []tag {
	byIndex := map[int]tag{}
	for p, value := range a.params {
		rest, ok := strings.CutPrefix(p, name+".")
		number, part, _ := strings.Cut(rest, ".")
		if !ok || index(number) == 0 {
			continue
		}
		pair := byIndex[index(number)]
		if part == "Key" {
			pair.Key = value
		} else {
			pair.Value = value
		}
		byIndex[index(number)] = pair
	}
	var out []tag
	for _, n := range slices.Sorted(maps.Keys(byIndex)) {
		out = append(out, byIndex[n])
	}
	return out
}

// index reads the N of a parameter such as InstanceId.N; 0 means none.
func index(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || strconv.Itoa(n) != s {
		return 0
	}
	return n
}

// fill reads the parameters into a structure whose fields have their names. It refuses names that are not there: "The
// parameter … is not supported" stands in the list of common errors, but whether the gateway insists on it is
// unconfirmed; the stricter is played.
func (a *arrival) fill(into any, regional bool) *failure {
	v := reflect.ValueOf(into).Elem()
	for _, name := range slices.Sorted(maps.Keys(a.params)) {
		if regional && slices.Contains(common, name) {
			continue
		}
		if !known(v.Type(), name) {
			return fail(http.StatusBadRequest, "UnsupportedParameter", fmt.Sprintf("The parameter %q is not supported.", name))
		}
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch v.Field(i).Interface().(type) {
		case []string:
			v.Field(i).Set(reflect.ValueOf(a.list(name)))
			continue
		case []tag:
			v.Field(i).Set(reflect.ValueOf(a.pairs(name)))
			continue
		}
		if text, given := a.params[name]; given && !set(v.Field(i), text) {
			return invalid(name)
		}
	}
	return nil
}

// known says whether a structure has a field for a flat name.
func known(t reflect.Type, name string) bool {
	first, rest, nested := strings.Cut(name, ".")
	field, ok := t.FieldByName(first)
	if !ok {
		return false
	}
	number, part, deep := strings.Cut(rest, ".")
	switch reflect.Zero(field.Type).Interface().(type) {
	case []string:
		return nested && index(number) > 0 && !deep
	case []tag:
		return nested && index(number) > 0 && (part == "Key" || part == "Value")
	default:
		return !nested
	}
}

// set reads a text into a field; false if it has the wrong form.
func set(v reflect.Value, text string) bool {
	if v.Kind() == reflect.String {
		v.SetString(text)
		return true
	}
	v.Set(reflect.New(v.Type().Elem()))
	switch e := v.Elem(); e.Kind() {
	case reflect.Bool:
		e.SetBool(text == "true")
		return text == "true" || text == "false"
	case reflect.Int:
		n, err := strconv.Atoi(text)
		e.SetInt(int64(n))
		return err == nil
	default: // a text of which it matters whether it is there
		e.SetString(text)
		return true
	}
}

// or is an optional parameter or its default.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
