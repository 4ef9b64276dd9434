package adminapi_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// hostKey is what an SSH server shows.
func hostKey(t *testing.T, addr string) string {
	t.Helper()
	var seen string
	client, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{Timeout: 10 * time.Second, User: "nobody",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { seen = ssh.FingerprintSHA256(key); return nil }})
	if err == nil {
		t.Errorf("logged in without a password: %v", client.Close())
	}
	if seen == "" {
		t.Fatalf("no host key: %v", err)
	}
	return seen
}

// A rebuilt server is another one under the same id: passwords, image and host key.
func TestRebuild(t *testing.T) {
	_, creds, c := start(t)
	ctx := t.Context()
	old, err := c.AddServer(ctx, model.Server{Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region})
	if err != nil {
		t.Fatal(err)
	}
	key := hostKey(t, old.SSHAddr)
	if again := hostKey(t, old.SSHAddr); again != key {
		t.Errorf("host key %s, then %s", key, again)
	}
	s, err := c.Rebuild(ctx, old.ID, model.RebuildOptions{Image: "img-new", ReadyAfter: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != old.ID || s.SSHAddr != old.SSHAddr || s.ImageID != "img-new" || time.Duration(s.ReadyAfter) != time.Hour {
		t.Errorf("got %+v", s)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", old.InitialPassword); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("the old password: %v", err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", s.InitialPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if hostKey(t, s.SSHAddr) == key {
		t.Error("the host key is the old one")
	}
	if _, err := c.Rebuild(ctx, "nobody", model.RebuildOptions{}); err == nil {
		t.Error("a server that is not there was rebuilt")
	}
}
