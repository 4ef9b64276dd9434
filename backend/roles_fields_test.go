package backend

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// roleMount is a mount with a connection to each in-memory cloud, named like it, and servers.
func roleMount(t *testing.T) *harness {
	t.Helper()
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", KeyName: "pair", PrivateIP: "10.0.0.1", PublicIP: "192.0.2.1",
		Tags: map[string]string{"env": "prod", "app": "a"}})
	h.cloud.launch(cloud.Instance{ID: "srv-2", KeyName: "pair", Tags: map[string]string{"env": "prod"}})
	h.cloud.launch(cloud.Instance{ID: "srv-3", KeyName: "pair", Platform: cloud.Linux, State: cloud.StateStopped, CloudState: "STOPPED"})
	for _, provider := range []string{initialCloud, resetCloud, bothCloud} {
		h.connection(t, provider, provider)
	}
	_, pair := rsaKey(t, keyOne)
	_, other := rsaKey(t, keyTwo)
	h.write(t, "keys/pair", map[string]any{"private_key": pair})
	h.write(t, "keys/other", map[string]any{"private_key": other})
	h.system.SetPasswordPolicy("strong", func() (string, error) { return "Correct-Horse-7-Battery", nil })
	h.system.SetPasswordPolicy("strong-2", func() (string, error) { return "Battery-Horse-8-Correct", nil })
	h.system.SetPasswordPolicy("short", func() (string, error) { return "Aa1-", nil })
	return h
}

// The roles that fields are tried on.
var baseRoles = map[string]map[string]any{
	"leased":  {"connection": resetCloud, "instance_ids": []string{"srv-1"}, "force_stop": true},
	"static":  {"connection": resetCloud, "instance_ids": []string{"srv-1"}, "force_stop": true, "mode": "static"},
	"initial": {"connection": initialCloud, "instance_ids": []string{"srv-1"}},
	"both":    {"connection": bothCloud, "instance_ids": []string{"srv-1"}, "source": "initial", "reset_method": "command"},
	"reading": {"connection": bothCloud, "instance_ids": []string{"srv-1"}, "source": "initial"},
	"tags":    {"connection": resetCloud, "instance_tags": map[string]any{"app": "a"}, "force_stop": true},
}

type refusal struct {
	value any
	says  string // besides the field's name
}

// roleCase says how one field of roles/<name> behaves: set, update, unset and conflicts.
type roleCase struct {
	on    string         // the base role
	with  map[string]any // what goes with it in the same write
	set   any            // accepted
	reads any            // what it reads back as; nil: as set
	// update is another accepted value, written over set, and updated what that reads back as; nil: as
	// update.
	update, updated any
	// fixed is set where no update is accepted.
	fixed bool
	// unset is what it reads back as after an empty write; nil: the empty write is refused.
	unset   any
	refused []refusal
	// conflicts are base roles on which the set value is refused, with what the refusal says.
	conflicts map[string]string
	// anywhere says why no role refuses it; it is for fields without conflicts only.
	anywhere string
}

