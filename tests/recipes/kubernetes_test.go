package recipes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const kubernetes = "../../examples/kubernetes/"

// values are those of values.yaml of github.com/hashicorp/vault-helm that the example sets, with the fields of a pod's containers.
type values struct {
	Server struct {
		ExtraInitContainers []struct {
			Name, Image string
			Command     []string
			Env         []struct{ Name, Value string }
			// Kubernetes' own fields, whose names are not written in Go's way.
			SecurityContext struct {
				RunAsNonRoot             bool `yaml:"runAsNonRoot"`
				RunAsUser                int  `yaml:"runAsUser"`
				RunAsGroup               int  `yaml:"runAsGroup"`
				AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
				ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
				Capabilities             struct{ Drop []string }
			} `yaml:"securityContext"`
			Resources    map[string]map[string]string
			VolumeMounts []mount `yaml:"volumeMounts"`
		} `yaml:"extraInitContainers"`
		Volumes []struct {
			Name     string
			EmptyDir map[string]string `yaml:"emptyDir"`
		}
		VolumeMounts []mount `yaml:"volumeMounts"`
	}
}

type mount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TestValuesOfHelm: the init container has what its script wants, and writes into the volume that Vault reads.
func TestValuesOfHelm(t *testing.T) {
	var v values
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, kubernetes+"values.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Server.ExtraInitContainers) != 1 || len(v.Server.Volumes) != 1 || len(v.Server.VolumeMounts) != 1 {
		t.Fatalf("want one init container, one volume and one mount: %+v", v)
	}
	init, vault := v.Server.ExtraInitContainers[0], v.Server.VolumeMounts[0]
	var set []string
	directory := ""
	for _, variable := range init.Env {
		set = append(set, variable.Name)
		if variable.Name == "PLUGIN_DIR" {
			directory = variable.Value
		}
	}
	for _, m := range regexp.MustCompile(`"\$\{(\w+):\?\}"`).FindAllStringSubmatch(string(read(t, kubernetes+"install.sh")), -1) {
		if !slices.Contains(set, m[1]) {
			t.Errorf("install.sh wants %s, which the init container does not set", m[1])
		}
	}
	if len(init.VolumeMounts) != 1 || init.VolumeMounts[0].ReadOnly || init.VolumeMounts[0].MountPath != directory {
		t.Errorf("the init container writes to %q and mounts %+v", directory, init.VolumeMounts)
	}
	if !vault.ReadOnly || vault.MountPath != directory || vault.Name != init.VolumeMounts[0].Name || vault.Name != v.Server.Volumes[0].Name {
		t.Errorf("Vault mounts %+v of the volumes %+v", vault, v.Server.Volumes)
	}
	if c := init.SecurityContext; !c.RunAsNonRoot || c.AllowPrivilegeEscalation || !c.ReadOnlyRootFilesystem || c.RunAsUser != 100 ||
		c.RunAsGroup != 1000 || !slices.Equal(c.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("the init container may more than it needs: %+v", c)
	}
	container := string(read(t, kubernetes+"Containerfile"))
	if len(init.Command) != 1 || !strings.Contains(container, "install.sh /plugin/") || init.Command[0] != "/plugin/install.sh" {
		t.Errorf("the command %q is not where the image has it", init.Command)
	}
	if page := string(read(t, "../../docs/consumers/kubernetes.md")); !strings.Contains(page, `plugin_directory = "`+directory+`"`) {
		t.Errorf("the page names another plugin_directory than %s", directory)
	}
}

// TestInstall: the script installs the file with the checksum that it was told, and no other, and leaves nothing else behind.
func TestInstall(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	script, err := filepath.Abs(kubernetes + "install.sh")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(source, []byte("the plugin"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("the plugin"))
	right := hex.EncodeToString(sum[:])
	for name, c := range map[string]struct {
		sum, before string
		fails       bool
	}{
		"installs":             {sum: right},
		"replaces":             {sum: right, before: "an older one"},
		"another checksum":     {sum: strings.Repeat("0", 64), fails: true},
		"keeps what was there": {sum: strings.Repeat("0", 64), before: "an older one", fails: true},
		"no checksum":          {fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "cloudpw")
			if c.before != "" {
				if err := os.WriteFile(file, []byte(c.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), shell, script)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PLUGIN_SOURCE=" + source, "PLUGIN_DIR=" + folder, "PLUGIN_FILE=cloudpw",
				"PLUGIN_SHA256=" + c.sum}
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != c.fails || failed && !strings.Contains(string(out), "PLUGIN_SHA256") {
				t.Errorf("failed %v: %s", failed, out)
			}
			want := map[bool]string{true: c.before, false: "the plugin"}[c.fails]
			got, _ := os.ReadFile(file)
			if string(got) != want {
				t.Errorf("there is %q, want %q", got, want)
			}
			if info, err := os.Stat(file); !c.fails && (err != nil || info.Mode().Perm() != 0o555) {
				t.Errorf("the file is %v, %v", info, err)
			}
			left, err := os.ReadDir(folder)
			if err != nil || len(left) > 1 || want == "" && len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
