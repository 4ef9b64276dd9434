//go:build realssh

package realssh

import (
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestAServerIsReal looks at what the other tests rely on: the admin's key and sudo, the users' passwords, a /etc of its own.
func TestAServerIsReal(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	s := Start(t, Options{Name: "one", Keys: []string{key.Public}, Users: map[string]string{"alice": "first-one"}})
	if !s.Login(t, "alice", "first-one") || s.Login(t, "alice", "another") {
		t.Error("the password of chpasswd is not the one that logs in")
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey(t, "ed25519")))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", s.Endpoint(), &ssh.ClientConfig{
		User: "admin", Auth: []ssh.AuthMethod{ssh.PublicKeys(key.Signer)}, HostKeyCallback: ssh.FixedHostKey(host),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.CombinedOutput("sudo -n hostname && sudo -n id -u")
	if string(out) != "one\n0\n" || err != nil {
		t.Errorf("sudo in the session: %q, %v", out, err)
	}
	before := s.HostKey(t, "ed25519")
	s.NewHostKeys(t)
	if s.HostKey(t, "ed25519") == before || !s.Login(t, "alice", "first-one") {
		t.Error("the server has no new host key, or does not show it")
	}
}
