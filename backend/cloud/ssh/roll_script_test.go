package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// shells are the shells that hosts have.
var shells = map[string][]string{"dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "sh"}}

// installedShells are those of them that this machine has; dash, which is everywhere where these tests run, must be among them.
func installedShells(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for name, words := range shells {
		path, err := exec.LookPath(words[0])
		switch {
		case err == nil:
			found[name] = append([]string{path}, words[1:]...)
		case name == "dash":
			t.Fatal("this machine has no dash")
		default:
			t.Logf("not tried: this machine has no %s", words[0])
		}
	}
	return found
}

// newTestKey makes a key pair.
func newTestKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nobody is whom the scripts run as where the tests run as root, whom no mode of a file stops.
const nobody = 65534

// account is a user's home directory, in which the script runs.
type account struct {
	home  string
	shell []string
	env   []string // beside HOME
}

func newAccount(t testing.TB, shell []string) *account {
	t.Helper()
	// Not below the test's own directory, which nobody may not enter.
	home, err := os.MkdirTemp("", "cloudpw-roll-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	a := &account{home: home, shell: shell}
	if err := os.Mkdir(a.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	a.own(t, home)
	a.own(t, a.dir())
	return a
}

func (a *account) dir() string  { return filepath.Join(a.home, ".ssh") }
func (a *account) file() string { return filepath.Join(a.dir(), "authorized_keys") }

// own gives a file to the user.
func (a *account) own(t testing.TB, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Lchown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

func (a *account) write(t testing.TB, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(a.file(), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	a.own(t, a.file())
	if err := os.Chmod(a.file(), mode); err != nil {
		t.Fatal(err)
	}
}

func (a *account) read(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(a.file())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// run runs a script as the user, as sshd does: by the shell, from standard input.
func (a *account) run(ctx context.Context, script []byte) (sshclient.Result, error) {
	cmd := exec.CommandContext(ctx, a.shell[0], append(a.shell[1:], "-s")...)
	cmd.Env = append(append(os.Environ(), "HOME="+a.home), a.env...)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return sshclient.Result{ExitCode: cmd.ProcessState.ExitCode(), Output: out.String()}, err
}

// outcome is what a run of the script shows.
func (a *account) outcome(t testing.TB, script []byte) error {
	t.Helper()
	result, err := a.run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return rollOutcome(result)
}

// leavesNothing checks that only the file is there.
func (a *account) leavesNothing(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(a.dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "authorized_keys" {
			t.Errorf("%s is left in .ssh", e.Name())
		}
	}
}

// eachShell runs a test in each shell.
func eachShell(t *testing.T, test func(t *testing.T, shell []string)) {
	for name, shell := range installedShells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, shell)
		})
	}
}

// keysOfTest are the two keys as lines have them, and the scripts for them.
type keysOfTest struct {
	old, new  string
	add, drop []byte
}

func newKeysOfTest(t testing.TB) keysOfTest {
	before, now := newTestKey(t).PublicKey(), newTestKey(t).PublicKey()
	return keysOfTest{authorizedKey(before), authorizedKey(now), rollText(addNew, before, now), rollText(dropOld, before, now)}
}

// TestRollScript: what becomes of a file, of whatever form, when the new key is added and then the old one removed.
func TestRollScript(t *testing.T) {
	k := newKeysOfTest(t)
	other := authorizedKey(newTestKey(t).PublicKey())
	added := k.new + " " + keyComment + "\n"
	const options = `from="10.0.0.1,fd00::1",command="echo \"a b\" c",no-pty`
	for name, c := range map[string]struct{ before, between, after string }{
		"one line":               {k.old + "\n", k.old + "\n" + added, added},
		"no newline at the end":  {k.old, k.old + "\n" + added, added},
		"a comment":              {k.old + " vault@example.com\n", k.old + " vault@example.com\n" + added, added},
		"other keys around":      {other + "\n" + k.old + "\n" + other + " b\n", other + "\n" + k.old + "\n" + other + " b\n" + added, other + "\n" + other + " b\n" + added},
		"another one last, open": {k.old + "\n" + other, k.old + "\n" + other + "\n" + added, other + "\n" + added},
		"options": {options + " " + k.old + " x\n", options + " " + k.old + " x\n" + options + " " + added,
			options + " " + added},
		"tabs and blanks":  {" \t" + k.old + "\t x\n", " \t" + k.old + "\t x\n \t" + added, " \t" + added},
		"carriage returns": {k.old + "\r\n" + other + "\r\n", k.old + "\r\n" + other + "\r\n" + added, other + "\r\n" + added},
		"duplicates":       {k.old + " a\n" + other + "\n" + k.old + " b\n", k.old + " a\n" + other + "\n" + k.old + " b\n" + added, other + "\n" + added},
		"duplicates, options": {"no-pty " + k.old + "\nno-X11-forwarding " + k.old + "\n",
			"no-pty " + k.old + "\nno-X11-forwarding " + k.old + "\nno-pty " + added, "no-pty " + added},
		"in comments":         {"# " + k.old + "\n" + other + " " + k.old + "\n" + k.old + "\n", "# " + k.old + "\n" + other + " " + k.old + "\n" + k.old + "\n" + added, "# " + k.old + "\n" + other + " " + k.old + "\n" + added},
		"in an option":        {`environment="K=` + k.old + `" ` + other + "\n" + k.old + "\n", `environment="K=` + k.old + `" ` + other + "\n" + k.old + "\n" + added, `environment="K=` + k.old + `" ` + other + "\n" + added},
		"empty lines, glob":   {"\n* ? [a] $HOME `id` \\\n" + k.old + "\n\n", "\n* ? [a] $HOME `id` \\\n" + k.old + "\n\n" + added, "\n* ? [a] $HOME `id` \\\n\n" + added},
		"bytes that are none": {"# \xff\xfe caf\xe9\n" + k.old + "\n", "# \xff\xfe caf\xe9\n" + k.old + "\n" + added, "# \xff\xfe caf\xe9\n" + added},
		"new there already":   {k.old + "\n" + k.new + " mine\n", k.old + "\n" + k.new + " mine\n", k.new + " mine\n"},
		"a longer old key":    {k.old + "AAAA\n" + k.old + "\n", k.old + "AAAA\n" + k.old + "\n" + added, k.old + "AAAA\n" + added},
	} {
		t.Run(name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, shell []string) {
				modes := []os.FileMode{0o600}
				if name == "one line" {
					modes = []os.FileMode{0o600, 0o400, 0o644}
				}
				for _, mode := range modes {
					a := newAccount(t, shell)
					a.write(t, c.before, mode)
					for range 2 { // the second time there is nothing to do
						if err := a.outcome(t, k.add); err != nil || a.read(t) != c.between {
							t.Fatalf("added: %v\n%q, want\n%q", err, a.read(t), c.between)
						}
					}
					for range 2 {
						if err := a.outcome(t, k.drop); err != nil || a.read(t) != c.after {
							t.Fatalf("removed: %v\n%q, want\n%q", err, a.read(t), c.after)
						}
					}
					if info, err := os.Stat(a.file()); err != nil || info.Mode().Perm() != mode {
						t.Errorf("the mode is %v now, was %v", info.Mode(), mode)
					}
					a.leavesNothing(t)
				}
			})
		})
	}
}

