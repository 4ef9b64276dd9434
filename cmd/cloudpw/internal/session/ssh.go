package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/askpass"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// SSHClient is the OpenSSH client of this machine.
type SSHClient struct{ path string }

// configTime bounds `ssh -V` and `ssh -G`, which may resolve names.
const configTime = 20 * time.Second

// FindSSH finds the client, and checks that it can be told to use an askpass program: OpenSSH 8.4 (2020) and later.
func FindSSH(ctx context.Context) (*SSHClient, error) {
	path, err := exec.LookPath("ssh")
	if err != nil {
		return nil, errors.New("ssh is not on the PATH: install OpenSSH's client, 8.4 or later")
	}
	ctx, cancel := context.WithTimeout(ctx, configTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-V").CombinedOutput() //nolint:gosec // a program of the PATH, by its name
	if err != nil {
		return nil, fmt.Errorf("%s -V: %w", path, err)
	}
	return &SSHClient{path}, checkSSHVersion(path, string(out))
}

var sshVersion = regexp.MustCompile(`^OpenSSH(?:_for_Windows)?_(\d+)\.(\d+)`)

func checkSSHVersion(path, banner string) error {
	v := sshVersion.FindStringSubmatch(banner)
	if v == nil {
		return fmt.Errorf("%s is no OpenSSH client (%.60q): cloudpw ssh needs OpenSSH 8.4 or later", path, strings.TrimSpace(banner))
	}
	major, _ := strconv.Atoi(v[1])
	minor, _ := strconv.Atoi(v[2])
	if major < 8 || major == 8 && minor < 4 {
		return fmt.Errorf("%s is OpenSSH %d.%d, which cannot be told to ask cloudpw for the password: 8.4 or later is needed", path, major, minor)
	}
	return nil
}

// Login is one login over SSH.
type Login struct {
	User, Host string
	// Before are arguments before the host, After those behind it: options, and the command to run.
	Before, After []string
	Password      engine.Secret
	// Stdin, Stdout and Stderr are the client's.
	Stdin, Stdout, Stderr *os.File
}

// options have the client log in with one password, ours, and with a connection of its own: one that other sessions share would outlive the
// lease. The method password comes first, since its prompt is the client's own, not the server's. A second prompt tells that the password
// was refused; nobody answers it.
var options = []string{
	"-o", "PreferredAuthentications=password,keyboard-interactive",
	"-o", "PasswordAuthentication=yes", "-o", "KbdInteractiveAuthentication=yes", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=no",
	"-o", "NumberOfPasswordPrompts=2",
	"-o", "ControlMaster=no", "-o", "ControlPath=none",
}

func (l Login) arguments(more ...string) []string {
	args := append([]string{}, options...)
	args = append(args, l.Before...)
	args = append(args, more...)
	args = append(args, l.User+"@"+l.Host)
	return append(args, l.After...)
}

// hostName is what may be a host: a name, or an address, with a zone perhaps.
var hostName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.:%-]*$`)

// check refuses what the client would take for an option, or for another host.
func (l Login) check() error {
	if !hostName.MatchString(l.Host) {
		return fmt.Errorf("%q is no name or address of a host: name one by --host", l.Host)
	}
	blank := func(r rune) bool { return unicode.IsControl(r) || r == ' ' }
	if l.User == "" || strings.HasPrefix(l.User, "-") || strings.ContainsFunc(l.User, blank) {
		return fmt.Errorf("%q is no user that ssh can log in as", l.User)
	}
	if p := l.Password.Reveal(); len(p) > longestPassword || strings.ContainsAny(p, "\r\n\x00") {
		return fmt.Errorf("this password cannot be given to ssh: it has a line break, or more than %d bytes", longestPassword)
	}
	return nil
}

// longestPassword is what OpenSSH reads of an askpass program's output.
const longestPassword = 1022

// expect asks the client what it makes of its arguments and configuration: the names in its password prompt.
func (s *SSHClient) expect(ctx context.Context, l Login) (user, host string, err error) {
	ctx, cancel := context.WithTimeout(ctx, configTime)
	defer cancel()
	var problems bytes.Buffer
	cmd := exec.CommandContext(ctx, s.path, l.arguments("-G")...) //nolint:gosec // the person's arguments, or checked ones
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("ssh does not take its arguments or its configuration (%w): %s", err, strings.TrimSpace(problems.String()))
	}
	config := map[string]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, known := config[key]; !known {
			config[key] = value
		}
	}
	switch {
	case config["user"] != l.User:
		return "", "", fmt.Errorf("ssh would log in as %q, and the password is that of %q: name the account by --user, not by ssh's -l",
			config["user"], l.User)
	case config["forkafterauthentication"] == "yes":
		return "", "", errors.New("ssh's -f would leave the session while it lasts, and the lease would end with it: leave -f away, and " +
			"use & of your shell")
	}
	if path := config["controlpath"]; path != "" && path != "none" { // -S and -M come before the options -o
		return "", "", errors.New("ssh's -S would share a connection, which may outlive the lease: leave -S and -M away")
	}
	host = config["hostname"]
	if alias := config["hostkeyalias"]; alias != "" && alias != "none" {
		host = alias
	}
	return config["user"], host, nil
}

// RefusedError says that the server has not accepted the password.
type RefusedError struct{ User, Host string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s has refused the password of %s", e.Host, e.User)
}

// Run logs in, and returns the client's exit code when the session is over. The error, if it is a *RefusedError, comes with the exit code.
func (s *SSHClient) Run(l Login, ends <-chan os.Signal) (int, error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	user, host, err := s.expect(context.Background(), l)
	if err != nil {
		return 0, err
	}
	a := &answers{user: user, host: host, password: l.Password, started: make(chan struct{})}
	server, err := askpass.Listen(a.answer)
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Close() }()
	cmd := exec.CommandContext(context.Background(), s.path, l.arguments()...) //nolint:gosec // the person's arguments, or checked ones
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.Stdin, l.Stdout, l.Stderr
	cmd.Env = append(os.Environ(), append(server.Environment(), "SSH_ASKPASS="+server.Helper(), "SSH_ASKPASS_REQUIRE=force")...)
	p := newProgram(cmd)
	a.refused = p.end
	code, err := p.run(ends, a.start)
	a.stop()
	if err == nil && a.wasRefused() {
		return sshFailed, &RefusedError{l.User, l.Host}
	}
	return code, err
}

// sshFailed is OpenSSH's exit code for all that is not the remote command's.
const sshFailed = 255

// answers decides who answers ssh's questions.
type answers struct {
	user, host string
	password   engine.Secret
	refused    func()
	started    chan struct{} // closed when pid is known, or when there is nobody who could ask
	once       sync.Once
	pid        int

	mu    sync.Mutex
	given bool
	again bool
}

func (a *answers) start(pid int) {
	a.pid = pid
	a.stop()
}

func (a *answers) stop() { a.once.Do(func() { close(a.started) }) }

func (a *answers) wasRefused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.again
}

// answer gives the password to the client that we started, for the server that we named, once. The same question from another process is a
// jump host's, or another client's below this one: that is the person's to answer, like all others.
func (a *answers) answer(q askpass.Question) askpass.Answer {
	<-a.started
	if q.Asker != a.pid || q.Kind != "" || !askpass.AsksPasswordOf(a.user, a.host, q.Prompt) {
		return askpass.Answer{Terminal: true}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given {
		a.again = true
		a.refused()
		return askpass.Answer{}
	}
	a.given = true
	return askpass.Answer{Password: a.password.Reveal()}
}
