//go:build e2e

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// collector keeps every secret that a test gives to Vault or gets from it.
type collector struct {
	secrets []harness.Secret
}

func (c *collector) add(name, value string) string {
	c.secrets = append(c.secrets, harness.Secret{Name: name, Value: value})
	return value
}

// encryptedKey makes an RSA key in OpenSSH's form under a passphrase. An example key would be no secret.
func encryptedKey(t *testing.T, passphrase string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// Whatever succeeds, fails or crashes, Vault's trace log, its audit log and its errors hold no secret.
func TestNoSecretInLogsAndErrors(t *testing.T) {
	t.Parallel()
	e := start(t)
	rawAudit := filepath.Join(e.Dir, "audit-raw.log")
	err := e.Client.Sys().EnableAuditWithOptions("raw", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": rawAudit, "log_raw": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var c collector
	succeed(t, e, &c)
	provoke(t, e, &c)
	t.Run("planted", func(t *testing.T) { findsPlanted(t, c.secrets) })

	// What the search is worth: the same traffic in an audit log that was asked to keep secrets in clear.
	if found := len(harness.FindLeaks(t, c.secrets, rawAudit)); found < len(c.secrets)*3/4 {
		t.Errorf("of %d secrets the search finds %d in an audit log in clear", len(c.secrets), found)
	}
	for _, leak := range harness.FindLeaks(t, c.secrets, e.TraceLog, e.AuditLog, e.ErrorLog) {
		t.Error(leak)
	}
	for path, want := range map[string]string{
		e.TraceLog: "plugin started", e.AuditLog: `"password":"hmac-sha256:`, e.ErrorLog: "errors",
	} {
		if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s does not hold %q, so it was searched for nothing (%v)", path, want, err)
		}
	}
}

// secretClouds are those whose credentials and passwords are searched for.
var secretClouds = append([]model.Cloud{model.Azure}, clouds...)

// succeed runs the main job on all clouds.
func succeed(t *testing.T, e *env, c *collector) {
	t.Helper()
	for _, cloud := range secretClouds {
		account := e.sim.Info.Seeded[cloud]
		for name, value := range map[string]string{
			"access key": account.AccessKey, "secret key": account.SecretKey, "user's password": account.Password, "private key": account.PrivateKey,
			"application credential": account.AppCredential, "client secret": account.ClientSecret,
		} {
			if value != "" {
				c.add(fmt.Sprintf("the %s of %s", name, cloud), value)
			}
		}
		e.connect(t, cloud)
		name := string(cloud)
		e.role(t, name, cloud, "windows-1", nil)
		secret := e.first(t, name)
		c.add("the password of "+name, secret.Password)
		if secret.lease == "" {
			continue
		}
		if _, err := e.Client.Sys().Renew(secret.lease, 60); err != nil {
			t.Fatal(err)
		}
		e.revoke(t, secret.lease)
		e.awaitRotated(t, secret)
		c.add("the next password of "+name, e.issue(t, name).Password)
		path := fmt.Sprintf("%s/%s/%s", secret.Connection, secret.InstanceID, secret.Username)
		e.accountOf(t, secret)
		e.Read(t, "cloudpw/versions/"+path+"/1")
		e.Write(t, "cloudpw/import/"+path, map[string]any{"password": c.add("an imported password", "Imported-1-"+rand.Text())})
	}
	passphrase := c.add("a passphrase", "pass "+rand.Text())
	key := c.add("a key under a passphrase", encryptedKey(t, passphrase))
	e.Write(t, "cloudpw/keys/encrypted", map[string]any{"private_key": key, "passphrase": passphrase})
	e.Write(t, "cloudpw/keys/generated", map[string]any{"generate": true})
	for _, list := range []string{"config", "keys", "roles", "accounts"} {
		for _, name := range e.List(t, "cloudpw/"+list) {
			if list != "accounts" {
				e.Read(t, "cloudpw/"+list+"/"+name)
			}
		}
	}
}

// provoke makes errors out of secrets: wrong ones, misplaced ones, ones of a wrong type, and clouds that fail.
func provoke(t *testing.T, e *env, c *collector) {
	t.Helper()
	fresh := func(name string) string { return c.add(name, "planted-"+rand.Text()) }
	refused := func(path string, fields map[string]any) {
		t.Helper()
		if _, err := e.Client.Logical().Write("cloudpw/"+path, fields); harness.Status(err) < 400 {
			t.Errorf("write %s: %v, want a refusal", path, err)
		}
	}
	for _, cloud := range secretClouds {
		for field := range e.connection(cloud) {
			if !slices.Contains([]string{"secret_key", "password", "application_credential_secret", "client_secret"}, field) {
				continue
			}
			wrong := e.connection(cloud)
			wrong[field] = fresh("a wrong " + field + " of " + string(cloud))
			refused("config/wrong", wrong)
			wrong[field] = map[string]any{"value": fresh("a " + field + " in an object")}
			refused("config/wrong", wrong)
			wrong[field] = []string{fresh("a " + field + " in a list")}
			refused("config/wrong", wrong)
			wrong[field] = fresh("a "+field+" of two lines") + "\n"
			refused("config/wrong", wrong)
		}
		refused("config/"+string(cloud), map[string]any{"ca_certificate": fresh("a secret in ca_certificate")})
	}
	passphrase := c.add("a passphrase that fits", "fits "+rand.Text())
	key := encryptedKey(t, passphrase)
	c.add("a refused key", key)
	refused("keys/k", map[string]any{"private_key": key, "passphrase": fresh("a wrong passphrase")})
	refused("keys/k", map[string]any{"private_key": key})
	refused("keys/k", map[string]any{"private_key": key[:len(key)/2], "passphrase": passphrase})
	refused("keys/k", map[string]any{"private_key": fresh("a key that is none")})
	refused("keys/k", map[string]any{"private_key": key, "passphrase": passphrase, "generate": true})
	refused("keys/k", map[string]any{"private_key": key, "passphrase": passphrase, "bits": 2048})
	refused("keys/k", map[string]any{"private_key": map[string]any{"pem": key}})
	refused("keys/k", map[string]any{"private_keys": key})
	refused("roles/r", map[string]any{"password": fresh("a password in a role")})
	account := "import/aws/" + e.sim.ServerID(t, model.AWS, "windows-1") + "/Administrator"
	refused(account, map[string]any{"password": fresh("an imported password of two lines") + "\n"})
	refused(account, map[string]any{"password": []string{fresh("an imported password in a list")}})
	refused(account, map[string]any{"passwd": fresh("an imported password under another name")})

	// The cloud refuses, fails and loses answers, and the plugin dies with a password in hand.
	id := e.role(t, "troubled", model.TencentCloud, "ubuntu-1", nil)
	secret := e.first(t, "troubled")
	c.add("the troubled server's password", secret.Password)
	for _, fault := range []model.Fault{
		{Kind: model.FaultRefuse, Code: "InternalServerError", Message: "planted"},
		{Kind: model.FaultServerError},
		{Kind: model.FaultDropAfter},
	} {
		fault.Cloud, fault.Action, fault.Count = model.TencentCloud, "ResetInstancesPassword", 1
		e.sim.Fault(t, fault)
	}
	e.revoke(t, secret.lease)
	e.eventuallyIssue(t, "troubled", rotatesWithin)
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultHoldAfter, Count: 1})
	other := e.role(t, "killed", model.TencentCloud, "linux-1", nil)
	if _, err := e.TryRead(t.Context(), "cloudpw/creds/killed"); harness.Status(err) != 503 {
		t.Fatalf("the read that starts a reset: %v, want 503", err)
	}
	e.sim.AwaitHeld(t, 1, rotatesWithin)
	e.KillPlugin(t)
	if _, err := e.sim.ReleaseHolds(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.eventuallyIssue(t, "killed", recoversWithin)
	for _, server := range []string{id, other} {
		for n, password := range e.passwords(t, server) {
			c.add(fmt.Sprintf("value %d sent for %s", n+1, server), password)
		}
	}
}

// findsPlanted shows that the search finds each of the secrets where a log line holds it.
func findsPlanted(t *testing.T, secrets []harness.Secret) {
	for _, secret := range secrets {
		log := filepath.Join(t.TempDir(), "planted.log")
		line := fmt.Sprintf("[TRACE] secrets.cloudpw: request failed: value=%q\n", secret.Value)
		if err := os.WriteFile(log, []byte("[INFO] a line before\n"+line), 0o600); err != nil {
			t.Fatal(err)
		}
		if leaks := harness.FindLeaks(t, []harness.Secret{secret}, log); len(leaks) != 1 || leaks[0].Line != 2 {
			t.Errorf("%s, planted in line 2, was found as %v", secret.Name, leaks)
		}
	}
}
