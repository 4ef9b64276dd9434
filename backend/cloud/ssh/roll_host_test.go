package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// keyHost is an SSH server whose user has an authorized_keys file and a shell that runs what it is given.
type keyHost struct {
	*account
	name    string
	hostKey ssh.Signer
	address string
	port    int

	mu sync.Mutex
	// elsewhere are keys that are let in without a line of the file.
	elsewhere []ssh.PublicKey
	// dead refuses all logins; shell "" is a user without one.
	dead, noShell bool
	// ignores are keys that are not let in, whatever the file has.
	ignores ssh.PublicKey
	// left is how many bytes may still pass, in both directions of all connections together; negative: any number. passed counts them.
	left, passed int
	logins, busy int
	open         []net.Conn
	// quick changes the file without a shell, for tests of many cuts.
	quick bool
}

// newKeyHost makes a host that lets some keys in.
func newKeyHost(t testing.TB, name string, keys ...ssh.Signer) *keyHost {
	t.Helper()
	h := &keyHost{account: newAccount(t, []string{"dash"}), name: name, hostKey: newTestKey(t), left: -1}
	h.write(t, linesOf(keys...), 0o600)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err == nil {
		h.address = host
		h.port, err = strconv.Atoi(port)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.open = append(h.open, conn)
			h.mu.Unlock()
			all.Go(func() { h.serve(meteredConn{conn, h}) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		h.mu.Lock()
		for _, conn := range h.open {
			_ = conn.Close()
		}
		h.mu.Unlock()
		all.Wait()
	})
	return h
}

// linesOf are keys as lines of a file.
func linesOf(keys ...ssh.Signer) string {
	text := ""
	for _, k := range keys {
		text += authorizedKey(k.PublicKey()) + "\n"
	}
	return text
}

// meteredConn breaks once the host's bytes are used up.
type meteredConn struct {
	net.Conn
	h *keyHost
}

var errCut = errors.New("the connection is cut")

// take reserves up to n bytes.
func (c meteredConn) take(n int) int {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if c.h.left >= 0 {
		n = min(n, c.h.left)
		c.h.left -= n
	}
	c.h.passed += n
	return n
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if some := c.take(n); some < n {
		_ = c.Conn.Close()
		return some, errCut
	}
	return n, err
}

func (c meteredConn) Write(p []byte) (int, error) {
	some := c.take(len(p))
	n, err := c.Conn.Write(p[:some])
	if some < len(p) {
		_ = c.Conn.Close()
		return n, errCut
	}
	return n, err
}

// set changes the host between connections.
func (h *keyHost) set(change func(*keyHost)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// letsIn reports whether the host lets a key in, by the rules of sshd for the file.
func (h *keyHost) letsIn(key ssh.PublicKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead || h.ignores != nil && bytes.Equal(h.ignores.Marshal(), key.Marshal()) {
		return false
	}
	for _, k := range h.elsewhere {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	raw, err := os.ReadFile(h.file())
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(raw)) {
		k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err == nil && bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

func (h *keyHost) serve(tcp net.Conn) {
	defer tcp.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !h.letsIn(key) {
			return nil, errors.New("not this key")
		}
		return nil, nil //nolint:nilnil // there are no permissions to tell
	}}
	// Called before the client learns that it is let in.
	config.VerifiedPublicKeyCallback = func(_ ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
		h.set(func(h *keyHost) { h.logins++ })
		return p, nil
	}
	config.AddHostKey(h.hostKey)
	conn, channels, requests, err := ssh.NewServerConn(tcp, config)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	var all sync.WaitGroup
	defer all.Wait()
	for c := range channels {
		switch c.ChannelType() {
		case "session":
			all.Go(func() { h.session(c) })
		case "direct-tcpip":
			all.Go(func() { pass(c) })
		default:
			_ = c.Reject(ssh.Prohibited, "not here")
		}
	}
}

// pass connects to where a client of a jump host wants to go.
func pass(c ssh.NewChannel) {
	var to struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if ssh.Unmarshal(c.ExtraData(), &to) != nil {
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
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(out, channel)
		_ = out.Close()
	})
	_, _ = io.Copy(channel, out)
	_ = channel.Close()
	back.Wait()
}

func (h *keyHost) session(c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var command struct{ Command string }
		if err := ssh.Unmarshal(r.Payload, &command); err != nil {
			return
		}
		_ = r.Reply(true, nil)
		result := h.exec(command.Command, channel)
		_, _ = io.WriteString(channel, result.Output)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(result.ExitCode)}))
		return
	}
}

