//go:build !windows

package askpass

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// TestMain is the helper where the tests start it.
func TestMain(m *testing.M) {
	if Wanted() {
		os.Exit(Main(os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const secret = "Xk9-secret-of-web-1"

// listen starts a server below a folder of the test's own.
func listen(t *testing.T, answer func(Question) Answer) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	s, err := Listen(answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// helper is what ssh does with a question.
func helper(s *Server, prompt string) *exec.Cmd {
	cmd := exec.Command(s.Helper(), prompt)
	cmd.Env = append(os.Environ(), s.Environment()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
	return cmd
}

func TestTheHelperPrintsThePassword(t *testing.T) {
	var asked Question
	s := listen(t, func(q Question) Answer {
		asked = q
		return Answer{Password: secret}
	})
	cmd := helper(s, "app@web-1's password: ")
	cmd.Env = append(cmd.Env, "SSH_ASKPASS_PROMPT=confirm")
	for _, entry := range append(cmd.Env, cmd.Args...) {
		if strings.Contains(entry, secret) {
			t.Errorf("the password is in %q", entry)
		}
	}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	if out.String() != secret+"\n" || problems.Len() > 0 {
		t.Errorf("the helper has printed %q and %q", out.String(), problems.String())
	}
	if want := (Question{"app@web-1's password: ", "confirm", os.Getpid()}); asked != want {
		t.Errorf("the question is %+v, want %+v", asked, want)
	}
}

func TestTheHelperFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer Answer
		says   string
	}{
		"refused":         {Answer{Refusal: "not for you"}, "cloudpw: not for you\n"},
		"refused quietly": {Answer{}, ""},
		"no terminal":     {Answer{Terminal: true}, "cloudpw: there is no terminal at which this could be answered: Code:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, func(Question) Answer { return c.answer })
			out, err := helper(s, "Code: ").Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || len(out) > 0 {
				t.Fatalf("it ends with %v and prints %q, want exit code 1", err, out)
			}
			if string(exit.Stderr) != c.says {
				t.Errorf("it says %q, want %q", exit.Stderr, c.says)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := listen(t, func(Question) Answer { return Answer{Password: secret} })
		to, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(s.Helper()), 0o700), os.Symlink(to, s.Helper())); err != nil {
			t.Fatal(err)
		}
		if out, err := helper(s, "password: ").Output(); err == nil || len(out) > 0 {
			t.Errorf("it ends with %v and prints %q", err, out)
		}
	})
}

func TestCloseLeavesNothing(t *testing.T) {
	s := listen(t, func(Question) Answer { return Answer{} })
	dir := filepath.Dir(s.Helper())
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the socket's folder: %v %v, want one that only the user may enter", info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// TestAnotherUserIsRefused: even where the folder's mode would let him in.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	s := listen(t, func(Question) Answer { return Answer{Password: secret} })
	socket := filepath.Join(filepath.Dir(s.Helper()), socketName)
	if err := errors.Join(os.Chmod(filepath.Dir(s.dir), 0o755), os.Chmod(s.dir, 0o755), os.Chmod(socket, 0o777)); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(s.dir, "program") // the test's own is in a folder of root's
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(open, content, 0o755), os.Remove(s.Helper()), os.Rename(open, s.Helper())); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[uint32]string{0: secret + "\n", 65534: ""} {
		cmd := helper(s, "password: ")
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user, Gid: user}
		out, err := cmd.Output()
		if string(out) != want || (err == nil) != (want != "") {
			t.Errorf("user %d gets %q, %v", user, out, err)
		}
	}
}

func TestALongPathIsRefused(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", longestSocket))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", long)
	if _, err := Listen(nil); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("Listen: %v, want an error that names TMPDIR", err)
	}
	if left, _ := os.ReadDir(long); len(left) > 0 {
		t.Errorf("it has left %v", left)
	}
}

