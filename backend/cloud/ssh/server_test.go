package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// server is an SSH server on loopback whose inside is a simulated operating system.
type server struct {
	hostKey ssh.Signer
	keys    []ssh.PublicKey // that are let in

	// What commands find. It is set before the first one.
	rights  string // "": all may become root by sudo; a line: what sudo says instead
	tty     bool   // sudo wants a terminal
	noTools bool
	rc      string        // what a login prints before each command
	after   func()        // called when a script has been run
	played  *playedServer // in whose place it stands; nil: none

	mu       sync.Mutex
	system   guestos.System
	commands []string
	most     int // sessions at a time
	now      int
	hold     chan struct{} // sessions wait for it; nil: they do not

	*sshserver.Listener
}

// newServer starts a server, changed before it listens.
func newServer(t testing.TB, login ssh.Signer, changes ...func(*server)) *server {
	t.Helper()
	s := &server{hostKey: sshserver.NewKey(t), keys: []ssh.PublicKey{login.PublicKey()},
		system: guestos.System{Accounts: []string{"root", "app"}, Hashes: map[string]string{}, Passwords: map[string]string{"app": "old"}}}
	for _, change := range changes {
		change(s)
	}
	s.Listener = sshserver.Listen(t)
	s.Start(s.serve)
	return s
}

func (s *server) letsIn(key ssh.PublicKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sshserver.Has(s.keys, key)
}

func (s *server) serve(tcp net.Conn) {
	if s.played.away() {
		return
	}
	var visit *contract.Session
	sshserver.Serve(tcp, sshserver.Config(s.letsIn, s.hostKey), func(conn *ssh.ServerConn, c ssh.NewChannel) func() {
		if c.ChannelType() != "session" {
			return nil
		}
		if visit == nil {
			visit = s.played.begin()
		}
		if visit != nil && visit.Throttled() {
			_ = c.Reject(ssh.ResourceShortage, "too many")
			return nil
		}
		return func() {
			sshserver.Session(c, func(command sshserver.Command, channel ssh.Channel) int {
				s.enter(command.Text)
				defer s.leave()
				return s.exec(conn.User(), command.Text, command.Terminal, channel, visit)
			})
		}
	})
}

func (s *server) enter(command string) {
	s.mu.Lock()
	s.commands = append(s.commands, command)
	s.now++
	s.most = max(s.most, s.now)
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
}

// exec runs a command of a user, as sshd, a shell and sudo would.
func (s *server) exec(user, command string, terminal bool, io2 io.ReadWriter, visit *contract.Session) int {
	_, _ = io.WriteString(io2, s.rc)
	root := user == "root"
	if inner, ok := strings.CutPrefix(command, "sudo -n -- "); ok {
		rights := s.rights
		if visit != nil && visit.Refused() != "" {
			rights = "sudo: " + visit.Refused() + "\n"
		}
		switch {
		case rights != "":
			_, _ = io.WriteString(io2, rights)
			return 1
		case s.tty && !terminal:
			_, _ = io.WriteString(io2, "sudo: sorry, you must have a tty to run sudo\n")
			return 1
		}
		root, command = true, inner
	}
	var size int
	var in io.Reader = io2
	if n, err := fmt.Sscanf(command, "/bin/sh -c 'echo cloudpw: ready; head -c %d | /bin/sh -s'", &size); n == 1 && err == nil {
		_, _ = io.WriteString(io2, "cloudpw: ready\r\n")
		in, command = io.LimitReader(io2, int64(size)), "/bin/sh -s"
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return 255
	}
	switch {
	case command == shell && !s.system.Windows:
		return s.shell(root, string(text), io2, visit)
	case command == powerShell && s.system.Windows:
		return s.play("powershell", string(text), io2, visit)
	}
	_, _ = fmt.Fprintf(io2, "sh: %s: not found\n", command)
	return 127
}

func (s *server) shell(root bool, text string, out io.Writer, visit *contract.Session) int {
	text, ok := strings.CutPrefix(text, paths)
	switch {
	case !ok:
		_, _ = io.WriteString(out, "no such script\n")
		return 2
	case text == rootProbe:
		_, _ = fmt.Fprintf(out, "cloudpw: user %d\n", map[bool]int{true: 0, false: 1000}[root])
		return 0
	case text == toolsProbe:
		if s.noTools {
			_, _ = io.WriteString(out, "cloudpw: missing flock\n")
		}
		_, _ = io.WriteString(out, "cloudpw: looked\n")
		return 0
	}
	return s.play("shell", text, out, visit)
}

