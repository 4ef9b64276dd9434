//go:build realssh

package realssh

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// target is the server with its key pinned, and a user.
func (s *Server) target(tb testing.TB, user string) sshclient.Target {
	tb.Helper()
	return sshclient.Target{Name: "web-1", Address: s.Address, Port: s.Port, User: user, HostKey: s.HostKey(tb, "ed25519")}
}

// through is the target behind a proxy.
func through(p *Proxy, t sshclient.Target) sshclient.Target {
	t.Address, t.Port = p.Address, p.Port
	return t
}

// try logs in with a password by the client of the plugin.
func try(tb testing.TB, t sshclient.Target, password string) sshclient.Verdict {
	tb.Helper()
	v, err := sshclient.Try(tb.Context(), t, password, nil, sshclient.Options{})
	if (err != nil) != (v == sshclient.NotSent || v == sshclient.Lost) {
		tb.Errorf("try a password of %s: %v", t.User, err)
	}
	return v
}

func TestScriptsRunAsRoot(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	s := Start(t, Options{Keys: []string{key.Public}})
	const banner = "Welcome; cloudpw: exit 0 password set"
	s.Sh(t, "sed -i '1i echo \""+banner+"\"; echo warning >&2' /home/admin/.bashrc")
	client, err := sshclient.Dial(t.Context(), s.target(t, "admin"), []ssh.Signer{NewKey(t).Signer, key.Signer}, sshclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if client.Signer() != key.Signer {
		t.Error("the signer is not the one that sshd took")
	}
	script := []byte("id -u\ncat /proc/$$/cmdline | tr '\\0' ' '\nexit 7\n")
	r, err := client.Run(t.Context(), "sudo -n -- /bin/sh -s", script)
	if err != nil || r.ExitCode != 7 || !strings.HasPrefix(r.Output, banner+"\n0\n/bin/sh -s ") || !strings.HasSuffix(r.Output, "warning\n") {
		t.Errorf("exit code %d, %v, output %q", r.ExitCode, err, r.Output)
	}
	_, err = client.Run(t.Context(), "sudo -n -- /bin/sh -s", []byte("kill -9 $$"))
	if e := cloud.AsError(err); e == nil || e.Kind != cloud.Unknown {
		t.Errorf("of a shell that was killed: %v, want an unknown outcome", err)
	}
}

// TestSudoRefuses is about what a probe of sudo shows.
func TestSudoRefuses(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	for name, c := range map[string]struct{ sudoers, says string }{
		"asks for a password": {"admin ALL=(ALL) ALL", "a password is required"},
		"no rule":             {"", "password is required"},
		"other commands only": {"admin ALL=(ALL) NOPASSWD: /usr/bin/id", "password is required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, Options{Keys: []string{key.Public}, Sudo: []string{c.sudoers}})
			client, err := sshclient.Dial(t.Context(), s.target(t, "admin"), []ssh.Signer{key.Signer}, sshclient.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			r, err := client.Run(t.Context(), "sudo -n true", nil)
			if err != nil || r.ExitCode == 0 || !strings.Contains(r.Output, c.says) {
				t.Errorf("exit code %d, %v, output %q", r.ExitCode, err, r.Output)
			}
		})
	}
}

// lockOut has pam_faillock count three wrong passwords.
const lockOut = `for i in 1 2 3; do echo no | su -s /bin/sh nobody -c 'su app -c id'; done; [ $(faillock --user app | wc -l) = 5 ]`

// TestPasswordsAreTried has real servers in every state that a verdict tells apart, and some that it cannot.
func TestPasswordsAreTried(t *testing.T) {
	Need(t)
	t.Parallel()
	const right, wrong = "right-1-password", "wrong-1-password"
	interactive := []string{"PasswordAuthentication no", "KbdInteractiveAuthentication yes"}
	keyToo, keyAfter := []string{"AuthenticationMethods publickey,password"}, []string{"AuthenticationMethods password,publickey"}
	for name, c := range map[string]struct {
		config   []string
		faillock bool
		prepare  string
		password string
		want     sshclient.Verdict
	}{
		"right":                         {password: right, want: sshclient.Accepted},
		"wrong":                         {password: wrong, want: sshclient.Wrong},
		"right, keyboard-interactive":   {config: interactive, password: right, want: sshclient.Accepted},
		"wrong, keyboard-interactive":   {config: interactive, password: wrong, want: sshclient.Wrong},
		"right, faillock":               {faillock: true, password: right, want: sshclient.Accepted},
		"locked by faillock":            {faillock: true, prepare: lockOut, password: right, want: sshclient.Wrong},
		"logins by password off":        {config: []string{"PasswordAuthentication no"}, password: right, want: sshclient.NotOffered},
		"a key is asked for as well":    {config: keyToo, password: right, want: sshclient.NotOffered},
		"a key is asked for afterwards": {config: keyAfter, password: right, want: sshclient.Accepted},
		"the account is locked":         {prepare: "passwd -l app", password: right, want: sshclient.Wrong},
		"the account has expired":       {prepare: "usermod -e 1 app", password: right, want: sshclient.Lost}, // sshd ends the connection
		"expired, and wrong":            {prepare: "usermod -e 1 app", password: wrong, want: sshclient.Wrong},
		"the user may not log in":       {config: []string{"DenyUsers app"}, password: right, want: sshclient.Wrong},
		"no shell":                      {prepare: "usermod -s /usr/sbin/nologin app", password: right, want: sshclient.Accepted},
		"no such user":                  {prepare: "userdel app", password: right, want: sshclient.Wrong},
		"to be changed":                 {prepare: "chage -d 0 app", password: right, want: sshclient.Accepted},
		"to be changed, wrong":          {prepare: "chage -d 0 app", password: wrong, want: sshclient.Wrong},
		"to be changed, interactive":    {config: interactive, prepare: "chage -d 0 app", password: right, want: sshclient.MoreAsked},
		"a banner":                      {config: []string{"Banner /etc/os-release"}, password: right, want: sshclient.Accepted},
		"one try a connection":          {config: []string{"MaxAuthTries 1"}, password: wrong, want: sshclient.Wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, Options{Config: c.config, Faillock: c.faillock, Users: map[string]string{"app": right}})
			if c.prepare != "" {
				s.Sh(t, c.prepare)
			}
			if got := try(t, s.target(t, "app"), c.password); got != c.want {
				t.Errorf("verdict %v, want %v", got, c.want)
			}
		})
	}
}

