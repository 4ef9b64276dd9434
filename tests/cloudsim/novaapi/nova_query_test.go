package novaapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestQueries holds what the Nova 26 of Debian answered to the same queries: ids are of the servers "b" and
// "a", of which "b" is the newer.
func TestQueries(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	f.server(t, model.Server{ID: "00000000-0000-4000-8000-00000000000a", Name: "a"})
	f.server(t, model.Server{ID: "00000000-0000-4000-8000-00000000000b", Name: "b", Locked: true})
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	names := func(r reply) string {
		var out []string
		list, _ := r.at("servers").([]any)
		for _, s := range list {
			out = append(out, s.(map[string]any)["name"].(string))
		}
		return strings.Join(out, "")
	}
	for _, c := range []struct {
		version, query string
		status         int
		want           string // the names, or a part of the message
	}{
		{"2.1", "limit=1&limit=2", 200, "ba"}, // the last counts
		{"2.1", "limit=0", 200, ""},
		{"2.1", "limit=", 400, "Value: . '' is too short"},
		{"2.1", "limit=x", 400, "'x' does not match '^[0-9]*$'"},
		{"2.1", "marker=none", 400, "marker [none] not found"},
		{"2.1", "marker=00000000-0000-4000-8000-00000000000b", 200, "a"},
		{"2.1", "nonsense=1", 200, "ba"},
		{"2.74", "nonsense=1", 200, "ba"},
		{"2.75", "nonsense=1", 400, "'nonsense' does not match any of the regexes: '^_'"},
		{"2.98", "nonsense=1", 400, "'nonsense' does not match any of the regexes: '^_'"},
		{"2.25", "tags=none", 200, "ba"},
		{"2.26", "tags=none", 200, ""},
		{"2.65", "changes-before=yesterday", 200, "ba"},
		{"2.66", "changes-before=yesterday", 400, "'yesterday' is not a 'date-time'"},
		{"2.66", "changes-before=2020-01-01", 200, ""},
		{"2.1", "changes-since=", 400, "'' is not a 'date-time'"},
		{"2.1", "changes-since=2020-01-01", 200, "ba"},
		{"2.72", "locked=true", 200, "ba"},
		{"2.73", "locked=true", 200, "b"},
		{"2.73", "locked=maybe", 400, "Unrecognized value 'maybe'"},
		{"2.82", "vm_state=stopped", 200, "ba"}, // for administrators
		{"2.83", "vm_state=stopped", 200, ""},
		{"2.4", "ip6=x", 200, "ba"},
		{"2.5", "ip6=x", 200, ""},
		{"2.1", "name=", 400, "'' is not a 'regex'"},
		{"2.1", "name=%ff", 400, "Query string is not UTF-8 encoded"},
		{"2.1", "_internal=1", 200, "ba"},
		{"2.1", "sort_dir=asc", 200, "ab"},
		{"2.1", "sort_key=display_name", 200, "ba"},
		{"2.1", "sort_key=vm_state&sort_key=display_name", 200, "ab"}, // further keys sort upwards
		{"2.1", "sort_key=uuid&sort_dir=asc&sort_dir=desc", 400, "Sort direction size exceeds sort key size"},
		{"2.1", "sort_key=uuid&sort_dir=up", 400, "Unknown sort direction"},
		{"2.1", "sort_key=nonsense", 400, "'nonsense' is not one of ['access_ip_v4'"},
		{"2.1", "sort_key=host", 403, "Only administrators can sort servers by host"},
		{"2.74", "sort_key=memory_mb", 200, "ba"}, // ignored
		{"2.75", "sort_key=memory_mb", 400, "'memory_mb' is not one of"},
		{"2.1", "all_tenants=0", 200, "ba"},
		{"2.1", "all_tenants", 403, "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed."},
		{"2.1", "all_tenants=maybe", 400, "Unrecognized value 'maybe'"},
		{"2.37", "status=nonsense", 200, ""},
		{"2.38", "status=nonsense", 400, "Invalid status value"},
		{"2.38", "status=active&status=nonsense", 200, "ba"},
		{"2.1", "status=deleted", 403, "Only administrators may list deleted instances"},
	} {
		r := get(t, nil, "GET", f.compute+"/v2.1/servers?"+c.query, headerToken, client.Token(), headerNovaVersion, c.version)
		if r.status == 200 && c.status == 200 {
			if got := names(r); got != c.want {
				t.Errorf("%s?%s: servers %q, want %q", c.version, c.query, got, c.want)
			}
			continue
		}
		if r.status != c.status || !strings.Contains(r.message(), c.want) {
			t.Errorf("%s?%s: %d %s, want %d with %q", c.version, c.query, r.status, r.text, c.status, c.want)
		}
	}
}

// message is the text of a fault.
func (r reply) message() string {
	for name := range r.body {
		return fmt.Sprint(r.at(name + "/message"))
	}
	return ""
}

