package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// shells are those that the script is run by.
var shells = []string{"dash", "bash", "busybox"}

// field is a hash with an order of ours in its salt.
func field(order int64) string {
	return "$6$rounds=20000$" + digits(order) + "aB./09$" + strings.Repeat("x", 86)
}

// stub is shell code that puts a command before the machine's own.
func stub(name, text string) string {
	return fmt.Sprintf("mkdir -p \"$etc/bin\" && printf '#!/bin/sh\\n%%s\\n' '%s' >\"$etc/bin/%s\" && chmod 755 \"$etc/bin/%s\" || exit 200\n"+
		"case $PATH in \"$etc/bin:\"*) ;; *) PATH=\"$etc/bin:$PATH\" ;; esac\n", text, name, name)
}

// without is shell code that leaves a script all commands that it needs but one.
func without(name string) string {
	return `mkdir "$etc/only" && for c in id chpasswd flock date getent sleep chmod rm; do
	[ "$c" = ` + name + ` ] || ln -s "$(command -v "$c")" "$etc/only/$c" || exit 200
done; PATH="$etc/only"
`
}

// TestLinuxKeepsOrder runs the script on fields of all kinds. What it does not set the password over is as it was.
func TestLinuxKeepsOrder(t *testing.T) {
	const hand = "$6$rounds=20000$"
	limit := time.Now().Add(cloud.OrderDeadline)
	now := func(text string) string { return stub("date", text) }
	for name, c := range map[string]struct {
		field  string // of the user in /etc/shadow
		shadow string // the whole file instead
		passwd string // the user's field in /etc/passwd, where it is not x
		late   time.Duration
		more   string
		code   int
		// paths says that more changes which command stands behind a name: BusyBox's shell has its own.
		paths bool
	}{
		"none":             {field: "!"},
		"empty":            {field: ""},
		"star":             {field: "*"},
		"older":            {field: field(testOrder - 1)},
		"much older":       {field: field(1)},
		"the same":         {field: field(testOrder)},
		"newer":            {field: field(testOrder + 1), code: exitTooOld},
		"newer by far":     {field: field(maxOrder), code: exitTooOld},
		"over 32 bits":     {field: field(1<<31 + 5), code: exitTooOld},
		"locked":           {field: "!" + field(testOrder+1), code: exitTooOld},
		"locked twice":     {field: "!!" + field(testOrder+1), code: exitTooOld},
		"locked, older":    {field: "!" + field(testOrder-1)},
		"other cost":       {field: strings.Replace(field(testOrder+1), "20000", "5000", 1), code: exitTooOld},
		"by hand":          {field: "$y$j9T$9999999999aB./09$" + strings.Repeat("x", 43)},
		"by hand, SHA-512": {field: "$6$9999999999aB./09$" + strings.Repeat("x", 86)},
		"by hand, locked":  {field: "!$y$j9T$abcdefgh$" + strings.Repeat("x", 43)},
		"another salt":     {field: hand + "999999999xaB./09$" + strings.Repeat("x", 86)},
		"a short salt":     {field: hand + "9999999999aB./0$" + strings.Repeat("x", 86)},
		"a long salt":      {field: hand + "9999999999aB./09z$" + strings.Repeat("x", 86)},
		"SHA-256":          {field: "$5$rounds=20000$9999999999aB./09$" + strings.Repeat("x", 43)},
		"no rounds":        {field: "$6$rounds=$9999999999aB./09$" + strings.Repeat("x", 86)},
		"no scheme":        {field: "9999999999aB./09$"},
		"backslashes":      {field: `\$6\n`},
		"another's is newer": {shadow: "web2:" + field(maxOrder) + ":1:0:99999:7:::\nweb:!:1:0:99999:7:::\nwe:" +
			field(maxOrder) + ":1:0:99999:7:::\n"},
		"the first of two":      {shadow: "web:" + field(testOrder+1) + ":1:0:99999:7:::\nweb:!:1:0:99999:7:::\n", code: exitTooOld},
		"the file's end is cut": {shadow: "root:*:1:0:99999:7:::\nweb:" + field(testOrder+1), code: exitTooOld},
		"no entry":              {more: "echo 'root:*:1:0:99999:7:::' >/etc/shadow\n", code: exitNoField},
		"in passwd, newer":      {passwd: field(testOrder + 1), more: "rm /etc/shadow\n", code: exitTooOld},
		"in passwd, older":      {passwd: field(testOrder - 1), more: "rm /etc/shadow\n"},
		"no shadow file":        {more: "rm /etc/shadow\n", code: exitNoField},
		"only getent, newer": {more: "rm /etc/shadow\n" + stub("getent", "echo \"$2:"+field2(testOrder+1)+":1::::::\""), code: exitTooOld,
			paths: true},
		"getent tells another's": {more: "rm /etc/shadow\n" + stub("getent", "echo \"x$2:!:1::::::\""), code: exitNoField, paths: true},
		"no getent":              {field: "!", more: without("getent")},

		"in time":          {field: "!", late: cloud.OrderDeadline - time.Minute},
		"past the limit":   {field: "!", late: cloud.OrderDeadline + time.Second, code: exitTooLate},
		"weeks late":       {field: "!", late: 500 * time.Hour, code: exitTooLate},
		"late over a hand": {field: "$y$j9T$abcdefgh$" + strings.Repeat("x", 43), late: time.Hour, code: exitTooLate},
		"late and too old": {field: field(testOrder + 1), late: time.Hour, code: exitTooOld},
		"at the limit":     {field: "!", more: now(fmt.Sprintf("echo %d", limit.Unix())), paths: true},
		"a second after":   {field: "!", more: now(fmt.Sprintf("echo %d", limit.Unix()+1)), code: exitTooLate, paths: true},
		"a clock ahead":    {field: "!", more: now("echo 9999999999"), code: exitTooLate, paths: true},
		"a clock of 1970":  {field: "!", more: now("echo 77"), paths: true},
		"no date":          {field: "!", more: without("date"), code: exitNoClock, paths: true},
		"date fails":       {field: "!", more: now("exit 1"), code: exitNoClock, paths: true},
		"date has no %s":   {field: "!", more: now("echo %s"), code: exitNoClock, paths: true},
		"a negative clock": {field: "!", more: now("echo -1"), code: exitNoClock, paths: true},
		"a clock too long": {field: "!", more: now("echo 17640000000"), code: exitNoClock, paths: true},

		"no flock":          {field: "!", more: without("flock"), code: exitNoLock, paths: true},
		"a link for a lock": {field: "!", more: "ln -s /etc/elsewhere /run/cloudpw.lock\n", code: exitNoLock},
		"a directory":       {field: "!", more: "mkdir /run/cloudpw.lock\n", code: exitNoLock},
		"a pipe":            {field: "!", more: "mkfifo /run/cloudpw.lock\n", code: exitNoLock},
		"/run is read-only": {field: "!", more: "mount -o remount,ro,bind /run\n", code: exitNoLock},
		"the lock is held": {field: "!", more: stub("sleep", ":") + "exec 8>/run/cloudpw.lock; flock 8 || exit 200\n" +
			"\"$@\" 8>&-; exit\n", code: exitNoLock, paths: true},
		"the lock is held for a moment": {field: "!", more: "(flock 8; sleep 2) 8>/run/cloudpw.lock & sleep 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, shell := range shells {
				if c.paths && shell == "busybox" {
					continue
				}
				t.Run(shell, func(t *testing.T) {
					sh := interpreter(t, shell)
					etc := scratch(t)
					shadow := c.shadow
					if shadow == "" {
						shadow = "root:*:1:0:99999:7:::\nweb:" + c.field + ":1:0:99999:7:::\nlast:*:1:0:99999:7:::\n"
					}
					etc.write(t, "shadow", shadow)
					if c.passwd != "" {
						etc.write(t, "passwd", "root:x:0:0::/root:/bin/sh\nweb:"+c.passwd+":1000:1000::/:/bin/sh\n")
					}
					script := linuxOf(t, Change{Username: "web", Secret: secret, Order: testOrder, NotAfter: limit.Add(-c.late)})
					code, out := etc.run(t, sh, script, c.more)
					err := Outcome(Shell, code, out)
					if code != c.code || (err == nil) != (c.code == 0) {
						t.Fatalf("exit code %d, %v; output %q", code, err, out)
					}
					if told, ok := ExitCode(out); !ok || told != code || !strings.HasSuffix(out, "\n") {
						t.Errorf("the output tells %d, %v: %q", told, ok, out)
					}
					if has := etc.hash(t); (has == script.Sealed) != (c.code == 0) {
						t.Errorf("exit code %d, and the field is %q", code, has)
					}
					if want := (c.code == exitTooOld); (newerOrder(Shell, code, out) > testOrder) != want {
						t.Errorf("the server's order is %d: %q", newerOrder(Shell, code, out), out)
					}
					if uncertain := c.code == exitTooOld || c.code == exitTooLate; c.code != 0 && (cloud.KindOf(err) == cloud.Unknown) != uncertain {
						t.Errorf("kind %s", cloud.KindOf(err))
					}
					etc.clean(t)
				})
			}
		})
	}
}

