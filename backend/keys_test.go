package backend

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
)

func TestImportedKey(t *testing.T) {
	h := newHarness(t)
	key, text := rsaKey(t, keyOne)
	written := h.write(t, "keys/k", map[string]any{"private_key": text}).Data
	read := h.read(t, "keys/k")
	if fmt.Sprint(written) != fmt.Sprint(read) {
		t.Errorf("write answers %v, read %v", written, read)
	}
	block, _ := pem.Decode([]byte(read["public_key"].(string)))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !key.PublicKey.Equal(public) {
		t.Errorf("public_key is not that of the key: %v", err)
	}
	if !strings.HasPrefix(read["authorized_key"].(string), "ssh-rsa ") || read["bits"] != 2048 || read["generated"] != false {
		t.Errorf("read %v", read)
	}
	for kind, fingerprint := range read["fingerprints"].(map[string]string) {
		if fingerprint == "" {
			t.Errorf("no fingerprint %s", kind)
		}
	}
	if strings.Contains(fmt.Sprint(read), "PRIVATE") {
		t.Error("the private key is read back")
	}
	h.write(t, "keys/k", map[string]any{"private_key": text}) // the same again
	_, other := rsaKey(t, keyTwo)
	h.write(t, "keys/k", map[string]any{"private_key": other}) // a mistake mended
	if h.read(t, "keys/k")["authorized_key"] == read["authorized_key"] {
		t.Error("the key was not replaced")
	}
	h.delete(t, "keys/k")
	h.absent(t, "keys/k")
}

func TestEncryptedKey(t *testing.T) {
	h := newHarness(t)
	key, _ := rsaKey(t, keyOne)
	//nolint:staticcheck // SA1019: the legacy encryption of old key files.
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("open sesame"),
		x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(block))
	h.refusedWrite(t, "keys/k", map[string]any{"private_key": text}, "passphrase")
	h.refusedWrite(t, "keys/k", map[string]any{"private_key": text, "passphrase": "wrong"}, "passphrase")
	h.write(t, "keys/k", map[string]any{"private_key": text, "passphrase": "open sesame"})
	if strings.Contains(h.stored(t, keypair.Prefix), "open sesame") {
		t.Error("the passphrase is stored")
	}
}

func TestGeneratedKey(t *testing.T) {
	h := newHarness(t)
	data := h.write(t, "keys/k", map[string]any{"generate": true, "bits": 3072}).Data
	if data["generated"] != true || data["bits"] != 3072 {
		t.Errorf("generated %v", data)
	}
	_, other := rsaKey(t, keyOne)
	h.refused(t, logical.UpdateOperation, "keys/k", map[string]any{"generate": true}, http.StatusConflict, "exists")
	h.refused(t, logical.UpdateOperation, "keys/k", map[string]any{"private_key": other}, http.StatusConflict, "generated here")
	if h.read(t, "keys/k")["authorized_key"] != data["authorized_key"] {
		t.Error("a refused write changed the key")
	}
	h.write(t, "keys/k2", map[string]any{"generate": true})
	if got := h.list(t, "keys/"); fmt.Sprint(got) != "[k k2]" {
		t.Errorf("keys/ lists %v", got)
	}
}

func TestRefusedKeys(t *testing.T) {
	h := newHarness(t)
	_, text := rsaKey(t, keyOne)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	ed := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	camellia := string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: der, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED",
			"DEK-Info": "CAMELLIA-256-CBC,00112233445566778899AABBCCDDEEFF"},
	}))
	signaturesOnly := string(pem.EncodeToMemory(&pem.Block{Type: "RSA-PSS PRIVATE KEY", Bytes: der}))
	for name, c := range map[string]struct {
		data map[string]any
		says string
	}{
		"nothing":             {map[string]any{}, "private_key"},
		"both":                {map[string]any{"private_key": text, "generate": true}, "generate"},
		"bits of an import":   {map[string]any{"private_key": text, "bits": 2048}, "bits"},
		"passphrase of a new": {map[string]any{"generate": true, "passphrase": "x"}, "passphrase"},
		"unneeded passphrase": {map[string]any{"private_key": text, "passphrase": "x"}, "passphrase"},
		"weak new":            {map[string]any{"generate": true, "bits": 1024}, "bits"},
		"odd bits":            {map[string]any{"generate": true, "bits": "lots"}, "bits"},
		"odd generate":        {map[string]any{"generate": "maybe"}, "generate"},
		"not a key":           {map[string]any{"private_key": "hello"}, "private_key"},
		"cut short":           {map[string]any{"private_key": text[:len(text)/2]}, "private_key"},
		"not RSA":             {map[string]any{"private_key": ed}, "RSA"},
		"odd encryption": {map[string]any{"private_key": camellia, "passphrase": "x"},
			"vault write cloudpw/keys/k private_key=@new.pem passphrase=@passphrase.txt"},
		"a key for signatures": {map[string]any{"private_key": signaturesOnly},
			"> new.pem; then: vault write cloudpw/keys/k private_key=@new.pem"},
		"a map":                 {map[string]any{"private_key": map[string]any{"pem": text}}, "private_key"},
		"a list":                {map[string]any{"private_key": []string{text}}, "private_key"},
		"passphrase as a map":   {map[string]any{"private_key": text, "passphrase": map[string]any{"a": "hush"}}, "passphrase"},
		"generate false":        {map[string]any{"generate": false}, "private_key"},
		"field of another path": {map[string]any{"generate": true, "ttl": 3}, "ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			h.refusedWrite(t, "keys/k", c.data, c.says)
			resp, err := h.request(t, logical.UpdateOperation, "keys/k", c.data)
			if _, message := statusOf(resp, err); strings.Contains(message, text[100:140]) || strings.Contains(message, "hush") {
				t.Errorf("the refusal repeats a secret: %s", message)
			}
		})
	}
	h.absent(t, "keys/k")
}

func TestWeakKeyIsWarnedOf(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	resp := h.write(t, "keys/old", map[string]any{"private_key": text})
	if len(resp.Warnings) == 0 || !strings.Contains(resp.Warnings[0], "1024") {
		t.Errorf("warnings %v", resp.Warnings)
	}
}

func TestKeyInUseStays(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", KeyName: "pair"})
	h.connection(t, "c", initialCloud)
	h.write(t, "keys/k", map[string]any{"generate": true})
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1", "key": "k"})
	h.refused(t, logical.DeleteOperation, "keys/k", nil, http.StatusConflict, "r")
	h.delete(t, "roles/r")
	h.delete(t, "keys/k")
}

// A generated key exists nowhere else: with it, the initial passwords that were encrypted for it would be lost.
func TestAwaitedKeyStays(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "c", initialCloud)
	h.write(t, "keys/pair", map[string]any{"generate": true})
	h.cloud.launch(cloud.Instance{ID: "srv-1", KeyName: "pair", Platform: cloud.Windows})
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1"})
	h.refused(t, logical.DeleteOperation, "keys/pair", nil, http.StatusConflict, "c/srv-1/Administrator", "vault read cloudpw/creds/r/srv-1",
		"vault delete cloudpw/roles/r")
	_, key, err := h.keys.Load(t.Context(), "pair")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ssh.ParseRawPrivateKey(key.PEM())
	if err != nil {
		t.Fatal(err)
	}
	h.cloud.boot(t, "srv-1", "from the cloud", &parsed.(*rsa.PrivateKey).PublicKey)
	if got := h.read(t, "creds/r")["password"]; got != "from the cloud" {
		t.Errorf("the password is %v", got)
	}
	h.delete(t, "keys/pair")
}