// TestRollScriptRefuses: what the script does not touch, and says why.
func TestRollScriptRefuses(t *testing.T) {
	k := newKeysOfTest(t)
	root := os.Getuid() == 0
	for name, c := range map[string]struct {
		prepare func(t *testing.T, a *account)
		script  []byte
		code    int
		asRoot  bool
	}{
		"no file":          {func(*testing.T, *account) {}, k.add, 64, false},
		"no directory":     {func(_ *testing.T, a *account) { _ = os.Remove(a.dir()) }, k.add, 64, false},
		"a directory":      {func(_ *testing.T, a *account) { _ = os.Mkdir(a.file(), 0o700) }, k.add, 64, false},
		"no home":          {func(_ *testing.T, a *account) { a.home = "" }, k.add, 61, false},
		"not the old key":  {func(t *testing.T, a *account) { a.write(t, "# "+k.old+"\n", 0o600) }, k.add, 67, false},
		"no new key":       {func(t *testing.T, a *account) { a.write(t, k.old+"\n", 0o600) }, k.drop, 68, false},
		"new in a comment": {func(t *testing.T, a *account) { a.write(t, k.old+"\n#"+k.new+"\n", 0o600) }, k.drop, 68, false},
		"bytes of no text": {func(t *testing.T, a *account) { a.write(t, k.old+"\n"+k.new+"\na\x00b\n", 0o600) }, k.drop, 71, false},
		"a directory of no writer": {func(t *testing.T, a *account) {
			a.write(t, k.old+"\n", 0o600)
			if err := os.Chmod(a.dir(), 0o500); err != nil {
				t.Fatal(err)
			}
		}, k.add, 69, false},
		"a link": {func(t *testing.T, a *account) {
			a.write(t, k.old+"\n", 0o600)
			if err := errors.Join(os.Rename(a.file(), a.dir()+"/real"), os.Symlink("real", a.file())); err != nil {
				t.Fatal(err)
			}
		}, k.add, 62, false},
		"a linked directory": {func(t *testing.T, a *account) {
			a.write(t, k.old+"\n", 0o600)
			if err := errors.Join(os.Rename(a.dir(), a.home+"/real"), os.Symlink("real", a.dir())); err != nil {
				t.Fatal(err)
			}
		}, k.add, 62, false},
		"a foreign file": {func(t *testing.T, a *account) {
			a.write(t, k.old+"\n", 0o644)
			if err := os.Chown(a.file(), 1, 1); err != nil {
				t.Fatal(err)
			}
		}, k.add, 63, true},
		"a foreign directory": {func(t *testing.T, a *account) {
			a.write(t, k.old+"\n", 0o644)
			if err := errors.Join(os.Chown(a.dir(), 1, 1), os.Chmod(a.dir(), 0o777)); err != nil {
				t.Fatal(err)
			}
		}, k.add, 63, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.asRoot && !root {
				t.Skip("only root makes files of another user")
			}
			eachShell(t, func(t *testing.T, shell []string) {
				a := newAccount(t, shell)
				home := a.home
				c.prepare(t, a)
				was := map[string]string{}
				for path, content := range tree(t, home) {
					was[path] = content
				}
				result, err := a.run(t.Context(), c.script)
				if err != nil || result.ExitCode != c.code || cloud.KindOf(rollOutcome(result)) != cloud.Refused {
					t.Errorf("%v, %+v, want exit code %d", err, result, c.code)
				}
				if now := tree(t, home); fmt.Sprint(now) != fmt.Sprint(was) {
					t.Errorf("the home was %q and is %q", was, now)
				}
			})
		})
	}
}

