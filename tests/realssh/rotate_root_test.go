//go:build realssh

package realssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// publicKey is the line that a connection shows, without its comment.
func (v *vault) publicKey(t *testing.T) string {
	t.Helper()
	words := strings.Fields(fmt.Sprint(v.Read(t, "cloudpw/config/c").Data["public_key"]))
	if len(words) < 2 {
		t.Fatal("the connection shows no public_key")
	}
	return words[0] + " " + words[1]
}

// rotateRoot replaces the connection's key, and repeats the order until nothing of it is left to do. It returns the new public key.
func (v *vault) rotateRoot(t *testing.T, old string) string {
	t.Helper()
	harness.Eventually(t, rotatesWithin, "the end of rotate-root", func() error {
		config, err := v.TryRead(t.Context(), "cloudpw/config/c")
		if err != nil {
			return err
		}
		if config.Data["root_rotation"] == nil && !strings.HasPrefix(fmt.Sprint(config.Data["public_key"]), old) {
			return nil
		}
		_, err = v.Client.Logical().WriteWithContext(t.Context(), "cloudpw/rotate-root/c", nil)
		return errors.Join(errors.New("not at its end"), err)
	})
	return v.publicKey(t)
}

// keysOf are the keys that a server's admin may log in with, without comments.
func (s *Server) keysOf(t *testing.T) []string {
	t.Helper()
	var keys []string
	for line := range strings.Lines(s.Run(t, "", "cat", "/home/admin/.ssh/authorized_keys")) {
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
			keys = append(keys, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
		}
	}
	return keys
}

// TestTheConnectionsKeyIsReplaced looks at what rotate-root leaves on real servers, and logs in with both keys.
func TestTheConnectionsKeyIsReplaced(t *testing.T) {
	Need(t)
	t.Parallel()
	v := startVault(t, nil)
	other := NewKey(t)
	kept := `from="127.0.0.1",no-pty ` + other.Public + " somebody else"
	servers := StartMany(t, 3, func(int) Options {
		return Options{Keys: []string{"# a comment", v.key.Public + " cloudpw", kept}, Users: map[string]string{"app": ""}}
	})
	for i, s := range servers {
		v.onboard(t, fmt.Sprint("web-", i), s, nil, "app")
	}
	held := v.eventually(t, "web-0", servers[0])
	now := v.rotateRoot(t, v.key.Public)
	for i, s := range servers {
		if got := s.keysOf(t); !slices.Equal(sorted(got), sorted([]string{now, other.Public})) {
			t.Errorf("web-%d lets in %v, want %s and %s", i, got, now, other.Public)
		}
		file := s.Run(t, "", "cat", "/home/admin/.ssh/authorized_keys")
		if !strings.Contains(file, kept) || !strings.Contains(file, "# a comment") {
			t.Errorf("web-%d has lost what is not ours: %s", i, file)
		}
		if mode := s.Sh(t, "stat -c '%a %U' /home/admin/.ssh/authorized_keys; ls -A /home/admin/.ssh"); mode != "600 admin\nauthorized_keys\n" {
			t.Errorf("web-%d: %q", i, mode)
		}
		if _, err := sshclient.Dial(t.Context(), s.target(t, "admin"), []ssh.Signer{v.key.Signer}, sshclient.Options{}); err == nil {
			t.Errorf("web-%d lets the old key in", i)
		}
	}
	v.revoke(t, held)
	v.eventually(t, "web-0", servers[0])
	v.eventually(t, "web-1", servers[1])
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// TestKillsInEveryStageOfRotateRoot holds a session of rotate-root after some of its bytes, and kills the plugin's process there (SIGKILL):
// the engine still has a way in, ends what was begun, and leaves one key.
func TestKillsInEveryStageOfRotateRoot(t *testing.T) {
	Need(t)
	t.Parallel()
	v, s, p, held := startBehindProxy(t)
	old := v.key.Public
	for _, stage := range []struct {
		direction Direction
		bytes     int64
	}{{ToServer, 0}, {ToServer, 1500}, {ToServer, 2000}, {ToServer, 3000}, {ToClient, 1700}, {ToClient, 2100}, {ToClient, 2400}} {
		done := make(chan struct{})
		v.killHeld(t, p, stage.direction, stage.bytes, func() {
			go func() {
				defer close(done)
				_, _ = v.Client.Logical().WriteWithContext(t.Context(), "cloudpw/rotate-root/c", nil) // the plugin does not live to answer
			}()
		})
		<-done
		now := v.rotateRoot(t, old)
		if got := s.keysOf(t); !slices.Equal(got, []string{now}) {
			t.Errorf("%d bytes %s: the server lets in %v, want %s", stage.bytes, stage.direction, got, now)
		}
		v.revoke(t, held)
		held, old = v.eventually(t, "web-1", s), now
	}
}
