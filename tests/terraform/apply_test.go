//go:build terraform

package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// workspace is a copy of the root module, with its state, variables and the Vault that it is for.
type workspace struct {
	*harness.Vault
	folder, tofu, rc string
	token            string
	variables        map[string]any
}

// newWorkspace copies the module, and has OpenTofu take the provider from the folder where it was built.
func newWorkspace(t *testing.T, vault *harness.Vault) *workspace {
	t.Helper()
	built := os.Getenv("TOFU_DIR")
	if built == "" {
		t.Fatal("TOFU_DIR is not set: run this test with `make test-terraform`")
	}
	w := &workspace{Vault: vault, folder: filepath.Join(t.TempDir(), "module"), tofu: filepath.Join(built, "tofu"),
		variables: map[string]any{}}
	if err := os.CopyFS(w.folder, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	w.rc = filepath.Join(t.TempDir(), "tofurc")
	w.write(t, w.rc, fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/vault\" = %q\n  }\n  direct {}\n}\n", built))
	w.token = strings.TrimSpace(vault.CLI(t, "token", "create", "-field=token"))
	return w
}

func (w *workspace) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs OpenTofu with the variables, and returns what it printed and its exit code. credentials are those of the variable of
// that name; nil gives none.
func (w *workspace) run(t *testing.T, credentials map[string]any, args ...string) (string, int) {
	t.Helper()
	variables, err := json.Marshal(w.variables)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, filepath.Join(w.folder, "terraform.tfvars.json"), string(variables))
	cmd := exec.CommandContext(t.Context(), w.tofu, args...)
	cmd.Dir = w.folder
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TF_CLI_CONFIG_FILE=" + w.rc, "VAULT_ADDR=" + w.Address,
		"VAULT_TOKEN=" + w.token, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "NO_COLOR=1"}
	if credentials != nil {
		secret, err := json.Marshal(credentials)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "TF_VAR_credentials="+string(secret))
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("tofu %s: %v", strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must is run for what has to end with a code.
func (w *workspace) must(t *testing.T, code int, credentials map[string]any, args ...string) string {
	t.Helper()
	out, got := w.run(t, credentials, args...)
	if got != code {
		t.Fatalf("tofu %s ended with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

func (w *workspace) apply(t *testing.T, credentials map[string]any) {
	t.Helper()
	w.must(t, 0, credentials, "apply", "-auto-approve", "-no-color")
	// Exit code 2 would mean that something is to be changed already.
	w.must(t, 0, credentials, "plan", "-detailed-exitcode", "-no-color")
}

func (w *workspace) state(t *testing.T) string {
	t.Helper()
	state, err := os.ReadFile(filepath.Join(w.folder, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

// TestApply: the module sets up the engine, sees changes by others, keeps credentials that Vault has replaced, lets go of those that
// it was given for one apply, and deletes the mount only if its protection is taken out.
func TestApply(t *testing.T) {
	bin := harness.FindBinaries(t)
	sim, vault := harness.StartSimulator(t, bin), harness.StartVault(t, bin)
	w := newWorkspace(t, vault)
	w.must(t, 0, nil, "validate", "-no-color")
	w.must(t, 0, nil, "fmt", "-check", "-recursive")
	w.must(t, 0, nil, "plan", "-no-color", "-var-file=example.tfvars")

	account := sim.Info.Seeded[model.TencentCloud]
	credentials := map[string]any{"prod-tencent": map[string]any{"access_key": account.AccessKey, "secret_key": account.SecretKey}}
	connection := map[string]any{"provider": "tencentcloud", "region": account.Region, "endpoints": sim.Info.Endpoints[model.TencentCloud],
		"allowed_roles": []string{"*"}, "request_timeout": 20, "rotation_period": 7776000, "required_tags": map[string]string{}}
	web := map[string]any{"connection": "prod-tencent", "instance_ids": []string{sim.ServerID(t, model.TencentCloud, "ubuntu-1")},
		"force_stop": true, "min_reset_interval": 0, "ttl": 3600, "max_ttl": 28800, "custom_metadata": map[string]string{"owner": "web"}}
	w.variables = map[string]any{
		"plugin": map[string]any{"version": bin.PluginVersion, "sha256": harness.Checksum(t, bin.Plugin),
			"command": filepath.Base(bin.Plugin)},
		"connections": map[string]any{"prod-tencent": connection},
		"roles": map[string]any{"Web": web, "static": map[string]any{"connection": "prod-tencent", "mode": "static", "force_stop": true,
			"instance_ids":      []string{sim.ServerID(t, model.TencentCloud, "linux-1")},
			"rotation_schedule": "0 3 * * SAT", "rotation_timezone": "Europe/Berlin"}},
		"personas": []string{"operator", "on-call", "security-officer", "keeper-of-hosts", "keeper-of-host-keys", "administrator",
			"keeper-of-credentials", "no-unattended-rotation", "mover", "emergency"},
		"recorders": []string{"prod-tencent"},
	}
	w.apply(t, credentials)

	t.Log("a reader has the password, by the policy of the role alone, and gives it back")
	reader := vault.As(t, strings.TrimSpace(vault.CLI(t, "token", "create", "-policy=cloudpw-reader-web", "-field=token")))
	secret, err := reader.Logical().ReadWithDataWithContext(t.Context(), "cloudpw/creds/Web", map[string][]string{"wait": {"45s"}})
	if err != nil || secret.LeaseID == "" {
		t.Fatalf("read: %+v, %v", secret, err)
	}
	if _, err := reader.Logical().WriteWithContext(t.Context(), "sys/leases/revoke/"+secret.LeaseID, nil); err != nil {
		t.Error(err)
	}
	if _, err := reader.Logical().ReadWithContext(t.Context(), "cloudpw/creds/static"); harness.Status(err) != 403 {
		t.Errorf("the reader of one role read another one: %v", err)
	}
	for _, name := range []string{"operator", "emergency", "no-unattended-rotation", "recorder-prod-tencent", "reader-static"} {
		if policy, err := vault.Client.Sys().GetPolicyWithContext(t.Context(), "cloudpw-"+name); err != nil || policy == "" {
			t.Errorf("no policy %s: %v", name, err)
		}
	}

	t.Log("the credentials leave the state with the apply that does not have them")
	if !strings.Contains(w.state(t), account.SecretKey) {
		t.Error("the state never had the secret key; then the page about it is wrong")
	}
	if out := w.must(t, 0, credentials, "output", "-no-color", "rotate_root"); !strings.Contains(out, "cloudpw/rotate-root/prod-tencent") {
		t.Errorf("output rotate_root: %s", out)
	}
	w.apply(t, nil)
	if strings.Contains(w.state(t), account.SecretKey) {
		t.Error("the state still has the secret key")
	}

	t.Log("Vault replaces the credentials, and a change of settings does not bring the old ones back")
	vault.Write(t, "cloudpw/rotate-root/prod-tencent", nil)
	now := vault.Read(t, "cloudpw/config/prod-tencent").Data["credential_id"]
	connection["max_requests_per_second"] = 5
	w.apply(t, nil)
	data := vault.Read(t, "cloudpw/config/prod-tencent").Data
	if data["credential_id"] != now || fmt.Sprint(data["max_requests_per_second"]) != "5" {
		t.Errorf("the connection is %v", data)
	}

	t.Log("changes by others are seen and undone")
	vault.Write(t, "cloudpw/roles/Web", map[string]any{"ttl": 60})
	w.must(t, 2, nil, "plan", "-detailed-exitcode", "-no-color")
	w.apply(t, nil)
	if ttl := fmt.Sprint(vault.Read(t, "cloudpw/roles/Web").Data["ttl"]); ttl != "3600" {
		t.Errorf("ttl is %s", ttl)
	}

	t.Log("new credentials are written with a new version")
	connection["credentials_version"] = 2
	second := map[string]any{"prod-tencent": map[string]any{"access_key": account.AccessKey, "secret_key": "not the secret key"}}
	if out, code := w.run(t, second, "apply", "-auto-approve", "-no-color"); code == 0 || !strings.Contains(out, "prod-tencent") {
		t.Errorf("wrong credentials were accepted: %s", out)
	}
	connection["credentials_version"] = 1
	w.apply(t, nil)

	t.Log("what cannot be is said before anything is sent")
	for _, c := range []struct {
		field string
		value any
		want  string
	}{
		{"connection", "none", "must be one of connections"},
		{"mode", "lease", "mode is leased or static"},
		{"rotation_period", 86400, ""}, // with the schedule below
	} {
		wrong := maps.Clone(web)
		wrong[c.field] = c.value
		want := c.want
		if want == "" {
			wrong["rotation_schedule"], want = "0 3 * * SAT", "rotation_period or rotation_schedule, not both"
		}
		roles := w.variables["roles"]
		w.variables["roles"] = map[string]any{"Web": wrong}
		if out, code := w.run(t, nil, "plan", "-no-color"); code != 1 || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%s=%v: code %d, %s", c.field, c.value, code, out)
		}
		w.variables["roles"] = roles
	}

	t.Log("the mount is protected")
	out, code := w.run(t, nil, "destroy", "-auto-approve", "-no-color")
	if code == 0 || !strings.Contains(out, "prevent_destroy") {
		t.Fatalf("destroy ended with %d: %s", code, out)
	}
	vault.Read(t, "cloudpw/roles/Web")
	mount := filepath.Join(w.folder, "mount.tf")
	source, err := os.ReadFile(mount)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, mount, strings.Replace(string(source), "prevent_destroy = true", "prevent_destroy = false", 1))
	w.must(t, 0, nil, "destroy", "-auto-approve", "-no-color")
	if mounts, err := vault.Client.Sys().ListMountsWithContext(t.Context()); err != nil || mounts["cloudpw/"] != nil {
		t.Errorf("the mount is left: %v", err)
	}
}
