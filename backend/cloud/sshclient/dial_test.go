package sshclient

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// echo runs a command that answers with its input.
func echo(_ string, in io.Reader, out, errs io.Writer) int {
	text, _ := io.ReadAll(in)
	_, _ = io.WriteString(out, "got "+string(text))
	_, _ = io.WriteString(errs, "warned\n")
	return 3
}

func TestRun(t *testing.T) {
	key := sshserver.NewKey(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo}).start(t)
	c, err := Dial(t.Context(), s.target(), []ssh.Signer{sshserver.NewKey(t), key}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Signer() != key {
		t.Error("Signer is not the one that the server took")
	}
	for range 2 {
		r, err := c.Run(t.Context(), "x", []byte("input"))
		if err != nil || r.ExitCode != 3 || r.Output != "got input\nwarned\n" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	big, err := c.Run(t.Context(), "x", []byte(strings.Repeat("y", 3*MaxOutput)))
	if err != nil || len(big.Output) != MaxOutput {
		t.Errorf("%d bytes, %v", len(big.Output), err)
	}
}

func TestJump(t *testing.T) {
	key := sshserver.NewKey(t)
	jump := (&server{keys: []ssh.PublicKey{key.PublicKey()}, channel: sshserver.Forward}).start(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo, password: "right"}).start(t)
	target := s.target()
	target.Jump = &Jump{Address: jump.Address, Port: jump.Port, User: "via", HostKey: canonicalKey(jump.hostKeys[0].PublicKey())}
	c, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Run(t.Context(), "x", []byte("input")); err != nil || r.ExitCode != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if v, err := Try(t.Context(), target, "right", []ssh.Signer{key}, Options{}); v != Accepted || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTry(t *testing.T) {
	s := (&server{password: "right"}).start(t)
	for password, want := range map[string]Verdict{"right": Accepted, "wrong": Wrong} {
		if v, err := Try(t.Context(), s.target(), password, nil, Options{}); v != want || err != nil {
			t.Errorf("%s: %v, %v", password, v, err)
		}
	}
}
