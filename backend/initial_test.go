package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
)

func TestInitialPassword(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.LaunchTime = time.Now().Add(-3 * time.Minute) })
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1", "clear_initial": true})
	if n := h.cloud.count("InitialPassword"); n != 0 {
		t.Errorf("writing the role read the password %d times", n)
	}
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusServiceUnavailable, "no initial password yet", "3m", "10m")
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	resp := h.ok(t, logical.ReadOperation, "creds/win", map[string]any{"wait": "45s"})
	if resp.Secret != nil || resp.Data["password"] != "fr0m-the-guest!" || resp.Data["source"] != "initial" || resp.Data["version"] != 1 {
		t.Errorf("read %v with lease %v", resp.Data["source"], resp.Secret)
	}
	if resp.Data["last_vault_rotation"] != resp.Data["created_time"] {
		t.Error("last_vault_rotation of an unrotated version is not its creation time")
	}
	calls := h.cloud.count("InitialPassword")
	h.read(t, "creds/win/srv-1")
	if h.cloud.count("InitialPassword") != calls {
		t.Error("the second read asked the cloud again")
	}
	h.refused(t, logical.UpdateOperation, "rotate-role/win", nil, http.StatusConflict, "cannot reset")
	h.waitFor(t, "accounts/"+initialCloud+"/srv-1/Administrator", func(a map[string]any) bool { return a["initial_cleared_time"] != nil })
	if n := h.cloud.count("ClearInitialPassword"); n != 1 {
		t.Errorf("the cloud's copy was cleared %d times", n)
	}
}

func TestKeyThatDoesNotFit(t *testing.T) {
	h := roleMount(t)
	wrong, _ := rsaKey(t, keyTwo)
	h.cloud.boot(t, "srv-1", "hidden-passw0rd", &wrong.PublicKey)
	h.cloud.prints["pair"] = "aa:bb:cc"
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	prints := h.read(t, "keys/pair")["fingerprints"].(map[string]string)
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusBadRequest,
		"keys/pair", prints["sha256"], prints["md5"], `"pair"`, "aa:bb:cc", "vault write cloudpw/keys/pair private_key=@pair.pem")
	h.write(t, "roles/win", map[string]any{"key": "other"})
	if got := h.read(t, "creds/win")["password"]; got != "hidden-passw0rd" {
		t.Errorf("password %v with the right key", got)
	}
}

func TestDamagedCiphertext(t *testing.T) {
	h := roleMount(t)
	h.cloud.initial["srv-1"] = "bm90IGFuIFJTQSBibG9jaw=="
	h.cloud.prints["pair"] = h.read(t, "keys/pair")["fingerprints"].(map[string]string)["md5"]
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusBadRequest, "fingerprints agree", "damaged")
	h.cloud.fail("KeyFingerprint", cloud.Errorf(cloud.Unavailable, "no route"))
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusBadRequest, "does not tell")
}

// loseKey deletes a key from under those who need it, as a delete does that a role's write overtakes.
func (h *harness) loseKey(t *testing.T, name string) {
	t.Helper()
	if err := h.storage.Delete(t.Context(), keypair.Prefix+name); err != nil {
		t.Fatal(err)
	}
}

func TestKeyDeletedBeforeTheRead(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.loseKey(t, "pair")
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusBadRequest, "vault write cloudpw/keys/pair private_key=@pair.pem")
}

// Both kinds in one: the first password is the cloud's, later ones are set.
func TestInitialThenReset(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	h.write(t, "roles/r", map[string]any{"connection": bothCloud, "instance_ids": "srv-1", "mode": "leased"})
	first := h.lease(t, "creds/r")
	if first.Data["password"] != "fr0m-the-guest!" {
		t.Errorf("the first password is of source %v", first.Data["source"])
	}
	h.revoke(t, first)
	h.waitFor(t, "accounts/"+bothCloud+"/srv-1/Administrator", func(a map[string]any) bool { return a["current_version"] == 2 })
	if second := h.lease(t, "creds/r"); second.Data["source"] != "reset" || second.Data["password"] != h.cloud.password("srv-1") {
		t.Errorf("the second password is of source %v", second.Data["source"])
	}
}

// No secret is in any answer but that of creds/, nor in any error met on the way.
func TestSecretsStayInside(t *testing.T) {
	h := roleMount(t)
	_, pem := rsaKey(t, keyOne)
	h.write(t, "roles/r", merged(baseRoles["leased"], map[string]any{"min_reset_interval": 0}))
	password := h.lease(t, "creds/r").Data["password"].(string)
	secrets := []string{password, "s3cr3t-key", pem[100:160]}
	for _, path := range []string{
		"config/" + resetCloud, "keys/pair", "roles/r", "accounts/" + resetCloud + "/srv-1/Administrator",
	} {
		text := textOf(h.read(t, path))
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret", path)
			}
		}
	}
	if text := textOf(h.write(t, "rotate-role/r", map[string]any{"wait": "45s"}).Data); strings.Contains(text, h.cloud.password("srv-1")) {
		t.Error("rotate-role shows the password")
	}
	if !strings.Contains(h.stored(t, "config/"), "s3cr3t-key") || !strings.Contains(h.stored(t, "account/"), password) {
		t.Error("the secrets of this test are not those that are stored: it would find nothing")
	}
	for _, prefix := range []string{"role/", "binding/"} {
		for _, secret := range secrets {
			if strings.Contains(h.stored(t, prefix), secret) {
				t.Errorf("a secret is stored under %s, which is not seal-wrapped", prefix)
			}
		}
	}
}
