package sshclient

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// silent accepts connections, says something, and nothing more.
func silent(t *testing.T, says string, close bool) (string, int) {
	t.Helper()
	l := sshserver.Listen(t)
	l.Start(func(conn net.Conn) {
		_, _ = io.WriteString(conn, says)
		if !close {
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	return l.Address, l.Port
}

// TestKindsOfErrors: a host that cannot be logged in to is refused, whatever the reason, and what cannot be known is not told as known.
func TestKindsOfErrors(t *testing.T) {
	key := sshserver.NewKey(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	silentHost, silentPort := silent(t, "", false)
	webHost, webPort := silent(t, "HTTP/1.1 400 Bad Request\r\n"+strings.Repeat("x", 300), false)
	hangHost, hangPort := silent(t, "SSH-2.0-hang\r\n", false)
	_, endPort := silent(t, "", true)
	good := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo}).start(t)
	at := func(host string, port int) func(*Target) { return func(t *Target) { t.Address, t.Port = host, port } }
	jump := Jump{Address: good.Address, Port: good.Port, User: "via", HostKey: good.target().HostKey}
	for name, c := range map[string]struct {
		change func(*Target)
		kind   cloud.Kind
		says   string
	}{
		"refused connection": {at("127.0.0.1", closedPort), cloud.Refused, "connection refused"},
		"no such name":       {at("host.invalid", 22), cloud.Refused, "name cannot be resolved"},
		"link-local":         {at("169.254.169.254", 22), cloud.Refused, "link-local"},
		"unspecified":        {at("0.0.0.0", good.Port), cloud.Refused, "0.0.0.0"},
		"silent":             {at(silentHost, silentPort), cloud.Refused, "no answer in time"},
		"no SSH":             {at(webHost, webPort), cloud.Refused, "no SSH server"},
		"hangs":              {at(hangHost, hangPort), cloud.Refused, "no answer in time"},
		"closes":             {at("127.0.0.1", endPort), cloud.Refused, "MaxStartups"},
		"bad pin":            {func(t *Target) { t.HostKey = "nonsense" }, cloud.Refused, "pinned host key"},
		"jump is dead":       {func(t *Target) { j := jump; j.Port = closedPort; t.Jump = &j }, cloud.Unavailable, "jump host"},
		"jump has another key": {func(t *Target) { j := jump; j.HostKey = canonicalKey(newSigner2().PublicKey()); t.Jump = &j },
			cloud.Unavailable,
			"proxy_jump_host_key"},
		"jump does not forward": {func(t *Target) { t.Jump = &jump }, cloud.Refused, "AllowTcpForwarding"},
		"link-local by a jump":  {func(t *Target) { t.Jump, t.Address = &jump, "169.254.169.254" }, cloud.Refused, "link-local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := good.target()
			c.change(&target)
			client, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{Timeout: 300 * time.Millisecond})
			if client != nil || cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "web-1") {
				t.Errorf("kind %q: %v", cloud.KindOf(err), err)
			}
		})
	}
}

func TestJumpWhoseTargetIsDead(t *testing.T) {
	key := sshserver.NewKey(t)
	jump := (&server{keys: []ssh.PublicKey{key.PublicKey()}, channel: sshserver.Forward}).start(t)
	target := Target{Name: "web-1", Address: "127.0.0.1", Port: 1, User: "x", HostKey: jump.target().HostKey,
		Jump: &Jump{Address: jump.Address, Port: jump.Port, User: "via", HostKey: jump.target().HostKey}}
	if _, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{}); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), "cannot be reached from the jump host") {
		t.Error(err)
	}
	if _, err := Dial(t.Context(), target, []ssh.Signer{sshserver.NewKey(t)}, Options{}); cloud.KindOf(err) != cloud.Unavailable ||
		!strings.Contains(err.Error(), "did not let via in") {
		t.Error(err)
	}
}

// newSigner2 is sshserver.NewKey for tables.
func newSigner2() ssh.Signer {
	var t testing.T
	return sshserver.NewKey(&t)
}