var roleCases = map[string]roleCase{
	"connection": {on: "leased", fixed: true, anywhere: "every role has a connection", set: resetCloud,
		refused: []refusal{{initialCloud, "cannot be changed"}, {"", "required"}}},
	"instance_ids": {on: "leased", update: []string{"srv-2"}, conflicts: map[string]string{"tags": "not together"},
		set: []string{"srv-1", "srv-2"}, refused: []refusal{
			{"", "required"}, {"srv-9", "srv-9"}, {"i-1", "srv-"}, {"../x", "no instance id"}, {"srv-1,srv-9", "srv-9"},
		}},
	"instance_tags": {
		on: "leased", update: map[string]any{"env": "prod"}, updated: map[string]string{"env": "prod"},
		conflicts: map[string]string{"leased": "not together with instance_ids"}, with: map[string]any{"instance_ids": ""},
		set:   map[string]any{"env": "prod", "app": "a"},
		reads: map[string]string{"env": "prod", "app": "a"},
		refused: []refusal{
			{"", "instance_ids"}, {"env", "instance_tags"}, {map[string]any{"": "x"}, "key"},
			{map[string]any{"a\n": "x"}, "printable"}, {map[string]any{"a": strings.Repeat("x", 300)}, "characters"},
		},
	},
	"username": {on: "leased", update: "svc-2", anywhere: "every account has a user", set: "svc-1$", unset: "", refused: []refusal{
		{`CORP\x`, "domain account"}, {"x@corp", "domain account"}, {"a..b", ".."}, {"a/b", "slash"}, {" a", "blank"}, {"a:b", "characters"},
		{"@builtin-administrator", "reset_method=command"}, {"a\u200bb", "character 2"}, {strings.Repeat("a", 33), "more than 20 characters"},
	}},
	"mode": {on: "leased", fixed: true, set: "leased", unset: "leased", refused: []refusal{{"static", "cannot be changed"},
		{"dynamic", "unknown"}},
		conflicts: map[string]string{"initial": "cannot"}},
	"source": {on: "both", update: "reset", set: "initial", unset: "initial", refused: []refusal{{"manual", "unknown"}},
		conflicts: map[string]string{"leased": "keeps no initial passwords"}},
	"key": {on: "initial", update: "pair", set: "other", unset: "",
		refused:   []refusal{{"none", "keys/none"}, {"a/b", "not the name of a key"}},
		conflicts: map[string]string{"leased": "source=initial"}},
	"password_policy": {on: "leased", update: "strong-2", set: "strong", unset: "", refused: []refusal{{"none", "sys/policies/password/none"},
		{"short", "at least 12"}},
		conflicts: map[string]string{"initial": "cannot reset"}},
	"check_method": {on: "leased", set: "command", unset: "", refused: []refusal{{"telnet", "command or ssh"}},
		update: "ssh", conflicts: map[string]string{"initial": "cannot look at"}},
	"verify_period": {on: "leased", with: map[string]any{"check_method": "command"}, update: "2h", updated: int64(7200), set: "1h",
		reads: int64(3600), unset: int64(0), refused: []refusal{{"9m", "at least 10m"}, {"90000h", "at most"}},
		conflicts: map[string]string{"static": "check_method", "initial": "check_method"}},
	"drift_action": {on: "leased", with: map[string]any{"check_method": "command"}, update: "restore", set: "rotate", unset: "report",
		refused:   []refusal{{"reboot", "unknown"}},
		conflicts: map[string]string{"static": "check_method", "initial": "check_method"}},
	"read_drifted": {on: "leased", with: map[string]any{"check_method": "command"}, update: false, set: true, unset: false,
		refused:   []refusal{{"perhaps", "read_drifted"}},
		conflicts: map[string]string{"static": "check_method", "initial": "check_method"}},
	"check_address": {on: "leased", with: map[string]any{"check_method": "ssh"}, update: "private_ip", set: "public_ip", unset: "private_ip",
		refused:   []refusal{{"mac", "private_ip, public_ip or name"}, {"name", "it has no name"}},
		conflicts: map[string]string{"static": "check_method=ssh", "initial": "check_method=ssh"}},
	"check_port": {on: "leased", with: map[string]any{"check_method": "ssh"}, update: 22, set: 2222, unset: 22,
		refused:   []refusal{{0, "1 to 65535"}, {-1, "1 to 65535"}, {65536, "1 to 65535"}, {"ssh", "check_port"}},
		conflicts: map[string]string{"static": "check_method=ssh", "initial": "check_method=ssh"}},
	"check_trust_on_first_use": {on: "leased", with: map[string]any{"check_method": "ssh"}, update: false, set: true, unset: false,
		refused:   []refusal{{"perhaps", "check_trust_on_first_use"}},
		conflicts: map[string]string{"static": "check_method=ssh", "initial": "check_method=ssh"}},
	"rotate_on_revoke": {on: "leased", update: "last", set: "any", unset: "last", refused: []refusal{{"some", "unknown"}},
		conflicts: map[string]string{"static": "leased roles", "initial": "leased roles"}},
	"checkout": {on: "leased", update: "shared", set: "exclusive", unset: "shared", refused: []refusal{{"mine", "unknown"}},
		conflicts: map[string]string{"static": "leased roles", "initial": "leased roles"}},
	"ttl": {on: "leased", update: "45m", updated: int64(2700), set: "30m", reads: int64(1800), unset: int64(3600), refused: []refusal{
		{"25h", "max_ttl"}, {"1500ms", "whole seconds"}, {1.5, "whole number"}, {-1, "ttl"}, {"soon", "ttl"},
	}, conflicts: map[string]string{"static": "leased roles", "initial": "leased roles"}},
	"max_ttl": {on: "leased", update: "3h", updated: int64(10800), set: 7200, reads: int64(7200), unset: int64(86400), refused: []refusal{
		{"30m", "ttl"}, {"200000h", "at most"}, {"1.5", "max_ttl"},
	}, conflicts: map[string]string{"static": "leased roles", "initial": "leased roles"}},
	"reset_method": {on: "reading", set: "command", update: "", unset: "",
		refused:   []refusal{{"api", "use command"}, {"magic", "use command"}},
		conflicts: map[string]string{"initial": "cannot reset", "static": "stops no server"}},
	"force_stop": {on: "static", update: true, set: false, refused: []refusal{{"perhaps", "force_stop"}},
		conflicts: map[string]string{"initial": "cannot reset", "both": "stops no server", "reading": "reset_method=command", "leased": "srv-1"}},
	"min_reset_interval": {on: "leased", update: 0, updated: int64(0), set: "1h", reads: int64(3600), unset: int64(600), refused: []refusal{
		{"0.5s", "whole seconds"}, {"999999h", "at most"},
	}, conflicts: map[string]string{"initial": "cannot reset"}},
	"clear_initial": {on: "initial", update: false, set: true, unset: false, refused: []refusal{{"perhaps", "clear_initial"}},
		conflicts: map[string]string{"leased": "source=initial", "both": "cannot delete"}},
	"skip_import_rotation": {on: "static", update: true, set: false, unset: true, refused: []refusal{{"perhaps", "skip_import_rotation"}},
		conflicts: map[string]string{"leased": "static roles", "initial": "cannot reset"}},
	"shared_password": {on: "leased", fixed: true, set: false, unset: false, refused: []refusal{{true, "cannot be changed"},
		{"perhaps", "shared_password"}},
		conflicts: map[string]string{"initial": "cannot reset"}},
	"rotation_period": {on: "static", update: "2h", updated: int64(7200), set: "1h", reads: int64(3600), unset: int64(0), refused: []refusal{
		{"5s", "at least 10s"}, {"9m", "min_reset_interval"}, {"90000h", "at most"}, {"3600500ms", "whole seconds"}, {-1, "negative"},
	}, conflicts: map[string]string{"leased": "when its leases end", "initial": "cannot reset"}},
	"rotation_schedule": {on: "static", update: "30 4 1 * *", set: "0 3 * * SAT", unset: "", refused: []refusal{
		{"@daily", "five fields"}, {"0 0 3 * * *", "five fields"}, {"61 * * * *", "five fields"}, {"0 0 31 2 *", "never happens"},
		{"TZ=Europe/Berlin 0 3 * * *", "rotation_timezone"}, {"CRON_TZ=Europe/Berlin 0 3 * * *", "rotation_timezone"},
		{"*/5 * * * *", "min_reset_interval"}, {"0,5 3 * * *", "5m apart"},
	}, conflicts: map[string]string{"leased": "rotation_window", "initial": "cannot reset"}},
	"rotation_timezone": {on: "static", update: "Asia/Tokyo", with: map[string]any{"rotation_schedule": "0 3 * * *"}, set: "Europe/Berlin",
		unset: "UTC", refused: []refusal{
			{"Mars/Olympus", "IANA"}, {"Local", "IANA"}, {"../../etc/passwd", "IANA"},
		}, conflicts: map[string]string{"static": "rotation_schedule", "leased": "rotation_schedule", "initial": "cannot reset"}},
	"rotation_window": {on: "static", update: "3h", updated: int64(10800), with: map[string]any{"rotation_schedule": "0 3 * * SAT"}, set: "2h",
		reads: int64(7200), unset: int64(0), refused: []refusal{
			{"30s", "at least 1m"}, {"168h", "168h"}, {"150500ms", "whole seconds"},
		}, conflicts: map[string]string{"static": "rotation_schedule", "leased": "rotation_schedule", "initial": "cannot reset"}},
	"rotate_on_read": {on: "static", update: false, set: true, unset: false, refused: []refusal{{"perhaps", "rotate_on_read"}},
		conflicts: map[string]string{"leased": "static roles", "initial": "cannot reset"}},
	"rotate_on_read_cooldown": {on: "static", update: "2h", updated: int64(7200), with: map[string]any{"rotate_on_read": true}, set: "1h",
		reads: int64(3600), unset: int64(600), refused: []refusal{
			{"90000h", "at most"}, {"0.5s", "whole seconds"},
		}, conflicts: map[string]string{"static": "rotate_on_read=true", "leased": "static roles", "initial": "cannot reset"}},
	"disable_automated_rotation": {on: "static", update: false, with: map[string]any{"rotation_period": "24h"}, set: true, unset: false,
		refused:   []refusal{{"perhaps", "disable_automated_rotation"}},
		conflicts: map[string]string{"static": "nothing to disable", "leased": "static roles", "initial": "cannot reset"}},
	"max_versions": {on: "leased", update: 5, anywhere: "every account has versions", set: 3, unset: 10,
		refused: []refusal{{-1, "1 to 100"}, {101, "1 to 100"}, {1.5, "whole number"}, {"few", "max_versions"}}},
	"custom_metadata": {on: "leased", update: map[string]any{"team": "db"}, updated: map[string]string{"team": "db"},
		anywhere: "it means nothing to cloudpw", set: map[string]any{"owner": "ops"}, reads: map[string]string{"owner": "ops"},
		unset:   map[string]string{},
		refused: []refusal{{"owner", "custom_metadata"}, {map[string]any{"a": "b\x00"}, "printable"}}},
}

