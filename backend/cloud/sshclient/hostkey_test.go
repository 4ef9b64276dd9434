package sshclient

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

func rsaSigner(t testing.TB, bits int) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseHostKey(t *testing.T) {
	key := canonicalKey(sshserver.NewKey(t).PublicKey())
	for name, text := range map[string]string{
		"canonical":    key,
		"comment":      key + " root@web-1",
		"known_hosts":  "web-1,192.0.2.1 " + key,
		"hashed host":  "|1|abc=|def= " + key + "\n",
		"ssh-keyscan":  "[web-1]:2222 " + key + "\r\n",
		"blanks about": "  " + strings.Replace(key, " ", "   ", 1) + "  ",
	} {
		if got, err := ParseHostKey(text); got != key || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if fp := Fingerprint(key); !strings.HasPrefix(fp, "SHA256:") || len(fp) != 50 {
		t.Errorf("fingerprint %q", fp)
	}
	if Fingerprint("nonsense") != "" {
		t.Error("a fingerprint of nonsense")
	}
	small := canonicalKey(rsaSigner(t, 1024).PublicKey())
	blob := strings.Fields(key)[1]
	for name, c := range map[string]struct{ text, says string }{
		"empty":             {" ", "is empty"},
		"two lines":         {key + "\n" + key, "more than one line"},
		"private":           {"-----BEGIN OPENSSH PRIVATE KEY-----", "is a private key"},
		"fingerprint":       {Fingerprint(key), "is a fingerprint"},
		"authority":         {"@cert-authority * " + key, "marker"},
		"two keys":          {key + " " + key, "more than one key"},
		"two of a scan":     {"web-1 " + key + " web-1 ssh-rsa " + blob, "more than one key"},
		"an option":         {`from="192.0.2.1" ` + key, "authorized_keys"},
		"a command":         {`command="a b" ` + key, "authorized_keys"},
		"flags":             {"no-pty,no-port-forwarding " + key, "authorized_keys"},
		"an authority":      {"cert-authority " + key, "authorized_keys"},
		"a certificate":     {"ssh-ed25519-cert-v01@openssh.com " + blob, "no public key of a type"},
		"a security key":    {"sk-ssh-ed25519@openssh.com " + blob, "no public key of a type"},
		"only a blob":       {blob, "no public key of a type"},
		"only a type":       {"ssh-ed25519", "no public key of a type"},
		"dsa":               {"ssh-dss " + blob, "no public key of a type"},
		"cut":               {key[:len(key)-9], "copied badly"},
		"another type":      {"ssh-rsa " + blob, "says ssh-rsa"},
		"small":             {small, "1024 bits"},
		"longer than a key": {"ssh-ed25519 " + strings.Repeat("A", maxHostKey), "longer"},
	} {
		if got, err := ParseHostKey(c.text); err == nil || !strings.Contains(err.Error(), c.says) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// counted passes connections on and counts the bytes that the client sends.
func counted(t *testing.T, s *server) (address string, port int, sent *atomic.Int64) {
	t.Helper()
	sent = new(atomic.Int64)
	l := sshserver.Listen(t)
	l.Start(func(client net.Conn) {
		server, err := net.Dial("tcp", s.Endpoint())
		if err != nil {
			return
		}
		pass := func(to, from net.Conn, count *atomic.Int64) {
			defer client.Close()
			defer server.Close()
			buffer := make([]byte, 4096)
			for {
				n, err := from.Read(buffer)
				count.Add(int64(n))
				if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
					return
				}
			}
		}
		var back sync.WaitGroup
		back.Go(func() { pass(client, server, new(atomic.Int64)) })
		pass(server, client, sent)
		back.Wait()
	})
	return l.Address, l.Port, sent
}

// handshakeBytes is more than our half of a key exchange, whose largest part is the key share of ML-KEM with 1,184 bytes, and less than
// anything beyond it.
const handshakeBytes = 3000

func TestAnotherHostKeyGetsNothing(t *testing.T) {
	key := sshserver.NewKey(t)
	var heard atomic.Bool
	s := &server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo, password: "right"}
	s.config = func(c *ssh.ServerConfig) {
		c.NoClientAuthCallback = func(ssh.ConnMetadata) (*ssh.Permissions, error) { heard.Store(true); return nil, errors.New("no") }
		c.NoClientAuth = true
	}
	s.start(t)
	target := s.target()
	var sent *atomic.Int64
	target.Address, target.Port, sent = counted(t, s)
	target.HostKey = canonicalKey(sshserver.NewKey(t).PublicKey())
	for name, do := range map[string]func() error{
		"Dial": func() error {
			c, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{})
			if c != nil {
				c.Close()
			}
			return err
		},
		"Try": func() error { _, err := Try(t.Context(), target, "right", nil, Options{}); return err },
	} {
		sent.Store(0)
		err := do()
		e := cloud.AsError(err)
		if e == nil || e.Kind != cloud.Refused {
			t.Fatalf("%s: %v", name, err)
		}
		for _, says := range []string{Fingerprint(target.HostKey), Fingerprint(canonicalKey(s.hostKeys[0].PublicKey())), "host-key/web-1"} {
			if !strings.Contains(e.Message, says) {
				t.Errorf("%s: %q does not say %q", name, e.Message, says)
			}
		}
		if e.Hint.IsZero() || !strings.Contains(e.Message, e.Hint.String()) {
			t.Errorf("%s: the hint %v is not in the message", name, e.Hint)
		}
		if n := sent.Load(); n == 0 || n > handshakeBytes {
			t.Errorf("%s: %d bytes were sent", name, n)
		}
	}
	if heard.Load() {
		t.Error("a login was begun")
	}
}

func TestServerWithSeveralKeysShowsThePinnedOne(t *testing.T) {
	key := sshserver.NewKey(t)
	second := rsaSigner(t, 2048)
	s := (&server{hostKeys: []ssh.Signer{sshserver.NewKey(t), second}, keys: []ssh.PublicKey{key.PublicKey()}, exec: echo}).start(t)
	target := s.target()
	target.HostKey = canonicalKey(second.PublicKey())
	c, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	target.Port = (&server{hostKeys: s.hostKeys[:1], keys: s.keys, exec: echo}).start(t).Port
	_, err = Dial(t.Context(), target, []ssh.Signer{key}, Options{})
	if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "no host key of the pinned type") ||
		!strings.Contains(err.Error(), "host-key/web-1") {
		t.Error(err)
	}
}

func TestFirstUse(t *testing.T) {
	key := sshserver.NewKey(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo}).start(t)
	target := s.target()
	shown := target.HostKey
	target.HostKey = ""
	dial := func() error {
		c, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{})
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := dial(); cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "trust_on_first_use") {
		t.Error(err)
	}
	asked := ""
	target.First = func(_ context.Context, key string) (string, error) { asked = key; return key, nil }
	if err := dial(); err != nil || asked != shown {
		t.Errorf("asked for %q, %v", asked, err)
	}
	target.First = func(context.Context, string) (string, error) {
		return canonicalKey(sshserver.NewKey(t).PublicKey()), nil
	}
	if err := dial(); cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), Fingerprint(shown)) {
		t.Error(err)
	}
	target.First = func(context.Context, string) (string, error) {
		return "", cloud.Errorf(cloud.Unavailable, "storage is gone")
	}
	if err := dial(); cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "storage is gone") {
		t.Error(err)
	}
}
