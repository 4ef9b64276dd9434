package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/askpass"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// RDPClient is a FreeRDP of this machine.
type RDPClient struct {
	path string
	// Major is 2 or 3. FreeRDP 3 asks a program for the password (FREERDP_ASKPASS), and its person about a certificate that it does not know.
	// FreeRDP 2 reads the password from its standard input, and refuses such a certificate then.
	Major int
}

// rdpClients are the programs that take a password in one of the two ways. FreeRDP's sdl-freerdp3 does not.
var rdpClients = []string{"xfreerdp3", "xfreerdp"}

// ErrNoRDPClient says that no FreeRDP is installed.
var ErrNoRDPClient = errors.New("neither xfreerdp3 nor xfreerdp is on the PATH: install FreeRDP")

// FindRDP finds a client.
func FindRDP(ctx context.Context) (*RDPClient, error) {
	for _, name := range rdpClients {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, configTime)
		defer cancel()
		// Some versions exit with a code, though all went well.
		out, err := exec.CommandContext(ctx, path, "/version").CombinedOutput() //nolint:gosec // a program of the PATH, by its name
		major, found := rdpVersion(string(out))
		if !found {
			return nil, fmt.Errorf("%s /version tells no version of FreeRDP: %.80q (exit: %s)", path, out, fmt.Sprint(err))
		}
		return &RDPClient{path, major}, nil
	}
	return nil, ErrNoRDPClient
}

var freeRDP = regexp.MustCompile(`FreeRDP version (\d+)\.`)

func rdpVersion(out string) (major int, found bool) {
	v := freeRDP.FindStringSubmatch(out)
	if v == nil {
		return 0, false
	}
	major, err := strconv.Atoi(v[1])
	return major, err == nil && major >= 2
}

// Desktop is one session of a remote desktop.
type Desktop struct {
	User, Host string
	Port       int // 0: RDP's own
	// More are further arguments of the client.
	More                  []string
	Password              engine.Secret
	Stdin, Stdout, Stderr *os.File
}

func (d Desktop) address() string {
	host := d.Host
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	if d.Port != 0 {
		host += ":" + strconv.Itoa(d.Port)
	}
	return host
}

func (d Desktop) arguments(major int) []string {
	args := []string{"/v:" + d.address(), "/u:" + d.User}
	if !strings.ContainsAny(d.User, `\@`) {
		args = append(args, "/d:") // else it asks for a domain; an account of the server has none
	}
	if major == 2 {
		args = append(args, "/from-stdin:force")
	}
	return append(args, d.More...)
}

func (d Desktop) check() error {
	login := Login{User: d.User, Host: d.Host}
	if !hostName.MatchString(d.Host) {
		return login.check()
	}
	if d.User == "" || strings.ContainsAny(d.User, "\r\n\x00") {
		return fmt.Errorf("%q is no user that can log in", d.User)
	}
	if p := d.Password.Reveal(); strings.ContainsAny(p, "\r\n\x00") {
		return errors.New("this password cannot be given to FreeRDP: it has a line break")
	}
	return nil
}

// Run shows the desktop and returns the client's exit code when it is closed. The error, if it is a *RefusedError, comes with the exit
// code.
func (c *RDPClient) Run(d Desktop, ends <-chan os.Signal) (int, error) {
	if err := d.check(); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(context.Background(), c.path, d.arguments(c.Major)...) //nolint:gosec // checked, or the person's
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.Stdin, d.Stdout, d.Stderr
	if c.Major == 2 {
		return runFromPipe(cmd, d.Password, ends)
	}
	a := &desktopAnswers{password: d.Password}
	server, err := askpass.Listen(a.answer)
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Close() }()
	cmd.Env = append(os.Environ(), append(server.Environment(), "FREERDP_ASKPASS="+shellWord(server.Helper()))...)
	p := newProgram(cmd)
	a.refused = p.end
	code, err := p.run(ends, func(int) {})
	if err == nil && a.wasRefused() {
		return code, &RefusedError{d.User, d.Host}
	}
	return code, err
}

// runFromPipe writes the password to the program's standard input.
func runFromPipe(cmd *exec.Cmd, password engine.Secret, ends <-chan os.Signal) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if _, err := w.WriteString(password.Reveal() + "\n"); err != nil { // a pipe holds at least 4 KiB
		return 0, errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	cmd.Stdin = r
	return newProgram(cmd).run(ends, func(int) {})
}

// shellWord is a text as one word of a POSIX shell: FreeRDP has a shell run its helper.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// desktopAnswers decides who answers FreeRDP's questions.
type desktopAnswers struct {
	password engine.Secret
	refused  func()

	mu    sync.Mutex
	given bool
	again bool
}

func (a *desktopAnswers) wasRefused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.again
}

// answer gives the password of the server once; a gateway's is the person's to give.
func (a *desktopAnswers) answer(q askpass.Question) askpass.Answer {
	if strings.Join(strings.Fields(q.Prompt), " ") != "FreeRDP authentication Password:" {
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

// WriteRDPFile writes a file that other clients open, without a password. It replaces no file.
func WriteRDPFile(path string, d Desktop) error {
	if err := d.check(); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	_, err = fmt.Fprintf(file, "full address:s:%s\r\nusername:s:%s\r\nprompt for credentials:i:1\r\n", d.address(), d.User)
	return errors.Join(err, file.Close())
}