// TestOneTryCountsOnce has pam_faillock count what a wrong password costs.
func TestOneTryCountsOnce(t *testing.T) {
	Need(t)
	t.Parallel()
	for name, config := range map[string][]string{
		"password": nil, "both": {"KbdInteractiveAuthentication yes"},
		"keyboard-interactive": {"PasswordAuthentication no", "KbdInteractiveAuthentication yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, Options{Faillock: true, Config: config, Users: map[string]string{"app": "right-1-password"}})
			for tries := 1; tries <= 2; tries++ {
				if got := try(t, s.target(t, "app"), "wrong"); got != sshclient.Wrong {
					t.Errorf("verdict %v", got)
				}
				if counted := strings.Count(s.Run(t, "", "faillock", "--user", "app"), "RHOST"); counted != tries {
					t.Errorf("pam_faillock counts %d wrong passwords after %d", counted, tries)
				}
			}
			if !s.Login(t, "app", "right-1-password") {
				t.Error("two tries have locked the user out")
			}
		})
	}
}

// TestAChangedHostKeyGetsNothing looks at every byte that another server gets than the one that is pinned.
func TestAChangedHostKeyGetsNothing(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	s := Start(t, Options{Keys: []string{key.Public}, Users: map[string]string{"app": "right-1-password"}})
	p := StartProxy(t, s.Endpoint())
	pinned := through(p, s.target(t, "app"))
	admin := pinned
	admin.User = "admin"
	s.NewHostKeys(t)
	_, dial := sshclient.Dial(t.Context(), admin, []ssh.Signer{key.Signer}, sshclient.Options{})
	verdict, tried := sshclient.Try(t.Context(), pinned, "right-1-password", nil, sshclient.Options{})
	if verdict != sshclient.NotSent {
		t.Errorf("verdict %v", verdict)
	}
	for _, err := range []error{dial, tried} {
		e := cloud.AsError(err)
		if e == nil || e.Kind != cloud.Refused {
			t.Fatalf("%v, want a refusal", err)
		}
		for _, says := range []string{sshclient.Fingerprint(pinned.HostKey), sshclient.Fingerprint(s.HostKey(t, "ed25519")), "host-key/web-1"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q does not name %s", err, says)
			}
		}
	}
	all := p.Connections()
	if len(all) != 2 {
		t.Fatalf("%d connections, want 2", len(all))
	}
	for _, c := range all {
		onlyKeyExchange(t, c.Sent)
	}
	if log := s.Log(); strings.Contains(log, "user app") || strings.Contains(log, "user admin") {
		t.Errorf("the server has learned who wanted to log in: %s", log)
	}
	if got := try(t, through(p, s.target(t, "app")), "right-1-password"); got != sshclient.Accepted {
		t.Errorf("with the new key: %v", got)
	}
}

