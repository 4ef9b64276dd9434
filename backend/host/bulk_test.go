package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func element(name string, pairs ...string) map[string]any {
	e := map[string]any{"name": name}
	for _, pair := range pairs {
		field, value, _ := strings.Cut(pair, "=")
		e[field] = value
	}
	return e
}

func TestParseList(t *testing.T) {
	valid := element("web-1", "connection="+dc1, "address="+testAddress)
	raw, err := json.Marshal([]any{valid, element("web-2")})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []any{[]any{valid, element("web-2")}, string(raw), []any{string(raw)}, "\n " + string(raw) + "\n"} {
		all, err := ParseList(list)
		if err != nil || len(all) != 2 || all[0].Name != "web-1" || all[1].Name != "web-2" || !all[0].in.Has("address") ||
			all[1].in.Has("address") || all[0].in.Has("name") {
			t.Errorf("%v: %+v, %v", list, all, err)
		}
	}
	all, err := ParseList(`[{"name":"a","port":2222,"trust_on_first_use":true,"tags":{"env":"prod","n":1}}]`)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if _, err := r.read(all[0].in); err != nil || r.Port != 2222 || !r.TrustOnFirstUse || r.Tags["env"] != "prod" || r.Tags["n"] != "1" {
		t.Errorf("%+v, %v", r, err)
	}
	many := make([]any, MaxBulk+1)
	for i := range many {
		many[i] = element(fmt.Sprint("h", i))
	}
	if all, err := ParseList(many[:MaxBulk]); err != nil || len(all) != MaxBulk {
		t.Errorf("%d hosts: %v", MaxBulk, err)
	}
	for name, c := range map[string]struct {
		list any
		says string
	}{
		"nothing":        {nil, "hosts: required"},
		"an empty list":  {[]any{}, "hosts: required"},
		"an empty text":  {"  ", "hosts: required"},
		"too many":       {many, "at most 1000"},
		"no list":        {map[string]any{"name": "a"}, "must be a list"},
		"no JSON":        {"web-1", "JSON list"},
		"an object":      {`{"name":"a"}`, "JSON list"},
		"two lists":      {`[{"name":"a"}][]`, "something follows"},
		"a long text":    {strings.Repeat(" ", maxBulkText) + "[]", "longer than"},
		"texts":          {[]any{"a", "b"}, "element 1: must be an object"},
		"null":           {[]any{valid, nil}, "element 2: must be an object"},
		"no name":        {[]any{element("")}, "element 1: name: required"},
		"a number":       {[]any{map[string]any{"name": json.Number("1")}}, "name: required, as a string"},
		"a bad name":     {[]any{element("a/b")}, "host name"},
		"a name twice":   {[]any{valid, valid}, "element 2: name web-1 is given twice"},
		"unknown field":  {[]any{element("web-1", "port_number=1")}, "port_number"},
		"port as text":   {[]any{element("web-1", "port=ssh")}, "web-1: port: must be a whole number"},
		"port as list":   {[]any{map[string]any{"name": "a", "port": []any{}}}, "port"},
		"flag":           {[]any{element("web-1", "trust_on_first_use=perhaps")}, "trust_on_first_use: must be true or false"},
		"not printable":  {[]any{element("web-1", "address=a\x00b")}, "address: must be printable"},
		"tags as text":   {[]any{element("web-1", "tags=x")}, "tags"},
		"address object": {[]any{map[string]any{"name": "a", "address": map[string]any{}}}, "address: must be a string"},
	} {
		if all, err := ParseList(c.list); err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "hosts: ") {
			t.Errorf("%s: %v, %v; want %q", name, all, err, c.says)
		}
	}
}