// A role that stops setting passwords must drop the fields about that, and one that changes the method
// what only the old one has use for.
func TestResetMethodChanges(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/r", merged(baseRoles["both"], map[string]any{"rotation_period": "1h", "skip_import_rotation": true}))
	h.refusedWrite(t, "roles/r", map[string]any{"reset_method": ""}, "rotation_period", "reset_method=command")
	h.write(t, "roles/r", map[string]any{"reset_method": "", "rotation_period": ""})
	h.refused(t, logical.UpdateOperation, "rotate-role/r", nil, http.StatusConflict, "reset_method")

	h.write(t, "roles/l", merged(baseRoles["leased"], map[string]any{"username": "another"}))
	h.refusedWrite(t, "roles/l", map[string]any{"reset_method": "command"}, "force_stop", "empty value")
	h.write(t, "roles/l", map[string]any{"reset_method": "command", "force_stop": ""})
	if got := h.read(t, "roles/l"); got["reset_method"] != "command" || got["force_stop"] != nil || got["min_reset_interval"] != int64(0) {
		t.Errorf("reads back as %v", got)
	}
}

// Every field of the schema has its case here, or this fails.
func TestEveryRoleFieldHasACase(t *testing.T) {
	for name := range role.Schemas(providers()) {
		if _, ok := roleCases[name]; !ok && name != "name" {
			t.Errorf("field %s of roles/ has no case", name)
		}
	}
	for name, c := range roleCases {
		if role.Schemas(providers())[name] == nil {
			t.Errorf("%s is no field", name)
		}
		switch {
		case c.set == nil || len(c.refused) == 0:
			t.Errorf("%s: a case needs a value that is accepted and one that is refused", name)
		case (c.update == nil) != c.fixed:
			t.Errorf("%s: a case needs a second value that it is changed to, or is fixed", name)
		case !c.fixed && reflect.DeepEqual(c.update, c.set):
			t.Errorf("%s: the second value is the first", name)
		case (len(c.conflicts) == 0) != (c.anywhere != ""):
			t.Errorf("%s: a case needs roles that refuse it, or says why there are none", name)
		}
	}
}