// onlyKeyExchange fails the test unless what a client has sent is its version and, in the clear, its half of the key exchange
// (RFC 4253): whatever else there was would come after SSH_MSG_NEWKEYS.
func onlyKeyExchange(t *testing.T, sent []byte) {
	t.Helper()
	const disconnect, kexInit, kexFirst = 1, 20, 30
	version, packets, ok := strings.Cut(string(sent), "\r\n")
	if !ok || !strings.HasPrefix(version, "SSH-2.0-") {
		t.Fatalf("no version line in %q", sent)
	}
	var types []byte
	for rest := []byte(packets); len(rest) > 0; {
		if len(rest) < 6 {
			t.Fatalf("%d bytes that are no packet", len(rest))
		}
		length := int(binary.BigEndian.Uint32(rest)) + 4
		if length > len(rest) {
			t.Fatalf("a packet of %d bytes in the last %d: it is not in the clear", length, len(rest))
		}
		types = append(types, rest[5])
		rest = rest[length:]
	}
	if len(types) < 2 || types[0] != kexInit || types[1] != kexFirst {
		t.Fatalf("messages %v, want the key exchange", types)
	}
	for _, other := range types[2:] {
		if other != disconnect {
			t.Errorf("message %d was sent after the key exchange's", other)
		}
	}
}

func TestTheTypeOfThePinnedKeyIsAskedFor(t *testing.T) {
	Need(t)
	t.Parallel()
	s := Start(t, Options{Users: map[string]string{"app": "right-1-password"}})
	target := s.target(t, "app")
	for _, kind := range []string{"ecdsa", "ed25519"} {
		if target.HostKey = s.HostKey(t, kind); try(t, target, "right-1-password") != sshclient.Accepted {
			t.Errorf("the server's %s key was not taken", kind)
		}
	}
	s.Sh(t, "sed -i /ecdsa/d /etc/ssh/sshd_config")
	s.Reload(t)
	target.HostKey = s.HostKey(t, "ecdsa")
	_, err := sshclient.Try(t.Context(), target, "right-1-password", nil, sshclient.Options{})
	if err == nil || !strings.Contains(err.Error(), "ssh-ed25519") {
		t.Errorf("%v, want the types that the server has", err)
	}
}