func TestWhatALostCommandProves(t *testing.T) {
	key := sshserver.NewKey(t)
	for name, c := range map[string]struct {
		exec    func(command string, in io.Reader, out, errs io.Writer) int
		timeout time.Duration
		kind    cloud.Kind
		says    string
	}{
		"no session":        {nil, 0, cloud.Refused, "opens no session"},
		"no exit code":      {func(string, io.Reader, io.Writer, io.Writer) int { return -1 }, 0, cloud.Unknown, "without an exit code"},
		"does not end":      {nil, 300 * time.Millisecond, cloud.Unknown, "had not ended in time"},
		"does not end, fed": {nil, 300 * time.Millisecond, cloud.Unknown, "had not ended"},
	} {
		t.Run(name, func(t *testing.T) {
			s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: c.exec}).start(t)
			if strings.HasPrefix(name, "does not end") {
				done := make(chan struct{})
				t.Cleanup(func() { close(done) })
				s.exec = func(_ string, in io.Reader, _, _ io.Writer) int {
					if name == "does not end, fed" {
						_, _ = io.ReadAll(in)
					}
					<-done
					return 0
				}
			}
			client, err := Dial(t.Context(), s.target(), []ssh.Signer{key}, Options{Timeout: c.timeout})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = client.Run(t.Context(), "x", make([]byte, 4<<20)) // more than any window takes
			if cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("kind %q: %v", cloud.KindOf(err), err)
			}
		})
	}
}

func TestCommandThatReadsNothing(t *testing.T) {
	key := sshserver.NewKey(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: func(string, io.Reader, io.Writer, io.Writer) int { return 7 }}).start(t)
	client, err := Dial(t.Context(), s.target(), []ssh.Signer{key}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if r, err := client.Run(t.Context(), "x", make([]byte, 4<<20)); err != nil || r.ExitCode != 7 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTerminal(t *testing.T) {
	key := sshserver.NewKey(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}}).start(t)
	s.exec = func(command string, in io.Reader, out, _ io.Writer) int {
		if command == "no" {
			_, _ = io.WriteString(out, "sudo: no\r\nready for nothing\r\n")
			return 1
		}
		_, _ = io.WriteString(out, "hello\r\nrea")
		_, _ = io.WriteString(out, "dy\r\n")
		got := make([]byte, 5)
		if _, err := io.ReadFull(in, got); err != nil {
			return 2
		}
		_, _ = out.Write(got)
		return 0
	}
	client, err := Dial(t.Context(), s.target(), []ssh.Signer{key}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if r, err := client.RunTTY(t.Context(), "yes", "ready", []byte("input")); err != nil ||
		r.ExitCode != 0 || !strings.HasSuffix(r.Output, "input") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := client.RunTTY(t.Context(), "no", "ready", []byte("input")); cloud.KindOf(err) != cloud.Refused {
		t.Error(err)
	}
}

// TestNothingIsLeft: whatever happens to a connection, what was started for it ends.
func TestNothingIsLeft(t *testing.T) {
	key := sshserver.NewKey(t)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: echo, password: "right"}).start(t)
	hangHost, hangPort := silent(t, "SSH-2.0-hang\r\n", false)
	before := runtime.NumGoroutine()
	for range 20 {
		target := s.target()
		if c, err := Dial(t.Context(), target, []ssh.Signer{key}, Options{}); err == nil {
			_, _ = c.Run(t.Context(), "x", []byte("y"))
			c.Close()
		}
		_, _ = Try(t.Context(), target, "wrong", nil, Options{})
		_, _ = Try(t.Context(), target, "right", nil, Options{})
		target.Address, target.Port = hangHost, hangPort
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, _ = Dial(ctx, target, []ssh.Signer{key}, Options{})
		cancel()
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before+2 {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

func TestGoneCallerIsNotTheHosts(t *testing.T) {
	key := sshserver.NewKey(t)
	hangHost, hangPort := silent(t, "SSH-2.0-hang\r\n", false)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	target := Target{Name: "web-1", Address: hangHost, Port: hangPort, User: "x", HostKey: canonicalKey(key.PublicKey())}
	if _, err := Dial(ctx, target, []ssh.Signer{key}, Options{}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("kind %q: %v", cloud.KindOf(err), err)
	}
	if _, err := Try(ctx, target, "x", nil, Options{}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("kind %q: %v", cloud.KindOf(err), err)
	}
}
