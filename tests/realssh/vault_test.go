//go:build realssh

package realssh

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// rotatesWithin bounds what takes a second or two on an idle machine.
const rotatesWithin = 90 * time.Second

// vault is a Vault with the engine at cloudpw/, and a connection c of the provider ssh.
type vault struct {
	*harness.Vault
	key Key
}

// startVault runs one in dev mode. more are fields of the connection.
func startVault(t *testing.T, more map[string]any) *vault {
	t.Helper()
	v := &vault{Vault: harness.StartVault(t, harness.FindBinaries(t)), key: NewKey(t)}
	v.RegisterAndMount(t)
	fields := map[string]any{"provider": "ssh", "login_user": "admin", "private_key": v.key.Private}
	for name, value := range more {
		fields[name] = value
	}
	v.Write(t, "cloudpw/config/c", fields)
	return v
}

// onboard writes a host, and a leased role of one of its users.
func (v *vault) onboard(t *testing.T, host string, s *Server, at *Proxy, user string) {
	t.Helper()
	port := s.Port
	if at != nil {
		port = at.Port
	}
	v.Write(t, "cloudpw/hosts/"+host, map[string]any{
		"connection": "c", "address": s.Address, "port": port, "host_key": s.HostKey(t, "ed25519"),
	})
	v.Write(t, "cloudpw/roles/"+host, map[string]any{
		"connection": "c", "instance_ids": host, "username": user, "min_reset_interval": 0, "ttl": "1h",
	})
}

// startBehindProxy is startVault with a server, which is reached through a proxy, and the first password of its user app.
func startBehindProxy(t *testing.T) (v *vault, s *Server, p *Proxy, first issued) {
	t.Helper()
	v = startVault(t, nil)
	s = Start(t, Options{Keys: []string{v.key.Public}, Users: map[string]string{"app": ""}})
	p = StartProxy(t, s.Endpoint())
	v.onboard(t, "web-1", s, p, "app")
	return v, s, p, v.eventually(t, "web-1", s)
}

// killHeld begins what opens a session, holds that after some of its bytes in one direction, kills the plugin's process there (SIGKILL),
// and lets what comes then pass.
func (v *vault) killHeld(t *testing.T, p *Proxy, d Direction, bytes int64, begin func()) {
	t.Helper()
	cuts := p.Cuts()
	p.FreezeAfter(d, bytes)
	begin()
	harness.Eventually(t, rotatesWithin, "a session that is held", func() error {
		if p.Cuts() == cuts {
			return errors.New("none")
		}
		return nil
	})
	v.KillPlugin(t)
	p.Pass()
}

// issued is a password that Vault has given.
type issued struct{ user, password, lease string }

// eventually reads creds/ until it is answered: before that, nothing may come but 503, and Vault's answer that the plugin's process is
// gone. The server must accept what it gets.
func (v *vault) eventually(t *testing.T, role string, s *Server) issued {
	t.Helper()
	var answer *api.Secret
	harness.Eventually(t, rotatesWithin, "a password of role "+role, func() error {
		secret, err := v.TryRead(t.Context(), "cloudpw/creds/"+role, "wait", "20s")
		if err != nil && harness.Status(err) != 503 && !harness.Unreached(err) {
			t.Fatalf("read creds/%s: %v", role, err)
		}
		answer = secret
		return err
	})
	i := issued{fmt.Sprint(answer.Data["username"]), fmt.Sprint(answer.Data["password"]), answer.LeaseID}
	if !s.Login(t, i.user, i.password) {
		t.Errorf("the server refuses the password that Vault gives for %s", i.user)
	}
	return i
}

// revoke ends a lease.
func (v *vault) revoke(t *testing.T, i issued) {
	t.Helper()
	if err := v.Client.Sys().RevokeWithOptions(&api.RevokeOptions{LeaseID: i.lease, Sync: true}); err != nil {
		t.Fatalf("revoke: %v", err)
	}
}

// lastError waits until an account tells why it is not rotated.
func (v *vault) lastError(t *testing.T, account, says string) {
	t.Helper()
	harness.Eventually(t, rotatesWithin, "the reason in the account", func() error {
		if got := fmt.Sprint(v.Read(t, "cloudpw/accounts/"+account).Data["last_error"]); !strings.Contains(got, says) {
			return fmt.Errorf("last error %q, want %q", got, says)
		}
		return nil
	})
}

