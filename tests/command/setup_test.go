//go:build e2e

// Package command runs the built command cloudpw against a real Vault and simulated clouds, as a person does: with a token of a policy
// of docs/vault-policies.md.
package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// commandTime bounds each run of the command.
const commandTime = 3 * time.Minute

// env is a Vault with the engine at cloudpw/, and simulated clouds.
type env struct {
	*harness.Vault
	sim     *harness.Simulator
	command string // path of the command
}

// start runs both in dev mode, with a connection `tencentcloud`.
func start(t *testing.T) *env {
	t.Helper()
	bin := harness.FindBinaries(t)
	return prepared(t, &env{sim: harness.StartSimulator(t, bin), Vault: harness.StartVault(t, bin)})
}

// startRaft is start with a Vault that can be sealed and killed.
func startRaft(t *testing.T) *env {
	t.Helper()
	bin := harness.FindBinaries(t)
	return prepared(t, &env{sim: harness.StartSimulator(t, bin), Vault: harness.StartRaftVault(t, bin)})
}

func prepared(t *testing.T, e *env) *env {
	t.Helper()
	e.command = os.Getenv("CLOUDPW_COMMAND")
	if e.command == "" {
		t.Fatal("CLOUDPW_COMMAND is not set: run these tests with `make test-command`")
	}
	e.RegisterAndMount(t)
	account := e.sim.Info.Seeded[model.TencentCloud]
	e.Write(t, "cloudpw/config/tencentcloud", map[string]any{
		"provider": "tencentcloud", "region": account.Region, "access_key": account.AccessKey, "secret_key": account.SecretKey,
		"endpoints": e.sim.Info.Endpoints[model.TencentCloud],
	})
	return e
}

// role writes a leased role of seeded servers of Tencent Cloud, and returns their ids.
func (e *env) role(t *testing.T, name string, fields map[string]any, servers ...string) []string {
	t.Helper()
	var ids []string
	for _, server := range servers {
		ids = append(ids, e.sim.ServerID(t, model.TencentCloud, server))
	}
	all := map[string]any{"connection": "tencentcloud", "instance_ids": strings.Join(ids, ","), "force_stop": true, "min_reset_interval": 0}
	for k, v := range fields {
		all[k] = v
	}
	e.Write(t, "cloudpw/roles/"+name, all)
	return ids
}

// policy is a policy of docs/vault-policies.md: the block below its heading.
func policy(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/vault-policies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	_, block, fenced := strings.Cut(section, "```hcl\n")
	block, _, ended := strings.Cut(block, "```")
	if !found || !fenced || !ended {
		t.Fatalf("docs/vault-policies.md has no policy %q", heading)
	}
	return block
}

// token makes a token with policies of docs/vault-policies.md, of a user of userpass with a name.
func (e *env) token(t *testing.T, name string, headings ...string) string {
	t.Helper()
	mounts, err := e.Client.Sys().ListAuth()
	if err != nil {
		t.Fatal(err)
	}
	if mounts["userpass/"] == nil {
		if err := e.Client.Sys().EnableAuthWithOptions("userpass", &api.EnableAuthOptions{Type: "userpass"}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, heading := range headings {
		id := strings.ToLower(strings.ReplaceAll(heading, " ", "-"))
		names = append(names, id)
		if err := e.Client.Sys().PutPolicy(id, policy(t, heading)); err != nil {
			t.Fatal(err)
		}
	}
	e.Write(t, "auth/userpass/users/"+name, map[string]any{"password": "pw-" + name, "token_policies": names})
	login := e.Write(t, "auth/userpass/login/"+name, map[string]any{"password": "pw-" + name})
	return login.Auth.ClientToken
}

// ran is how a run of the command ended.
type ran struct {
	out, err string
	code     int
}

// environment is that of a person at this server: no settings of the developer's.
func (e *env) environment(token string, more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.Dir, "VAULT_ADDR=" + e.Address, "VAULT_TOKEN=" + token, "TERM=dumb"},
		more...)
}

// run runs the command with a token, and nothing on standard input.
func (e *env) run(t *testing.T, token string, args ...string) ran {
	t.Helper()
	return e.runIn(t, token, "", args...)
}

// runIn is run with a text on standard input.
func (e *env) runIn(t *testing.T, token, input string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.command, args...)
	cmd.Env = e.environment(token)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("cloudpw %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// done is run, and fails the test unless the command ends with 0.
func (e *env) done(t *testing.T, token string, args ...string) string {
	t.Helper()
	r := e.run(t, token, args...)
	if r.code != 0 {
		t.Fatalf("cloudpw %s ended with %d:\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// wants fails the test unless a text has all of some parts.
func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s has no %q:\n%s", what, part, text)
		}
	}
}

// decoded is a JSON text as a value.
func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return value
}

func (r ran) String() string { return fmt.Sprintf("exit code %d\n%s%s", r.code, r.out, r.err) }
