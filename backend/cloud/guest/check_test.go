package guest

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// hashes are settings of crypt(3), whose entries the system's library makes in the tests.
var hashes = map[string]string{
	"SHA-512":         "$6$rounds=1000$saltsaltsaltsalt",
	"SHA-512, usual":  "$6$Ab./9",
	"SHA-512 unsalty": "$6$",
	"SHA-256":         "$5$rounds=1234$salt",
	"SHA-256, usual":  "$5$saltsaltsaltsalt",
	"MD5":             "$1$saltsalt",
	"MD5, unsalty":    "$1$",
	"bcrypt a":        "$2a$04$abcdefghijklmnopqrstuu",
	"bcrypt b":        "$2b$05$./ABCDEFGHIJKLMNOPQRSO",
	"bcrypt y":        "$2y$04$0123456789abcdefghijku",
	"yescrypt":        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1",
	"yescrypt, small": "$y$j75$LdJMENpBABJJ3hIHjB1Bi.",
}

// TestCrypters compares with the system's crypt(3), which the script's servers use.
func TestCrypters(t *testing.T) {
	for name, setting := range hashes {
		entryOf, why := newCrypter(setting)
		if why != "" {
			t.Errorf("%s: %s", name, why)
			continue
		}
		for _, password := range []string{"x", secret, strings.Repeat("Ab1-", 18) + "z", strings.Repeat("q", 255)} {
			given := setting
			if !strings.HasPrefix(setting, "$2") {
				given += "$"
			}
			if got, want := entryOf(password), crypted3(t, password, given); got != want {
				t.Errorf("%s, %d characters: got %s, crypt(3) makes %s", name, len(password), got, want)
			}
		}
	}
}

// What a hostile server may ask of Vault's machine is bounded, and what nobody asks for is not computed.
func TestCostsAreBounded(t *testing.T) {
	for setting, want := range map[string]string{
		"$6$rounds=999999999$salt":          tooCostly + " (999999999 rounds)",
		"$5$rounds=1000001$salt":            tooCostly,
		"$6$rounds=1000000$salt":            "",
		"$6$rounds=999$salt":                noSetting,
		"$6$rounds=01000$salt":              noSetting,
		"$6$rounds=9999999999$salt":         noSetting,
		"$6$rounds=5000$sa$lt":              noSetting,
		"$6$saltsaltsaltsalt1":              noSetting,
		"$1$saltsalt1":                      noSetting,
		"$2b$31$abcdefghijklmnopqrstuu":     tooCostly + " (bcrypt, cost 31)",
		"$2b$13$abcdefghijklmnopqrstuu":     "",
		"$2b$03$abcdefghijklmnopqrstuu":     noSetting,
		"$2x$05$abcdefghijklmnopqrstuu":     noSetting,
		"$2b$05$abcdefghijklmnopqrstu":      noSetting,
		"$y$jBT$salt":                       "",
		"$y$jCT$salt":                       tooCostly + " (yescrypt",
		"$y$jzz$salt":                       tooCostly,
		"$y$jz.$salt":                       tooCostly,
		"$y$k9T$salt":                       noSetting,
		"$y$j9T1$salt":                      noSetting,
		"$y$j9T$":                           noSetting,
		"$y$j9T$" + strings.Repeat("a", 87): noSetting,
		"$7$CU..../....salt":                noSetting,
		"$gy$j9T$salt":                      noSetting,
		"plain":                             noSetting,
		"":                                  noSetting,
	} {
		entryOf, why := newCrypter(setting)
		if (why == "") != (want == "") || !strings.HasPrefix(why, want) || (entryOf == nil) != (why != "") {
			t.Errorf("%q: %q, want %q", setting, why, want)
		}
	}
	// Of the right form, and no salt.
	if entryOf, why := newCrypter("$y$j9T$a"); why != "" || entryOf("x") != "" {
		t.Errorf("a salt of six bits: %q", why)
	}
}