func TestAServerIsOnboardedLeasedAndRotated(t *testing.T) {
	Need(t)
	t.Parallel()
	v := startVault(t, nil)
	public := fmt.Sprint(v.Read(t, "cloudpw/config/c").Data["public_key"])
	if !strings.HasPrefix(public, v.key.Public) {
		t.Errorf("public_key is %q, want %q", public, v.key.Public)
	}
	s := Start(t, Options{Name: "web-1", Keys: []string{public}, Faillock: true, Users: map[string]string{"app": was}})
	v.onboard(t, "web-1", s, nil, "app")
	first := v.eventually(t, "web-1", s)
	if s.Login(t, "app", was) {
		t.Error("the password from before the onboarding still logs in")
	}
	v.revoke(t, first)
	second := v.eventually(t, "web-1", s)
	if second.password == first.password || s.Login(t, "app", first.password) {
		t.Error("the revoked password still logs in")
	}
	for _, secret := range []string{first.password, second.password, "$6$"} {
		if strings.Contains(s.Log(), secret) {
			t.Error("sshd's log has a secret")
		}
	}
}

func TestAGeneratedKeyLogsIn(t *testing.T) {
	Need(t)
	t.Parallel()
	v := startVault(t, nil)
	v.Write(t, "cloudpw/config/c", map[string]any{"private_key": "", "generate_key": true})
	public := fmt.Sprint(v.Read(t, "cloudpw/config/c").Data["public_key"])
	s := Start(t, Options{Keys: []string{public}, Users: map[string]string{"app": ""}})
	v.onboard(t, "web-1", s, nil, "app")
	v.eventually(t, "web-1", s)
}

// TestAnotherServerGetsNoPassword replaces a server, and looks at what the one at its address gets to see.
func TestAnotherServerGetsNoPassword(t *testing.T) {
	Need(t)
	t.Parallel()
	v, s, p, first := startBehindProxy(t)
	pinned := s.HostKey(t, "ed25519")
	s.NewHostKeys(t)
	before := len(p.Connections())
	v.revoke(t, first)
	v.lastError(t, "c/web-1/app", "host-key/web-1")
	if _, err := v.TryRead(t.Context(), "cloudpw/creds/web-1"); harness.Status(err) != 503 {
		t.Errorf("a read while the server is another one: %v, want status 503", err)
	}
	after := p.Connections()[before:]
	if len(after) == 0 {
		t.Fatal("nothing was tried")
	}
	for _, c := range after {
		onlyKeyExchange(t, c.Sent)
	}
	_, err := v.Client.Logical().Write("cloudpw/hosts/web-1", map[string]any{"host_key": s.HostKey(t, "ed25519")})
	if err == nil || s.HostKey(t, "ed25519") == pinned {
		t.Error("an ordinary write has replaced the pinned key")
	}
	v.Write(t, "cloudpw/host-key/web-1", map[string]any{"host_key": s.HostKey(t, "ed25519")})
	v.Write(t, "cloudpw/rotate-role/web-1", nil)
	v.eventually(t, "web-1", s)
}

// TestKillsInEveryStage holds a rotation's session after some of its bytes, kills the plugin's process there (SIGKILL), and has the
// engine go on. Each time either the server accepts what Vault gives, or Vault says that it does not know, and then comes back.
func TestKillsInEveryStage(t *testing.T) {
	Need(t)
	t.Parallel()
	v, s, p, held := startBehindProxy(t)
	whole := p.Connections()[0].Bytes
	t.Logf("a session has %d bytes to the server and %d to the client", whole[ToServer], whole[ToClient])
	const stages = 6
	for _, d := range []Direction{ToServer, ToClient} {
		for stage := range int64(stages) {
			n := whole[d] * stage / (stages - 1)
			if n == whole[d] {
				n -= 60 // the end of the session; its length differs a little
			}
			v.killHeld(t, p, d, n, func() { v.revoke(t, held) })
			began := time.Now()
			next := v.eventually(t, "web-1", s)
			if next.password == held.password {
				t.Errorf("%d bytes %s: the revoked password is handed out again", n, d)
			}
			t.Logf("killed after %d bytes %s: a password %s later", n, d, time.Since(began).Round(100*time.Millisecond))
			held = next
		}
	}
}