// field2 is field for a text between quotes of a shell.
func field2(order int64) string { return strings.ReplaceAll(field(order), "$", `\$`) }

// hash is the user's field, wherever it is.
func (e etc) hash(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"shadow", "passwd"} {
		text, err := os.ReadFile(filepath.Join(string(e), name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Split(line, ":"); fields[0] == "web" {
				return fields[1]
			}
		}
	}
	return ""
}

// clean looks for what the script has left: a lock that only root can open, and nothing else.
func (e etc) clean(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(string(e), "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		info, err := f.Info()
		if f.Name() == "mount" {
			continue // mount's own, which a test has called
		}
		if err != nil || f.Name() != "cloudpw.lock" {
			t.Fatalf("%s is left in /run, error %v", f.Name(), err)
		}
		if info.Mode().IsRegular() && (info.Size() != 0 || !t.Failed() && info.Mode().Perm()&0o077 != 0 && !strings.Contains(t.Name(), "held")) {
			t.Errorf("%s is left in /run, %d bytes", info.Mode(), info.Size())
		}
	}
	if _, err := os.Lstat(filepath.Join(string(e), "elsewhere")); err == nil {
		t.Error("the script has followed a link")
	}
}

// Two scripts at once are one after the other: the field that one reads is there until it has changed it, also where the agent
// has killed its shell meanwhile.
func TestLinuxOneAtATime(t *testing.T) {
	for name, end := range map[string]string{"both end": "wait $first || exit 202", "the first is killed": ":"} {
		for _, shell := range shells {
			t.Run(name+"/"+shell, func(t *testing.T) {
				sh := interpreter(t, shell)
				etc := scratch(t)
				older, newer := change("web", secret), change("web", secret)
				newer.Order++
				file := filepath.Join(t.TempDir(), "newer.sh")
				second := linuxOf(t, newer)
				if err := os.WriteFile(file, []byte(second.Text), 0o600); err != nil {
					t.Fatal(err)
				}
				kill := ""
				if end == ":" {
					kill = "kill -9 $first"
				}
				// The older one is inside its chpasswd, the first, which takes its time, when the newer one begins; and again after it.
				slow := stub("chpasswd", "[ -s /etc/began ] || { echo >/etc/began; sleep 2; }; exec /usr/sbin/chpasswd \"$@\"")
				begin := fmt.Sprintf(`
cp "$(eval printf %%s \"\$$#\")" /etc/older.sh
%[1]s /etc/older.sh & first=$!
until [ -s /etc/began ]; do sleep 0.05; done
%[3]s
%[1]s '%[2]s' || exit 201
%[4]s
`, strings.Join(sh, " "), file, kill, end)
				code, out := etc.run(t, sh, linuxOf(t, older), slow+begin)
				if code != exitTooOld || etc.hash(t) != second.Sealed {
					t.Errorf("exit code %d; output %q; the field is %q", code, out, etc.hash(t))
				}
			})
		}
	}
}