// tree are the files of a directory, and what they hold.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := info.Mode().String()
		if info.Mode().IsRegular() {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content += " " + string(raw)
		}
		all[path] = content
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRollScriptCutShort: of a script that is cut anywhere before its last line nothing is run, and of a longer one all.
func TestRollScriptCutShort(t *testing.T) {
	k := newKeysOfTest(t)
	eachShell(t, func(t *testing.T, shell []string) {
		a := newAccount(t, shell)
		a.write(t, k.old+"\n", 0o600)
		whole := len(bytes.TrimRight(k.add, "\n"))
		step := 97
		if testing.Short() {
			step = 389
		}
		for n := 0; n < whole; n += step {
			if _, err := a.run(t.Context(), k.add[:n]); err != nil {
				t.Fatal(err)
			}
			if a.read(t) != k.old+"\n" {
				t.Fatalf("cut at byte %d of %d the script has changed the file", n, whole)
			}
		}
		for n := whole - 12; n < whole; n++ {
			if _, err := a.run(t.Context(), k.add[:n]); err != nil || a.read(t) != k.old+"\n" {
				t.Fatalf("cut at byte %d of %d: %v, the file is %q", n, whole, err, a.read(t))
			}
		}
		if err := a.outcome(t, k.add[:whole]); err != nil || !strings.Contains(a.read(t), k.new) {
			t.Errorf("the whole script: %v", err)
		}
	})
}

