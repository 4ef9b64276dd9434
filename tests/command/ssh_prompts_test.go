//go:build e2e

package command

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// doorman is an SSH server of the test's own, that asks what the test wants to be asked, and keeps what it is told.
type doorman struct {
	*sshserver.Listener
	key string

	mu   sync.Mutex
	told []string
}

var errRefused = errors.New("permission denied")

// heard keeps an answer.
func (d *doorman) heard(answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, answer)
}

// answers are all that the server was told.
func (d *doorman) answers() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.told...)
}

// hire starts a server. config is completed with a host key; sessions say "welcome" and end with the code 3; forwards are served.
func hire(t *testing.T, desk *desk, config func(*doorman) *ssh.ServerConfig) *doorman {
	t.Helper()
	d := &doorman{Listener: sshserver.Listen(t)}
	key := sshserver.NewKey(t)
	d.key = sshserver.Line(key.PublicKey())
	c := config(d)
	c.AddHostKey(key)
	d.Start(func(conn net.Conn) {
		sshserver.Serve(conn, c, func(_ *ssh.ServerConn, channel ssh.NewChannel) func() {
			if channel.ChannelType() == "session" {
				return func() {
					sshserver.Session(channel, func(_ sshserver.Command, c ssh.Channel) int {
						_, _ = io.WriteString(c, "welcome\r\n")
						return 3
					})
				}
			}
			return func() { sshserver.Forward(channel) }
		})
	})
	desk.trust(t, d.Endpoint(), d.key)
	return d
}

// knows is a check of passwords against a simulated server.
func (e *env) knows(t *testing.T, id string) func(d *doorman, user, password string) error {
	return func(d *doorman, user, password string) error {
		d.heard(password)
		if e.sim.Login(t, id, user, password) != nil {
			return errRefused
		}
		return nil
	}
}

// TestSSHThroughAJumpHost: the jump host asks for a password with the very text that the server asks with, and gets the person's own.
func TestSSHThroughAJumpHost(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	check := e.knows(t, id)
	const own = "the-persons-own"
	jump := hire(t, d, func(m *doorman) *ssh.ServerConfig {
		return &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			m.heard(string(password))
			if string(password) != own {
				return nil, errRefused
			}
			return nil, nil
		}}
	})
	server := hire(t, d, func(m *doorman) *ssh.ServerConfig {
		return &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return nil, check(m, c.User(), string(password))
		}}
	})
	s := e.open(t, d, token, "ssh", "web/"+id, "--host", server.Endpoint(), "--", "-J", "ubuntu@"+jump.Endpoint(), "hello")
	s.await(t, "ubuntu@127.0.0.1's password: ")
	s.send(t, own+"\r")
	s.await(t, "welcome")
	if code := s.code(t); code != 3 {
		t.Errorf("exit code %d, want the command's, 3", code)
	}
	if told := jump.answers(); len(told) != 1 || told[0] != own {
		t.Errorf("the jump host was told %d passwords, want the person's own only", len(told))
	}
	if told := server.answers(); len(told) != 1 {
		t.Errorf("the server was told %d passwords, want one", len(told))
	}
	if n := strings.Count(s.text(), "password:"); n != 1 {
		t.Errorf("the terminal has asked %d times", n)
	}
	if strings.Contains(s.text(), own) {
		t.Error("what was typed was shown")
	}
	e.given(t, id)
	d.empty(t)
}

// TestSSHAsksForACode: a second factor is the person's to answer, and the password is not.
func TestSSHAsksForACode(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	check := e.knows(t, id)
	server := hire(t, d, func(m *doorman) *ssh.ServerConfig {
		config := &ssh.ServerConfig{}
		config.KeyboardInteractiveCallback = func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			code, err := ask("", "", []string{"Verification code: "}, []bool{false})
			if err != nil || len(code) != 1 {
				return nil, errRefused
			}
			m.heard(code[0])
			password, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(password) != 1 || code[0] != "123456" {
				return nil, errRefused
			}
			return nil, check(m, c.User(), password[0])
		}
		return config
	})
	s := e.open(t, d, token, "ssh", "web/"+id, "--host", server.Endpoint(), "--", "hello")
	s.await(t, "Verification code: ")
	s.send(t, "123456\r")
	s.await(t, "welcome")
	if code := s.code(t); code != 3 {
		t.Errorf("exit code %d, want the command's, 3", code)
	}
	told := server.answers()
	if len(told) != 2 || told[0] != "123456" {
		t.Fatalf("the server was told %d things, want the code and the password", len(told))
	}
	if strings.Contains(s.text(), told[0]) || strings.Contains(s.text(), told[1]) {
		t.Error("the terminal has shown the code or the password")
	}
	e.given(t, id)
}

// TestSSHWithAWrongPassword: it is sent once, the person is told, and nothing remains.
func TestSSHWithAWrongPassword(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"password", "keyboard-interactive", "both"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			e, d := start(t), newDesk(t)
			id, token := e.leased(t, nil)
			server := hire(t, d, func(m *doorman) *ssh.ServerConfig {
				c := &ssh.ServerConfig{}
				if method != "keyboard-interactive" {
					c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
						m.heard(string(password))
						return nil, errRefused
					}
				}
				if method != "password" {
					c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
						if password, err := ask("", "", []string{"Password: "}, []bool{false}); err == nil && len(password) == 1 {
							m.heard(password[0])
						}
						return nil, errRefused
					}
				}
				return c
			})
			s := e.open(t, d, token, "ssh", "web/"+id, "--host", server.Endpoint())
			s.await(t, "has refused the password of ubuntu")
			s.await(t, "try: cloudpw verify")
			if code := s.code(t); code != 255 {
				t.Errorf("exit code %d, want ssh's, 255", code)
			}
			if told := server.answers(); len(told) != 1 {
				t.Errorf("the server was told %d passwords, want one: a lock after a few would come early", len(told))
			}
			e.given(t, id)
			d.empty(t)
		})
	}
}

// TestSSHWithoutATerminal: a program gets the output, and what nobody can answer is said.
func TestSSHWithoutATerminal(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, nil)
	e.trust(t, d, id)
	known := e.batch(t, d, token, "ssh", "web/"+id, "--host", e.at(t, id), "--", "whoami")
	if known.code != 0 || known.out != "ubuntu on "+id+"\r\n" {
		t.Errorf("a command: %s", known)
	}
	d.forget(t)
	unknown := e.batch(t, d, token, "ssh", "web/"+id, "--host", e.at(t, id), "--", "whoami")
	if unknown.code != 255 || !strings.Contains(unknown.err, "no terminal") || !strings.Contains(unknown.err, "fingerprint") {
		t.Errorf("an unknown host key: %s", unknown)
	}
	e.given(t, id)
	d.empty(t)
}
