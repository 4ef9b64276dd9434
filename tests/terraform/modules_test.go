package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../examples/terraform"

// folders are those of the root module and of the modules for clouds.
func folders(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(root + "/modules/*")
	if err != nil || len(found) < 6 {
		t.Fatalf("%d modules for clouds (%v)", len(found), err)
	}
	return append(found, root)
}

func load(t *testing.T, folder string) *Module {
	t.Helper()
	m, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModules(t *testing.T) {
	for _, folder := range folders(t) {
		for _, problem := range load(t, folder).Problems(arguments) {
			t.Error(problem)
		}
	}
}

// TestSecretsAreSensitive: the variable for credentials is marked, and no other variable has a field that holds a secret.
func TestSecretsAreSensitive(t *testing.T) {
	secrets := 0
	for _, folder := range folders(t) {
		m := load(t, folder)
		for _, block := range m.All("variable") {
			marked := block.Body.Attributes["sensitive"] != nil
			fields, err := m.Fields(block.Labels[0])
			if err != nil {
				fields = map[string]string{block.Labels[0]: ""}
			}
			for name, kind := range fields {
				secret := kind != "bool" && (strings.HasSuffix(name, "secret") || strings.HasSuffix(name, "password") || name == "secret_key" ||
					name == "private_key" || name == "security_token")
				if secret {
					secrets++
				}
				if secret && !marked {
					t.Errorf("%s: the variable %s has the secret %s and is not marked as sensitive", folder, block.Labels[0], name)
				}
			}
		}
	}
	if secrets < 6 {
		t.Errorf("only %d secrets found", secrets)
	}
}

// TestMountIsProtected: a mistaken destroy deletes no passwords.
func TestMountIsProtected(t *testing.T) {
	mount := load(t, root).Resource("resource", "vault_mount", "cloudpw")
	if mount == nil {
		t.Fatal("no mount")
	}
	for _, inner := range mount.Body.Blocks {
		if protect := inner.Body.Attributes["prevent_destroy"]; inner.Type == "lifecycle" && protect != nil {
			if value, diagnostics := protect.Expr.Value(nil); !diagnostics.HasErrors() && value.True() {
				return
			}
		}
	}
	t.Error("vault_mount.cloudpw has no prevent_destroy = true")
}

// TestProblems: the check finds what it is for.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"variable":    {"output \"a\" {\n  description = \"a\"\n  value       = var.none\n}\n", "no variable none is declared"},
		"local":       {"output \"a\" {\n  description = \"a\"\n  value       = local.none\n}\n", "no local none is declared"},
		"resource":    {"output \"a\" {\n  description = \"a\"\n  value       = vault_mount.none.path\n}\n", "no resource vault_mount none"},
		"data":        {"output \"a\" {\n  description = \"a\"\n  value       = data.x.none.path\n}\n", "no data source x none"},
		"unused":      {"variable \"a\" {\n  description = \"a\"\n  type        = string\n}\n", "nothing uses the variable a"},
		"description": {"output \"a\" {\n  value = 1\n}\n", "has no description"},
		"format":      {"output \"a\" {\n  description = \"a\"\n  value = 1\n}\n", "not as tofu fmt writes it"},
		"argument":    {"resource \"vault_policy\" \"a\" {\n  name   = \"a\"\n  policy = \"\"\n  x      = 1\n}\n", "has no argument x"},
		"required":    {"resource \"vault_policy\" \"a\" {\n  name = \"a\"\n}\n", "lacks the argument policy"},
		"type":        {"resource \"vault_x\" \"a\" {\n}\n", "are not known here"},
		"secret":      {"output \"secret\" {\n  description = \"a\"\n  value       = 1\n}\n", "not marked as sensitive"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(folder+"/main.tf", []byte(c.source), 0o600); err != nil {
				t.Fatal(err)
			}
			problems := load(t, folder).Problems(arguments)
			if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
				t.Errorf("%q, want one with %q", problems, c.want)
			}
		})
	}
}
