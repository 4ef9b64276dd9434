package keyhost

import (
	"bytes"
	"context"
	"encoding/base64"
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

// Host is an SSH server whose user has an authorized_keys file and a shell that runs what it is given.
type Host struct {
	*Account
	Name    string
	HostKey ssh.Signer
	Address string
	Port    int

	mu sync.Mutex
	// What Set changes. Elsewhere are keys that are let in without a line of the file; Ignores is one that never is.
	Elsewhere []ssh.PublicKey
	Ignores   ssh.PublicKey
	// Dead lets nobody in; NoShell is a user without one; Quick changes the file without a shell, for tests of many cuts.
	Dead, NoShell, Quick bool
	// Left is how many bytes may still pass, in both directions of all connections together; negative: any number.
	Left int

	logins, busy int
	open         []net.Conn
}

// Start makes a host that lets some keys in.
func Start(t testing.TB, name string, keys ...ssh.Signer) *Host {
	t.Helper()
	h := &Host{Account: NewAccount(t, []string{"dash"}), Name: name, HostKey: NewKey(t), Left: -1}
	h.Write(t, Lines(keys...), 0o600)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err == nil {
		h.Address = host
		h.Port, err = strconv.Atoi(port)
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

// What a client runs.
const (
	shell     = "/bin/sh -s"
	sudoShell = "sudo -n -- " + shell
)

// Line is a key as a line of a file has it, without a comment.
func Line(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// Lines are keys as lines of a file.
func Lines(keys ...ssh.Signer) string {
	text := ""
	for _, k := range keys {
		text += Line(k.PublicKey()) + "\n"
	}
	return text
}

// meteredConn breaks once the host's bytes are used up.
type meteredConn struct {
	net.Conn
	h *Host
}

var errCut = errors.New("the connection is cut")

// take reserves up to n bytes.
func (c meteredConn) take(n int) int {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if c.h.Left >= 0 {
		n = min(n, c.h.Left)
		c.h.Left -= n
	}
	return n
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if some := c.take(n); some < n {
		_ = c.Close()
		return some, errCut
	}
	return n, err
}

func (c meteredConn) Write(p []byte) (int, error) {
	some := c.take(len(p))
	n, err := c.Conn.Write(p[:some])
	if some < len(p) {
		_ = c.Close()
		return n, errCut
	}
	return n, err
}

// Set changes the host between connections.
func (h *Host) Set(change func(*Host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// LetsIn reports whether the host lets a key in, by the rules of sshd for the file.
func (h *Host) LetsIn(key ssh.PublicKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Dead || h.Ignores != nil && bytes.Equal(h.Ignores.Marshal(), key.Marshal()) {
		return false
	}
	for _, k := range h.Elsewhere {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	raw, err := os.ReadFile(h.File())
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

func (h *Host) serve(tcp net.Conn) {
	defer tcp.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !h.LetsIn(key) {
			return nil, errors.New("not this key")
		}
		return nil, nil //nolint:nilnil // there are no permissions to tell
	}}
	// Called before the client learns that it is let in.
	config.VerifiedPublicKeyCallback = func(_ ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
		h.Set(func(h *Host) { h.logins++ })
		return p, nil
	}
	config.AddHostKey(h.HostKey)
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

func (h *Host) session(c ssh.NewChannel) {
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
func (h *Host) exec(command string, input io.Reader) sshclient.Result {
	h.Set(func(h *Host) { h.busy++ })
	defer h.Set(func(h *Host) { h.busy-- })
	script, _ := io.ReadAll(input)
	h.mu.Lock()
	noShell, quick := h.NoShell, h.Quick
	h.mu.Unlock()
	switch {
	case noShell:
		return sshclient.Result{ExitCode: 1, Output: "This account is currently not available.\n"}
	case command == sudoShell && strings.Contains(string(script), "cloudpw: user "):
		return sshclient.Result{Output: "cloudpw: user 0\n"}
	case command == sudoShell:
		return sshclient.Result{Output: "cloudpw: exit 0 password set\n"}
	case command != shell:
		return sshclient.Result{ExitCode: 127, Output: "no such command\n"}
	case quick:
		return h.quickly(string(script))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := h.Run(ctx, script)
	if err != nil {
		return sshclient.Result{ExitCode: 255, Output: err.Error()}
	}
	return result
}

// Logins is how often somebody was let in.
func (h *Host) Logins() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logins
}

// IsBusy reports whether a command runs.
func (h *Host) IsBusy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.busy > 0
}

// quickly does what the script does, without a shell, if all of it came.
func (h *Host) quickly(script string) sshclient.Result {
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
	raw, err := os.ReadFile(h.File())
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
	if err := os.WriteFile(h.File(), []byte(text), 0o600); err != nil {
		return sshclient.Result{ExitCode: 69, Output: "cloudpw: exit 69 failed\n"}
	}
	return sshclient.Result{Output: "cloudpw: exit 0 done\n"}
}

// Target is the host as a client knows it.
func (h *Host) Target() sshclient.Target {
	return sshclient.Target{Name: h.Name, Address: h.Address, Port: h.Port, User: "cloudpw", HostKey: Line(h.HostKey.PublicKey())}
}

// Entry is the host as the inventory has it.
func (h *Host) Entry() cloud.Host {
	return cloud.Host{Name: h.Name, Connection: "fleet", Address: h.Address, Port: h.Port, HostKey: Line(h.HostKey.PublicKey()),
		Platform: cloud.Linux, Serial: "serial-" + h.Name}
}
