package backend

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// sshKey is a private key as ssh-keygen writes it, and its public half as authorized_keys has it.
func sshKey(t *testing.T, key any, passphrase string) (private, public string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// anySSHKey is a private key for tables.
func anySSHKey() string {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(block))
}

func ed25519Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestFieldsOfAnSSHConnection writes each field of the provider ssh: what it accepts, what it reads back as, and what it refuses.
func TestFieldsOfAnSSHConnection(t *testing.T) {
	first, firstPublic := sshKey(t, ed25519Key(t), "")
	second, _ := sshKey(t, newRSA(t, 2048), "")
	small, _ := sshKey(t, newRSA(t, 1024), "")
	locked, _ := sshKey(t, ed25519Key(t), "passphrase")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	third, thirdPublic := sshKey(t, curve, "")
	_, hostKey := sshKey(t, ed25519Key(t), "")
	cases := map[string]struct {
		set     []any
		with    map[string]any // written in the same write
		unset   any            // what it reads back as after an empty write; nil: refused
		hidden  bool
		refused map[any]string
	}{
		"login_user": {set: []any{"ops", "root"}, with: map[string]any{"private_key": first},
			refused: map[any]string{"a b/": "local user", "-x": "local user", "@builtin-administrator": "local user"}},
		"private_key": {set: []any{second, third}, hidden: true,
			refused: map[any]string{small: "1024 bits", locked: "passphrase", firstPublic: "public key",
				"x": "no private key", strings.Repeat("x", 17<<10): "longer"}},
		"generate_key": {set: []any{true}, with: map[string]any{"private_key": ""}, hidden: true, unset: "-",
			refused: map[any]string{true: "rotate-root/", "perhaps": ""}},
		"sudo": {set: []any{"never", "tty", "auto"}, unset: "auto", refused: map[any]string{"yes": "auto, never, tty"}},
		"proxy_jump": {set: []any{"jump.example.com", "via@192.0.2.1:2222", "[2001:db8::1]:22", "via@[2001:db8::1]", "2001:db8::1"},
			with: map[string]any{"proxy_jump_host_key": hostKey, "private_key": first}, unset: "",
			refused: map[any]string{"jump:0": "form", "jump:x": "form", "a b": "form", "/x": "form",
				"jump:99999": "form", "x@": "form", "@jump": "form", "a..b": "form", "-a": "form",
				"2001:db8::1%eth0": "zone", "169.254.169.254": "link-local", "via@[fe80::1]:22": "link-local", "0.0.0.0:22": "0.0.0.0"}},
		"proxy_jump_host_key": {set: []any{hostKey}, with: map[string]any{"proxy_jump": "jump.example.com", "private_key": first},
			refused: map[any]string{"nonsense": "ssh-keyscan", hostKey: "goes with proxy_jump"}},
		"max_sessions": {set: []any{"1", "64", "7"}, unset: "16", refused: map[any]string{"0": "1 to 64", "65": "1 to 64", "many": "1 to 64"}},
	}
	d := providers()["ssh"]
	for _, f := range d.Fields {
		c, ok := cases[f.Name]
		if !ok {
			if f.Written() {
				t.Errorf("field %s has no case", f.Name)
			}
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			h := newRealHarness(t)
			h.write(t, "config/c", map[string]any{"provider": "ssh", "login_user": "cloudpw", "private_key": first, "verify_connection": false})
			if got := h.read(t, "config/c")["public_key"]; got != firstPublic+" cloudpw" {
				t.Errorf("public_key is %v, want %s", got, firstPublic)
			}
			for bad, says := range c.refused {
				stored := h.stored(t, connection.Prefix)
				h.refusedWrite(t, "config/c", map[string]any{f.Name: bad,
					"private_key": map[bool]any{true: bad, false: first}[f.Name == "private_key"]},
					f.Name, says)
				if h.stored(t, connection.Prefix) != stored {
					t.Fatalf("the refused %v has changed the connection", bad)
				}
			}
			for _, value := range c.set {
				write := map[string]any{f.Name: value}
				for name, with := range c.with {
					write[name] = with
				}
				h.write(t, "config/c", write)
				got, shown := h.read(t, "config/c")[f.Name]
				if shown == c.hidden || !c.hidden && got != value {
					t.Errorf("%v reads back as %v (%t)", value, got, shown)
				}
			}
			switch {
			case c.unset == nil:
				h.refusedWrite(t, "config/c", map[string]any{f.Name: ""}, f.Name)
			case c.unset != "-":
				h.write(t, "config/c", map[string]any{f.Name: "", "private_key": first, "proxy_jump_host_key": ""})
				if got := h.read(t, "config/c")[f.Name]; got != c.unset {
					t.Errorf("unset, it reads back as %v", got)
				}
			}
			if f.Name == "private_key" && h.read(t, "config/c")["public_key"] != thirdPublic+" cloudpw" {
				t.Error("public_key is not that of the key")
			}
		})
	}
}

// TestGeneratedSSHKey: the key is made once, leaves the mount in no answer, and may go where the operator who asks for it says.
func TestGeneratedSSHKey(t *testing.T) {
	h := newRealHarness(t)
	h.refusedWrite(t, "config/c", map[string]any{"provider": "ssh", "login_user": "cloudpw"}, "private_key", "generate_key=true")
	h.write(t, "config/c", map[string]any{"provider": "ssh", "login_user": "cloudpw", "generate_key": true})
	key := func() string { return h.read(t, "config/c")["public_key"].(string) }
	made := key()
	if !strings.HasPrefix(made, "ssh-ed25519 ") || strings.Contains(made, "\n") {
		t.Fatalf("public_key is %q", made)
	}
	h.write(t, "config/c", map[string]any{"max_sessions": "3"})
	h.write(t, "config/c", map[string]any{"generate_key": false})
	if key() != made {
		t.Error("another write has replaced the key")
	}
	_, hostKey := sshKey(t, ed25519Key(t), "")
	jump := map[string]any{"proxy_jump": "jump.example.com", "proxy_jump_host_key": hostKey}
	h.refusedWrite(t, "config/c", jump, "proxy_jump", "private_key", "same write")
	h.refusedWrite(t, "config/c", merged(jump, map[string]any{"generate_key": true}), "generate_key", "rotate-root/")
	h.write(t, "config/c", merged(jump, map[string]any{"generate_key": true, "private_key": ""}))
	if key() == made {
		t.Error("no other key was made")
	}
}