func TestRoleFields(t *testing.T) {
	for name, c := range roleCases {
		t.Run(name, func(t *testing.T) {
			h := roleMount(t)
			base := baseRoles[c.on]
			h.write(t, "roles/r", base)
			before := h.read(t, "roles/r")
			for _, bad := range c.refused {
				h.refusedWrite(t, "roles/r", merged(c.with, map[string]any{name: bad.value}), name, bad.says)
				if after := h.read(t, "roles/r"); !reflect.DeepEqual(after, before) {
					t.Fatalf("the refused %v changed the role to %v", bad.value, after)
				}
			}
			h.write(t, "roles/r", merged(c.with, map[string]any{name: c.set}))
			checkField(t, name, h.read(t, "roles/r"), c.set, c.reads)
			set := h.read(t, "roles/r")
			h.write(t, "roles/r", map[string]any{"custom_metadata": "touched=yes"})
			if name != "custom_metadata" && !reflect.DeepEqual(h.read(t, "roles/r")[name], set[name]) {
				t.Error("a write that does not name it changed it")
			}
			if !c.fixed {
				h.write(t, "roles/r", map[string]any{name: c.update})
				checkField(t, name, h.read(t, "roles/r"), c.update, c.updated)
			}
			if c.unset == nil {
				h.refusedWrite(t, "roles/r", map[string]any{name: ""}, "")
			} else {
				h.write(t, "roles/r", map[string]any{name: ""})
				checkField(t, name, h.read(t, "roles/r"), "", c.unset)
			}
			h.write(t, "roles/r2", merged(baseRoles[c.on], merged(c.with, map[string]any{name: c.set, "username": "another"}))) // at creation
			for on, says := range c.conflicts {
				h.refusedWrite(t, "roles/new", merged(baseRoles[on], map[string]any{name: c.set, "username": "third"}), name, says)
				h.absent(t, "roles/new")
			}
		})
	}
}