// An agent may leave the script's file behind for all to read: it removes itself, and never anything else.
func TestLinuxRemovesItself(t *testing.T) {
	foreign := "#!/bin/sh\n# cloudpw: sets one\necho hello\n"
	for name, c := range map[string]struct {
		run  string // how the script, whose file is $f, is run by $s
		gone string // what must not be there afterwards
		kept string // what must be
	}{
		"as an agent does":  {run: `$s "$f"`, gone: "$f"},
		"by a command line": {run: `$s -c "$f"`, gone: "$f"},
		"by its text":       {run: `$s -c "$(cat "$f")"`, kept: "$f"},
		"by its text, named for another": {run: `$s -c "$(cat "$f")" /etc/foreign`,
			kept: "$f /etc/foreign"},
		"by its text, named for the shell": {run: `$s -c "$(cat "$f")" /etc/copy`, kept: "$f /etc/copy"},
		"from standard input":              {run: `$s -s <"$f"`, kept: "$f"},
		"by a relative name":               {run: `cd "${f%/*}" && $s "./${f##*/}"`, kept: "$f"},
		"by a link":                        {run: `ln -s "$f" /etc/link && $s /etc/link`, kept: "$f /etc/link"},
		"through a pipe":                   {run: `mkfifo /etc/pipe && { cat "$f" >/etc/pipe & } && $s /etc/pipe`, kept: "$f /etc/pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, shell := range shells {
				t.Run(shell, func(t *testing.T) {
					sh := interpreter(t, shell)
					etc := scratch(t)
					etc.write(t, "foreign", foreign)
					text, err := os.ReadFile(sh[0])
					if err != nil {
						t.Fatal(err)
					}
					etc.write(t, "copy", string(text))
					script := linuxScript(t, "web")
					more := `eval "f=\${$#}"; s='` + strings.Join(sh, " ") + "'\n" + c.run + " || exit 201\n"
					for _, path := range strings.Fields(c.gone) {
						more += fmt.Sprintf("[ -e %s ] && exit 202\n", path)
					}
					for _, path := range strings.Fields(c.kept) {
						more += fmt.Sprintf("[ -e %s ] || exit 203\n", path)
					}
					code, out := etc.run(t, sh, script, more+"exit 0\n")
					if code != 0 || Outcome(Shell, code, out) != nil || etc.hash(t) != script.Sealed {
						t.Errorf("exit code %d, %q", code, out)
					}
				})
			}
		})
	}
}