// All are checked before one is written.
func TestWriteAll(t *testing.T) {
	m, key := newMount(t), newKey(t)
	m.write(t, "old", "connection="+dc1, "address="+testAddress, "host_key="+key)
	m.write(t, "same", "connection="+dc1, "address="+testAddress)
	plan := func(elements ...any) []One {
		t.Helper()
		all, err := ParseList(elements)
		if err == nil {
			err = m.PlanAll(t.Context(), all)
		}
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	results := func(all []One) string {
		var words []string
		for _, one := range all {
			if one.Err != nil {
				words = append(words, one.Name+":"+strings.SplitN(one.Err.Error(), ":", 2)[0])
			} else {
				words = append(words, one.Name+":"+one.Change.Result)
			}
		}
		return strings.Join(words, " ")
	}
	good := []any{element("new", "connection="+dc1, "address="+testAddress), element("old", "address="+otherAddress),
		element("same", "address="+testAddress)}
	bad := append(good[:len(good):len(good)], element("x", "connection=none", "address=x"), element("old2", "connection="+dc1, "address="),
		element("y", "connection="+dc1, "address="+testAddress, "host_key=key"))
	var puts atomic.Int64
	m.storage.onPut = func(string) { puts.Add(1) }
	all := plan(bad...)
	if got := results(all); got != "new:created old:changed same:unchanged x:connection none does not exist old2:address y:host_key" {
		t.Errorf("planned: %s", got)
	}
	err := Refused(all)
	checkRefusal(t, "a list", err, invalid, []string{"nothing was written", "3 of 6", "x: connection none",
		"old2: address: required", "y: host_key"})
	all = plan(good...)
	if err := Refused(all); err != nil || results(all) != "new:created old:changed same:unchanged" || puts.Load() != 0 {
		t.Errorf("%s, %v, %d writes before the write", results(all), err, puts.Load())
	}
	if err := m.WriteAll(t.Context(), all); err != nil || puts.Load() != 2 || m.get(t, "new") == nil ||
		m.get(t, "old").Address != otherAddress {
		t.Errorf("%v, %d writes", err, puts.Load())
	}
	if all = plan(good...); results(all) != "new:unchanged old:unchanged same:unchanged" {
		t.Errorf("the same list again: %s", results(all))
	}
	// What changes between the plan and the write is looked at again.
	all = plan(element("new", "host_key="+newKey(t)))
	m.write(t, "new", "host_key="+key)
	checkRefusal(t, "a late change", m.WriteAll(t.Context(), all), conflict,
		[]string{"that is host new", "of 1 hosts 0 were written", "again"})
	// A failure of storage is one, not a refusal.
	m.storage.fail(map[string]error{Prefix + "fresh": errors.New("out of order")})
	all, err = ParseList([]any{element("fresh", "connection="+dc1, "address="+testAddress)})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.PlanAll(t.Context(), all); err == nil || request.IsRefusal(err) {
		t.Errorf("a plan without storage: %v", err)
	}
	var many []any
	for i := range 30 {
		many = append(many, element(fmt.Sprintf("h%02d", i), "connection="+dc1))
	}
	m.storage.fail(nil)
	checkRefusal(t, "thirty", Refused(plan(many...)), invalid, []string{"h00: address", "h09: address", "20 more", "dry_run=true"})
}

// FuzzParseList has hostile JSON make nothing but a list whose hosts can be planned, or an error that names the field.
func FuzzParseList(f *testing.F) {
	for _, seed := range []string{`[{"name":"a","connection":"dc-1","address":"192.0.2.7","port":22}]`, `[]`, `[{}]`, `{`, `[[["a"]]]`,
		`[{"name":"a","tags":{"a":null}}]`, `["[{\"name\":\"a\"}]"]`, `[{"name":"a","port":1e3}]`, `[{"name":"..","host_key":"x"}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseList(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "hosts: ") || !request.IsRefusal(err) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		m := newMount(t)
		if err := m.PlanAll(t.Context(), all); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for _, one := range all {
			if one.Err == nil && (one.Change.Record == nil || !request.IsName(one.Name)) {
				t.Errorf("%q: %+v", text, one)
			}
		}
	})
}