func TestRoleDefaults(t *testing.T) {
	for on, want := range map[string]map[string]any{
		"leased": {"mode": "leased", "source": "reset", "checkout": "shared", "ttl": int64(3600), "max_ttl": int64(86400),
			"reset_method": "api", "force_stop": true, "min_reset_interval": int64(600), "max_versions": 10, "password_policy": "", "username": "",
			"key": nil, "clear_initial": nil, "skip_import_rotation": nil},
		"static": {"mode": "static", "source": "reset", "checkout": nil, "ttl": nil, "max_ttl": nil, "skip_import_rotation": true,
			"min_reset_interval": int64(600)},
		"initial": {"mode": "static", "source": "initial", "key": "", "clear_initial": false, "password_policy": nil,
			"force_stop": nil, "min_reset_interval": nil, "skip_import_rotation": nil, "checkout": nil},
		"both": {"mode": "static", "source": "initial", "min_reset_interval": int64(0), "skip_import_rotation": false, "force_stop": nil,
			"clear_initial": nil, "reset_method": "command"},
		"reading": {"mode": "static", "source": "initial", "reset_method": "", "min_reset_interval": nil, "skip_import_rotation": nil,
			"rotation_period": nil, "force_stop": nil},
	} {
		t.Run(on, func(t *testing.T) {
			h := roleMount(t)
			h.write(t, "roles/r", baseRoles[on])
			got := h.read(t, "roles/r")
			for field, value := range want {
				if !reflect.DeepEqual(got[field], value) {
					t.Errorf("%s = %#v, want %#v", field, got[field], value)
				}
			}
		})
	}
}

// TestTheKeyGoesWithTheSource: a role whose source changes to reset has no key any more, also when it goes back.
func TestTheKeyGoesWithTheSource(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/r", merged(baseRoles["both"], map[string]any{"key": "other"}))
	if key := h.read(t, "roles/r")["key"]; key != "other" {
		t.Fatalf("the role has key %v", key)
	}
	h.write(t, "roles/r", map[string]any{"source": "reset"})
	if got := h.stored(t, "role/"); strings.Contains(got, `"key":`) {
		t.Errorf("a role with source=reset is stored with a key: %s", got)
	}
	h.write(t, "roles/r", map[string]any{"source": "initial"})
	if key := h.read(t, "roles/r")["key"]; key != "" {
		t.Errorf("the key %v has come back", key)
	}
}
