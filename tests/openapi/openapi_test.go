//go:build openapi

package openapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// serve fetches the document from Vault and cuts it down to the mount.
func serve(t *testing.T, vault *harness.Vault, generic bool) map[string]any {
	t.Helper()
	query, prefix := map[string][]string{}, "/"+harness.Mount+"/"
	if generic {
		query["generic_mount_paths"] = []string{"true"}
		prefix = "/{" + harness.Mount + "_mount_path}/"
	}
	answer, err := vault.Client.Logical().ReadRawWithDataWithContext(t.Context(), "sys/internal/specs/openapi", query)
	if err != nil {
		t.Fatalf("Vault's OpenAPI document: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var whole map[string]any
	if err := answer.DecodeJSON(&whole); err != nil {
		t.Fatal(err)
	}
	cut, err := Cut(whole, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return cut
}

// mount is a Vault with the engine at cloudpw/.
func mount(t *testing.T) *harness.Vault {
	t.Helper()
	vault := harness.StartVault(t, harness.FindBinaries(t))
	vault.RegisterAndMount(t)
	return vault
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a program in a folder and returns what it printed, on standard error too.
func run(t *testing.T, dir string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "CI=true", "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for what has to succeed.
func must(t *testing.T, dir string, name string, args ...string) {
	t.Helper()
	if out, err := run(t, dir, name, args...); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// copyFiles copies files of this folder, by their paths, into another.
func copyFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDocumentIsValid(t *testing.T) {
	vault := mount(t)
	dir := t.TempDir()
	copyFiles(t, dir, "package.json", "package-lock.json", ".npmrc", "redocly.yaml")
	must(t, dir, "npm", "ci", "--silent")
	lint := func(t *testing.T, name string, document map[string]any) (string, error) {
		t.Helper()
		writeJSON(t, filepath.Join(dir, name), document)
		return run(t, dir, "node_modules/.bin/redocly", "lint", name)
	}
	for name, generic := range map[string]bool{"document.json": false, "generic.json": true} {
		if out, err := lint(t, name, serve(t, vault, generic)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	for fault, spoil := range map[string]func(document map[string]any){
		"a lost schema": func(d map[string]any) {
			delete(d["components"].(map[string]any)["schemas"].(map[string]any), "CloudpwReadKeyResponse")
		},
		"an unused schema": func(d map[string]any) {
			d["components"].(map[string]any)["schemas"].(map[string]any)["Unused"] = map[string]any{"type": "object"}
		},
		"a type that does not exist": func(d map[string]any) {
			d["components"].(map[string]any)["schemas"].(map[string]any)["CloudpwReadKeyResponse"].(map[string]any)["type"] = "text"
		},
		"an operation id twice": func(d map[string]any) {
			paths := d["paths"].(map[string]any)
			for _, path := range []string{"status", "check/{name}"} {
				paths["/"+harness.Mount+"/"+path].(map[string]any)["get"].(map[string]any)["operationId"] = "cloudpw-same"
			}
		},
	} {
		document := serve(t, vault, false)
		spoil(document)
		if out, err := lint(t, "spoilt.json", document); err == nil {
			t.Errorf("the validator accepts %s:\n%s", fault, out)
		}
	}
}

// answers is what the generated client found out; its main.go says what the fields are.
type answers struct {
	Provider, Region, Username, Password string
	TTL, Version                         int
	Roles                                []string
	Created                              string
}

// The program in client/ uses nothing but what was generated to set a connection and a role up and to read a password.
func TestGeneratedClient(t *testing.T) {
	vault := mount(t)
	sim := harness.StartSimulator(t, harness.FindBinaries(t))
	dir := t.TempDir()
	copyFiles(t, dir, "client/go.mod", "client/go.sum", "client/main.go", "client/config.yaml")
	if err := os.Mkdir(filepath.Join(dir, "generated"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeJSON(t, filepath.Join(dir, "document.json"), serve(t, vault, false))
	must(t, dir, "go", "tool", "oapi-codegen", "-config", "config.yaml", "document.json")
	must(t, dir, "go", "vet", "./...")
	must(t, dir, "go", "build", "-o", "client", ".")

	account := sim.Info.Seeded[model.TencentCloud]
	instance := sim.ServerID(t, model.TencentCloud, "ubuntu-1")
	job, err := json.Marshal(map[string]any{
		"address": vault.Address, "token": vault.RootToken(), "region": account.Region,
		"access_key": account.AccessKey, "secret_key": account.SecretKey,
		"endpoints": maps.Clone(sim.Info.Endpoints[model.TencentCloud]), "instance": instance,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "client"))
	cmd.Stdin = bytes.NewReader(job)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the generated client: %v\n%s", err, stderr.String())
	}
	var got answers
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Provider != "tencentcloud" || got.Region != account.Region || got.TTL != 1200 || !slices.Equal(got.Roles, []string{"web"}) ||
		got.Username != "ubuntu" || got.Version != 1 || got.Created == "" {
		t.Errorf("the generated client read %s", out)
	}
	sim.Accepts(t, instance, got.Username, got.Password)
}
