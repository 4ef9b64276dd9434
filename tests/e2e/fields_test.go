//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// badField says how one field of a call is misused.
type badField struct {
	// on names the request that the field is added to: one of bases, "" for an empty one.
	on string
	// values are refused, each with the field's name in the answer.
	values []any
}

var (
	control  = "line one\nline two"
	tooLong  = strings.Repeat("x", 5000)
	object   = map[string]any{"a": map[string]any{"b": "c"}}
	badURLs  = []string{"http://example.com", "ftp://example.com", "no url", "https://169.254.169.254", "https://user:pw@example.com"}
	badTimes = []any{"soon", "1500ms", "-1s", object}
	badFlags = []any{"perhaps", 7, object}
	badPairs = []any{"no pair", map[string]any{"": "x"}, map[string]any{"a\n": "x"}, map[string]any{"a": strings.Repeat("x", 5000)}}
	badPages = map[string]badField{"after": {values: []any{tooLong}}, "limit": {values: []any{"-1", "many"}}}
	badWait  = map[string]badField{"wait": {values: []any{"46s", "-1s", "soon", "0.5s"}}}
)

// badRead is how the fields of a read of a leased role's password are misused.
var badRead = map[string]badField{"wait": badWait["wait"], "ttl": {values: []any{"1s", "-1s", "soon", "0.5s"}}}

