package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// unprintable has characters that must not come in anywhere, by how an error names them.
var unprintable = map[string]string{
	"U+001B (escape)": "\x1b", "U+000A (line feed)": "\n", "U+0085 (next line)": "\u0085", "U+009B (control character)": "\u009b",
	"U+200B (zero width space)": "\u200b", "U+FEFF (byte order mark)": "\ufeff", "U+FFFD (replacement character)": "\ufffd",
	"U+202E (right-to-left override)": "\u202e", "U+2066 (left-to-right isolate)": "\u2066", "U+2028 (line separator)": "\u2028",
	"U+E0041 (tag character)": "\U000E0041", "U+00A0 (no-break space)": "\u00a0", "is not UTF-8": "\xe9",
}

func TestImportRefusesWhatIsNotPrintable(t *testing.T) {
	h := leasedRole(t, nil)
	for name, c := range unprintable {
		for place, value := range map[string]string{"first": c + "s3cret-by-hand", "inside": "s3cret-" + c + "by-hand", "last": "s3cret-by-hand" +
			c} {
			resp, err := h.request(t, logical.UpdateOperation, webImport, map[string]any{"password": value})
			status, message := statusOf(resp, err)
			if status != http.StatusBadRequest || !strings.Contains(message, "password: must be printable text: character") ||
				!strings.Contains(message, name) {
				t.Errorf("%s, %s: %d %q", name, place, status, message)
			}
			if strings.Contains(message, "s3cret") || strings.Contains(message, "hand") {
				t.Errorf("%s, %s: the message holds a part of the password: %q", name, place, message)
			}
		}
	}
	h.ok(t, logical.UpdateOperation, webImport, map[string]any{"password": "Пароль mit Blank é漢\U0001F600",
		"skip_import_rotation": true})
}

// TestTextOfEveryFieldIsPrintable tries every field that takes text, on every path that is written.
func TestTextOfEveryFieldIsPrintable(t *testing.T) {
	h := leasedRole(t, nil)
	for path, fields := range map[string][]string{
		"config/prod": {"region", "access_key", "secret_key", "auth_url", "username", "password", "project_name", "role_arn", "external_id",
			"password_policy", "provider"},
		"roles/web": {"username", "key", "password_policy", "source", "mode", "checkout", "reset_method", "rotation_schedule",
			"rotation_timezone"},
	} {
		for _, field := range fields {
			for name, c := range unprintable {
				h.refused(t, logical.UpdateOperation, path, map[string]any{field: "ab" + c + "cd"}, http.StatusBadRequest, field+
					": must be printable text: character 3", name)
			}
		}
	}
	for path, fields := range map[string][]string{"config/prod": {"allowed_roles"}, "roles/web": {"instance_ids"}} {
		for _, field := range fields {
			for name, c := range unprintable {
				h.refused(t, logical.UpdateOperation, path, map[string]any{field: "web,a" + c + "b"}, http.StatusBadRequest, field+
					": must be printable text", name)
				h.refused(t, logical.UpdateOperation, path, map[string]any{field: []any{"web", "a" + c + "b"}}, http.StatusBadRequest, field+
					": must be printable text", name)
			}
		}
	}
	for path, fields := range map[string][]string{"config/prod": {"endpoints", "required_tags"},
		"roles/web": {"instance_tags", "custom_metadata"}} {
		for _, field := range fields {
			for name, c := range unprintable {
				for _, value := range []any{map[string]any{"a" + c: "b"}, map[string]any{"a": "b" + c}, []any{"a=b" + c}, "a=b" + c} {
					h.refused(t, logical.UpdateOperation, path, map[string]any{field: value}, http.StatusBadRequest, field+": must be printable text",
						name)
				}
			}
		}
	}
}

func TestListsAndPairsAreBounded(t *testing.T) {
	h := leasedRole(t, nil)
	_, key := rsaKey(t, keyOne)
	h.write(t, "keys/k", map[string]any{"private_key": key})
	many := func(n int) []any {
		var list []any
		for i := range n {
			list = append(list, fmt.Sprintf("role-%d", i))
		}
		return list
	}
	pairs := map[string]any{}
	for i := range 1001 {
		pairs[fmt.Sprint(i)] = "x"
	}
	long := strings.Repeat("x", 3000)
	for _, c := range []struct {
		path, field string
		value       any
		says        string
	}{
		{"config/prod", "allowed_roles", many(1001), "give at most 1000"},
		{"config/prod", "allowed_roles", many(10_001), "more than 10000 elements"},
		{"config/prod", "allowed_roles", long, "is longer than"},
		{"config/prod", "allowed_roles", []any{strings.Repeat("x", 5000)}, "longer than 4096 characters"},
		{"config/prod", "allowed_roles", "web-?", `"web-?" matches no name`},
		{"config/prod", "allowed_roles", []any{"web,db"}, `"web,db" matches no name`},
		{"config/prod", "allowed_roles", "w\u0435b", "matches no name"}, // a Cyrillic letter
		{"config/prod", "allowed_roles", "db web", "matches no name"},
		{"config/prod", "allowed_roles", `["web","db"]`, "a comma separates two names"}, // as the vault command sends an array
		{"keys/k", "allowed_connections", "team-[ab]", "matches no name"},
		{"keys/k", "allowed_connections", many(1001), "give at most 1000"},
		{"keys/k", "allowed_connections", long, "is longer than"},
		{"config/prod", "endpoints", map[string]any{"compute": "https://example.com/" + long}, "longer than 2048 bytes"},
		{"config/prod", "endpoints", pairs, "more than 2000 elements"},
		{"config/prod", "required_tags", pairs, "more than 2000 elements"},
		{"config/prod", "required_tags", map[string]any{"a": long}, "256"},
		{"roles/web", "custom_metadata", pairs, "more than 2000 elements"},
		{"roles/web", "custom_metadata", map[string]any{long: "a"}, "128"},
		{"roles/web", "instance_ids", many(10_001), "more than 10000 elements"},
		{"roles/web", "instance_ids", long, "is no instance id"},
	} {
		h.refused(t, logical.UpdateOperation, c.path, map[string]any{c.field: c.value}, http.StatusBadRequest, c.field, c.says)
	}
	h.write(t, "config/prod", map[string]any{"allowed_roles": append(many(999), "web")})
}

// Who names a policy whose passwords can be guessed is warned, with the write's other warnings.
func TestWeakPoliciesAreWarnedOf(t *testing.T) {
	h := leasedRole(t, nil)
	made := 0
	h.system.SetPasswordPolicy("weak", func() (string, error) { made++; return fmt.Sprintf("Aa-%08d-x", made), nil })
	for _, path := range []string{"config/prod", "roles/web"} {
		if resp := h.ok(t, logical.UpdateOperation, path, map[string]any{"password_policy": "weak"}); resp == nil ||
			!strings.Contains(fmt.Sprint(resp.Warnings), "password_policy: passwords of policy weak have about") {
			t.Errorf("%s with a weak policy: %v", path, resp)
		}
	}
	if resp := h.ok(t, logical.UpdateOperation, "roles/web", map[string]any{"max_versions": 3}); resp != nil &&
		strings.Contains(fmt.Sprint(resp.Warnings), "have about") {
		t.Errorf("a write that names no policy: %v", resp.Warnings)
	}
}
