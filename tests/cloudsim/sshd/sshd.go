// Package sshd lets every simulated server accept SSH logins with its current
// passwords, each on a loopback port of its own, and logs in to such servers.
//
// It shows that a password works. A session that asks for a shell gets one with a few commands, for people; what runs a command
// is told who it is and where.
package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// handshakeTime bounds how long a client may take to log in.
const handshakeTime = 10 * time.Second

// Host runs the SSH servers of a world.
type Host struct {
	world *model.World

	mu        sync.Mutex
	keys      map[string]hostKey // by server
	listeners map[string]net.Listener
	conns     map[net.Conn]bool
	closed    bool
	wg        sync.WaitGroup
}

// New makes a Host without any listener; Addr opens them one by one.
func New(w *model.World) (*Host, error) {
	return &Host{world: w, keys: map[string]hostKey{}, listeners: map[string]net.Listener{}, conns: map[net.Conn]bool{}}, nil
}

// hostKey is what a system disk has made at its first boot.
type hostKey struct {
	disk   string
	signer ssh.Signer
}

// hostKey is a server's key, another one after its disk was made again.
func (h *Host) hostKey(id string) (ssh.Signer, error) {
	s, _ := h.world.Server(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if k, known := h.keys[id]; known && k.disk == s.DiskID {
		return k.signer, nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ssh host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("ssh host key: %w", err)
	}
	h.keys[id] = hostKey{s.DiskID, signer}
	return signer, nil
}

// HostKey is a server's public host key in the form of authorized_keys, without a comment.
func (h *Host) HostKey(id string) (string, error) {
	if _, ok := h.world.Server(id); !ok {
		return "", fmt.Errorf("server %q: %w", id, model.ErrNoServer)
	}
	key, err := h.hostKey(id)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey()))), nil
}

// Addr returns host:port of a server's SSH port and opens it at first use.
func (h *Host) Addr(id string) (string, error) {
	if _, ok := h.world.Server(id); !ok {
		return "", fmt.Errorf("server %q: %w", id, model.ErrNoServer)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", errors.New("the simulator is closed")
	}
	if l := h.listeners[id]; l != nil {
		return l.Addr().String(), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("ssh of server %q: %w", id, err)
	}
	h.listeners[id] = l
	h.wg.Go(func() { h.serve(l, id) })
	return l.Addr().String(), nil
}

// Close ends all listeners and sessions.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	for _, l := range h.listeners {
		_ = l.Close()
	}
	for c := range h.conns {
		_ = c.Close()
	}
	h.mu.Unlock()
	h.wg.Wait()
}

func (h *Host) serve(l net.Listener, id string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		if !h.track(conn) {
			return
		}
		h.wg.Go(func() {
			defer h.untrack(conn)
			h.connection(conn, id)
		})
	}
}

func (h *Host) track(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = c.Close()
		return false
	}
	h.conns[c] = true
	return true
}

func (h *Host) untrack(c net.Conn) {
	_ = c.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// connection runs one connection: the login, then whatever channels the client
// opens.
func (h *Host) connection(conn net.Conn, id string) {
	config := &ssh.ServerConfig{
		MaxAuthTries: 3,
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if !h.world.TryLogin(id, c.User(), string(password)) {
				return nil, errors.New("permission denied")
			}
			return nil, nil
		},
	}
	if server, _ := h.world.Server(id); server.Guest.NoPasswordLogin { // sshd names the methods that it takes
		config.PasswordCallback = nil
		config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, errors.New("permission denied")
		}
	}
	key, err := h.hostKey(id)
	if err != nil {
		return
	}
	config.AddHostKey(key)
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return
	}
	client, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return // refused: the client knows
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "only sessions are served")
			continue
		}
		channel, in, err := c.Accept()
		if err != nil {
			return
		}
		h.wg.Go(func() {
			defer channel.Close()
			s := session{world: h.world, id: id, user: client.User(), channel: channel}
			s.serve(in)
		})
	}
}
