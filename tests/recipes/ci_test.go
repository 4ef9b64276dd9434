package recipes

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const ci = "../../examples/ci/"

// TestJobs: each job logs in as itself, calls the script so that it ends the job's token, and gives it a path of creds/.
func TestJobs(t *testing.T) {
	call := regexp.MustCompile(`(exec )?examples/ci/with-password\.sh --end-token cloudpw/creds/\w+ (?:\\\n\s+)?sh -c '[^']+'`)
	pipe := regexp.MustCompile(`printf %s "\$\w+" \| vault write -field=token [\w/]+ (?:role=\S+ jwt=-|role_id="\$ROLE_ID" secret_id=-)`)
	for name, method := range map[string]string{"github.yml": "auth/jwt/login", "gitlab.yml": "auth/jwt/login",
		"Jenkinsfile": "auth/approle/login"} {
		text := string(read(t, ci+name))
		if name == "gitlab.yml" {
			text = strings.ReplaceAll(text, "\n      sh -c", " sh -c") // folded
		}
		m := call.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s does not call the script with --end-token", name)
			continue
		}
		// GitLab's script goes on after a line, the others end with the script.
		if exec := m[1] != ""; exec == (name == "gitlab.yml") {
			t.Errorf("%s: exec %v", name, exec)
		}
		if !strings.Contains(text, method) {
			t.Errorf("%s does not log in at %s", name, method)
		}
		// What is secret goes through a pipe: an argument would be in the process list.
		if !pipe.MatchString(text) {
			t.Errorf("%s does not hand its secret to vault by a pipe", name)
		}
	}
	if info, err := os.Stat(ci + "with-password.sh"); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("the script cannot be run: %v, %v", info, err)
	}
}

// TestWorkflowOfGitHub: the job may have a token of GitHub's, and little else.
func TestWorkflowOfGitHub(t *testing.T) {
	var workflow struct {
		Name, On    string
		Permissions map[string]string
		Jobs        map[string]struct {
			RunsOn  []string `yaml:"runs-on"`
			Timeout int      `yaml:"timeout-minutes"`
			Env     map[string]string
			Steps   []struct{ Name, Uses, Shell, Run string }
		}
	}
	decode(t, "github.yml", &workflow)
	if len(workflow.Permissions) != 2 || workflow.Permissions["id-token"] != "write" || workflow.Permissions["contents"] != "read" {
		t.Errorf("the permissions are %v", workflow.Permissions)
	}
	for name, job := range workflow.Jobs {
		if job.Timeout == 0 || job.Env["VAULT_ADDR"] == "" || len(job.Steps) != 2 || job.Steps[1].Shell != "bash" {
			t.Errorf("%s is %+v", name, job)
		}
	}
}

// TestJobOfGitLab: the job has a token of GitLab's for Vault.
func TestJobOfGitLab(t *testing.T) {
	var jobs map[string]struct {
		Image, Timeout string
		Tokens         map[string]struct{ Aud string } `yaml:"id_tokens"`
		Variables      map[string]string
		Script         []string
	}
	decode(t, "gitlab.yml", &jobs)
	for name, job := range jobs {
		if job.Timeout == "" || job.Tokens["VAULT_ID_TOKEN"].Aud != job.Variables["VAULT_ADDR"] || len(job.Script) != 2 {
			t.Errorf("%s is %+v", name, job)
		}
	}
	if len(jobs) != 1 {
		t.Errorf("%d jobs", len(jobs))
	}
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, ci+name)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