// No two looks are alike, and the script holds nothing of a password.
func TestLookScript(t *testing.T) {
	a, b := newTestLook(t, "web.app-1$"), newTestLook(t, "web.app-1$")
	if a.nonce == b.nonce || a.script.Text == b.script.Text || len(a.nonce) != hex.EncodedLen(nonceSize) {
		t.Errorf("nonces %q and %q", a.nonce, b.nonce)
	}
	if !strings.Contains(a.script.Text, "\nuser='web.app-1$'\nnonce='"+a.nonce+"'\n") || a.script.Interpreter != Shell ||
		a.script.Sealed != "" {
		t.Errorf("got %s", a.script.Text)
	}
	for _, foreign := range []string{"{{", "\r", "@USERNAME", "@NONCE"} {
		if strings.Contains(a.script.Text, foreign) {
			t.Errorf("the script holds %q", foreign)
		}
	}
	// It writes no file: it runs on a read-only /etc elsewhere, and here is that there is no other way out of it.
	for line := range strings.Lines(checkText) {
		if line = written.ReplaceAllString(line, ""); strings.Contains(line, ">") && !strings.HasPrefix(line, "#") {
			t.Errorf("the script writes: %s", line)
		}
	}
	if _, err := newLook("x;reboot"); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("a username for the shell: %v", err)
	}
}

// written are the redirections that write no file.
var written = regexp.MustCompile(`[0-9]?>(?:&[0-9]|/dev/null)`)

