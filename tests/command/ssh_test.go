//go:build e2e

package command

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// greeting is what a simulated server shows to a person.
const greeting = "This server is simulated"

// leased makes a role with one server, and a reader's token.
func (e *env) leased(t *testing.T, fields map[string]any) (id, token string) {
	t.Helper()
	id = e.role(t, "web", fields, "ubuntu-1")[0]
	harness.Eventually(t, within, "a first password", func() error { // the read of a leased role starts the first reset
		secret, err := e.TryRead(t.Context(), "cloudpw/creds/web", "wait", "20s")
		if err == nil && secret.LeaseID != "" {
			e.Write(t, "sys/leases/revoke", map[string]any{"lease_id": secret.LeaseID, "sync": true})
		}
		return err
	})
	e.ready(t, id)
	return id, e.token(t, "rita", "Reader")
}

// ready waits until a password can be handed out.
func (e *env) ready(t *testing.T, id string) {
	t.Helper()
	harness.Eventually(t, within, "a password", func() error {
		if state := e.account(t, id)["state"]; state != "ready" {
			return fmt.Errorf("the account is %v", state)
		}
		return nil
	})
}

func (e *env) account(t *testing.T, id string) map[string]any {
	t.Helper()
	return e.Read(t, "cloudpw/accounts/tencentcloud/"+id+"/ubuntu").Data
}

// leases is how many leases there are of a server's password.
func (e *env) leases(t *testing.T, id string) int {
	t.Helper()
	list, _ := e.account(t, id)["leases"].([]any)
	return len(list)
}

// given waits until there is no lease any more.
func (e *env) given(t *testing.T, id string) {
	t.Helper()
	harness.Eventually(t, within, "the end of the lease", func() error {
		if n := e.leases(t, id); n > 0 {
			return fmt.Errorf("%d leases", n)
		}
		return nil
	})
}

// password is the one that a session has now: that of a second lease, which is given back.
func (e *env) password(t *testing.T) string {
	t.Helper()
	secret := e.Read(t, "cloudpw/creds/web")
	e.Write(t, "sys/leases/revoke", map[string]any{"lease_id": secret.LeaseID, "sync": true})
	return fmt.Sprint(secret.Data["password"])
}

// at is where a simulated server's SSH is.
func (e *env) at(t *testing.T, id string) string {
	t.Helper()
	server, err := e.sim.Server(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return server.SSHAddr
}

// trust has the desk's ssh know a simulated server.
func (e *env) trust(t *testing.T, d *desk, id string) {
	t.Helper()
	d.trust(t, e.at(t, id), e.hostKey(t, id))
}

func (d *desk) trust(t *testing.T, at, key string) {
	t.Helper()
	host, port, _ := strings.Cut(at, ":")
	file, err := os.OpenFile(d.knownHosts(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := fmt.Fprintf(file, "[%s]:%s %s\n", host, port, key); err != nil {
		t.Fatal(err)
	}
}

// shell opens a session whose server is known, and waits for its prompt.
func (e *env) shell(t *testing.T, d *desk, id, token string) *screen {
	t.Helper()
	e.trust(t, d, id)
	s := e.open(t, d, token, "ssh", "web/"+id, "--host", e.at(t, id))
	s.await(t, greeting)
	if n := e.leases(t, id); n != 1 {
		t.Fatalf("%d leases during the session, want 1", n)
	}
	return s
}

// watch gathers what the system tells of all processes, until stop is called: their arguments and environments.
func watch(t *testing.T) (stop func() string) {
	t.Helper()
	seen := map[string]bool{}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			for _, what := range []string{"cmdline", "environ"} {
				files, _ := filepath.Glob("/proc/[0-9]*/" + what)
				for _, file := range files {
					if text, err := os.ReadFile(file); err == nil {
						seen[string(text)] = true
					}
				}
			}
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return func() string {
		close(over)
		watching.Wait()
		var all strings.Builder
		for text := range seen {
			all.WriteString(text + "\n")
		}
		return all.String()
	}
}

// TestSSH: a person logs in, answers for the host key, and leaves. The password shows up nowhere but at the server.
func TestSSH(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	stop := watch(t)
	s := e.open(t, d, token, "ssh", "web/"+id, "--host", e.at(t, id))
	s.await(t, "(yes/no/[fingerprint])?")
	s.send(t, "yes\r")
	s.await(t, greeting)
	processes := stop()
	if n := e.leases(t, id); n != 1 {
		t.Errorf("%d leases during the session, want 1", n)
	}
	if !strings.Contains(processes, "cloudpw-askpass") {
		t.Error("the helper was not seen: nothing can be said of its arguments and its environment")
	}
	password := e.password(t)
	if strings.Contains(processes, password) {
		t.Error("the password was in the arguments or the environment of a process")
	}
	secrets := []harness.Secret{{Name: "the password", Value: password}}
	if leaks := harness.FindLeaks(t, secrets, d.files(t)...); len(leaks) > 0 {
		t.Errorf("during the session: %v", leaks)
	}
	s.send(t, "exit 7\r")
	if code := s.code(t); code != 7 {
		t.Errorf("exit code %d, want that of the shell, 7", code)
	}
	e.given(t, id)
	if leaks := harness.FindLeaks(t, secrets, d.files(t)...); len(leaks) > 0 {
		t.Errorf("after the session: %v", leaks)
	}
	d.empty(t)
	if strings.Contains(s.text(), password) {
		t.Error("the terminal has shown the password")
	}
}

// TestSSHEnds: however a session ends, its lease is given back.
func TestSSHEnds(t *testing.T) {
	t.Parallel()
	e := start(t)
	id, token := e.leased(t, nil)
	e.Write(t, "cloudpw/roles/web", map[string]any{"ttl": "1h", "max_ttl": "2h"})
	ways := map[string]func(s *screen) error{
		"SIGHUP":               func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGHUP) },
		"SIGTERM":              func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGINT":               func(s *screen) error { return s.cmd.Process.Signal(os.Interrupt) },
		"SIGQUIT":              func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGQUIT) },
		"a closed terminal":    func(s *screen) error { s.hangUp(); return nil },
		"the end of the shell": func(s *screen) error { _, err := s.master.WriteString("exit\r"); return err },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			e.ready(t, id)
			d := newDesk(t)
			s := e.shell(t, d, id, token)
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			s.code(t)
			if n := e.leases(t, id); n != 0 {
				t.Errorf("%d leases after the end of the command", n)
			}
			d.empty(t)
		})
	}
}

