package sshd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const shellPassword = "Correct-horse-9"

// served is a host with one server, and that server.
func served(t *testing.T, server model.Server) (*Host, *model.World, model.Server) {
	t.Helper()
	w := model.NewWorld(model.Options{})
	t.Cleanup(w.Close)
	account := w.AddAccount(model.Account{Cloud: model.TencentCloud, Name: "demo", Regions: []string{"eu-frankfurt"}})
	server.Cloud, server.AccountID, server.Region = model.TencentCloud, account.ID, "eu-frankfurt"
	added, err := w.AddServer(server)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetLogin(added.ID, added.DefaultUser(), shellPassword); err != nil {
		t.Fatal(err)
	}
	h, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h, w, added
}

// dial logs in.
func dial(t *testing.T, h *Host, server model.Server) *ssh.Client {
	t.Helper()
	addr, err := h.Addr(server.ID)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{
		User: server.DefaultUser(), Auth: []ssh.AuthMethod{ssh.Password(shellPassword)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// talk types into a shell and returns what it printed, and its exit status.
func talk(t *testing.T, client *ssh.Client, terminal bool, typed string) (string, int) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if terminal {
		if err := session.RequestPty("xterm", 40, 120, ssh.TerminalModes{}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	session.Stdout, session.Stdin = &out, strings.NewReader(typed)
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	err = session.Wait()
	if exit := new(ssh.ExitError); errors.As(err, &exit) {
		return out.String(), exit.ExitStatus()
	} else if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String(), 0
}

func TestAShellForPeople(t *testing.T) {
	t.Parallel()
	h, _, server := served(t, model.Server{Name: "web-1", OSName: "Ubuntu Server 22.04 LTS 64bit"})
	client := dial(t, h, server)
	for name, c := range map[string]struct {
		terminal bool
		typed    string
		holds    []string
		without  string
		status   int
	}{
		"a prompt":              {true, "exit\r", []string{"\r\nThis server is simulated. Type help", "ubuntu@web-1:~$ "}, "", 0},
		"what it is":            {true, "exit\r", []string{"web-1 (" + server.ID + "), linux in eu-frankfurt\r\n"}, "", 0},
		"who and where":         {true, "whoami\rhostname\runame\rexit\r", []string{"\r\nubuntu\r\n", "\r\nweb-1\r\n"}, "", 0},
		"help":                  {true, "help\rexit\r", []string{"help       show", "passwd", "exit"}, "", 0},
		"an unknown command":    {true, "rm -rf /\r", []string{"rm: command not found; type help\r\n"}, "", 127},
		"the last one counts":   {true, "nonsense\rwhoami\r\x04", nil, "", 0},
		"an exit status":        {true, "exit 3\rwhoami\r", nil, "\r\nubuntu\r\n", 3},
		"more than a byte":      {false, "exit 257\n", nil, "", 1},
		"no number":             {true, "exit now\rwhoami\r\x04", []string{"exit: now is no number"}, "", 0},
		"logout":                {true, "logout\rnonsense\r", nil, "not found", 0},
		"Ctrl-D":                {true, "\x04nonsense\r", nil, "not found", 0},
		"Ctrl-C forgets a line": {true, "nonsense\x03whoami\rexit\r", []string{"\r\nubuntu\r\n"}, "not found", 0},
		"keys of an editor":     {true, "hostnme\x1b[D\x1b[Da\rexit\r", []string{"\r\nweb-1\r\n"}, "not found", 0},
		"empty lines":           {true, "\r  \rexit\r", nil, "not found", 0},
		"without a terminal":    {false, "whoami\nhostname\n", []string{"ubuntu\nweb-1\n"}, "$", 0},
		"not to be run":         {true, "\x1b]0;evil\x07 x\r", []string{"not found"}, "\x07", 127},
	} {
		t.Run(name, func(t *testing.T) {
			out, status := talk(t, client, c.terminal, c.typed)
			if status != c.status {
				t.Errorf("exit status %d, want %d:\n%s", status, c.status, out)
			}
			for _, holds := range c.holds {
				if !strings.Contains(out, holds) {
					t.Errorf("no %q in %q", holds, out)
				}
			}
			if c.without != "" && strings.Contains(out, c.without) {
				t.Errorf("%q in %q", c.without, out)
			}
		})
	}
}

func TestPromptsOfPlatforms(t *testing.T) {
	t.Parallel()
	for want, server := range map[string]model.Server{
		`C:\Users\Administrator>`: {Name: "win-1", Platform: model.Windows},
		"root@db-1:~# ":           {Name: "db-1", OSName: "CentOS 7.9 64bit"},
		"root@evil:~# ":           {Name: "\x1b\u202eevil\x07", OSName: "CentOS 7.9 64bit"},
	} {
		h, _, server := served(t, server)
		if out, _ := talk(t, dial(t, h, server), true, "exit\r"); !strings.Contains(out, want) || strings.Contains(out, "\u202e") {
			t.Errorf("no prompt %q in %q", want, out)
		}
	}
}

func TestAPasswordChangedByHand(t *testing.T) {
	t.Parallel()
	h, w, server := served(t, model.Server{OSName: "Ubuntu Server 22.04 LTS 64bit"})
	client := dial(t, h, server)
	for _, c := range []struct{ typed, says, has string }{
		{"passwd root\r", "takes no arguments", shellPassword},
		{"passwd\rNew-Password-2\rNew-Password-3\r", "not the same", shellPassword},
		{"passwd\r\r\r", "no password was typed", shellPassword},
		{"passwd\rNew-Password-2\x03\r", "no password was typed", shellPassword},
		{"passwd\rNew-Pass", "New password: ", shellPassword}, // and the client goes
		{"passwd\r" + strings.Repeat("New-Password-2\r", 2), "password updated", "New-Password-2"},
	} {
		out, _ := talk(t, client, true, c.typed)
		if !strings.Contains(out, c.says) || strings.Contains(out, "New-Pass") {
			t.Errorf("%q: %q", c.typed, out)
		}
		if !w.TryLogin(server.ID, "ubuntu", c.has) {
			t.Errorf("%q: the server does not have %s", c.typed, c.has)
		}
	}
	if out, _ := talk(t, client, false, "passwd\n"+strings.Repeat("New-Password-4\n", 2)); !strings.Contains(out, "updated") ||
		!w.TryLogin(server.ID, "ubuntu", "New-Password-4") {
		t.Errorf("without a terminal: %q", out)
	}
	if err := w.Remove(server.ID); err != nil {
		t.Fatal(err)
	}
	if out, status := talk(t, client, true, "whoami\r"); status != 1 || !strings.Contains(out, "is gone") {
		t.Errorf("a server that is gone: %d, %q", status, out)
	}
}

// A shell ends when its client goes, whatever it waits for, and when the simulator is closed: Close waits for all of them.
func TestShellsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Host, *ssh.Client, *ssh.Session){
		"the session is closed":    func(_ *Host, _ *ssh.Client, s *ssh.Session) { s.Close() },
		"the connection is lost":   func(_ *Host, c *ssh.Client, _ *ssh.Session) { c.Close() },
		"the simulator is stopped": func(h *Host, _ *ssh.Client, _ *ssh.Session) { h.Close() },
	} {
		for _, typed := range []string{"", "passwd\r", "whoam"} {
			h, _, server := served(t, model.Server{})
			client := dial(t, h, server)
			session, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := session.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
				t.Fatal(err)
			}
			in, err := session.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := session.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := session.Shell(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, make([]byte, 10)); err != nil { // it runs
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, typed); err != nil {
				t.Fatal(err)
			}
			end(h, client, session)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				client.Close()
				h.Close()
			}()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("%s, %q typed: the shell goes on", name, typed)
			}
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns, rows uint32
		want          window
	}{{0, 0, window{80, 24}}, {120, 40, window{120, 40}}, {1 << 31, 1 << 31, window{maxSide, maxSide}}} {
		if got := *size(c.columns, c.rows); got != c.want {
			t.Errorf("%dx%d: %v, want %v", c.columns, c.rows, got, c.want)
		}
	}
	h, _, server := served(t, model.Server{Name: "web-1"})
	session, err := dial(t, h, server).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	in, _ := session.StdinPipe()
	var out bytes.Buffer
	session.Stdout = &out
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // more than the library keeps: somebody must read them
		if err := session.WindowChange(30, 100); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(in, "hostname\rexit\r"); err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(); err != nil || !strings.Contains(out.String(), "web-1\r\n") {
		t.Errorf("%v: %q", err, out.String())
	}
}

// What is typed arrives whatever the size of the pieces.
func TestKeysInPieces(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]io.Reader{
		"whole":    strings.NewReader("a\x03b\x03\x03c"),
		"by bytes": iotest.OneByteReader(strings.NewReader("a\x03b\x03\x03c")),
	} {
		got, err := io.ReadAll(iotest.OneByteReader(&keys{ReadWriter: struct {
			io.Reader
			io.Writer
		}{in, io.Discard}}))
		if want := "a\x15\rb\x15\r\x15\rc"; err != nil || string(got) != want {
			t.Errorf("%s: %q, want %q: %v", name, got, want, err)
		}
	}
}