func newTestLook(t *testing.T, username string) look {
	t.Helper()
	l, err := newLook(username)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// today is a day of /etc/shadow, so many days off.
func today(off int64) string {
	return fmt.Sprint(time.Now().Unix()/secondsPerDay + off)
}

// TestLooks runs the script as the agents do, on shadow files with everything that one may hold. Nothing is written
// there, and nothing that is printed is a hash or a password.
func TestLooks(t *testing.T) {
	const other = "Other-12345678"
	values := []string{other, secret}
	off := func(detail string) cloud.PasswordFinding {
		return cloud.PasswordFinding{Match: cloud.NoMatch, State: cloud.UserLoginOff, Detail: detail}
	}
	sha := crypted3(t, secret, "$6$rounds=1000$saltsalt")
	const plain = "Plain$Text$1"
	type server struct {
		shadow string // web's line, without the name; "": none
		passwd string // more lines
		more   string // shell code before the script
		user   string // default: web
		want   cloud.PasswordFinding
	}
	matches := func(state cloud.UserState, detail string) cloud.PasswordFinding {
		return cloud.PasswordFinding{Match: 1, State: state, Detail: detail}
	}
	servers := map[string]server{
		"another password": {shadow: crypted3(t, "somebody-elses", "$6$saltsalt") + ":1:0:99999:7:::",
			want: cloud.PasswordFinding{Match: cloud.NoMatch}},
		"half a hash":  {shadow: sha[:40] + ":1:0:99999:7:::", want: cloud.PasswordFinding{Match: cloud.NoMatch}},
		"locked":       {shadow: "!" + sha + ":1:0:99999:7:::", want: matches(cloud.UserLocked, "locked")},
		"locked twice": {shadow: "!!" + sha + ":1:0:99999:7:::", want: matches(cloud.UserLocked, "locked")},
		"locked, another": {shadow: "!" + crypted3(t, "x", "$5$saltsalt") + ":1:0:99999:7:::",
			want: cloud.PasswordFinding{Match: cloud.NoMatch, State: cloud.UserLocked, Detail: "locked"}},
		"star":        {shadow: "*:1:0:99999:7:::", want: off("! or *")},
		"locked star": {shadow: "!*:1:0:99999:7:::", want: off("! or *")},
		"mark":        {shadow: "!:1:0:99999:7:::", want: off("! or *")},
		"marks":       {shadow: "!!:1:0:99999:7:::", want: off("! or *")},
		"empty": {shadow: ":1:0:99999:7:::", want: cloud.PasswordFinding{Match: cloud.NoMatch, State: cloud.UserWithoutPassword,
			Detail: "empty"}},
		"must change":           {shadow: sha + ":0:0:99999:7:::", want: matches(cloud.UserExpired, "must be changed at the next login")},
		"account ended":         {shadow: sha + ":1:0:99999:7::1:", want: matches(cloud.UserExpired, "the account expired on 1970-01-02")},
		"account ends today":    {shadow: sha + ":1:0:99999:7::" + today(0) + ":", want: matches(cloud.UserExpired, "the account expired on ")},
		"account ends tomorrow": {shadow: sha + ":1:0:99999:7::" + today(2) + ":", want: matches("", "")},
		"aged": {shadow: sha + ":" + today(-91) + ":0:90:7:::",
			want: matches(cloud.UserExpired, "older than the server allows since ")},
		"nearly aged":   {shadow: sha + ":" + today(-89) + ":0:90:7:::", want: matches("", "")},
		"aged out":      {shadow: sha + ":" + today(-101) + ":0:90:7:10::", want: matches(cloud.UserExpired, "the password expired on ")},
		"no dates":      {shadow: sha + ":::::::", want: matches("", "")},
		"no max":        {shadow: sha + ":1::::::", want: matches("", "")},
		"odd dates":     {shadow: sha + ":-1:x:-1:y:1e3:$(id)::", want: matches("", "")},
		"short line":    {shadow: sha, want: matches("", "")},
		"costly":        {shadow: "$6$rounds=999999999$saltsalt$" + sha[24:] + ":1::::::", want: cloud.NotCompared(tooCostly)},
		"scrypt":        {shadow: "$7$CU..../....saltsalt$hashhash:1::::::", want: cloud.NotCompared("scheme $7$")},
		"gost":          {shadow: "$gy$j9T$saltsalt$hashhash:1::::::", want: cloud.NotCompared("scheme $gy$")},
		"sun":           {shadow: "$md5,rounds=904$saltsalt$$hashhash:1::::::", want: cloud.NotCompared("scheme $md5$")},
		"argon":         {shadow: "$argon2id$v=19$m=1$saltsalt$hashhash:1::::::", want: cloud.NotCompared("scheme $argon2id$")},
		"DES":           {shadow: "ab01FAX.bQRSU:1::::::", want: cloud.NotCompared("no scheme that cloudpw knows")},
		"plain":         {shadow: plain + ":1::::::", want: cloud.NotCompared("no scheme that cloudpw knows")},
		"plain, dollar": {shadow: "$" + plain + ":1::::::", want: cloud.NotCompared("no scheme that cloudpw knows")},
		"salt unknown":  {shadow: "$6$salt_salt$hashhash:1::::::", want: cloud.NotCompared(noSetting)},
		"no user": {shadow: sha, user: "gone", want: cloud.PasswordFinding{Match: cloud.NoMatch, State: cloud.UserMissing,
			Detail: "no such user"}},
		"in shadow only": {shadow: sha + ":1::::::\ngone:" + sha + ":1::::::", user: "gone",
			want: cloud.PasswordFinding{Match: cloud.NoMatch, State: cloud.UserMissing, Detail: "no such user"}},
		"of a directory":    {shadow: sha, passwd: "ldap:x:1001:1001::/:/bin/sh\n", user: "ldap", want: cloud.NotCompared("LDAP, SSSD")},
		"first line counts": {shadow: sha + ":1::::::\nweb:*:1::::::", want: matches("", "")},
		"like another":      {shadow: "*:1::::::\nweb2:" + sha + ":1::::::", want: off("! or *")},
		"name as a pattern": {shadow: sha + ":1::::::", passwd: "w.b:x:1001:1001::/:/bin/sh\n", user: "w.b",
			want: cloud.NotCompared("LDAP, SSSD")},
		"not root":  {shadow: sha, more: `set -- unshare --user "$@"`, want: cloud.NotCompared("without the rights of root")},
		"no shadow": {shadow: sha, more: `rm /etc/shadow`, want: cloud.NotCompared("/etc/shadow cannot be read")},
		"no digest": {shadow: sha, more: tools("id", "date"), want: cloud.NotCompared("no sha256sum, openssl or busybox")},
		"openssl":   {shadow: sha, more: tools("id", "date", "openssl"), want: matches("", "")},
		"no date":   {shadow: "!" + sha + ":1:0:99999:7::1:", more: tools("id", "sha256sum"), want: matches(cloud.UserLocked, "locked")},
		"sshd off": {shadow: sha, more: sshd("passwordauthentication no", "kbdinteractiveauthentication no", "usepam yes"),
			want: matches(cloud.UserLoginOff, "PasswordAuthentication no")},
		"sshd by PAM": {shadow: sha, more: sshd("passwordauthentication no", "kbdinteractiveauthentication yes", "usepam yes"),
			want: matches("", "")},
		"sshd on": {shadow: sha, more: sshd("port 22", "passwordauthentication yes", "permitrootlogin no", "hostkey /etc/x"),
			want: matches("", "")},
		"sshd keys": {shadow: sha, more: sshd("passwordauthentication yes", "authenticationmethods publickey publickey,hostbased"),
			want: matches(cloud.UserLoginOff, "AuthenticationMethods")},
		"sshd both": {shadow: sha, more: sshd("passwordauthentication yes", "authenticationmethods publickey,password"),
			want: matches("", "")},
		"sshd, locked": {shadow: "!" + sha, more: sshd("passwordauthentication no"), want: matches(cloud.UserLocked, "locked")},
		"sshd, root": {shadow: "*::::::\nroot:" + sha, user: "root", more: sshd("passwordauthentication yes", "permitrootlogin without-password"),
			want: matches(cloud.UserLoginOff, "PermitRootLogin")},
		"sshd fails": {shadow: sha, more: `printf '#!/bin/sh\nexit 255\n' >/etc/sshd; chmod 700 /etc/sshd`, want: matches("", "")},
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		delete(servers, "openssl") // not installed here: digests are made by sha256sum alone
	}
	for name, setting := range hashes {
		given := setting
		if !strings.HasPrefix(setting, "$2") {
			given += "$"
		}
		servers[name] = server{shadow: crypted3(t, secret, given) + ":1:0:99999:7:::", want: matches("", "")}
	}
	for _, shell := range []string{"dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			sh := interpreter(t, shell)
			for name, s := range servers {
				t.Run(name, func(t *testing.T) {
					if shell == "busybox" && name == "no digest" {
						return // it has sha256sum in itself, whatever the PATH
					}
					user := s.user
					if user == "" {
						user = "web"
					}
					etc := scratch(t)
					shadow := "web:" + s.shadow + "\n"
					if !strings.Contains(shadow, "\nroot:") {
						shadow += "root:*:1:0:99999:7:::\n"
					}
					etc.write(t, "shadow", shadow)
					etc.write(t, "passwd", "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\nweb2:x:1002:1002::/:/bin/sh\n"+s.passwd)
					l := newTestLook(t, user)
					// The machine's own sshd is out of the way.
					script := Script{Interpreter: Shell, Text: strings.Replace(l.script.Text, "\nsshd=/usr/sbin/sshd\n", "\nsshd=/etc/sshd\n", 1)}
					code, out := etc.run(t, sh, script, "mount=$(command -v mount)\n"+s.more+"\n\"$mount\" -o remount,ro,bind /etc")
					report, err := seen(code, out)
					if err != nil {
						t.Fatalf("%v: %d, %q", err, code, out)
					}
					got, err := Checker{Service: newService(), Hashing: NewHashing()}.compare(t.Context(), l, report, values)
					if err != nil || got.Match != s.want.Match || got.State != s.want.State ||
						!strings.Contains(got.Detail, s.want.Detail) || (got.Detail == "") != (got.State == "") ||
						!strings.Contains(got.Unknown, s.want.Unknown) || (got.Unknown == "") != (s.want.Unknown == "") {
						t.Errorf("found %+v, %v; want %+v; printed %q", got, err, s.want, out)
					}
					field, _, _ := strings.Cut(s.shadow, ":")
					tail := field[strings.LastIndexByte(field, '$')+1:]
					for _, leak := range []string{secret, "Text", tail} {
						if len(leak) > 3 && strings.Contains(out, leak) {
							t.Errorf("the output holds %q: %q", leak, out)
						}
					}
				})
			}
		})
	}
}

