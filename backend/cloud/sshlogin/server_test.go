package sshlogin

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

const (
	right = "Right-Password-1"
	user  = "admin"
)

// sshServer is an SSH server on loopback, which keeps what it was given.
type sshServer struct {
	key    ssh.Signer
	config func(*ssh.ServerConfig) // how users get in; nil: by password
	raw    func(net.Conn)          // instead of a server

	*sshserver.Listener
	mu sync.Mutex // also for config once it is started
	// given are the passwords that it was given, and read is all that it read from the network, encrypted or not.
	given []string
	read  bytes.Buffer
}

// change has users get in another way from now on.
func (s *sshServer) change(config func(*ssh.ServerConfig)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = config
}

func (s *sshServer) give(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = append(s.given, value)
	return value == right
}

func (s *sshServer) passwords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.given...)
}

var errNo = errors.New("no")

func (s *sshServer) byPassword(c *ssh.ServerConfig) {
	c.PasswordCallback = func(_ ssh.ConnMetadata, value []byte) (*ssh.Permissions, error) {
		if s.give(string(value)) {
			return nil, nil
		}
		return nil, errNo
	}
}

// asks has the server ask questions, each hidden, in one round; more are those of the next round.
func (s *sshServer) asks(hidden bool, questions []string, more ...string) func(*ssh.ServerConfig) {
	return func(c *ssh.ServerConfig) {
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			echo := make([]bool, len(questions))
			for i := range echo {
				echo[i] = !hidden
			}
			answers, err := ask("", "", questions, echo)
			if err != nil || len(answers) == 0 {
				return nil, errNo
			}
			ok := s.give(answers[0])
			for _, question := range more {
				if answers, err = ask("", "", []string{question}, []bool{false}); err != nil {
					return nil, errNo
				}
				for _, a := range answers {
					s.give(a)
				}
				ok = false
			}
			if ok {
				return nil, nil
			}
			return nil, errNo
		}
	}
}

func (s *sshServer) start(t testing.TB) *sshServer {
	t.Helper()
	if s.key == nil {
		s.key = sshserver.NewKey(t)
	}
	s.Listener = sshserver.Listen(t)
	s.Start(s.serve)
	return s
}

// tapped keeps what is read.
type tapped struct {
	net.Conn
	s *sshServer
}

func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.s.mu.Lock()
	c.s.read.Write(b[:n])
	c.s.mu.Unlock()
	return n, err
}

func (s *sshServer) serve(conn net.Conn) {
	conn = tapped{conn, s}
	if s.raw != nil {
		s.raw(conn)
		return
	}
	config := &ssh.ServerConfig{}
	s.mu.Lock()
	byConfig := s.config
	s.mu.Unlock()
	if byConfig == nil {
		byConfig = s.byPassword
	}
	byConfig(config)
	config.AddHostKey(s.key)
	sshserver.Serve(conn, config, sshserver.RefuseAll)
}

// inventory is a cloud.Hosts in memory.
type inventory struct {
	mu     sync.Mutex
	hosts  map[string]cloud.Host
	pinned []string
	err    error
}

func (v *inventory) Host(_ context.Context, name string) (*cloud.Host, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return nil, v.err
	}
	if h, ok := v.hosts[name]; ok {
		return &h, nil
	}
	return nil, nil
}

func (v *inventory) Hosts(context.Context) ([]cloud.Host, error) { return nil, nil }

func (v *inventory) PinHostKey(_ context.Context, name, key string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.hosts[name]
	if h.HostKey == "" {
		h.HostKey = key
		v.hosts[name] = h
		v.pinned = append(v.pinned, name)
	}
	return h.HostKey, nil
}

// servers is the provider: what the cloud tells of servers.
type servers struct {
	known []cloud.Instance
	err   error
	asked int
}

func (p *servers) DescribeInstances(context.Context, []string) ([]cloud.Instance, error) {
	p.asked++
	return p.known, p.err
}

func (*servers) FindInstances(context.Context, map[string]string) ([]cloud.Instance, error) {
	return nil, nil
}
func (*servers) Verify(context.Context) error                { return nil }
func (*servers) ValidateInstanceID(string) error             { return nil }
func (*servers) DefaultUsername(cloud.Instance) string       { return user }
func (*servers) PasswordRules(cloud.Instance) password.Rules { return password.Rules{} }