// play runs a script of cloudpw's in the simulated system.
func (s *server) play(interpreter, text string, out io.Writer, visit *contract.Session) int {
	if visit != nil {
		code, output, answered := visit.Run(interpreter, text)
		if !answered {
			return sshserver.Lost
		}
		_, _ = io.WriteString(out, output)
		return code
	}
	s.mu.Lock()
	system := s.system
	system.Wall, system.Now = time.Now(), time.Now()
	r, err := system.Run(interpreter, text)
	if err != nil {
		r = guestos.Result{ExitCode: 255, Output: err.Error()}
	}
	if r.User != "" && r.Hash != "" {
		s.system.Hashes[r.User] = r.Hash
	} else if r.User != "" {
		s.system.Passwords[r.User] = r.Password
	}
	if s.system.Key = r.Key; r.Noted != "" {
		s.system.Orders[r.Noted] = r.Order
	}
	s.mu.Unlock()
	_, _ = io.WriteString(out, r.Output)
	if s.after != nil {
		s.after()
	}
	return r.ExitCode
}

// has reports whether a user has a password.
func (s *server) has(user, secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hash, ok := s.system.Hashes[user]; ok {
		return guestos.CheckHash(hash, secret)
	}
	return s.system.Passwords[user] == secret
}

// host is the server as the inventory has it.
func (s *server) host(name string) cloud.Host {
	return cloud.Host{Name: name, Connection: "fleet", Address: s.Address, Port: s.Port, HostKey: sshserver.Line(s.hostKey.PublicKey()),
		Platform: cloud.Linux, Serial: "serial-" + name}
}

// inventory is a cloud.Hosts.
type inventory struct {
	mu    sync.Mutex
	hosts map[string]cloud.Host
	err   error
}

func inventoryOf(hosts ...cloud.Host) *inventory {
	i := &inventory{hosts: map[string]cloud.Host{}}
	for _, h := range hosts {
		i.hosts[h.Name] = h
	}
	return i
}

func (i *inventory) Host(_ context.Context, name string) (*cloud.Host, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if h, ok := i.hosts[name]; ok && i.err == nil {
		return &h, nil
	}
	return nil, i.err
}

func (i *inventory) Hosts(context.Context) ([]cloud.Host, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []cloud.Host
	for _, h := range i.hosts {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b cloud.Host) int { return strings.Compare(a.Name, b.Name) })
	return all, i.err
}

func (i *inventory) PinHostKey(_ context.Context, name, key string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h, ok := i.hosts[name]
	switch {
	case !ok || !h.TrustOnFirstUse:
		return "", errors.New("not trusted")
	case h.HostKey == "":
		h.HostKey = key
		i.hosts[name] = h
	}
	return i.hosts[name].HostKey, nil
}

// connection is a provider of some hosts, and the key that it logs in with.
func connection(t testing.TB, private string, hosts cloud.Hosts, more cloud.Values) *provider {
	t.Helper()
	p, err := newProvider(cloud.Config{Provider: Name, Values: cloud.Values{"login_user": "cloudpw", "private_key": private}.With(more),
		RequestTimeout: 10 * time.Second, Limiter: cloud.Unlimited{}, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// one is a connection with one host "web-1".
func one(t testing.TB) (*provider, *server) {
	t.Helper()
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	return connection(t, private, inventoryOf(s.host("web-1")), nil), s
}

// order is that of the first value of a test.
const order = 1_700_000_000

// reset is one of the user app on web-1.
func reset(secret string, number int64) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{"web-1"}, Username: "app", Password: secret, Platform: cloud.Linux, Order: order + number,
		NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

// start sends a reset.
func start(t testing.TB, p *provider, r cloud.Reset) (cloud.ResetStarted, error) {
	t.Helper()
	return p.Resetter(cloud.MethodCommand).StartReset(t.Context(), r)
}

var _ guest.Service = command{}