// TestWithoutAFolderOfTheSession: as after su, whose environment names a folder of the other user.
func TestWithoutAFolderOfTheSession(t *testing.T) {
	s := listen(t, nil)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(s.dir, "none"))
	t.Setenv("TMPDIR", s.dir)
	other, err := Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(other.dir) != s.dir {
		t.Errorf("the socket is in %s, want the temporary folder", other.dir)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

// TestAFolderOfAnotherUser: he could put a helper of his own in place of ours.
func TestAFolderOfAnotherUser(t *testing.T) {
	folder := func(t *testing.T, mode os.FileMode, owner int) string {
		t.Helper()
		dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the path of a socket must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if owner >= 0 {
			if os.Getuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			if err := os.Chown(dir, owner, -1); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for name, c := range map[string]struct {
		mode  os.FileMode
		owner int
		fine  bool
	}{
		"mine":                         {0o700, -1, true},
		"mine, which others may read":  {0o755, -1, true},
		"everybody's":                  {0o777, -1, false},
		"a group's":                    {0o770, -1, false},
		"everybody's, with sticky bit": {0o777 | os.ModeSticky, -1, true},
		"another user's":               {0o700, 4711, false},
		"another user's, with sticky":  {0o777 | os.ModeSticky, 4711, false},
	} {
		t.Run(name, func(t *testing.T) {
			bad := folder(t, c.mode, c.owner)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(bad, link); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{bad, link} {
				if err := checkParent(dir); (err == nil) != c.fine {
					t.Errorf("%s: %v", dir, err)
				}
			}
			if c.fine {
				return
			}
			// Not below XDG_RUNTIME_DIR, if TMPDIR is better.
			good := folder(t, 0o700, -1)
			t.Setenv("XDG_RUNTIME_DIR", bad)
			t.Setenv("TMPDIR", good)
			s, err := Listen(nil)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Dir(s.dir) != good {
				t.Errorf("the socket is in %s, want one in %s", s.dir, good)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			t.Setenv("TMPDIR", bad)
			if s, err := Listen(nil); err == nil {
				t.Errorf("the socket is in %s", s.dir)
				_ = s.Close()
			}
			if left, _ := os.ReadDir(bad); len(left) > 0 {
				t.Errorf("it has left %v", left)
			}
		})
	}
}

func TestAnswersHideThePassword(t *testing.T) {
	a := Answer{Password: secret}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", a, a, a, a), fmt.Sprint(&a)} {
		if strings.Contains(text, secret) {
			t.Errorf("it prints %q", text)
		}
	}
}

func TestAsksPasswordOf(t *testing.T) {
	long := strings.Repeat("u", 40)
	for _, c := range []struct {
		user, host, prompt string
		want               bool
	}{
		{"app", "10.0.0.1", "app@10.0.0.1's password: ", true},
		{"app", "10.0.0.1", "(app@10.0.0.1) Password: ", true},
		{"app", "10.0.0.1", "(app@10.0.0.1) password:", true},
		{"app", "10.0.0.1", "(app@10.0.0.1) Password for app:", true},
		{"app", "10.0.0.1", "(app@10.0.0.1) Password for app@10.0.0.1: ", true},
		{long, "h", long[:30] + "@h's password: ", true},
		{long, "h", "(" + long + "@h) Password: ", true},

		{"app", "10.0.0.1", "app@10.0.0.2's password: ", false},
		{"app", "10.0.0.1", "root@10.0.0.1's password: ", false},
		{"app", "10.0.0.1", "app@10.0.0.1's password:", false},
		{"app", "10.0.0.1", "(app@10.0.0.2) Password: ", false},
		{"app", "10.0.0.1", "Password: ", false},
		{"app", "10.0.0.1", "(app@10.0.0.1) Verification code: ", false},
		{"app", "10.0.0.1", "(app@10.0.0.1) New password: ", false},
		{"app", "10.0.0.1", "(app@10.0.0.1) Password for root: ", false},
		{"app", "10.0.0.1", "(app@10.0.0.1) (current) UNIX password: ", false},
		{"app", "10.0.0.1", "Enter passphrase for key '/home/app/.ssh/id_ed25519': ", false},
		{"app", "10.0.0.1", "Are you sure you want to continue connecting (yes/no/[fingerprint])? ", false},
	} {
		if got := AsksPasswordOf(c.user, c.host, c.prompt); got != c.want {
			t.Errorf("AsksPasswordOf(%q, %q, %q) = %v", c.user, c.host, c.prompt, got)
		}
	}
}

// TestTheTerminalIsAsked: what is typed gets to whoever asked, and only a yes or no is seen.
func TestTheTerminalIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		prompt string
		seen   bool
	}{
		"a host key":               {"Are you sure you want to continue connecting (yes/no/[fingerprint])? ", true},
		"a jump host's password":   {"jump@bastion's password: ", false},
		"a prompt with an escape":  {"(app@h) \x1b]0;title\x07Code\u202e: ", false},
		"a host key, answered bad": {"Please type 'yes', 'no' or the fingerprint: ", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, func(Question) Answer { return Answer{Terminal: true} })
			cmd := helper(s, c.prompt)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdout = w
			cmd.SysProcAttr = nil
			master, err := pty.Start(cmd)
			_ = w.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			shown := ""
			buffer := make([]byte, 1024)
			for !strings.HasSuffix(strings.TrimRight(shown, " "), strings.TrimRight(c.prompt, " ")[len(strings.TrimRight(c.prompt, " "))-1:]) {
				n, err := master.Read(buffer)
				if err != nil {
					t.Fatalf("it shows %q: %v", shown, err)
				}
				shown += string(buffer[:n])
			}
			if _, err := master.WriteString("typed-answer\r"); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(r)
			if err != nil || string(answer) != "typed-answer\n" {
				t.Errorf("whoever asked gets %q, %v", answer, err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			for {
				n, err := master.Read(buffer)
				shown += string(buffer[:n])
				if err != nil {
					break
				}
			}
			if strings.Contains(shown, "typed-answer") != c.seen {
				t.Errorf("the terminal shows %q", shown)
			}
			if strings.ContainsAny(shown, "\x1b\x07\u202e") {
				t.Errorf("the terminal is told %q", shown)
			}
		})
	}
}
