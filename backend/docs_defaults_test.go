package backend

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// The API pages take defaults from descriptions. The tests here hold descriptions against what a mount really does.

// inPage is a value as the pages write it.
func inPage(field *framework.FieldSchema, value any) string {
	v := reflect.ValueOf(value)
	switch {
	case field.Type == framework.TypeDurationSecond && v.CanInt():
		if v.Int() == 0 {
			return "0"
		}
		return request.FormatDuration(time.Duration(v.Int()) * time.Second)
	case v.Kind() == reflect.Slice && v.Len() == 1:
		return fmt.Sprint(v.Index(0).Interface())
	case v.Kind() == reflect.Map && v.Len() == 0, v.Kind() == reflect.Slice && v.Len() == 0:
		return ""
	}
	return fmt.Sprint(value)
}

// checkDefaults compares what a thing reads back with the documented defaults of the fields that were not written. It
// returns the names of those that it could compare: others depend on something, and are text.
func checkDefaults(t *testing.T, fields map[string]*framework.FieldSchema, written, read map[string]any) []string {
	t.Helper()
	plain := regexp.MustCompile(`^[\w*]+$`)
	var compared []string
	for name, value := range read {
		if _, given := written[name]; given || fields[name] == nil {
			continue
		}
		_, documented := split(fields[name])
		got := inPage(fields[name], value)
		switch {
		case documented == "none" || regexp.MustCompile(`^none, which `).MatchString(documented):
			if got != "" && got != "0" {
				t.Errorf("%s: the default is said to be none; it is %q", name, got)
			}
		case plain.MatchString(documented) && fields[documented] == nil:
			if got != documented {
				t.Errorf("%s: the default is said to be %q; it is %q", name, documented, got)
			}
		default:
			continue
		}
		compared = append(compared, name)
	}
	return compared
}

func TestDocumentedDefaultsAreReal(t *testing.T) {
	h := newHarness(t)
	for _, id := range []string{"srv-1", "srv-2", "srv-3"} {
		h.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Windows, KeyName: "ops"})
	}
	compared := map[string]bool{}
	check := func(path string, fields map[string]*framework.FieldSchema, data map[string]any) map[string]any {
		t.Helper()
		h.write(t, path, data)
		read := h.read(t, path)
		for _, name := range checkDefaults(t, fields, data, read) {
			compared[name] = true
		}
		return read
	}
	// The in-memory clouds have a limit of their own; those of the real ones are tested below.
	connectionTo := func(provider string) map[string]any {
		return merged(connectionData(provider), map[string]any{"max_requests_per_second": 1000})
	}
	check("config/reset", connection.Schemas(providers()), connectionTo(resetCloud))
	check("config/initial", connection.Schemas(providers()), connectionTo(initialCloud))
	h.write(t, "keys/ops", map[string]any{"generate": true})
	if bits := h.read(t, "keys/ops")["bits"]; bits != 2048 {
		t.Errorf("generate makes %v bits", bits)
	}

	leased := check("roles/leased", role.Schemas(providers()), map[string]any{"connection": "reset", "instance_ids": "srv-1",
		"force_stop": true})
	check("roles/initial", role.Schemas(providers()), map[string]any{"connection": "initial", "instance_ids": "srv-3"})
	static := map[string]any{"connection": "reset", "instance_ids": "srv-2", "force_stop": false, "mode": "static", "rotation_period": "1h",
		"rotate_on_read": true}
	check("roles/static", role.Schemas(providers()), static)
	unforced := h.read(t, "roles/static")

	for _, conditional := range []struct {
		field, documented string
		value             any
	}{
		{"mode", "leased with source=reset, else static", []any{leased["mode"], h.read(t, "roles/initial")["mode"]}},
		{"source", "initial if the cloud has one, else reset", []any{h.read(t, "roles/initial")["source"], leased["source"]}},
		{"min_reset_interval", "10m with force_stop=true, else 0", []any{leased["min_reset_interval"], unforced["min_reset_interval"]}},
	} {
		compared[conditional.field] = true
		_, documented := split(role.Schemas(providers())[conditional.field])
		values := conditional.value.([]any)
		words := regexp.MustCompile(`^(\w+) .*else (\w+)$`).FindStringSubmatch(documented)
		if documented != conditional.documented || words == nil ||
			words[1] != inPage(role.Schemas(providers())[conditional.field], values[0]) ||
			words[2] != inPage(role.Schemas(providers())[conditional.field], values[1]) {
			t.Errorf("%s: the default is said to be %q; it is %v or %v", conditional.field, documented, values[0], values[1])
		}
	}
	if len(compared) < 25 {
		t.Errorf("only these defaults were compared: %s", slices.Sorted(maps.Keys(compared)))
	}
	for _, name := range []string{"ttl", "max_ttl", "checkout", "max_versions", "request_timeout", "forget_gone_after", "rotation_period",
		"verify_connection",
		"allowed_roles", "rotation_timezone",
		"rotate_on_read_cooldown", "shared_password", "disable_automated_rotation", "clear_initial"} {
		if !compared[name] {
			t.Errorf("the default of %s was not compared", name)
		}
	}
}

func TestDocumentedDefaultsOfProviders(t *testing.T) {
	_, rate := split(connection.Schemas(providers())["max_requests_per_second"])
	for name, d := range providers() {
		got := fmt.Sprint(d.DefaultRequestsPerSecond)
		if got != rate && !regexp.MustCompile(`\b`+got+` on [^;]*\b`+name+`\b`).MatchString(rate) {
			t.Errorf("max_requests_per_second: the default is said to be %s; with %s it is %s", rate, name, got)
		}
		_, method := split(role.Schemas(providers())["reset_method"])
		if d.CanReset() && !regexp.MustCompile(d.ResetMethods[0].Name+` on [^;]*\b`+name+`\b`).MatchString(method) {
			t.Errorf("reset_method: the default is said to be %q; with %s it is %s", method, name, d.ResetMethods[0].Name)
		}
		style, ok := d.Field("signature_style")
		_, said := split(connection.Schemas(providers())["signature_style"])
		if used := (cloud.Values{"access_key": "AK"}).InForce(style); ok && !regexp.MustCompile(used+` on [^;]*\b`+name+`\b`).MatchString(said) {
			t.Errorf("signature_style: the default is said to be %q; with %s it is %s", said, name, used)
		}
	}
}

// Every field says what it is by default, or that it must be given; the API pages show it.
func TestEveryFieldHasADefault(t *testing.T) {
	for _, path := range referencePaths(t) {
		for name, field := range path.Fields {
			meaning, value := split(field)
			if required := strings.HasPrefix(value, "<required"); value == "" || meaning == "" || field.Required && !required {
				t.Errorf("%s: the description of %s ends neither in \"Default: ....\" nor in \"Required ....\": %q", path.Pattern, name,
					field.Description)
			}
		}
	}
}