// TestServersByMicroversion holds the fields that the Nova 26 of Debian shows to a member of a project.
func TestServersByMicroversion(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	since := []struct {
		minor int
		field string
		list  bool // lists have it, too
	}{
		{9, "locked", true}, {19, "description", true}, {26, "tags", true}, {63, "trusted_image_certificates", true},
		{71, "server_groups", false}, {73, "locked_reason", true}, {90, "OS-EXT-SRV-ATTR:hostname", true},
		{96, "pinned_availability_zone", true},
	}
	for _, minor := range []int{1, 3, 9, 19, 26, 47, 62, 63, 70, 71, 73, 90, 96, 98} {
		version := fmt.Sprintf("compute 2.%d", minor)
		for path, at := range map[string]string{"servers/" + s.ID: "server", "servers/detail": "servers/0"} {
			r := get(t, nil, "GET", f.compute+"/v2.1/"+path, headerToken, client.Token(), headerAPIVersion, "identity 3.1, "+version)
			view, _ := r.at(at).(map[string]any)
			for _, field := range since {
				_, have := view[field.field]
				if want := minor >= field.minor && (field.list || at == "server"); have != want {
					t.Errorf("%s of %s at 2.%d: %v, want %v", field.field, path, minor, have, want)
				}
			}
			_, inline := view["flavor"].(map[string]any)["original_name"]
			if inline != (minor >= 47) {
				t.Errorf("flavor of %s at 2.%d: %v", path, minor, view["flavor"])
			}
			if _, have := view["image"].(map[string]any)["properties"]; have != (minor >= 98) {
				t.Errorf("image of %s at 2.%d: %v", path, minor, view["image"])
			}
			if got := r.header.Get(headerAPIVersion); got != version {
				t.Errorf("%s at %s: the answer says %q", path, version, got)
			}
		}
	}
}

// TestKeypairsAndFlavors holds what the Nova 26 of Debian answered.
func TestKeypairsAndFlavors(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(version, path string) reply {
		t.Helper()
		return get(t, nil, "GET", f.compute+"/v2.1/"+path, headerToken, client.Token(), headerNovaVersion, version)
	}
	next := f.compute + "/v2.1/os-keypairs?limit=1&marker=ops"
	ask("2.34", "os-keypairs?limit=1").want(t, 200, "keypairs_links", "<nil>")
	ask("2.35", "os-keypairs?limit=1").want(t, 200, "keypairs_links/0/href", next)
	ask("2.35", "os-keypairs?marker=none").want(t, 400, "badRequest/message", "Marker none could not be found.")
	ask("2.9", "os-keypairs/ops?user_id=other").want(t, 200, "keypair/name", "ops")
	ask("2.10", "os-keypairs/ops?user_id=other").want(t, 403, "forbidden/message",
		"Policy doesn't allow os_compute_api:os-keypairs:show to be performed.")
	ask("2.10", "os-keypairs?user_id="+f.user.ID).want(t, 200, "keypairs/0/keypair/name", "ops")
	ask("2.74", "os-keypairs?nonsense=1").want(t, 200, "", "")
	ask("2.75", "os-keypairs?nonsense=1").want(t, 400, "badRequest/message",
		"Additional properties are not allowed ('nonsense' was unexpected)")
	ask("2.75", "os-keypairs/ops?nonsense=1").want(t, 400, "", "")

	ask("2.1", "flavors?limit=1").want(t, 200, "flavors_links/0/rel", "next")
	ask("2.1", "flavors?limit=1&marker=s3.large.2").want(t, 200, "flavors/0/id", "s3.xlarge.2")
	ask("2.1", "flavors?marker=none").want(t, 400, "badRequest/message", "marker [none] not found")
	ask("2.1", "flavors/detail").want(t, 200, "flavors/0/swap", "")
	ask("2.75", "flavors/detail").want(t, 200, "flavors/0/swap", "0")
	ask("2.75", "flavors?nonsense=1").want(t, 400, "", "")
	for version, fields := range map[string][]string{"2.54": {}, "2.55": {"description"}, "2.61": {"description", "extra_specs"}} {
		for _, field := range []string{"description", "extra_specs"} {
			_, have := ask(version, "flavors/s3.large.2").at("flavor").(map[string]any)[field]
			if have != slices.Contains(fields, field) {
				t.Errorf("%s of a flavor at %s: %v", field, version, have)
			}
		}
	}
}

// TestWhatComesBeforeAPolicy: Nova looks for the server, and at the body's form, before it asks its policies.
func TestWhatComesBeforeAPolicy(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	f.user.Deny = []string{"compute:*"}
	f.world.AddUser(f.user)
	token := tokenRequest(t, f, password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name)),
		fmt.Sprintf(`{"project":{"id":%q}}`, f.project.ID)).header.Get(headerSubjectToken)
	const none = "00000000-0000-4000-8000-000000000000"
	for path, status := range map[string]int{
		"GET servers/" + s.ID: 403, "GET servers/" + none: 404,
		"GET servers/" + s.ID + "/os-server-password": 403, "DELETE servers/" + none + "/os-server-password": 404,
	} {
		method, path, _ := strings.Cut(path, " ")
		if r := get(t, nil, method, f.compute+"/v2.1/"+path, headerToken, token); r.status != status {
			t.Errorf("%s %s: %v, want %d", method, path, r, status)
		}
	}
	for body, status := range map[string]int{`{"changePassword":{}}`: 400, `{"changePassword":{"adminPass":"x"}}`: 403} {
		r := send(t, nil, "POST", f.compute+"/v2.1/servers/"+s.ID+"/action", body, headerToken, token, "Content-Type", "application/json")
		if r.status != status {
			t.Errorf("%s: %v, want %d", body, r, status)
		}
	}
}

// TestPythonTexts holds messages of the Nova 26 of Debian.
func TestPythonTexts(t *testing.T) {
	for text, want := range map[string]string{
		`null`: "None", `true`: "True", `5`: "5", `"x"`: "'x'", `[]`: "[]", `["x", null]`: "['x', None]",
		`"it's"`: `"it's"`, `"\\"`: `'\\'`,
		`{"adminPass":"a","foo":1}`: "{'adminPass': 'a', 'foo': 1}",
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := python(value); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