// withService makes a value of endpoints of each URL.
func withService(service string, urls []string) []any {
	values := []any{"no pair", map[string]any{"nonsense": "https://example.com"}}
	for _, u := range urls {
		values = append(values, map[string]any{service: u})
	}
	return values
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// badFields has a case for every field of every call that the mount documents.
var badFields = map[string]map[string]badField{
	"POST config/{name}": {
		"provider":                      {"aws", []any{"", "nimbus", control, object}},
		"region":                        {"aws", []any{"", "no region!", control, tooLong, object}},
		"project_id":                    {"huaweicloud", []any{"", "../x", "no id", control, tooLong}},
		"access_key":                    {"aws", []any{"", control, tooLong, " AK", `"AK"`, "AK\u00a0"}},
		"secret_key":                    {"aws", []any{"", control, tooLong, object, "a b", "'ab'", "\ufeffab"}},
		"security_token":                {"huaweicloud", []any{control, strings.Repeat("x", 20000), object, "a b", "'ab'"}},
		"agency_name":                   {"huaweicloud", []any{"no agency!", control, tooLong, "of-no-account"}},
		"agency_domain_name":            {"huaweicloud", []any{control, tooLong, "of no agency"}},
		"auth_url":                      {"opentelekomcloud", append(anys(badURLs), control)},
		"username":                      {"opentelekomcloud", []any{"", control, tooLong}},
		"password":                      {"opentelekomcloud", []any{"", control, tooLong, object}},
		"user_domain_name":              {"opentelekomcloud", []any{"", control, tooLong}},
		"project_name":                  {"opentelekomcloud", []any{"", control, tooLong}},
		"project_domain_name":           {"opentelekomcloud", []any{control, tooLong}},
		"role_arn":                      {"aws", []any{"no arn", control, tooLong}},
		"external_id":                   {"aws", []any{control, tooLong, "of no role"}},
		"use_ambient_credentials":       {"aws", []any{"perhaps", true}},
		"application_credential_id":     {"openstack", []any{"", control, tooLong}},
		"application_credential_secret": {"openstack", []any{"", control, tooLong, object}},
		"required_tags":                 {"aws", badPairs},
		"tenant_id":                     {"azure", []any{"", "no tenant!", control, tooLong, object}},
		"client_id":                     {"azure", []any{"", "no id", control, tooLong, object}},
		"client_secret":                 {"azure", []any{"", control, tooLong, object, "a b", "'ab'"}},
		"subscription_id":               {"azure", []any{"", "../x", "no id", control, tooLong, object}},
		"cloud":                         {"azure", []any{"mooncake", control, object}},
		"signature_style":               {"huaweicloud", []any{"sideways", control}},
		"login_user":                    {"ssh", []any{"", "a/b", control, tooLong, object}},
		"private_key":                   {"ssh", []any{"", "no key", tooLong, object, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"}},
		"generate_key":                  {"ssh", []any{"perhaps", object}},
		"sudo":                          {"ssh", []any{"yes", control, object}},
		"proxy_jump":                    {"ssh", []any{"no host", "host:0", control, tooLong, object}},
		"proxy_jump_host_key":           {"ssh", []any{"no key", "ssh-ed25519 AAAA", control, tooLong, object}},
		"max_sessions":                  {"ssh", []any{"0", "65", "many", object}},
		"endpoints":                     {"aws", withService("ec2", badURLs)},
		"ca_certificate":                {"aws", []any{"no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", tooLong}},
		"allowed_roles":                 {"aws", []any{object}},
		"max_requests_per_second":       {"aws", []any{-1, 0, 1001, "fast"}},
		"request_timeout":               {"aws", append([]any{"0s", "3m"}, badTimes...)},
		"forget_gone_after":             {"aws", append([]any{"87601h"}, badTimes...)},
		"rotation_period":               {"aws", append([]any{"23h", "87601h"}, badTimes...)},
		"password_policy":               {"tencentcloud", []any{"none"}},
		"verify_connection":             {"aws", badFlags[:1]},
	},
	"POST keys/{name}": {
		"private_key":         {"", []any{"", "no key", object, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"}},
		"passphrase":          {"generate", []any{"of nothing", object}},
		"generate":            {"key", []any{true, "perhaps", object}},
		"bits":                {"generate", []any{1, 2049, 100000, "many"}},
		"allowed_connections": {"generate", []any{object, true}},
	},
	"POST hosts/{name}": {
		"connection":         {"host", []any{"", "none", "a/b", control, object}},
		"address":            {"host", []any{"", "root@web", "web:22", "169.254.169.254", "fe80::1%eth0", "1.2.3", control, tooLong, object}},
		"port":               {"host", []any{"0", "65536", "ssh", object}},
		"host_key":           {"host", []any{"no key", "SHA256:abc", "ssh-ed25519 AAAA", control, tooLong, object}},
		"trust_on_first_use": {"host", badFlags},
		"platform":           {"host", []any{"bsd", control, object}},
		"login_user":         {"host", []any{"a b", "a:b", control, tooLong, object}},
		"sudo":               {"host", []any{"always", control, object}},
		"tags":               {"host", badPairs},
	},
	"POST hosts": {
		"hosts": {values: []any{"", "no list", "[]", []any{"a", "b"}, []any{object}, []any{map[string]any{"name": "a/b"}},
			[]any{map[string]any{"name": "new", "connection": "dc", "address": "x", "port": "ssh"}}}},
		"dry_run": {values: badFlags[:1]},
	},
	"POST host-key/{name}": {
		"host_key":       {values: []any{"", "no key", "SHA256:abc", "ssh-ed25519 AAAA", control, tooLong, object}},
		"another_server": {values: []any{"perhaps", true, object}},
		"login_user":     {values: []any{"deploy", "a b", control, tooLong, object}},
		"connection":     {values: []any{"", "none", "a/b", control, object}},
	},
	"POST roles/{name}": {
		"connection":    {"leased", []any{"", "none", "a/b", control, object}},
		"instance_ids":  {"leased", []any{"", "ins-00000000", "i-0123456789abcdef0", "../x", strings.Repeat("ins-1,", 30000)}},
		"instance_tags": {"tags", badPairs},
		"username": {"leased", []any{`CORP\x`, "a@b", "a..b", "a/b", "-a", " a", "a\u200bb", "1000", "@builtin-administrator",
			strings.Repeat("a", 33), tooLong, object}},
		"mode":                 {"leased", []any{"dynamic", control}},
		"source":               {"leased", []any{"initial", "import", control}},
		"key":                  {"initial", []any{"none", "a/b", tooLong}},
		"password_policy":      {"leased", []any{"none"}},
		"checkout":             {"leased", []any{"mine", control}},
		"ttl":                  {"leased", append([]any{"25h"}, badTimes...)},
		"max_ttl":              {"leased", append([]any{"30m", "200000h"}, badTimes...)},
		"reset_method":         {"leased", []any{"magic", control, object}},
		"force_stop":           {"leased", []any{"", "perhaps", false}},
		"min_reset_interval":   {"leased", append([]any{"200000h"}, badTimes...)},
		"clear_initial":        {"initial", []any{true, "perhaps"}},
		"skip_import_rotation": {"static", badFlags[:1]},
		"shared_password":      {"static", badFlags[:1]},
		"rotation_period":      {"static", append([]any{"1s", "200000h"}, badTimes...)},
		"rotation_schedule": {"static", []any{"daily", "61 * * * *", "* * * * * *", "CRON_TZ=UTC 0 3 * * *", "0 0 30 2 *", tooLong,
			control}},
		"rotation_timezone":          {"schedule", []any{"Mars/Olympus", "../../etc/passwd", "Local", control, tooLong}},
		"rotation_window":            {"schedule", append([]any{"1s", "200000h"}, badTimes...)},
		"rotate_on_read":             {"static", badFlags[:1]},
		"rotate_on_read_cooldown":    {"onread", append([]any{"200000h"}, badTimes...)},
		"disable_automated_rotation": {"schedule", badFlags[:1]},
		"max_versions":               {"leased", []any{-1, 101, "few"}},
		"custom_metadata":            {"leased", badPairs},
		"check_method":               {"leased", []any{"magic", control, object}},
		"verify_period":              {"leased", append([]any{"1h", "1s"}, badTimes...)},
		"drift_action":               {"leased", []any{"rotate", "reboot", control}},
		"read_drifted":               {"leased", []any{true, "perhaps"}},
		"check_address":              {"leased", []any{"public_ip", "mac", control}},
		"check_port":                 {"leased", []any{2222, 70000, "ssh"}},
		"check_trust_on_first_use":   {"leased", []any{true, "perhaps"}},
		"rotate_on_revoke":           {"leased", []any{"some", control}},
	},
	"POST rotate-reader": {"entity_id": {values: []any{control, tooLong}}, "display_name": {values: []any{control, tooLong}},
		"dry_run": {values: badFlags[:1]}},
	"POST verify/{role}":               {"drift_action": {values: []any{"reboot", control}}},
	"POST verify/{role}/{instance_id}": {"drift_action": {values: []any{"reboot", control}}, "wait": badWait["wait"]},
	"POST verify-connection/{name}":    {"drift_action": {values: []any{"reboot", control}}},
	"GET campaigns/{id}":               {"limit": {values: []any{"-1", "many", "1001"}}, "wait": badWait["wait"]},
	"GET check/{name}":                 {"detailed": {values: badFlags[:1]}},
	"GET status":                       {"detailed": {values: badFlags[:1]}},
	"GET report": {"after": {values: []any{"no account"}}, "limit": {values: []any{"-1", "many", "10001"}},
		"connection": {values: []any{"a*", tooLong}}, "role": {values: []any{"a*", tooLong}}, "name": {values: []any{control, tooLong}},
		"server": {values: []any{control, tooLong}}, "holder": {values: []any{control, tooLong}},
		"state": {values: []any{"broken"}}, "due_reason": {values: []any{"boredom"}}, "check_result": {values: []any{"maybe"}},
		"older_than": {values: []any{"soon", "-1s"}}, "failing": {values: badFlags[:1]}, "drifted": {values: badFlags[:1]},
		"rebuilt": {values: badFlags[:1]}, "format": {values: []any{"xml"}}},
	"POST rotate-role/{role}":               badWait,
	"POST rotate-role/{role}/{instance_id}": badWait,
	"GET creds/{role}":                      badRead,
	"GET creds/{role}/{instance_id}":        badRead,
	"LIST discover/{connection}/":           badPages,
	"POST import/{connection}/{instance_id}/{username}": {
		"password":             {"", []any{"", control, tooLong, object}},
		"skip_import_rotation": {"import", badFlags[:1]},
	},
	"POST versions/{connection}/{instance_id}/{username}/{version}/restore": {"skip_import_rotation": {values: badFlags[:1]}},
	"POST accounts/{account_connection}/{instance_id}/{username}/move": {
		"role": {values: []any{"", tooLong, control}}, "connection": {values: []any{tooLong, control}}},
	"POST take-over/{role}": {"from": {values: []any{tooLong, control}}, "connection": {values: []any{tooLong, control}}},
	"POST place/{name}": {"trust": {values: []any{"none", control}}, "forget": {values: []any{"none", control}},
		"claim": {values: []any{"none", control}}},
	"LIST config/":                badPages,
	"LIST keys/":                  badPages,
	"LIST roles/":                 badPages,
	"LIST hosts/":                 {"after": badPages["after"], "limit": badPages["limit"], "connection": {values: []any{"a*", tooLong}}},
	"LIST instances/{role}/":      badPages,
	"LIST accounts/":              badPages,
	"LIST accounts/{connection}/": badPages,
	"LIST accounts/{connection}/{instance_id}/":             badPages,
	"DELETE campaigns/{id}":                                 {"limit": {values: []any{"many"}}, "wait": {values: []any{"soon"}}},
	"DELETE accounts/{connection}/{instance_id}/{username}": {"force": {values: []any{"perhaps"}}},
	"GET accounts/{connection}/{instance_id}/{username}":    {"force": {values: []any{"perhaps"}}},
}

// unchecked are fields for which every text is good.
var unchecked = []string{"after"}

// badNames are values of path parameters that a call refuses. Reads and deletes of what is not there are no errors.
var badNames = map[string]map[string][]string{
	"POST config/{name}":                    {"name": {strings.Repeat("x", 129)}},
	"POST keys/{name}":                      {"name": {strings.Repeat("x", 129)}},
	"POST hosts/{name}":                     {"name": {strings.Repeat("x", 129)}},
	"POST host-key/{name}":                  {"name": {strings.Repeat("x", 129)}},
	"POST roles/{name}":                     {"name": {strings.Repeat("x", 129)}},
	"GET creds/{role}":                      {"role": {"none", strings.Repeat("x", 129)}},
	"GET creds/{role}/{instance_id}":        {"role": {"none"}, "instance_id": {"none", strings.Repeat("x", 129)}},
	"POST rotate-role/{role}":               {"role": {"none"}},
	"POST rotate-role/{role}/{instance_id}": {"role": {"none"}, "instance_id": {"none"}},
}

// base is a request that is good but for the field under test.
func (e *env) base(t *testing.T, path, on string) map[string]any {
	t.Helper()
	id := func(cloud model.Cloud, server string) string { return e.sim.ServerID(t, cloud, server) }
	switch on {
	case "":
		return map[string]any{}
	case "host":
		return map[string]any{"connection": "dc", "address": "192.0.2.7"}
	case "import":
		return map[string]any{"password": "Correct-Horse-7"}
	case "generate":
		return map[string]any{"generate": true}
	case "key":
		return map[string]any{"private_key": e.sim.Info.Seeded[model.AWS].PrivateKey}
	case "leased":
		return map[string]any{"connection": "tencentcloud", "instance_ids": id(model.TencentCloud, "linux-1"), "force_stop": true}
	case "static":
		return map[string]any{"connection": "tencentcloud", "instance_ids": id(model.TencentCloud, "linux-1"), "force_stop": true,
			"mode": "static"}
	case "schedule", "onread":
		request := e.base(t, path, "static")
		if on == "onread" {
			request["rotate_on_read"] = true
		} else {
			request["rotation_schedule"] = "0 3 * * SAT"
		}
		return request
	case "tags":
		return map[string]any{"connection": "tencentcloud", "force_stop": true}
	case "initial":
		return map[string]any{"connection": "aws", "instance_ids": id(model.AWS, "windows-1"), "key": "aws-key"}
	}
	if !strings.HasPrefix(path, "config/") {
		t.Fatalf("%s: no base %s", path, on)
	}
	return e.connection(model.Cloud(on))
}

// Bad input for every field gets a 400 that names the field, over HTTP and through the plugin protocol, and changes
// nothing. A field without a case fails the test.
func TestBadInputForEveryField(t *testing.T) {
	t.Parallel()
	e := sampled(t)
	e.connect(t, model.AWS)
	e.Write(t, "cloudpw/config/dc", map[string]any{"provider": "ssh", "login_user": "cloudpw", "generate_key": true,
		"verify_connection": false})
	host := "hosts/" + e.sim.ServerID(t, model.TencentCloud, "ubuntu-1")
	before := e.inventory(t)
	covered := map[string]bool{}
	for _, c := range e.calls(t) {
		covered[c.String()] = true
		cases := badFields[c.String()]
		for _, field := range c.fields {
			bad, ok := cases[field]
			if !ok {
				t.Errorf("%s: field %s has no case of bad input", c, field)
			}
			if slices.Contains(unchecked, field) {
				continue
			}
			path := strings.NewReplacer("config/tencentcloud", "config/new", "keys/pair", "keys/new", "roles/web",
				"roles/new", host, "hosts/new").Replace(e.sample(t, c.path))
			for _, value := range bad.values {
				request := e.base(t, c.path, bad.on)
				request[field] = value
				_, err := e.send(t, c.method, path, request)
				checkRefusal(t, fmt.Sprintf("%s with %s = %.60q", c, field, fmt.Sprint(value)), field, err)
			}
		}
		for field := range cases {
			if !slices.Contains(c.fields, field) {
				t.Errorf("%s has no field %s", c, field)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(badNames[c.String()])) {
			for _, value := range badNames[c.String()][name] {
				request := map[string]any{}
				if c.path == "keys/{name}" {
					request["generate"] = true
				}
				path := e.sample(t, strings.Replace(c.path, "{"+name+"}", value, 1))
				_, err := e.send(t, c.method, path, request)
				checkRefusal(t, fmt.Sprintf("%s %.60s", c.method, path), strings.TrimSuffix(name, "_id"), err)
			}
		}
	}
	for known := range badFields {
		if !covered[known] {
			t.Errorf("there are cases for %s, which the mount does not have", known)
		}
	}
	if after := e.inventory(t); after != before {
		t.Errorf("refused requests changed the mount from\n%s to\n%s", before, after)
	}
}

func checkRefusal(t *testing.T, what, field string, err error) {
	t.Helper()
	if status := harness.Status(err); status != http.StatusBadRequest {
		t.Errorf("%s: status %d, want 400: %v", what, status, err)
	} else if !strings.Contains(err.Error(), field) {
		t.Errorf("%s: the answer does not name %s: %v", what, field, err)
	}
}

// inventory is what the mount holds, as text.
func (e *env) inventory(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, list := range []string{"config", "keys", "roles", "hosts"} {
		for _, name := range e.List(t, "cloudpw/"+list) {
			data := e.Read(t, "cloudpw/"+list+"/"+name).Data
			delete(data, "credential_age") // it grows by itself
			fmt.Fprintf(&b, "%s/%s %v\n", list, name, data)
		}
	}
	return b.String()
}