// TestSSHKilled: nobody gives the lease back, and it ends within its ttl.
func TestSSHKilled(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "20s", "max_ttl": "1h"})
	s := e.shell(t, d, id, token)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	s.code(t)
	e.given(t, id)
	const ttl, slack = 20 * time.Second, 30 * time.Second // Vault's own delay, on a busy machine
	if lived := time.Since(killed); lived > ttl+slack {
		t.Errorf("the lease has lived for %s after its session, with a ttl of %s", lived, ttl)
	}
}

// TestSSHRenews: a session outlives the ttl of its lease, and the lease does, too.
func TestSSHRenews(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "10s", "max_ttl": "1h"})
	s := e.shell(t, d, id, token)
	version := fmt.Sprint(e.account(t, id)["current_version"])
	begun := time.Now()
	harness.Eventually(t, within, "three times the ttl", func() error {
		if n := e.leases(t, id); n != 1 {
			t.Fatalf("%d leases after %s", n, time.Since(begun))
		}
		if time.Since(begun) < 30*time.Second {
			return errors.New("not yet")
		}
		return nil
	})
	if now := fmt.Sprint(e.account(t, id)["current_version"]); now != version {
		t.Errorf("version %s during the session, want %s", now, version)
	}
	s.send(t, "exit\r")
	if code := s.code(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	e.given(t, id)
}

// TestSSHIsStopped: ~^Z gives the terminal back to the shell, and fg goes on.
func TestSSHIsStopped(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is missing, whose job control is used")
	}
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	e.trust(t, d, id)
	shell := exec.Command(bash, "--norc", "--noprofile", "-i")
	d.more = []string{"PS1=shell: "}
	s := e.openProgram(t, d, token, shell)
	s.await(t, "shell: ")
	s.send(t, e.command+" ssh web/"+id+" --host "+e.at(t, id)+"\r")
	s.await(t, greeting)
	s.send(t, "\r~\x1a")
	s.await(t, "Stopped")
	s.send(t, "echo $((6 * 7))\r")
	s.await(t, "42\r\n")
	if n := e.leases(t, id); n != 1 {
		t.Errorf("%d leases while it is stopped, want 1", n)
	}
	s.send(t, "fg\r")
	s.send(t, "help\r")
	s.await(t, "change the password of this user by hand")
	s.send(t, "exit 6\r")
	s.await(t, "closed.")
	s.send(t, "exit $?\r")
	if code := s.code(t); code != 6 {
		t.Errorf("exit code %d, want that of the server's shell, 6", code)
	}
	e.given(t, id)
	d.empty(t)
}

// TestSSHFails: a client that cannot log in leaves no lease.
func TestSSHFails(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	e.trust(t, d, id)

	refused := e.open(t, d, token, "ssh", "web/"+id, "--host", "127.0.0.1:1")
	if code := refused.code(t); code != 255 {
		t.Errorf("a closed port: exit code %d, want ssh's own, 255", code)
	}
	e.given(t, id)

	for _, c := range []struct{ argument, always, says string }{
		{"-Z", "", "ssh does not take its arguments"},
		{"-f", "", "leave -f away"},
		{"-4", "-l root", "--user"},
	} {
		d.more = nil
		if c.always != "" {
			d.more = []string{"CLOUDPW_SSH_ARGS=" + c.always}
		}
		wrong := e.open(t, d, token, "ssh", "web/"+id, "--host", e.at(t, id), "--", c.argument, "sleep")
		if code := wrong.code(t); code != 1 {
			t.Errorf("ssh %s %s: exit code %d, want 1", c.always, c.argument, code)
		}
		wrong.await(t, c.says)
		e.given(t, id)
	}
	d.empty(t)
}

// TestSSHOfStaticRole: there is no lease to give back.
func TestSSHOfStaticRole(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id := e.role(t, "web", map[string]any{"mode": "static", "rotation_period": "24h"}, "ubuntu-1")[0]
	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	token := e.token(t, "rita", "Reader")
	e.trust(t, d, id)
	s := e.open(t, d, token, "ssh", "-v", "web/"+id, "--host", e.at(t, id), "--", "whoami")
	if code := s.code(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	s.await(t, "static")
	s.await(t, "ubuntu on "+id)
}

// hostKey is what a simulated server shows as its key.
func (e *env) hostKey(t *testing.T, id string) string {
	t.Helper()
	var shown ssh.PublicKey
	conn, err := ssh.Dial("tcp", e.at(t, id), &ssh.ClientConfig{
		User: "nobody", Timeout: within,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { shown = key; return nil },
	})
	if err == nil {
		_ = conn.Close()
	}
	if shown == nil {
		t.Fatalf("%s shows no host key: %v", id, err)
	}
	return sshserver.Line(shown)
}
