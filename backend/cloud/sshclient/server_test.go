package sshclient

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// newSigner makes an ed25519 key pair.
func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

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

	address string
	port    int
	mu      sync.Mutex
	opened  []net.Conn
}

func (s *server) start(t testing.TB) *server {
	t.Helper()
	if len(s.hostKeys) == 0 {
		s.hostKeys = []ssh.Signer{newSigner(t)}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.address = host
	if s.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.opened = append(s.opened, conn)
			s.mu.Unlock()
			all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		for _, conn := range s.opened {
			_ = conn.Close()
		}
		s.mu.Unlock()
		all.Wait()
	})
	return s
}

func (s *server) serverConfig() *ssh.ServerConfig {
	c := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		for _, k := range s.keys {
			if string(k.Marshal()) == string(key.Marshal()) {
				return nil, nil
			}
		}
		return nil, errors.New("not this key")
	}}
	if s.password != "" {
		c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) == s.password {
				return nil, nil
			}
			return nil, errors.New("not this password")
		}
	}
	for _, k := range s.hostKeys {
		c.AddHostKey(k)
	}
	if s.config != nil {
		s.config(c)
	}
	return c
}

func (s *server) serve(tcp net.Conn) {
	defer tcp.Close()
	conn, channels, requests, err := ssh.NewServerConn(tcp, s.serverConfig())
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	var all sync.WaitGroup
	defer all.Wait()
	for c := range channels {
		switch {
		case c.ChannelType() == "session" && s.exec != nil:
			all.Go(func() { s.session(c) })
		case c.ChannelType() != "session" && s.channel != nil:
			all.Go(func() { s.channel(c) })
		default:
			_ = c.Reject(ssh.Prohibited, "not here")
		}
	}
}

func (s *server) session(c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(r.Type == "pty-req", nil)
			continue
		}
		var command struct{ Command string }
		if err := ssh.Unmarshal(r.Payload, &command); err != nil {
			return
		}
		_ = r.Reply(true, nil)
		code := s.exec(command.Command, channel, channel, channel.Stderr())
		if code < 0 {
			return
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
		return
	}
}

// target is the server with its first host key pinned.
func (s *server) target() Target {
	return Target{Name: "web-1", Address: s.address, Port: s.port, User: "cloudpw", HostKey: canonicalKey(s.hostKeys[0].PublicKey())}
}

// forward passes a direct-tcpip channel on, as a jump host does.
func forward(c ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if c.ChannelType() != "direct-tcpip" || ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.UnknownChannelType, "no such thing")
		return
	}
	out, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "connection refused")
		return
	}
	defer out.Close()
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, channel)
		_ = out.Close()
	}()
	_, _ = io.Copy(channel, out)
	_ = channel.Close()
	<-done
}
