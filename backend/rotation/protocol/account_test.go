package protocol

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// golden is a record in which every field is set. Changing it breaks the reading of what is stored
// already: a new field is added to it, an old one stays as it is, or SchemaVersion grows.
const golden = "testdata/account.json"

func TestStoredRecordsStayReadable(t *testing.T) {
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	a, err := DecodeAccount(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range unset(reflect.ValueOf(*a), "") {
		t.Errorf("%s does not set %s", golden, path)
	}
	again, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if again = append(again, '\n'); !bytes.Equal(raw, again) {
		t.Errorf("the record changes when it is read and written:\n%s", again)
	}
}

func TestClonesShareNothing(t *testing.T) {
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	a, err := DecodeAccount(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Clone()
	if !reflect.DeepEqual(a, c) {
		t.Error("the clone is not equal")
	}
	before := encoded(t, a)
	scramble(reflect.ValueOf(c).Elem())
	if encoded(t, a) != before {
		t.Error("changing the clone changed the record")
	}
}

// unset lists the fields that have their zero value.
func unset(v reflect.Value, path string) (paths []string) {
	if _, ok := v.Interface().(time.Time); ok || v.IsZero() {
		if v.IsZero() {
			return []string{strings.TrimPrefix(path, ".")}
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return unset(v.Elem(), path)
	case reflect.Slice:
		for i := range v.Len() {
			paths = append(paths, unset(v.Index(i), path)...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			paths = append(paths, unset(v.MapIndex(k), path)...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue // is not stored
			}
			paths = append(paths, unset(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
	}
	return paths
}

// scramble overwrites whatever can be reached without allocating.
func scramble(v reflect.Value) {
	switch v.Interface().(type) {
	case Given, []Client:
		return // their slices are only replaced as a whole
	}
	switch v.Kind() {
	case reflect.Pointer:
		scramble(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return // a value
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue // is only replaced as a whole
			}
			scramble(v.Field(i))
		}
	default:
		v.SetZero()
	}
}

func TestRecordsOfANewerSchemaAreRefused(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"newer", `{"schema": 2}`, "newer plugin version"},
		{"broken", `{"schema": `, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := DecodeAccount([]byte(c.raw)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	id := ID{"prod", "i-1", "root"}
	got, err := ParseID(id.String())
	if err != nil || got != id {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "prod", "prod/i-1", "prod/i-1/", "/i-1/root", "prod//root", "prod/i-1/root/x"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("%q is taken for %v", s, id)
		}
	}
}
