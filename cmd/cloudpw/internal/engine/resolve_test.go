package engine

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// world answers report and instances/ for a few accounts. filters: the plugin knows `server`; blind: the token may read only creds/;
// lists: it may list instances/; twins: two servers of web have one name.
type world struct{ filters, blind, lists, twins bool }

func (w world) answer(r asked) (int, any) {
	accounts := []m{
		{"connection": "prod", "instance_id": "i-1", "username": "root", "name": "web-1", "address": "10.0.0.1", "role": "web"},
		{"connection": "prod", "instance_id": "i-2", "username": "root", "name": "web-2", "address": "10.0.0.2", "role": "web"},
		{"connection": "prod", "instance_id": "i-2", "username": "deploy", "name": "web-2", "address": "10.0.0.2", "role": "deploy"},
		{"connection": "test", "instance_id": "i-9", "username": "root", "name": "web-1", "address": "10.9.0.1", "role": ""},
		{"connection": "prod", "instance_id": "i-3", "username": "DOM/admin", "name": "db", "address": "10.0.0.3", "role": "db"},
	}
	if role, ok := strings.CutPrefix(r.path, "cloudpw/instances/"); ok {
		ids := map[string][]string{"web": {"i-1", "i-2", "i-new"}, "new": {"i-4"}, "many": {"i-5", "i-6"}}[role]
		switch {
		case w.blind && !w.lists:
			return refusal(403, "permission denied")
		case ids == nil:
			return refusal(400, "unknown role "+role)
		}
		info := m{}
		for _, a := range accounts {
			if id, _ := a["instance_id"].(string); a["role"] == role && slices.Contains(ids, id) {
				info[id] = m{"username": a["username"], "name": a["name"], "address": a["address"]}
			}
		}
		if w.twins {
			info["i-2"] = info["i-1"]
		}
		return 200, data(m{"keys": ids, "key_info": info})
	}
	if r.path != "cloudpw/report" {
		return refusal(404)
	}
	if w.blind {
		return refusal(403, "permission denied")
	}
	q, _ := url.ParseQuery(r.query)
	found := []m{}
	for _, a := range accounts {
		server := q.Get("server")
		if (q.Get("role") == "" || a["role"] == q.Get("role")) && (q.Get("connection") == "" || a["connection"] == q.Get("connection")) &&
			(!w.filters || server == "" || a["instance_id"] == server || a["name"] == server || a["address"] == server) {
			found = append(found, a)
		}
	}
	answer := data(m{"accounts": found, "total": len(found)})
	if !w.filters && q.Has("server") {
		answer["warnings"] = []string{`ignored: "server": unknown field; a read of this path takes after.`}
	}
	return 200, answer
}

func TestResolve(t *testing.T) {
	for name, w := range map[string]world{"new plugin": {filters: true}, "old plugin": {}} {
		_, c := serve(t, w.answer)
		for _, test := range []struct {
			target Target
			want   string // the place's argument
		}{
			{Target{Text: "i-1"}, "prod/i-1/root"},
			{Target{Text: "10.0.0.1"}, "prod/i-1/root"},
			{Target{Text: "web/web-2"}, "prod/i-2/root"},
			{Target{Text: "web-2", User: "deploy"}, "prod/i-2/deploy"},
			{Target{Text: "web-1", Connection: "test"}, "test/i-9/root"},
			{Target{Text: "web-1", Role: "web"}, "prod/i-1/root"},
			{Target{Text: "prod/i-3/DOM/admin"}, "prod/i-3/DOM/admin"},
			{Target{Text: "deploy"}, "prod/i-2/deploy"}, // a role with one server
			{Target{Text: "db"}, "prod/i-3/DOM/admin"},
			{Target{Text: "web/i-new"}, "web/i-new"}, // has no account yet
			{Target{Text: "new"}, "new/i-4"},
		} {
			place, err := c.Resolve(t.Context(), test.target)
			if err != nil || place.Argument() != test.want {
				t.Errorf("%s: %+v is %q, %v; want %s", name, test.target, place.Argument(), err, test.want)
			}
		}
		for target, want := range map[Target]string{
			{Text: "web-1"}:                         "more than one account",
			{Text: "web-2"}:                         "prod/i-2/deploy  (web-2, 10.0.0.2, role deploy)",
			{Text: "web"}:                           "a role with 2 accounts",
			{Text: "many"}:                          "a role with 2 servers",
			{Text: "none"}:                          "there is no server",
			{Text: "web/none"}:                      "role web has no server",
			{Text: "web/web-1", Role: "db"}:         "--role asks for db",
			{Text: "prod/i-1/x"}:                    `server i-1 has no user "x" in Vault; it has root`,
			{Text: "web-2", User: "x"}:              "it has root, deploy",
			{Text: "none", User: "x"}:               "there is no server",
			{Text: "web-1", Role: "web", User: "x"}: "has no user",
			{Text: ""}:                              "names no server",
			{Text: "web/"}:                          "names no server",
		} {
			if place, err := c.Resolve(t.Context(), target); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %+v is %+v, %v; want %q", name, target, place, err, want)
			}
		}
		var several *AmbiguousError
		if _, err := c.Resolve(t.Context(), Target{Text: "web-1"}); !errors.As(err, &several) || several.Places[0].Role != "web" {
			t.Errorf("%s: several: %v", name, err)
		}
	}
}

// TestResolveWithTheRightToReadOnly: creds/ROLE and its servers' ids are enough.
func TestResolveWithTheRightToReadOnly(t *testing.T) {
	_, c := serve(t, world{blind: true}.answer)
	for target, want := range map[Target]Place{
		{Text: "web"}:               {Role: "web", Guessed: true},
		{Text: "web/i-77"}:          {Role: "web", InstanceID: "i-77"},
		{Text: "i-77", Role: "web"}: {Role: "web", InstanceID: "i-77"},
	} {
		if place, err := c.Resolve(t.Context(), target); err != nil || place != want {
			t.Errorf("%+v is %+v, %v", target, place, err)
		}
	}
	if _, err := c.Resolve(t.Context(), Target{Text: "prod/i-1/root"}); !IsDenied(err) {
		t.Errorf("an account: %v", err)
	}
	// With the right to list the role's servers, names and addresses are found as well.
	_, c = serve(t, world{blind: true, lists: true}.answer)
	for text, id := range map[string]string{"web/web-2": "i-2", "web/10.0.0.1": "i-1", "web/i-new": "i-new", "web/i-1": "i-1"} {
		if place, err := c.Resolve(t.Context(), Target{Text: text}); err != nil || place.Role != "web" || place.InstanceID != id {
			t.Errorf("%s is %+v, %v", text, place, err)
		}
	}
	var unknown *UnknownError
	if _, err := c.Resolve(t.Context(), Target{Text: "web/db"}); !errors.As(err, &unknown) ||
		!strings.Contains(err.Error(), "role web has no server") {
		t.Errorf("a server of another role: %v", err)
	}
	_, c = serve(t, world{blind: true, lists: true, twins: true}.answer)
	var several *AmbiguousError
	if _, err := c.Resolve(t.Context(), Target{Text: "web/web-1"}); !errors.As(err, &several) || len(several.Places) != 2 ||
		several.Places[1].Argument() != "web/i-2" {
		t.Errorf("a name of two servers: %v", err)
	}
}
