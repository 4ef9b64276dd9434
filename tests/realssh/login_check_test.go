//go:build realssh

package realssh

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// awaitCheck waits until the account of web-1 shows the result of a check, and returns the account.
func (v *vault) awaitCheck(t *testing.T, result string) map[string]any {
	t.Helper()
	var account map[string]any
	harness.Eventually(t, rotatesWithin, "a check with the result "+result, func() error {
		if account = v.Read(t, "cloudpw/accounts/c/web-1/app").Data; account["check_result"] != result {
			return fmt.Errorf("check_result %v, %v", account["check_result"], account["check_reason"])
		}
		return nil
	})
	return account
}

// TestALoginProvesThePassword has roles whose checks log in, and looks at what sshd and pam_faillock saw of them.
func TestALoginProvesThePassword(t *testing.T) {
	Need(t)
	t.Parallel()
	t.Run("after a rotation", func(t *testing.T) {
		t.Parallel()
		v := startVault(t, nil)
		s := Start(t, Options{Keys: []string{v.key.Public}, Faillock: true, Users: map[string]string{"app": was}})
		v.onboard(t, "web-1", s, nil, "app")
		v.Write(t, "cloudpw/roles/web-1", map[string]any{"check_method": "ssh"})
		v.Write(t, "cloudpw/rotate-role/web-1", nil)
		v.awaitCheck(t, "matches")
		if n := strings.Count(s.Log(), "Accepted password for app"); n != 1 {
			t.Errorf("%d logins with the password, want 1", n)
		}
		v.eventually(t, "web-1", s)
	})
	t.Run("off, then by hand", func(t *testing.T) {
		t.Parallel()
		v := startVault(t, nil)
		s := Start(t, Options{
			Keys: []string{v.key.Public}, Faillock: true, Users: map[string]string{"app": was}, Config: []string{"PasswordAuthentication no"},
		})
		v.onboard(t, "web-1", s, nil, "app")
		v.Write(t, "cloudpw/roles/web-1", map[string]any{"check_method": "ssh"})
		v.Write(t, "cloudpw/rotate-role/web-1", nil)
		if account := v.awaitCheck(t, "unknown"); account["drifted"] == true {
			t.Error("a server that takes no passwords is taken for one with another")
		}
		if _, err := v.TryRead(t.Context(), "cloudpw/creds/web-1", "wait", "20s"); err != nil {
			t.Errorf("a password that could not be tried is kept back: %v", err)
		}
		s.Run(t, "app:"+becomes+"\n", "chpasswd")
		s.Sh(t, "sed -i '/^PasswordAuthentication/d' /etc/ssh/sshd_config")
		s.Reload(t)
		v.Write(t, "cloudpw/verify/web-1/web-1", map[string]any{"wait": "30s"})
		if account := v.awaitCheck(t, "differs"); account["drifted"] != true {
			t.Errorf("a password that was set by hand is not noticed: %v", account)
		}
		if _, err := v.TryRead(t.Context(), "cloudpw/creds/web-1"); harness.Status(err) != 503 {
			t.Errorf("a password that the server refuses is handed out: %v", err)
		}
		if _, err := v.Client.Logical().Write("cloudpw/verify/web-1/web-1", nil); harness.Status(err) != 409 {
			t.Errorf("another try at once: %v, want status 409", err)
		}
		if n := strings.Count(s.Run(t, "", "faillock", "--user", "app"), "RHOST"); n != 1 {
			t.Errorf("pam_faillock counts %d wrong passwords, want 1", n)
		}
		if !s.Login(t, "app", becomes) {
			t.Error("the checks have locked the user out")
		}
	})
}
