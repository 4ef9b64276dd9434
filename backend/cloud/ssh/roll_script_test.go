package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/keyhost"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
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

// outcome is what a run of the script shows.
func outcome(t testing.TB, a *keyhost.Account, script []byte) error {
	t.Helper()
	result, err := a.Run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return rollOutcome(result)
}

// leavesNothing checks that only the file is there.
func leavesNothing(t testing.TB, a *keyhost.Account) {
	t.Helper()
	entries, err := os.ReadDir(a.Dir())
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
	before, now := sshserver.NewKey(t).PublicKey(), sshserver.NewKey(t).PublicKey()
	return keysOfTest{authorizedKey(before), authorizedKey(now), rollText(addNew, before, now), rollText(dropOld, before, now)}
}

// TestRollScript: what becomes of a file, of whatever form, when the new key is added and then the old one removed.
func TestRollScript(t *testing.T) {
	k := newKeysOfTest(t)
	other := authorizedKey(sshserver.NewKey(t).PublicKey())
	added := k.new + " " + keyComment + "\n"
	const options = `from="10.0.0.1,fd00::1",command="echo \"a b\" c",no-pty`
	for name, c := range map[string]struct{ before, between, after string }{
		"one line":              {k.old + "\n", k.old + "\n" + added, added},
		"no newline at the end": {k.old, k.old + "\n" + added, added},
		"a comment":             {k.old + " vault@example.com\n", k.old + " vault@example.com\n" + added, added},
		"other keys around": {other + "\n" + k.old + "\n" + other + " b\n", other + "\n" + k.old + "\n" + other + " b\n" + added,
			other + "\n" + other + " b\n" + added},
		"another one last, open": {k.old + "\n" + other, k.old + "\n" + other + "\n" + added, other + "\n" + added},
		"options": {options + " " + k.old + " x\n", options + " " + k.old + " x\n" + options + " " + added,
			options + " " + added},
		"tabs and blanks":  {" \t" + k.old + "\t x\n", " \t" + k.old + "\t x\n \t" + added, " \t" + added},
		"carriage returns": {k.old + "\r\n" + other + "\r\n", k.old + "\r\n" + other + "\r\n" + added, other + "\r\n" + added},
		"duplicates": {k.old + " a\n" + other + "\n" + k.old + " b\n", k.old + " a\n" + other + "\n" + k.old + " b\n" + added,
			other + "\n" + added},
		"duplicates, options": {"no-pty " + k.old + "\nno-X11-forwarding " + k.old + "\n",
			"no-pty " + k.old + "\nno-X11-forwarding " + k.old + "\nno-pty " + added, "no-pty " + added},
		"in comments": {"# " + k.old + "\n" + other + " " + k.old + "\n" + k.old + "\n",
			"# " + k.old + "\n" + other + " " + k.old + "\n" + k.old + "\n" + added,
			"# " + k.old + "\n" + other + " " + k.old + "\n" + added},
		"in an option": {`environment="K=` + k.old + `" ` + other + "\n" + k.old + "\n",
			`environment="K=` + k.old + `" ` + other + "\n" + k.old + "\n" + added, `environment="K=` + k.old + `" ` + other + "\n" + added},
		"empty lines, glob": {"\n* ? [a] $HOME `id` \\\n" + k.old + "\n\n", "\n* ? [a] $HOME `id` \\\n" + k.old + "\n\n" + added,
			"\n* ? [a] $HOME `id` \\\n\n" + added},
		"bytes that are none": {"# \xff\xfe caf\xe9\n" + k.old + "\n", "# \xff\xfe caf\xe9\n" + k.old + "\n" + added,
			"# \xff\xfe caf\xe9\n" + added},
		"new there already": {k.old + "\n" + k.new + " mine\n", k.old + "\n" + k.new + " mine\n", k.new + " mine\n"},
		"a longer old key":  {k.old + "AAAA\n" + k.old + "\n", k.old + "AAAA\n" + k.old + "\n" + added, k.old + "AAAA\n" + added},
	} {
		t.Run(name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, shell []string) {
				modes := []os.FileMode{0o600}
				if name == "one line" {
					modes = []os.FileMode{0o600, 0o400, 0o644}
				}
				for _, mode := range modes {
					a := keyhost.NewAccount(t, shell)
					a.Write(t, c.before, mode)
					for range 2 { // the second time there is nothing to do
						if err := outcome(t, a, k.add); err != nil || a.Read(t) != c.between {
							t.Fatalf("added: %v\n%q, want\n%q", err, a.Read(t), c.between)
						}
					}
					for range 2 {
						if err := outcome(t, a, k.drop); err != nil || a.Read(t) != c.after {
							t.Fatalf("removed: %v\n%q, want\n%q", err, a.Read(t), c.after)
						}
					}
					if info, err := os.Stat(a.File()); err != nil || info.Mode().Perm() != mode {
						t.Errorf("the mode is %v now, was %v", info.Mode(), mode)
					}
					leavesNothing(t, a)
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
		prepare func(t *testing.T, a *keyhost.Account)
		script  []byte
		code    int
		asRoot  bool
	}{
		"no file":          {func(*testing.T, *keyhost.Account) {}, k.add, 64, false},
		"no directory":     {func(_ *testing.T, a *keyhost.Account) { _ = os.Remove(a.Dir()) }, k.add, 64, false},
		"a directory":      {func(_ *testing.T, a *keyhost.Account) { _ = os.Mkdir(a.File(), 0o700) }, k.add, 64, false},
		"no home":          {func(_ *testing.T, a *keyhost.Account) { a.Home = "" }, k.add, 61, false},
		"not the old key":  {func(t *testing.T, a *keyhost.Account) { a.Write(t, "# "+k.old+"\n", 0o600) }, k.add, 67, false},
		"no new key":       {func(t *testing.T, a *keyhost.Account) { a.Write(t, k.old+"\n", 0o600) }, k.drop, 68, false},
		"new in a comment": {func(t *testing.T, a *keyhost.Account) { a.Write(t, k.old+"\n#"+k.new+"\n", 0o600) }, k.drop, 68, false},
		"bytes of no text": {func(t *testing.T, a *keyhost.Account) { a.Write(t, k.old+"\n"+k.new+"\na\x00b\n", 0o600) }, k.drop, 71, false},
		"a directory of no writer": {func(t *testing.T, a *keyhost.Account) {
			a.Write(t, k.old+"\n", 0o600)
			if err := os.Chmod(a.Dir(), 0o500); err != nil {
				t.Fatal(err)
			}
		}, k.add, 69, false},
		"a link": {func(t *testing.T, a *keyhost.Account) {
			a.Write(t, k.old+"\n", 0o600)
			if err := errors.Join(os.Rename(a.File(), a.Dir()+"/real"), os.Symlink("real", a.File())); err != nil {
				t.Fatal(err)
			}
		}, k.add, 62, false},
		"a linked directory": {func(t *testing.T, a *keyhost.Account) {
			a.Write(t, k.old+"\n", 0o600)
			if err := errors.Join(os.Rename(a.Dir(), a.Home+"/real"), os.Symlink("real", a.Dir())); err != nil {
				t.Fatal(err)
			}
		}, k.add, 62, false},
		"a foreign file": {func(t *testing.T, a *keyhost.Account) {
			a.Write(t, k.old+"\n", 0o644)
			if err := os.Chown(a.File(), 1, 1); err != nil {
				t.Fatal(err)
			}
		}, k.add, 63, true},
		"a foreign directory": {func(t *testing.T, a *keyhost.Account) {
			a.Write(t, k.old+"\n", 0o644)
			if err := errors.Join(os.Chown(a.Dir(), 1, 1), os.Chmod(a.Dir(), 0o777)); err != nil {
				t.Fatal(err)
			}
		}, k.add, 63, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.asRoot && !root {
				t.Skip("only root makes files of another user")
			}
			eachShell(t, func(t *testing.T, shell []string) {
				a := keyhost.NewAccount(t, shell)
				home := a.Home
				c.prepare(t, a)
				was := map[string]string{}
				for path, content := range tree(t, home) {
					was[path] = content
				}
				result, err := a.Run(t.Context(), c.script)
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
		a := keyhost.NewAccount(t, shell)
		a.Write(t, k.old+"\n", 0o600)
		whole := len(bytes.TrimRight(k.add, "\n"))
		step := 97
		if testing.Short() {
			step = 389
		}
		for n := 0; n < whole; n += step {
			if _, err := a.Run(t.Context(), k.add[:n]); err != nil {
				t.Fatal(err)
			}
			if a.Read(t) != k.old+"\n" {
				t.Fatalf("cut at byte %d of %d the script has changed the file", n, whole)
			}
		}
		for n := whole - 12; n < whole; n++ {
			if _, err := a.Run(t.Context(), k.add[:n]); err != nil || a.Read(t) != k.old+"\n" {
				t.Fatalf("cut at byte %d of %d: %v, the file is %q", n, whole, err, a.Read(t))
			}
		}
		if err := outcome(t, a, k.add[:whole]); err != nil || !strings.Contains(a.Read(t), k.new) {
			t.Errorf("the whole script: %v", err)
		}
	})
}

// shimmed are the commands that the script calls.
var shimmed = []string{"ls", "id", "wc", "flock", "cksum", "rm", "cp", "chmod", "tail", "sync", "mv"}

// shim makes commands that count their calls, and kill the script's shell before or after the one with that number.
func shim(t *testing.T, a *keyhost.Account, at int, after bool) {
	t.Helper()
	bin := filepath.Join(a.Home, "bin")
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
`, a.Home, at, after, real)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.Home, "count"), []byte("0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	a.Own(t, filepath.Join(a.Home, "count"))
	a.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
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
				step := 1
				if testing.Short() && !strings.HasSuffix(shell[0], "dash") {
					step = 5
				}
				for n := 1; ; n += step {
					a := keyhost.NewAccount(t, shell)
					a.Write(t, c.before, 0o600)
					shim(t, a, n, after)
					result, err := runGroup(t, a, c.script)
					if err != nil {
						t.Fatal(err)
					}
					if result.ExitCode == 0 {
						break // there are fewer steps
					}
					switch a.Read(t) {
					case c.before:
						kept++
					case c.after:
						changed++
					default:
						t.Fatalf("killed at command %d: %q", n, a.Read(t))
					}
					if got := rollOutcome(result); cloud.KindOf(got) != cloud.Unknown {
						t.Fatalf("killed at command %d: %v", n, got)
					}
					a.Env = nil
					if err := outcome(t, a, c.script); err != nil || a.Read(t) != c.after {
						t.Fatalf("after a kill at command %d the next run ended with %v: %q", n, err, a.Read(t))
					}
					leavesNothing(t, a)
				}
			}
			// BusyBox runs most of these commands itself, and so has fewer steps here; others are sampled in short tests.
			if strings.HasSuffix(shell[0], "dash") && (changed == 0 || kept < 10) {
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
		a := keyhost.NewAccount(t, shell)
		a.Write(t, k.old+"\n", 0o600)
		shim(t, a, 0, false)
		body := fmt.Sprintf("#!/bin/dash\necho '# theirs' >>%s\n", a.File())
		if err := os.WriteFile(filepath.Join(a.Home, "bin", "sync"), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
		result, err := a.Run(t.Context(), k.add)
		if err != nil || result.ExitCode != 70 || a.Read(t) != k.old+"\n# theirs\n" {
			t.Errorf("%s: %v, %+v: the file is %q", name, err, result, a.Read(t))
		}
		leavesNothing(t, a)
	}
}

// runGroup is run in a process group of its own.
func runGroup(t *testing.T, a *keyhost.Account, script []byte) (sshclient.Result, error) {
	t.Helper()
	return (&keyhost.Account{Home: a.Home, Env: a.Env, Shell: append([]string{"/usr/bin/setsid", "-w"}, a.Shell...)}).Run(t.Context(), script)
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
				a := keyhost.NewAccount(t, shell)
				a.Write(t, c.content, 0o600)
				limited := append([]byte(fmt.Sprintf("trap '' XFSZ\nulimit -f %d\n", blocks/2)), c.script...)
				result, err := a.Run(t.Context(), limited)
				if err != nil || a.Read(t) != c.content {
					t.Fatalf("%v: the file is %q", err, a.Read(t))
				}
				if got := rollOutcome(result); cloud.KindOf(got) != cloud.Refused || !strings.Contains(got.Error(), "full disk") {
					t.Errorf("%d blocks: %v, %+v", blocks, got, result)
				}
				leavesNothing(t, a)
			}
		}
	})
}

// TestRollScriptsAtOnce: runs wait for each other, and those of two new keys lose neither.
func TestRollScriptsAtOnce(t *testing.T) {
	before := sshserver.NewKey(t).PublicKey()
	eachShell(t, func(t *testing.T, shell []string) {
		a := keyhost.NewAccount(t, shell)
		a.Write(t, authorizedKey(before)+"\n", 0o600)
		const many = 4
		ends := make(chan error, many)
		want := map[string]bool{}
		for range many {
			now := sshserver.NewKey(t).PublicKey()
			want[authorizedKey(now)] = true
			go func() {
				result, err := a.Run(t.Context(), rollText(addNew, before, now))
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
			if strings.Count(a.Read(t), line) != 1 {
				t.Errorf("%s is missing", line)
			}
		}
		leavesNothing(t, a)
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
