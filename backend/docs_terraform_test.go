package backend

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/terraform"
)

// The tests of this file hold examples/terraform against the paths' fields and docs/vault-policies.md. Package terraform below tests
// checks the rest of the example.

const terraformFolder = "../examples/terraform"

func terraformRoot(t *testing.T) *terraform.Module {
	t.Helper()
	m, err := terraform.Load(terraformFolder)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// typeInTerraform is how a field's value is written there so that Vault reads it back in the same form.
func typeInTerraform(t framework.FieldType) string {
	switch t {
	case framework.TypeBool:
		return "bool"
	case framework.TypeInt, framework.TypeFloat, framework.TypeDurationSecond:
		return "number"
	case framework.TypeCommaStringSlice:
		return "list(string)"
	case framework.TypeKVPairs:
		return "map(string)"
	default:
		return "string"
	}
}

// TestTerraformHasEveryField: the variables have every field of connections and roles, in the form in which Vault reads it back,
// and credentials have those that are never read back.
func TestTerraformHasEveryField(t *testing.T) {
	written, read := connection.Schemas(providers()), connection.ResponseSchemas(providers())
	settings, secrets := map[string]*framework.FieldSchema{}, map[string]*framework.FieldSchema{}
	for name, field := range written {
		if read[name] != nil {
			settings[name] = field
		} else if name != "name" {
			secrets[name] = field
		}
	}
	roles := role.Schemas(providers())
	delete(roles, "name")
	delete(settings, "name")
	own := map[string][]string{"connections": {"credentials_version"}}
	for variable, schema := range map[string]map[string]*framework.FieldSchema{
		"connections": settings, "credentials": secrets, "roles": roles,
	} {
		fields, err := terraformRoot(t).Fields(variable)
		if err != nil {
			t.Fatal(err)
		}
		for name, field := range schema {
			if want := typeInTerraform(field.Type); fields[name] != want {
				t.Errorf("%s: the variable %s has the field %s as %q, want %q", terraformFolder, variable, name, fields[name], want)
			}
		}
		for name := range fields {
			if schema[name] == nil && !slices.Contains(own[variable], name) {
				t.Errorf("%s: the variable %s has the field %s, which Vault does not know there", terraformFolder, variable, name)
			}
		}
	}
}

// TestTerraformVariables: the example's values are those of variables.
func TestTerraformVariables(t *testing.T) {
	name := terraformFolder + "/example.tfvars"
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, diagnostics := hclsyntax.ParseConfig(source, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	m := terraformRoot(t)
	given := file.Body.(*hclsyntax.Body).Attributes
	for variable, attribute := range given {
		if m.Named("variable", variable) == nil {
			t.Errorf("%s: there is no variable %s", name, variable)
		}
		value, diagnostics := attribute.Expr.Value(nil)
		if diagnostics.HasErrors() {
			t.Errorf("%s: %v", name, diagnostics)
			continue
		}
		fields, err := m.Fields(variable)
		if err != nil {
			continue // no map of objects
		}
		for one, object := range value.AsValueMap() {
			for field := range object.AsValueMap() {
				if fields[field] == "" {
					t.Errorf("%s: %s.%s: %s has no field %s", name, variable, one, variable, field)
				}
			}
		}
	}
	if len(given) < 4 || given["credentials"] != nil {
		t.Errorf("%s gives %q", name, slices.Sorted(maps.Keys(given)))
	}
}

// placeholders are what the templates of policies have instead of the names that stand on the page.
var placeholders = map[string]string{"mount": "cloudpw", "role": "web", "connection": "prod-otc", "login_path": "auth/userpass/login"}

// personaOf is the template for a block of HCL below a heading of the page about policies; "" is none, as for a right that nobody
// keeps.
func personaOf(heading string, block int) string {
	switch {
	case heading == "Whoever renames the mount":
		return ""
	case block == 1:
		return map[string]string{"Keeper of credentials": "no-unattended-rotation"}[heading]
	}
	return strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}

// TestTerraformPolicies: the policies are those of the page, and the variable personas names all of them. With -update the
// templates are written from the page.
func TestTerraformPolicies(t *testing.T) {
	var personas []string
	for _, section := range strings.Split(readPage(t, policiesPage), "\n## ")[1:] {
		heading, _, _ := strings.Cut(section, "\n")
		for i, block := range codeBlocks(section, "hcl") {
			persona := personaOf(heading, i)
			if persona == "" {
				continue
			}
			personas = append(personas, persona)
			name := terraformFolder + "/policies/" + persona + ".hcl.tftpl"
			if *updatePages {
				if err := os.WriteFile(name, []byte(templateOf(persona, block)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			source, err := os.ReadFile(name)
			if err != nil {
				t.Errorf("%v; %s has the policy: run make docs", err, policiesPage)
				continue
			}
			if got, err := terraform.Render(name, source, placeholders); err != nil || got != block {
				t.Errorf("%s is not the policy of %s; run make docs. It gives (%v)\n%s", name, policiesPage, err, got)
			}
		}
	}
	for _, own := range []string{"reader", "recorder"} { // these have policies by role and by connection
		personas = slices.DeleteFunc(personas, func(name string) bool { return name == own })
	}
	templates, err := filepath.Glob(terraformFolder + "/policies/*.tftpl")
	if err != nil || len(templates) != len(personas)+2 {
		t.Errorf("%d templates for %q (%v)", len(templates), personas, err)
	}
	rules := sourceOf(t, terraformRoot(t), "variable", "personas")
	_, allowed, _ := strings.Cut(rules, "validation")
	for _, persona := range personas {
		if !strings.Contains(allowed, `"`+persona+`"`) {
			t.Errorf("%s: the variable personas does not allow %s", terraformFolder, persona)
		}
	}
	for _, m := range regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(allowed, -1) {
		if !slices.Contains(personas, m[1]) {
			t.Errorf("%s: the variable personas allows %s, which %s does not have", terraformFolder, m[1], policiesPage)
		}
	}
}

// templateOf is a policy of the page with placeholders for the names in it.
func templateOf(persona, policy string) string {
	policy = regexp.MustCompile(`(["/])cloudpw/`).ReplaceAllString(policy, "${1}$${mount}/")
	policy = strings.ReplaceAll(policy, placeholders["login_path"], "${login_path}")
	switch persona {
	case "reader":
		policy = strings.ReplaceAll(policy, "creds/"+placeholders["role"], "creds/${role}")
	case "recorder":
		policy = strings.ReplaceAll(policy, placeholders["connection"], "${connection}")
	}
	return policy
}

// sourceOf is the text of a block.
func sourceOf(t *testing.T, m *terraform.Module, kind, label string) string {
	t.Helper()
	block := m.Named(kind, label)
	if block == nil {
		t.Fatalf("%s: no %s %s", m.Folder, kind, label)
	}
	return string(m.Sources[block.TypeRange.Filename][block.TypeRange.Start.Byte:block.CloseBraceRange.End.Byte])
}
