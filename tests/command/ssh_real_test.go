//go:build e2e

package command

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/realssh"
)

// TestSSHToARealServer: OpenSSH's server, with PAM and a shell, and the engine that sets its passwords over SSH. Both ways in which it
// asks for a password are tried.
func TestSSHToARealServer(t *testing.T) {
	realssh.Need(t)
	t.Parallel()
	e := start(t)
	key := realssh.NewKey(t)
	e.Write(t, "cloudpw/config/lab", map[string]any{"provider": "ssh", "login_user": "admin", "private_key": key.Private})
	token := e.RootToken() // the roles are two, and the reader's policy of the docs is for one
	for method, options := range map[string][]string{
		"password":             {"PasswordAuthentication yes"},
		"keyboard-interactive": {"PasswordAuthentication no", "KbdInteractiveAuthentication yes"},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			server := realssh.Start(t, realssh.Options{
				Name: "lab-1", Keys: []string{key.Public}, Users: map[string]string{"app": ""}, Config: options,
			})
			hostKey := server.HostKey(t, "ed25519")
			e.Write(t, "cloudpw/hosts/"+method, map[string]any{
				"connection": "lab", "address": server.Address, "port": server.Port, "host_key": hostKey,
			})
			e.Write(t, "cloudpw/roles/"+method, map[string]any{
				"connection": "lab", "instance_ids": method, "username": "app", "min_reset_interval": 0, "ttl": "1h",
			})
			at := net.JoinHostPort(server.Address, strconv.Itoa(server.Port))
			d.trust(t, at, hostKey)
			s := e.open(t, d, token, "ssh", method, "--host", at)
			s.await(t, "app@lab-1")
			leases := func() int {
				list, _ := e.Read(t, "cloudpw/accounts/lab/"+method+"/app").Data["leases"].([]any)
				return len(list)
			}
			if n := leases(); n != 1 {
				t.Errorf("%d leases during the session, want 1", n)
			}
			s.send(t, "echo $((6 * 7)); exit 5\r")
			s.await(t, "42\r\n")
			if code := s.code(t); code != 5 {
				t.Errorf("exit code %d, want that of the shell, 5", code)
			}
			if n := leases(); n != 0 {
				t.Errorf("%d leases after the session", n)
			}
			if strings.Contains(server.Log(), "Failed password") {
				t.Error("the server has refused a password")
			}
			harness.Eventually(t, within, "a new password", func() error {
				if version := fmt.Sprint(e.Read(t, "cloudpw/accounts/lab/"+method+"/app").Data["current_version"]); version != "2" {
					return errors.New("version " + version)
				}
				return nil
			})
		})
	}
}