// tools leaves the script with these alone.
func tools(names ...string) string {
	code := `mkdir /etc/bin`
	for _, name := range names {
		code += `; ln -s "$(command -v ` + name + `)" /etc/bin/` + name
	}
	return code + "; PATH=/etc/bin"
}

// sshd puts one in place that prints these lines and takes no other command line.
func sshd(lines ...string) string {
	return `cat >/etc/sshd <<'END'
#!/bin/sh
case "$*" in "-T -C user="*",host=client.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22") ;; *) exit 1 ;; esac
printf '%s\n' '` + strings.Join(lines, `' '`) + `'
END
chmod 700 /etc/sshd`
}

// reportOf is an output of the script for a local user.
func reportOf(lines ...string) string {
	return "cloudpw: user=local\ncloudpw: " + strings.Join(lines, "\ncloudpw: ") + "\n" + checked + "\n"
}

// A report is whole and of the script's own form, or none: a server's output never makes an account differ by accident.
func TestReportsAreStrict(t *testing.T) {
	const digest = "3588de2b4441d1ffe90247ac9ee66f673765761f4d99afe6f60b1a7ab1f4ef97"
	whole := reportOf("password=hash", "setting=$6$salt", "digest="+digest)
	for name, output := range map[string]string{
		"whole":      whole,
		"carriage":   strings.ReplaceAll(whole, "\n", "\r\n"),
		"noise":      "Welcome to web-1!\n" + whole + "sh: warning: no locale\n",
		"no digest":  reportOf("password=hash", "setting=$6$salt", "digest="),
		"no user":    "cloudpw: user=none\n" + checked + "\n",
		"sshd's own": reportOf("password=off", "sshd authenticationmethods=publickey,keyboard-interactive:pam hostbased"),
	} {
		if r, err := seen(0, output); err != nil || r.values["user"] == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, output := range map[string]string{
		"empty":          "",
		"no end":         strings.TrimSuffix(whole, checked+"\n"),
		"end first":      checked + "\n" + whole,
		"after the end":  whole + "cloudpw: locked=yes\n",
		"end twice":      whole + checked + "\n",
		"only the end":   checked + "\n",
		"no password":    "cloudpw: user=local\n" + checked + "\n",
		"no setting":     reportOf("password=hash", "digest="+digest),
		"setting of off": reportOf("password=off", "setting=$6$salt"),
		"twice":          reportOf("password=off", "locked=yes", "locked=yes"),
		"unknown key":    reportOf("password=off", "mood=fine"),
		"no value":       reportOf("password=off", "locked"),
		"bad value":      reportOf("password=off", "locked=perhaps"),
		"big number":     reportOf("password=off", "expires=1234567890"),
		"short digest":   reportOf("password=hash", "setting=$6$salt", "digest="+digest[1:]),
		"odd setting":    reportOf("password=hash", "setting=$6$sa lt", "digest="+digest),
		"long setting":   reportOf("password=hash", "setting=$6$"+strings.Repeat("a", 300), "digest="+digest),
		"foreign has":    "cloudpw: user=foreign\ncloudpw: password=off\n" + checked + "\n",
		"many lines":     strings.Repeat("noise\n", maxReportLines) + whole,
		"too long":       strings.Repeat("x", maxOutput) + "\n" + whole,
	} {
		if r, err := seen(0, output); cloud.KindOf(err) != cloud.Refused || len(r.values) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// A failed command is no report, whatever it printed; and no message repeats a hash or a setting.
	_, err := seen(1, whole+"sh: cannot fork\nroot:$6$abc$def\n")
	if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "exit code 1") || !strings.Contains(err.Error(), "cannot fork") ||
		strings.Contains(err.Error(), "$6$") || strings.Contains(err.Error(), digest) {
		t.Errorf("%v", err)
	}
}

// TestLookCutShort runs every beginning of the script that ends with a line. None may pass for a report.
func TestLookCutShort(t *testing.T) {
	sh, dir := interpreter(t, "sh"), t.TempDir()
	for name, text := range map[string]string{"id": "echo 0", "date": "echo 1", "sha256sum": "echo " + strings.Repeat("0", 64)} {
		etc(dir).write(t, name, "#!"+sh[0]+"\n"+text+"\n")
		if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	etc(dir).write(t, "shadow", "web:$6$salt$hash:1::::::\n")
	text := strings.Replace(newTestLook(t, "web").script.Text, "\nshadow=/etc/shadow\n", "\nshadow="+dir+"/shadow\n", 1)
	lines := Script{Text: text}.Lines()
	for n := range len(lines) + 1 {
		cmd := exec.Command(sh[0], "-s")
		cmd.Env = []string{"PATH=" + dir}
		cmd.Stdin = strings.NewReader(strings.Join(lines[:n], "\n") + "\n")
		out, _ := cmd.CombinedOutput()
		_, err := seen(cmd.ProcessState.ExitCode(), string(out))
		if whole := n == len(lines); whole != (err == nil) {
			t.Errorf("%d of %d lines: %v", n, len(lines), err)
		}
	}
}