func TestFirstUsePinsWhatTheServerShows(t *testing.T) {
	Need(t)
	t.Parallel()
	s := Start(t, Options{Users: map[string]string{"app": "right-1-password"}})
	target := s.target(t, "app")
	target.HostKey = ""
	if v, err := sshclient.Try(t.Context(), target, "right-1-password", nil, sshclient.Options{}); v != sshclient.NotSent || err == nil {
		t.Errorf("%v, %v without a pinned key", v, err)
	}
	var shown string
	target.First = func(_ context.Context, key string) (string, error) { shown = key; return key, nil }
	if v := try(t, target, "right-1-password"); v != sshclient.Accepted {
		t.Error(v)
	}
	if shown != s.HostKey(t, "ed25519") && shown != s.HostKey(t, "ecdsa") {
		t.Errorf("%q is none of the server's keys", shown)
	}
	target.First = func(context.Context, string) (string, error) { return NewKey(t).Public, nil }
	if v, err := sshclient.Try(t.Context(), target, "right-1-password", nil, sshclient.Options{}); v != sshclient.NotSent || err == nil {
		t.Errorf("%v, %v where another call has pinned another key", v, err)
	}
}

func TestAJumpHost(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	jump := Start(t, Options{Name: "jump", Keys: []string{key.Public}, Config: []string{"Match User admin", "PermitOpen any", "Match all"}})
	s := Start(t, Options{Name: "behind", Keys: []string{key.Public}, Users: map[string]string{"app": "right-1-password"}})
	target := s.target(t, "admin")
	target.Jump = &sshclient.Jump{Address: jump.Address, Port: jump.Port, User: "admin", HostKey: jump.HostKey(t, "ed25519")}
	client, err := sshclient.Dial(t.Context(), target, []ssh.Signer{key.Signer}, sshclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if r, err := client.Run(t.Context(), "sudo -n hostname", nil); err != nil || r.Output != "behind\n" {
		t.Errorf("%+v, %v", r, err)
	}
	target.User = "app"
	verdict, err := sshclient.Try(t.Context(), target, "right-1-password", []ssh.Signer{key.Signer}, sshclient.Options{})
	if verdict != sshclient.Accepted || err != nil {
		t.Errorf("%v, %v", verdict, err)
	}
	closed := Start(t, Options{Keys: []string{key.Public}, Config: []string{"AllowTcpForwarding no"}})
	target.Jump.Port, target.Jump.HostKey = closed.Port, closed.HostKey(t, "ed25519")
	_, err = sshclient.Dial(t.Context(), target, []ssh.Signer{key.Signer}, sshclient.Options{})
	if err == nil || !strings.Contains(err.Error(), "AllowTcpForwarding") {
		t.Errorf("%v, want the reason of the jump host", err)
	}
	jump.NewHostKeys(t)
	target.Jump.Port = jump.Port
	if _, err = sshclient.Dial(t.Context(), target, []ssh.Signer{key.Signer}, sshclient.Options{}); err == nil {
		t.Error("a jump host with another key was used")
	}
}

// TestASilentNetworkEndsInTime swallows a session from some byte on: the call ends by its own clock, and claims nothing.
func TestASilentNetworkEndsInTime(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	s := Start(t, Options{Keys: []string{key.Public}})
	for _, n := range []int64{0, 40, 700, 1000, 1300, 1450} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			p := StartProxy(t, s.Endpoint())
			p.FreezeAfter(ToServer, n)
			err := func() error {
				client, err := sshclient.Dial(t.Context(), through(p, s.target(t, "admin")), []ssh.Signer{key.Signer},
					sshclient.Options{Timeout: 2 * time.Second})
				if err != nil {
					return err
				}
				defer client.Close()
				_, err = client.Run(t.Context(), "sudo -n -- /bin/sh -s", []byte("exit 0"))
				return err
			}()
			if all := p.Connections(); !all[0].Cut {
				t.Fatalf("the session has only %d bytes", all[0].Bytes[ToServer])
			}
			if e := cloud.AsError(err); e == nil || e.Kind != cloud.Refused && e.Kind != cloud.Unknown {
				t.Errorf("%v, want a refusal or an unknown outcome", err)
			}
		})
	}
}