// A file that cannot be removed is closed to others at least, and the password is set all the same.
func TestLinuxHidesItself(t *testing.T) {
	for _, shell := range []string{"sh", "dash", "bash"} { // BusyBox's shell has an rm of its own
		sh := interpreter(t, shell)
		etc := scratch(t)
		script := linuxScript(t, "web")
		more := stub("rm", "exit 1") + `eval "f=\${$#}"; chmod 755 "$f"; "$@" || exit; stat -c %a "$f"; exit` + "\n"
		code, out := etc.run(t, sh, script, more)
		if Outcome(Shell, code, out) != nil || !strings.HasSuffix(out, "\n600\n") {
			t.Errorf("%s: exit code %d, %q", shell, code, out)
		}
	}
}

func TestLinuxIsShort(t *testing.T) {
	script := linuxOf(t, Change{Username: strings.Repeat("a", 32), Secret: secret, Order: maxOrder, NotAfter: time.Unix(maxOrder, 0)})
	if n := len(script.Named(strings.Repeat("n", 64)).Text); n >= 4096 {
		t.Errorf("the script has %d bytes", n)
	}
}

// The order is in the salt, the time in the script, and nothing is made without them.
func TestChangeHasOrderAndTime(t *testing.T) {
	good := Change{Username: "web", Secret: secret, Order: 42, NotAfter: time.Unix(1_764_000_600, 999)}
	script := linuxOf(t, good)
	if !strings.HasPrefix(script.Sealed, "$6$rounds=20000$0000000042") ||
		!strings.Contains(script.Text, "\norder='0000000042'\nnotafter='1764000600'\n") {
		t.Errorf("got %s", script.Text)
	}
	key := testKey(t)
	set, err := WindowsSet(good, key)
	if err != nil || !strings.Contains(set.Text, "\n$order = '0000000042'\n$notafter = '1764000600'\n") {
		t.Errorf("%v: %s", err, set.Text)
	}
	for name, spoil := range map[string]func(*Change){
		"no order":         func(c *Change) { c.Order = 0 },
		"a negative order": func(c *Change) { c.Order = -1 },
		"11 digits":        func(c *Change) { c.Order = maxOrder + 1 },
		"no time":          func(c *Change) { c.NotAfter = time.Time{} },
		"before 1970":      func(c *Change) { c.NotAfter = time.Unix(-1, 0) },
		"after 2286":       func(c *Change) { c.NotAfter = time.Unix(maxOrder+1, 0) },
	} {
		bad := good
		spoil(&bad)
		_, linux := Linux(bad)
		_, windows := WindowsSet(bad, key)
		for _, err := range []error{linux, windows} {
			if cloud.KindOf(err) != cloud.Refused {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// wholeScript writes the script for a scratch directory instead of the machine's own files, and returns its lines.
func wholeScript(t *testing.T, dir string) []string {
	t.Helper()
	script := linuxScript(t, "web")
	for name, text := range map[string]string{"shadow": "web:!:1::::::\n", "passwd": "web:x:1:1:::\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"shadow=/etc/shadow": "shadow", "passwd=/etc/passwd": "passwd", "run=/run": ""} {
		name, _, _ := strings.Cut(from, "=")
		moved := strings.Replace(script.Text, "\n"+from+"\n", "\n"+name+"='"+filepath.Join(dir, to)+"'\n", 1)
		if moved == script.Text {
			t.Fatalf("the script has no line %s", from)
		}
		script.Text = moved
	}
	return script.Lines()
}

// TestCutShort runs every beginning of the script that ends with a line. None may pass for a success.
func TestCutShort(t *testing.T) {
	sh, dir := interpreter(t, "sh"), t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"id": "echo 0", "chpasswd": "exit 0", "flock": "exit 0", "date": fmt.Sprintf("echo %d", testOrder),
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+sh[0]+"\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lines := wholeScript(t, dir)
	for n := range len(lines) + 1 {
		cmd := exec.Command(sh[0], "-s")
		cmd.Env = []string{"PATH=" + bin}
		cmd.Stdin = strings.NewReader(strings.Join(lines[:n], "\n") + "\n")
		out, _ := cmd.CombinedOutput()
		err := Outcome(Shell, cmd.ProcessState.ExitCode(), string(out))
		told, ok := ExitCode(string(out))
		switch whole := n == len(lines); {
		case whole && (err != nil || !ok || told != 0):
			t.Errorf("the whole script: %v, %q", err, out)
		case !whole && (cloud.KindOf(err) != cloud.Unknown || ok):
			t.Errorf("%d of %d lines: %v, %q", n, len(lines), err, out)
		}
	}
}
