package sshclient

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// server is an SSH server on loopback.
type server struct {
	hostKeys []ssh.Signer
	// keys may log in, password too, if it is not empty.
	keys     []ssh.PublicKey
	password string
	config   func(*ssh.ServerConfig)
	// exec runs a command. It returns its exit code; negative: the session ends without one.
	exec func(command string, in io.Reader, out, errs io.Writer) int
	// channel handles other channels than sessions; nil: they are refused.
	channel func(ssh.NewChannel)

	*sshserver.Listener
}

func (s *server) start(t testing.TB) *server {
	t.Helper()
	if len(s.hostKeys) == 0 {
		s.hostKeys = []ssh.Signer{sshserver.NewKey(t)}
	}
	s.Listener = sshserver.Listen(t)
	s.Start(s.serve)
	return s
}

func (s *server) serverConfig() *ssh.ServerConfig {
	c := sshserver.Config(func(key ssh.PublicKey) bool { return sshserver.Has(s.keys, key) }, s.hostKeys...)
	if s.password != "" {
		c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) == s.password {
				return nil, nil
			}
			return nil, errors.New("not this password")
		}
	}
	if s.config != nil {
		s.config(c)
	}
	return c
}

func (s *server) serve(tcp net.Conn) {
	sshserver.Serve(tcp, s.serverConfig(), func(_ *ssh.ServerConn, c ssh.NewChannel) func() {
		switch {
		case c.ChannelType() == "session" && s.exec != nil:
			return func() { sshserver.Session(c, s.run) }
		case c.ChannelType() != "session" && s.channel != nil:
			return func() { s.channel(c) }
		}
		return nil
	})
}

func (s *server) run(command sshserver.Command, channel ssh.Channel) int {
	return s.exec(command.Text, channel, channel, channel.Stderr())
}

// target is the server with its first host key pinned.
func (s *server) target() Target {
	return Target{Name: "web-1", Address: s.Address, Port: s.Port, User: "cloudpw", HostKey: canonicalKey(s.hostKeys[0].PublicKey())}
}
