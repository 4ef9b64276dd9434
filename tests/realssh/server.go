package realssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// startWithin bounds the start of a server on a busy machine.
	startWithin = 60 * time.Second
	// startAttempts: a free port is found, closed and then given to sshd, so another program may take it in between.
	startAttempts = 3
	// starting is how many servers StartMany starts at once.
	starting = 4
	// mostServers bounds what one test may start.
	mostServers = 200
)

// Options are what a server is made with.
type Options struct {
	// Name is its host name: "server" if empty.
	Name string
	// Admin may log in with Keys, and use sudo without a password unless Sudo says otherwise: "admin" if empty.
	Admin string
	// Keys are lines of the admin's authorized_keys.
	Keys []string
	// Users are further users, with their first passwords; "" gives none.
	Users map[string]string
	// Sudo are lines of sudoers instead of the admin's own. One that is empty leaves the admin without sudo.
	Sudo []string
	// Config are lines of sshd_config that win over the usual ones.
	Config []string
	// Faillock has pam_faillock lock users after three wrong passwords.
	Faillock bool
	// EtcSize is the size of the file system under /etc, such as "600k": "4m" if empty.
	EtcSize string
}

func (o Options) arguments() []string {
	var args []string
	add := func(name string, values ...string) {
		for _, v := range values {
			args = append(args, name, v)
		}
	}
	if o.Name != "" {
		add("--name", o.Name)
	}
	if o.Admin != "" {
		add("--admin", o.Admin)
	}
	add("--key", o.Keys...)
	for user := range o.Users {
		add("--user", user)
	}
	add("--sudo", o.Sudo...)
	add("--option", o.Config...)
	if o.Faillock {
		args = append(args, "--faillock")
	}
	if o.EtcSize != "" {
		add("--etc-size", o.EtcSize)
	}
	return args
}

// passwords are the lines that chpasswd gets.
func (o Options) passwords() string {
	var lines strings.Builder
	for user, password := range o.Users {
		if password != "" {
			fmt.Fprintf(&lines, "%s:%s\n", user, password)
		}
	}
	return lines.String()
}

// Server is a running server. It ends with the test that started it.
type Server struct {
	// Address and Port are where it listens.
	Address string
	Port    int

	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	stop sync.Once
}

// Start runs a server and returns when it takes connections.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := start(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	s.endWith(tb)
	return s
}

// StartMany runs n servers, a few at a time; options makes those of each.
func StartMany(tb testing.TB, n int, options func(i int) Options) []*Server {
	tb.Helper()
	if n > mostServers {
		tb.Fatalf("%d servers, and a test may start %d", n, mostServers)
	}
	servers, errs := make([]*Server, n), make([]error, n)
	var running sync.WaitGroup
	slots := make(chan struct{}, starting)
	for i := range n {
		dir, o := tb.TempDir(), options(i)
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			servers[i], errs[i] = start(dir, o)
		})
	}
	running.Wait()
	for _, s := range servers {
		if s != nil {
			s.endWith(tb)
		}
	}
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
	return servers
}

func (s *Server) endWith(tb testing.TB) {
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("the end of the log of the server at port %d:\n%s", s.Port, s.Log())
		}
	})
}

func start(dir string, o Options) (*Server, error) {
	for attempt := 1; ; attempt++ {
		s, err := startOnce(dir, o)
		if err == nil || attempt == startAttempts || !strings.Contains(err.Error(), "Address already in use") {
			return s, err
		}
	}
}

func startOnce(dir string, o Options) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Address: "127.0.0.1", Port: port, dir: dir, done: make(chan struct{})}
	log, err := os.Create(s.logPath())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(script(), append(append([]string{"run"}, o.arguments()...), strconv.Itoa(port))...)
	s.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"} // nothing of the developer's own gets into the sessions
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = strings.NewReader(o.passwords()), log, log
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.await(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// await returns once the server says that it listens.
func (s *Server) await() error {
	deadline := time.NewTimer(startWithin)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-s.done:
			return fmt.Errorf("the server has not started: %s", s.Log())
		case <-deadline.C:
			return fmt.Errorf("the server has not started within %s: %s", startWithin, s.Log())
		case <-look.C:
		}
		if strings.Contains(s.Log(), "Server listening on") {
			return nil
		}
	}
}

// freePort is a loopback port on which nobody listens at the moment.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// Endpoint is host:port.
func (s *Server) Endpoint() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

func (s *Server) logPath() string { return filepath.Join(s.dir, "sshd.log") }

// Log is what sshd has written to standard error.
func (s *Server) Log() string {
	log, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Stop ends the server and all of its processes. It may be called more than once.
func (s *Server) Stop() {
	s.stop.Do(func() { _ = s.cmd.Process.Kill() })
	<-s.done
}

// Run runs a command in the server as root, with input on its standard input, and returns what it prints. It fails the test if the
// command fails.
func (s *Server) Run(tb testing.TB, input string, command ...string) string {
	tb.Helper()
	out, err := s.TryRun(tb, input, command...)
	if err != nil {
		tb.Fatalf("%s in the server: %v", strings.Join(command, " "), err)
	}
	return out
}

// TryRun is Run for a command that may fail.
func (s *Server) TryRun(tb testing.TB, input string, command ...string) (string, error) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), script(), append([]string{"enter", strconv.Itoa(s.cmd.Process.Pid)}, command...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()+errs.String()))
	}
	return out.String(), err
}

// Sh runs a line of shell in the server as root.
func (s *Server) Sh(tb testing.TB, line string) string {
	tb.Helper()
	return s.Run(tb, "", "sh", "-c", line)
}

// HostKey is the public host key of a type, ed25519 or ecdsa, without its comment.
func (s *Server) HostKey(tb testing.TB, kind string) string {
	tb.Helper()
	words := strings.Fields(s.Run(tb, "", "cat", "/etc/ssh/ssh_host_"+kind+"_key.pub"))
	return words[0] + " " + words[1]
}

// NewHostKeys gives the server other host keys, as a new server at its address would have.
func (s *Server) NewHostKeys(tb testing.TB) {
	tb.Helper()
	s.Sh(tb, "cd /etc/ssh && for t in ed25519 ecdsa; do rm ssh_host_${t}_key* && ssh-keygen -q -t $t -N '' -f ssh_host_${t}_key || exit; done")
	s.Reload(tb)
}

// Reload has sshd read its configuration and its keys again, and returns when it listens again.
func (s *Server) Reload(tb testing.TB) {
	tb.Helper()
	listens := func() int { return strings.Count(s.Log(), "Server listening on") }
	before := listens()
	s.Sh(tb, "kill -HUP 1")
	for deadline := time.Now().Add(startWithin); listens() == before; pause() {
		if time.Now().After(deadline) {
			tb.Fatalf("sshd does not listen again: %s", s.Log())
		}
	}
}

// ShadowOf is the user's field of the password in /etc/shadow.
func (s *Server) ShadowOf(tb testing.TB, user string) string {
	tb.Helper()
	for line := range strings.Lines(s.Run(tb, "", "cat", "/etc/shadow")) {
		if fields := strings.Split(line, ":"); fields[0] == user {
			return fields[1]
		}
	}
	tb.Fatalf("/etc/shadow has no user %s", user)
	return ""
}

// pause is the time between two looks at something.
func pause() { <-time.After(10 * time.Millisecond) }
