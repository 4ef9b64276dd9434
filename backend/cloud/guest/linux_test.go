package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// secret has what a careless script would stumble over.
const secret = `a'b"c $HOME \n%s:` + "`id`" + `!#~Z9`

// TestHash compares with the examples of the scheme's specification (Ulrich Drepper, "Unix crypt using
// SHA-256 and SHA-512").
func TestHash(t *testing.T) {
	for _, v := range []struct {
		secret, salt string
		rounds       int
		want         string
	}{
		{"Hello world!", "saltstringsaltst", 10000, "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
		{"This is just a test", "toolongsaltstrin", 5000,
			"lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
	} {
		if got := hashWith(v.secret, []byte(v.salt), v.rounds); !strings.HasSuffix(got, "$"+v.salt+"$"+v.want) {
			t.Errorf("%q: got %s", v.secret, got)
		}
	}
}

// hashForm is what shadow-utils takes for a SHA-512 hash, with testOrder in its salt.
var hashForm = regexp.MustCompile(`\$6\$rounds=20000\$1764000000[./0-9A-Za-z]{6}\$[./0-9A-Za-z]{86}`)

func TestLinuxScript(t *testing.T) {
	a, b := linuxScript(t, "web.app-1$"), linuxScript(t, "web.app-1$")
	if a.Interpreter != Shell || !strings.Contains(a.Text, "\nuser='web.app-1$'\n") || !hashForm.MatchString(a.Text) {
		t.Errorf("got %s", a.Text)
	}
	if a.Text == b.Text {
		t.Error("two scripts have one salt")
	}
	if got := strings.Join(a.Lines(), "\n") + "\n"; got != a.Text {
		t.Errorf("lines: got %q", got)
	}
	for _, foreign := range []string{secret, "@", "{{", "\r"} {
		if strings.Contains(hashForm.ReplaceAllString(a.Text, ""), foreign) {
			t.Errorf("the script holds %q", foreign)
		}
	}
}

func TestInput(t *testing.T) {
	key := testKey(t)
	for _, c := range []struct {
		username, secret string
		linux, windows   cloud.Kind
	}{
		{"root", "x", "", ""},
		{"svc$", "x", "", ""},
		{"0day", "x", "", ""},
		{"", "x", cloud.Refused, cloud.Refused},
		{"1000", "x", cloud.Refused, ""},
		{"-e", "x", cloud.Refused, ""},
		{"a'b", "x", cloud.Refused, ""},
		{"a b", "x", "", ""},
		{"a\n", "x", cloud.Refused, cloud.Refused},
		{"$(id)", "x", cloud.Refused, ""},
		{"{{x}}", "x", cloud.Refused, ""},
		{`CORP\x`, "x", cloud.Refused, cloud.Refused},
		{"a:b", "x", cloud.Refused, cloud.Refused},
		{"é", "x", "", ""},
		{"Администратор", "x", "", ""},
		{cloud.BuiltinAdministrator, "x", cloud.Refused, ""},
		{strings.Repeat("a", 21), "x", "", cloud.Refused},
		{strings.Repeat("a", 33), "x", cloud.Refused, cloud.Refused},
		{"root", "", cloud.PasswordRefused, cloud.PasswordRefused},
		{"root", "a\nroot:b", cloud.PasswordRefused, cloud.PasswordRefused},
		{"root", "ü", cloud.PasswordRefused, cloud.PasswordRefused},
		{"root", strings.Repeat("x", 256), cloud.PasswordRefused, cloud.PasswordRefused},
	} {
		if _, err := Linux(change(c.username, c.secret)); cloud.KindOf(err) != c.linux {
			t.Errorf("Linux, %q, %q: got %v", c.username, c.secret, err)
		}
		script, err := WindowsSet(change(c.username, c.secret), key)
		if cloud.KindOf(err) != c.windows {
			t.Errorf("Windows, %q, %q: got %v", c.username, c.secret, err)
		}
		// Agents save a script without a byte order mark, and clouds put values in for "{{".
		if strings.ContainsFunc(script.Text, func(r rune) bool { return r > '~' }) || strings.Contains(script.Text, "{{") {
			t.Errorf("Windows, %q: the script is not plain ASCII", c.username)
		}
	}
}

// TestLinuxRuns runs the script as the agents do, with the real id and chpasswd, on accounts of its own:
// a directory of the test's is mounted over /etc in a mount namespace.
func TestLinuxRuns(t *testing.T) {
	for _, shell := range []string{"dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			sh := interpreter(t, shell)
			t.Run("sets the password", func(t *testing.T) {
				etc := scratch(t)
				for range 2 { // again, as a retry would
					script := linuxScript(t, "web")
					code, out := etc.run(t, sh, script, "")
					if err := Outcome(Shell, code, out); err != nil {
						t.Fatal(err)
					}
					entry := etc.entry(t, "web")
					if entry[1] != hashForm.FindString(script.Text) || entry[2] == "1" {
						t.Errorf("the entry is %q", entry)
					}
					if got := crypted3(t, secret, entry[1]); got != entry[1] {
						t.Errorf("crypt(3) makes %q of the password", got)
					}
					for _, leak := range []string{secret, entry[1]} {
						if strings.Contains(out, leak) {
							t.Errorf("the output holds a secret: %q", out)
						}
					}
				}
				if root := etc.entry(t, "root"); root[1] != "*" {
					t.Errorf("another account changed: %q", root)
				}
			})
			t.Run("no such user", func(t *testing.T) {
				etc := scratch(t)
				code, out := etc.run(t, sh, linuxScript(t, "nobody-here"), "")
				etc.refused(t, code, out, exitNoUser, cloud.Refused)
			})
			t.Run("no chpasswd", func(t *testing.T) {
				etc := scratch(t)
				code, out := etc.run(t, sh, linuxScript(t, "web"), `mkdir "$etc/bin" && ln -s "$(command -v id)" "$etc/bin/id" && PATH="$etc/bin"`)
				etc.refused(t, code, out, exitNoChpasswd, cloud.Refused)
			})
			t.Run("chpasswd fails", func(t *testing.T) {
				etc := scratch(t)
				code, out := etc.run(t, sh, linuxScript(t, "web"), `mount -o remount,ro,bind /etc`)
				etc.refused(t, code, out, exitChpasswdFailed, cloud.Unknown)
				if err := Outcome(Shell, code, out); !strings.Contains(err.Error(), "the server says: chpasswd: ") {
					t.Errorf("the reason is missing: %v", err)
				}
			})
			t.Run("not root", func(t *testing.T) {
				etc := scratch(t)
				// Nobody of a user namespace of its own, who has no rights over any file.
				code, out := etc.run(t, sh, linuxScript(t, "web"), `set -- unshare --user "$@"`)
				etc.refused(t, code, out, exitNotRoot, cloud.Refused)
			})
		})
	}
}

