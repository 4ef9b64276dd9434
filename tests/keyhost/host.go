package keyhost

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// Host is an SSH server whose user has an authorized_keys file and a shell that runs what it is given.
type Host struct {
	*Account
	Name    string
	HostKey ssh.Signer
	*sshserver.Listener

	mu sync.Mutex
	// What Set changes. Elsewhere are keys that are let in without a line of the file; Ignores is one that never is.
	Elsewhere []ssh.PublicKey
	Ignores   ssh.PublicKey
	// Dead lets nobody in; NoShell is a user without one; Quick changes the file without a shell, for tests of many cuts.
	Dead, NoShell, Quick bool
	// Left is how many bytes may still pass, in both directions of all connections together; negative: any number.
	Left int

	logins, busy int
}

// Start makes a host that lets some keys in.
func Start(t testing.TB, name string, keys ...ssh.Signer) *Host {
	t.Helper()
	h := &Host{Account: NewAccount(t, []string{"dash"}), Name: name, HostKey: sshserver.NewKey(t), Left: -1}
	h.Write(t, Lines(keys...), 0o600)
	h.Listener = sshserver.Listen(t)
	h.Start(func(conn net.Conn) { h.serve(meteredConn{conn, h}) })
	return h
}

// What a client runs.
const (
	shell     = "/bin/sh -s"
	sudoShell = "sudo -n -- " + shell
)

// Lines are keys as lines of a file.
func Lines(keys ...ssh.Signer) string {
	text := ""
	for _, k := range keys {
		text += sshserver.Line(k.PublicKey()) + "\n"
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
	if sshserver.Has(h.Elsewhere, key) {
		return true
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
	config := sshserver.Config(h.LetsIn, h.HostKey)
	// Called before the client learns that it is let in.
	config.VerifiedPublicKeyCallback = func(_ ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
		h.Set(func(h *Host) { h.logins++ })
		return p, nil
	}
	sshserver.Serve(tcp, config, func(_ *ssh.ServerConn, c ssh.NewChannel) func() {
		switch c.ChannelType() {
		case "session":
			return func() { sshserver.Session(c, h.answer) }
		case "direct-tcpip":
			return func() { sshserver.Forward(c) }
		}
		return nil
	})
}

func (h *Host) answer(command sshserver.Command, channel ssh.Channel) int {
	result := h.exec(command.Text, channel)
	_, _ = io.WriteString(channel, result.Output)
	return result.ExitCode
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
	return sshclient.Target{Name: h.Name, Address: h.Address, Port: h.Port, User: "cloudpw", HostKey: sshserver.Line(h.HostKey.PublicKey())}
}

// Entry is the host as the inventory has it.
func (h *Host) Entry() cloud.Host {
	return cloud.Host{Name: h.Name, Connection: "fleet", Address: h.Address, Port: h.Port, HostKey: sshserver.Line(h.HostKey.PublicKey()),
		Platform: cloud.Linux, Serial: "serial-" + h.Name}
}