// exec runs a command. What has been read of its input when the connection breaks is run all the same, as a shell does.
func (h *keyHost) exec(command string, input io.Reader) sshclient.Result {
	h.set(func(h *keyHost) { h.busy++ })
	defer h.set(func(h *keyHost) { h.busy-- })
	script, _ := io.ReadAll(input)
	h.mu.Lock()
	noShell, quick := h.noShell, h.quick
	h.mu.Unlock()
	switch {
	case noShell:
		return sshclient.Result{ExitCode: 1, Output: "This account is currently not available.\n"}
	case command == sudoShell && strings.Contains(string(script), rootProbe):
		return sshclient.Result{Output: rootSeen + "\n"}
	case command == sudoShell:
		return sshclient.Result{Output: "cloudpw: exit 0 password set\n"}
	case command != shell:
		return sshclient.Result{ExitCode: 127, Output: "no such command\n"}
	case quick:
		return h.quickly(string(script))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := h.run(ctx, script)
	if err != nil {
		return sshclient.Result{ExitCode: 255, Output: err.Error()}
	}
	return result
}

// isBusy reports whether a command runs.
func (h *keyHost) isBusy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.busy > 0
}

// quickly does what the script does, without a shell, if all of it came.
func (h *keyHost) quickly(script string) sshclient.Result {
	if !strings.HasSuffix(strings.TrimRight(script, "\n"), "\nmain") {
		return sshclient.Result{}
	}
	value := func(name string) string {
		_, rest, _ := strings.Cut(script, "\n"+name+"='")
		word, _, _ := strings.Cut(rest, "'")
		return word
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	raw, err := os.ReadFile(h.file())
	if err != nil {
		return sshclient.Result{ExitCode: 64, Output: "cloudpw: exit 64 no file\n"}
	}
	text, before, now := string(raw), value("old"), value("new")
	switch add := value("action") == "add"; {
	case add && strings.Contains(text, now), !add && !strings.Contains(text, before):
		return sshclient.Result{Output: "cloudpw: exit 0 already\n"}
	case !strings.Contains(text, before):
		return sshclient.Result{ExitCode: 67, Output: "cloudpw: exit 67 none\n"}
	case !add && !strings.Contains(text, now):
		return sshclient.Result{ExitCode: 68, Output: "cloudpw: exit 68 none\n"}
	case add:
		text += now + "\n"
	default:
		kept := ""
		for line := range strings.Lines(text) {
			if !strings.Contains(line, before) {
				kept += line
			}
		}
		text = kept
	}
	if err := os.WriteFile(h.file(), []byte(text), 0o600); err != nil {
		return sshclient.Result{ExitCode: 69, Output: "cloudpw: exit 69 failed\n"}
	}
	return sshclient.Result{Output: "cloudpw: exit 0 done\n"}
}

// target is the host as a client knows it.
func (h *keyHost) target() sshclient.Target {
	return sshclient.Target{Name: h.name, Address: h.address, Port: h.port, User: "cloudpw", HostKey: authorizedKey(h.hostKey.PublicKey())}
}

// spot is the host as the roller knows it.
func (h *keyHost) spot() spot {
	return spot{name: h.name, serial: "s", platform: "linux", target: h.target()}
}

// entry is the host as the inventory has it.
func (h *keyHost) entry() cloud.Host {
	return cloud.Host{Name: h.name, Connection: "fleet", Address: h.address, Port: h.port, HostKey: authorizedKey(h.hostKey.PublicKey()),
		Platform: cloud.Linux, Serial: "serial-" + h.name}
}

// newRoller makes a roller of two keys.
func newRoller(before, now ssh.Signer) *roller {
	return &roller{
		now: now, before: before,
		login: func(ctx context.Context, at spot, signers ...ssh.Signer) (session, error) {
			c, err := sshclient.Dial(ctx, at.target, signers, sshclient.Options{Timeout: 5 * time.Second})
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	}
}

func portOf(h *keyHost) string { return strconv.Itoa(h.port) }