// testOrder is the order of the values of these tests.
const testOrder = 1_764_000_000

// change is one that is made in time.
func change(username, secret string) Change {
	return Change{Username: username, Secret: secret, Order: testOrder, NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

func linuxScript(t *testing.T, username string) Script {
	t.Helper()
	return linuxOf(t, change(username, secret))
}

func linuxOf(t *testing.T, c Change) Script {
	t.Helper()
	script, err := Linux(c)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// interpreter finds a shell, or skips.
func interpreter(t *testing.T, name string) []string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed here: the script was not run by it", name)
	}
	if name == "busybox" {
		return []string{path, "sh"}
	}
	return []string{path}
}

// etc is a directory that stands in for /etc, and its run for /run.
type etc string

func scratch(t *testing.T) etc {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"passwd":          "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n",
		"group":           "root:x:0:\nweb:x:1000:\n",
		"shadow":          "root:*:1:0:99999:7:::\nweb:!:1:0:99999:7:::\n",
		"nsswitch.conf":   "passwd: files\nshadow: files\n",
		"cloudpw-scratch": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	return etc(dir)
}

// write gives a file another text.
func (e etc) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(e), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inside mounts $etc over /etc and $etc/run over /run, in a namespace that nobody else sees, makes sure of that, and only then
// goes on.
const inside = `mount --bind "$etc" /etc && mount --bind "$etc/run" /run &&
test -e /etc/cloudpw-scratch && grep -q '^web:' /etc/shadow || exit 200
eval "$more"
exec "$@"`

// namespace are the arguments of unshare for a mount namespace.
func namespace() []string {
	arguments := []string{"--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		arguments = append(arguments, "--map-root-user")
	}
	return arguments
}

// mountNamespace is why no mount namespace can be had here; nil if one can.
var mountNamespace = sync.OnceValue(func() error {
	if out, err := exec.Command("unshare", append(namespace(), "true")...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// run runs a script with the scratch directory for /etc, after more shell code, or skips where no mount
// namespace can be had.
func (e etc) run(t *testing.T, shell []string, script Script, more string) (code int, output string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "_script.sh")
	if err := os.WriteFile(file, []byte(script.Text), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountNamespace(); err != nil {
		t.Skipf("no mount namespace can be had here (%v): the script was not run on accounts of its own", err)
	}
	args := append(append(namespace(), "/bin/sh", "-c", inside, "sh"), shell...)
	cmd := exec.Command("unshare", append(args, file)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "etc=" + string(e), "more=" + more}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() == 200 {
		t.Fatalf("%v: %s", err, out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// entry is an account's line in shadow.
func (e etc) entry(t *testing.T, username string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(string(e), "shadow"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); fields[0] == username {
			return fields
		}
	}
	t.Fatalf("%s is not in shadow", username)
	return nil
}

// refused checks an exit code, what it means, and that nothing was changed.
func (e etc) refused(t *testing.T, code int, output string, wantCode int, wantKind cloud.Kind) {
	t.Helper()
	err := Outcome(Shell, code, output)
	if code != wantCode || cloud.KindOf(err) != wantKind {
		t.Errorf("exit code %d, %v; output %q", code, err, output)
	}
	if entry := e.entry(t, "web"); entry[1] != "!" {
		t.Errorf("the entry is %q", entry)
	}
}

// crypted3 is crypt(3) of the system's library, through Perl.
func crypted3(t *testing.T, secret, setting string) string {
	t.Helper()
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("perl is not installed here: the hash was not compared with the system's crypt(3)")
	}
	cmd := exec.Command(perl, "-e", "local $/; print crypt(<STDIN>, $ARGV[0])", setting)
	cmd.Stdin = strings.NewReader(secret)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