// shimmed are the commands that the script calls.
var shimmed = []string{"ls", "id", "wc", "flock", "cksum", "rm", "cp", "chmod", "tail", "sync", "mv"}

// shim makes commands that count their calls, and kill the script's shell before or after the one with that number.
func (a *account) shim(t *testing.T, at int, after bool) {
	t.Helper()
	bin := filepath.Join(a.home, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range shimmed {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		// Of a command in a subshell the parent is the subshell: the whole group goes.
		body := fmt.Sprintf(`#!/bin/dash
n=$(($(cat %[1]s/count) + 1))
echo $n >%[1]s/count
[ $n != %[2]d ] || [ %[3]t = true ] || kill -9 0
%[4]s "$@"
code=$?
[ $n != %[2]d ] || [ %[3]t = false ] || kill -9 0
exit $code
`, a.home, at, after, real)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.home, "count"), []byte("0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	a.own(t, filepath.Join(a.home, "count"))
	a.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
}

// TestRollScriptKilled: whenever the script is killed, the file is as before or as after, and the next run ends well.
func TestRollScriptKilled(t *testing.T) {
	k := newKeysOfTest(t)
	added := k.new + " " + keyComment + "\n"
	eachShell(t, func(t *testing.T, shell []string) {
		for _, c := range []struct {
			script        []byte
			before, after string
		}{{k.add, k.old + "\n", k.old + "\n" + added}, {k.drop, k.old + "\n" + added, added}} {
			changed, kept := 0, 0
			for _, after := range []bool{false, true} {
				if testing.Short() && !after {
					continue // a kill before a command is much like one after the command before
				}
				for n := 1; ; n++ {
					a := newAccount(t, shell)
					a.write(t, c.before, 0o600)
					a.shim(t, n, after)
					result, err := a.runGroup(t, c.script)
					if err != nil {
						t.Fatal(err)
					}
					if result.ExitCode == 0 {
						break // there are fewer steps
					}
					switch a.read(t) {
					case c.before:
						kept++
					case c.after:
						changed++
					default:
						t.Fatalf("killed at command %d: %q", n, a.read(t))
					}
					if got := rollOutcome(result); cloud.KindOf(got) != cloud.Unknown {
						t.Fatalf("killed at command %d: %v", n, got)
					}
					a.env = nil
					if err := a.outcome(t, c.script); err != nil || a.read(t) != c.after {
						t.Fatalf("after a kill at command %d the next run ended with %v: %q", n, err, a.read(t))
					}
					a.leavesNothing(t)
				}
			}
			// BusyBox runs most of these commands itself, and so has fewer steps here.
			if !strings.HasSuffix(shell[0], "busybox") && (changed == 0 || kept < 10) {
				t.Errorf("killed before the change %d times, after it %d times", kept, changed)
			}
		}
	})
}

// TestRollScriptMeetsAnotherWriter: what somebody else writes in the same moment is not lost.
func TestRollScriptMeetsAnotherWriter(t *testing.T) {
	k := newKeysOfTest(t)
	for _, name := range []string{"dash", "bash"} {
		shell, ok := installedShells(t)[name]
		if !ok {
			continue
		}
		a := newAccount(t, shell)
		a.write(t, k.old+"\n", 0o600)
		a.shim(t, 0, false)
		body := fmt.Sprintf("#!/bin/dash\necho '# theirs' >>%s\n", a.file())
		if err := os.WriteFile(filepath.Join(a.home, "bin", "sync"), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
		result, err := a.run(t.Context(), k.add)
		if err != nil || result.ExitCode != 70 || a.read(t) != k.old+"\n# theirs\n" {
			t.Errorf("%s: %v, %+v: the file is %q", name, err, result, a.read(t))
		}
		a.leavesNothing(t)
	}
}

// runGroup is run in a process group of its own.
func (a *account) runGroup(t *testing.T, script []byte) (sshclient.Result, error) {
	t.Helper()
	return (&account{home: a.home, env: a.env, shell: append([]string{"/usr/bin/setsid", "-w"}, a.shell...)}).run(t.Context(), script)
}

// TestRollScriptOnAFullDisk: a copy that cannot be written whole replaces nothing.
func TestRollScriptOnAFullDisk(t *testing.T) {
	k := newKeysOfTest(t)
	content := strings.Repeat("# a line of some length that fills the file\n", 20) + k.old + "\n" + k.new + "\n"
	only := strings.Replace(content, k.new+"\n", "", 1)
	eachShell(t, func(t *testing.T, shell []string) {
		for _, c := range []struct {
			script  []byte
			content string
		}{{k.add, only}, {k.drop, content}} {
			for blocks := range 3 { // of 512 bytes; in bash of 1,024 unless POSIX is wanted
				a := newAccount(t, shell)
				a.write(t, c.content, 0o600)
				limited := append([]byte(fmt.Sprintf("trap '' XFSZ\nulimit -f %d\n", blocks/2)), c.script...)
				result, err := a.run(t.Context(), limited)
				if err != nil || a.read(t) != c.content {
					t.Fatalf("%v: the file is %q", err, a.read(t))
				}
				if got := rollOutcome(result); cloud.KindOf(got) != cloud.Refused || !strings.Contains(got.Error(), "full disk") {
					t.Errorf("%d blocks: %v, %+v", blocks, got, result)
				}
				a.leavesNothing(t)
			}
		}
	})
}

// TestRollScriptsAtOnce: runs wait for each other, and those of two new keys lose neither.
func TestRollScriptsAtOnce(t *testing.T) {
	before := newTestKey(t).PublicKey()
	eachShell(t, func(t *testing.T, shell []string) {
		a := newAccount(t, shell)
		a.write(t, authorizedKey(before)+"\n", 0o600)
		const many = 4
		ends := make(chan error, many)
		want := map[string]bool{}
		for range many {
			now := newTestKey(t).PublicKey()
			want[authorizedKey(now)] = true
			go func() {
				result, err := a.run(t.Context(), rollText(addNew, before, now))
				if err == nil {
					err = rollOutcome(result)
				}
				ends <- err
			}()
		}
		for range many {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		for line := range want {
			if strings.Count(a.read(t), line) != 1 {
				t.Errorf("%s is missing", line)
			}
		}
		a.leavesNothing(t)
	})
}

// TestRollOutcome: a word of the script counts only where the exit code agrees.
func TestRollOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		result sshclient.Result
		kind   cloud.Kind
	}{
		"done":                {sshclient.Result{Output: "welcome\n\ncloudpw: exit 0 added\n"}, ""},
		"done, then noise":    {sshclient.Result{Output: "\ncloudpw: exit 0 added\nbye\n"}, ""},
		"refused":             {sshclient.Result{ExitCode: 69, Output: "\ncloudpw: exit 69 x\n"}, cloud.Refused},
		"nothing":             {sshclient.Result{}, cloud.Unknown},
		"another code":        {sshclient.Result{ExitCode: 1, Output: "\ncloudpw: exit 0 added\n"}, cloud.Unknown},
		"a code of no one":    {sshclient.Result{ExitCode: 3, Output: "\ncloudpw: exit 3 x\n"}, cloud.Unknown},
		"in the middle":       {sshclient.Result{Output: "x cloudpw: exit 0 added\n"}, cloud.Unknown},
		"the last one counts": {sshclient.Result{ExitCode: 69, Output: "cloudpw: exit 0 a\ncloudpw: exit 69 b\n"}, cloud.Refused},
	} {
		if got := rollOutcome(c.result); cloud.KindOf(got) != c.kind {
			t.Errorf("%s: %v", name, got)
		}
	}
}
