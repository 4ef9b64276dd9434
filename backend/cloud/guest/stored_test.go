package guest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The two ways in which a cloud may hand over the parameters of a stored script: each fills in a text, and says what more the shell
// is given before it runs it.
var handedOver = map[string]func(s *Stored) (text, more string){
	"replaced": func(s *Stored) (string, string) {
		text := s.Text
		for _, p := range s.Parameters {
			text = strings.ReplaceAll(text, "${"+p.Name+"}", p.Value)
		}
		return text, ""
	},
	"variables": func(s *Stored) (string, string) {
		more := ""
		for _, p := range s.Parameters {
			more += fmt.Sprintf("export %s='%s'\n", p.Name, p.Value)
		}
		return s.Text, more
	},
}

// withParameter is a stored script with another value for one of its parameters.
func (s Stored) withParameter(name, value string) *Stored {
	parameters := append([]Parameter(nil), s.Parameters...)
	for i := range parameters {
		if parameters[i].Name == name {
			parameters[i].Value = value
		}
	}
	return &Stored{Text: s.Text, Parameters: parameters}
}

// value is that of a parameter.
func (s Stored) value(name string) string {
	for _, p := range s.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// The text is the same whatever is to be set, short enough for the strictest page, and has its parameters and nothing else in the
// form that a cloud may touch.
func TestStoredForm(t *testing.T) {
	one := linuxOf(t, Change{Username: "web", Secret: secret, Order: testOrder, NotAfter: time.Unix(testOrder, 0)})
	other := linuxOf(t, Change{Username: strings.Repeat("я", 32), Secret: "x", Order: maxOrder, NotAfter: time.Unix(maxOrder, 0)})
	look, otherLook := newTestLook(t, "web").script, newTestLook(t, "root").script
	for name, c := range map[string]struct {
		a, b       Script
		parameters string
		secret     string
	}{
		"set":  {one, other, "cloudpw_user cloudpw_hash cloudpw_order cloudpw_notafter", "cloudpw_hash"},
		"look": {look, otherLook, "cloudpw_user cloudpw_nonce", ""},
	} {
		text := c.a.Stored.Text
		if text != c.b.Stored.Text || len(text) >= 4096 || strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
			t.Errorf("%s: %d characters: %s", name, len(text), text)
		}
		var names []string
		head := "#!/bin/sh\n"
		for _, p := range c.a.Stored.Parameters {
			names = append(names, p.Name)
			head += strings.TrimPrefix(p.Name, "cloudpw_") + `="${` + p.Name + "}\"\n"
			if p.Secret != (p.Name == c.secret) {
				t.Errorf("%s: %s is secret: %t", name, p.Name, p.Secret)
			}
		}
		if got := strings.Join(names, " "); got != c.parameters {
			t.Errorf("%s: the parameters are %s", name, got)
		}
		// The head is the comment and the parameters, in this order.
		if comment := regexp.MustCompile(`\n#[^\n]*`); !strings.HasPrefix(comment.ReplaceAllString(text, ""), head+"shadow=/etc/shadow\n") ||
			strings.Count(text, "\n#") != 1 || strings.Contains(text, "\t#") {
			t.Errorf("%s: the head is %q", name, text[:400])
		}
		if strings.Count(text, "${") != len(names) || strings.Contains(text, "{{") || strings.Contains(text, "@") ||
			strings.Count(text, "\n\treceive\n") != 1 || !strings.HasSuffix(text, "\nmain\n") {
			t.Errorf("%s: %s", name, text)
		}
		for _, s := range []Script{c.a, c.b} {
			for _, p := range s.Stored.Parameters {
				if !regexp.MustCompile(`^[0-9A-Za-z+/=]{1,999}$`).MatchString(p.Value) {
					t.Errorf("%s: %s is %q", name, p.Name, p.Value)
				}
			}
		}
		// The script that is sent whole has none.
		if strings.Contains(c.a.Text, "${") || strings.Contains(c.a.Text, "receive") {
			t.Errorf("%s: %s", name, c.a.Text)
		}
	}
	for _, s := range []any{*one.Stored, one.Stored, one.Stored.Parameters, one} {
		for _, format := range []string{"%v", "%+v", "%#v"} {
			if got := fmt.Sprintf(format, s); strings.Contains(got, one.Sealed) || strings.Contains(got, one.Stored.value("cloudpw_hash")) {
				t.Errorf("%s shows %s", format, got)
			}
		}
	}
}

// Both ways of handing over set the password, in each shell, and keep the order and the deadline.
func TestStoredRuns(t *testing.T) {
	for way, hand := range handedOver {
		for _, shell := range shells {
			t.Run(way+"/"+shell, func(t *testing.T) {
				sh := interpreter(t, shell)
				for name, c := range map[string]struct {
					username string
					field    string
					late     time.Duration
					code     int
				}{
					"sets":     {username: "web", field: "!"},
					"a blank":  {username: "two words", field: "!"},
					"too old":  {username: "web", field: field(testOrder + 1), code: exitTooOld},
					"too late": {username: "web", field: "!", late: time.Hour, code: exitTooLate},
					"no user":  {username: "nobody-here", field: "!", code: exitNoUser},
				} {
					etc := scratch(t)
					etc.write(t, "shadow", "root:*:1:0:99999:7:::\nweb:"+c.field+":1:0:99999:7:::\ntwo words:!:1:0:99999:7:::\n")
					etc.write(t, "passwd", "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\ntwo words:x:1001:1001::/:/bin/sh\n")
					script := linuxOf(t, Change{Username: c.username, Secret: secret, Order: testOrder,
						NotAfter: time.Now().Add(cloud.OrderDeadline - c.late)})
					text, more := hand(script.Stored)
					code, out := etc.run(t, sh, Script{Text: text}, more)
					if code != c.code || (Outcome(Shell, code, out) == nil) != (c.code == 0) {
						t.Fatalf("%s: exit code %d: %q", name, code, out)
					}
					if told, ok := ExitCode(out); !ok || told != code {
						t.Errorf("%s: the output tells %d, %t", name, told, ok)
					}
					if set := name == "sets" || name == "a blank"; set && etc.entry(t, c.username)[1] != script.Sealed ||
						!set && etc.hash(t) != c.field {
						t.Errorf("%s: the field is %q", name, etc.hash(t))
					}
					for _, leak := range []string{script.Sealed, script.Stored.value("cloudpw_hash"), secret} {
						if strings.Contains(out, leak) {
							t.Errorf("%s: the output holds a secret: %q", name, out)
						}
					}
				}
			})
		}
	}
}

// Each of the tools that read base64 will do, and where there is none nothing is done.
func TestStoredDecoders(t *testing.T) {
	all := []string{"id", "chpasswd", "flock", "date", "chmod", "rm"}
	for name, c := range map[string]struct {
		tools []string
		more  string
		code  int
	}{
		"base64":       {tools: []string{"base64"}},
		"openssl":      {tools: []string{"openssl"}},
		"busybox":      {tools: []string{"busybox"}},
		"none":         {code: exitNoDecoder},
		"one of none":  {more: "printf '#!/bin/sh\\nexit 1\\n' >/etc/bin/base64; chmod 700 /etc/bin/base64", code: exitNoDecoder},
		"a silent one": {more: "printf '#!/bin/sh\\nexit 0\\n' >/etc/bin/openssl; chmod 700 /etc/bin/openssl", code: exitNoDecoder},
	} {
		t.Run(name, func(t *testing.T) {
			sh := interpreter(t, "dash")
			for _, tool := range c.tools {
				interpreter(t, tool)
			}
			etc := scratch(t)
			script := linuxScript(t, "web")
			text, more := handedOver["variables"](script.Stored)
			code, out := etc.run(t, sh, Script{Text: text}, more+tools(append(c.tools, all...)...)+"\n"+c.more)
			if code != c.code || (etc.hash(t) == script.Sealed) != (code == 0) {
				t.Errorf("exit code %d, %q", code, out)
			}
			if err := Outcome(Shell, code, out); code != 0 && cloud.KindOf(err) != cloud.Refused {
				t.Errorf("%v", err)
			}
		})
	}
}

// A value that did not arrive, or not whole, or with another's, changes nothing, and the error says whose fault that is.
func TestStoredDamage(t *testing.T) {
	script := linuxScript(t, "web")
	newer := change("web", secret)
	newer.Order++
	foreign := linuxOf(t, newer).Stored
	whole := script.Stored
	cut := func(name string, n int) *Stored {
		v := whole.value(name)
		return whole.withParameter(name, v[:len(v)-n])
	}
	with := func(name, value string) *Stored { return whole.withParameter(name, encoded(value)) }
	cases := map[string]struct {
		stored *Stored
		code   int
	}{
		"another's hash":     {whole.withParameter("cloudpw_hash", foreign.value("cloudpw_hash")), exitOtherOrder},
		"another's order":    {whole.withParameter("cloudpw_order", foreign.value("cloudpw_order")), exitOtherOrder},
		"a clear password":   {with("cloudpw_hash", secret[1:8]), exitOtherOrder},
		"another scheme":     {with("cloudpw_hash", strings.Replace(script.Sealed, "$6$", "$5$", 1)), exitOtherOrder},
		"the order further":  {with("cloudpw_hash", "$6$rounds=20000$x"+digits(testOrder)+"aB./0$x"), exitOtherOrder},
		"a short order":      {whole.withParameter("cloudpw_order", "176400000"), exitDamaged},
		"an order of words":  {whole.withParameter("cloudpw_order", "176400000x"), exitDamaged},
		"a long order":       {whole.withParameter("cloudpw_order", "17640000000"), exitDamaged},
		"a short time":       {cut("cloudpw_notafter", 1), exitDamaged},
		"a time of words":    {whole.withParameter("cloudpw_notafter", "never-ever"), exitDamaged},
		"a name, cut":        {cut("cloudpw_user", 4), exitDamaged},
		"a hash, cut":        {cut("cloudpw_hash", 4), exitDamaged},
		"a hash, cut by one": {cut("cloudpw_hash", 1), exitDamaged},
		"a hash by half":     {cut("cloudpw_hash", 88), exitDamaged},
		"no name in it":      {with("cloudpw_user", ""), exitDamaged},
		"two names in it":    {with("cloudpw_user", "web:x"), exitDamaged},
		"a name in clear":    {whole.withParameter("cloudpw_user", "web"), exitDamaged},
		"no base64":          {whole.withParameter("cloudpw_user", "d2V*Og=="), exitDamaged},
		"a shell's":          {whole.withParameter("cloudpw_user", "$(id)"), exitDamaged},
	}
	for _, p := range whole.Parameters {
		cases["no "+p.Name] = struct {
			stored *Stored
			code   int
		}{whole.withParameter(p.Name, ""), exitDamaged}
	}
	for n, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		for m, way := range []string{"replaced", "variables"} {
			if name == "a shell's" && way == "replaced" {
				continue // no cloud replaces by what its alphabet refuses
			}
			etc := scratch(t)
			text, more := handedOver[way](c.stored)
			shell := shells[(n+m)%len(shells)] // in turn, as each run takes its time
			code, out := etc.run(t, interpreter(t, shell), Script{Text: text}, more)
			etc.refused(t, code, out, c.code, cloud.Refused)
			if err := Outcome(Shell, code, out); !strings.Contains(err.Error(), "the cloud did not hand over the command's parameters") {
				t.Errorf("%s: %v", name, err)
			}
			if t.Failed() {
				t.Fatalf("%s, %s, %s", name, way, shell)
			}
		}
	}
	// Where the cloud hands nothing over in either way, nothing is done.
	etc := scratch(t)
	code, out := etc.run(t, interpreter(t, "dash"), Script{Text: whole.Text}, "")
	etc.refused(t, code, out, exitDamaged, cloud.Refused)
}

// A stored look reports what one that is sent whole reports.
func TestStoredLooks(t *testing.T) {
	sha := crypted3(t, secret, "$6$rounds=1000$saltsalt")
	for way, hand := range handedOver {
		for _, shell := range shells {
			sh := interpreter(t, shell)
			etc := scratch(t)
			etc.write(t, "shadow", "root:*:1:0:99999:7:::\nweb:"+sha+":1:0:99999:7:::\n")
			l := newTestLook(t, "web")
			text, more := hand(l.script.Stored)
			code, out := etc.run(t, sh, Script{Text: text}, more)
			seen, err := seen(code, out)
			if err != nil {
				t.Fatalf("%s, %s: %v, %q", way, shell, err, out)
			}
			found, err := Checker{Service: newService(), Hashing: NewHashing()}.compare(t.Context(), l, seen, []string{"x", secret})
			if err != nil || found.Match != 1 {
				t.Errorf("%s, %s: %+v, %v", way, shell, found, err)
			}
			for name, bad := range map[string]*Stored{
				"no user":       l.script.Stored.withParameter("cloudpw_user", ""),
				"a cut user":    l.script.Stored.withParameter("cloudpw_user", "d2Vi"),
				"no nonce":      l.script.Stored.withParameter("cloudpw_nonce", ""),
				"a cut nonce":   l.script.Stored.withParameter("cloudpw_nonce", l.nonce[1:]),
				"another nonce": l.script.Stored.withParameter("cloudpw_nonce", strings.Repeat("X", 32)),
			} {
				text, more := hand(bad)
				code, out := etc.run(t, sh, Script{Text: text}, more)
				if err := seenError(code, out); code != exitDamaged || cloud.KindOf(err) != cloud.Refused ||
					!strings.Contains(err.Error(), "did not hand over the command's parameters") {
					t.Errorf("%s, %s, %s: exit code %d, %q, %v", way, shell, name, code, out, err)
				}
			}
			code, out = etc.run(t, sh, Script{Text: text}, more+tools("id", "date", "sha256sum"))
			if err := seenError(code, out); shell != "busybox" && (code != exitNoDecoder || cloud.KindOf(err) != cloud.Refused ||
				!strings.Contains(err.Error(), "base64")) {
				t.Errorf("%s, %s: exit code %d, %v", way, shell, code, err)
			}
		}
	}
}

func seenError(code int, out string) error {
	_, err := seen(code, out)
	return err
}

// A shell that cannot compare texts sets nothing: it would take each order for the newest.
func TestLinuxComparesFirst(t *testing.T) {
	for _, shell := range shells {
		etc := scratch(t)
		script := linuxScript(t, "web")
		script.Text = strings.Replace(script.Text, `[ "x$1" \> "x$2" ]`, `[ "x$1" -unknown "x$2" ]`, 1)
		code, out := etc.run(t, interpreter(t, shell), script, "")
		etc.refused(t, code, out, exitNoCompare, cloud.Refused)
	}
}

// Every beginning of a stored script that ends with a line does nothing that passes for a success.
func TestStoredCutShort(t *testing.T) {
	sh, dir := interpreter(t, "sh"), t.TempDir()
	script := linuxScript(t, "web")
	text, _ := handedOver["replaced"](script.Stored)
	for _, path := range []string{"shadow=/etc/shadow", "passwd=/etc/passwd", "run=/run"} {
		name, _, _ := strings.Cut(path, "=")
		text = strings.Replace(text, "\n"+path+"\n", "\n"+name+"="+filepath.Join(dir, name)+"\n", 1)
	}
	if err := os.WriteFile(filepath.Join(dir, "shadow"), []byte("web:!:1::::::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	lines := Script{Text: text}.Lines()
	for n := range len(lines) + 1 {
		code, out := runStubbed(t, sh, dir, strings.Join(lines[:n], "\n")+"\n")
		err := Outcome(Shell, code, out)
		if told, ok := ExitCode(out); (n == len(lines)) != (err == nil && ok && told == 0) {
			t.Errorf("%d of %d lines: %v, %q", n, len(lines), err, out)
		}
	}
}

// runStubbed runs a text by a shell that finds stand-ins for the commands of a machine, which do nothing.
func runStubbed(t *testing.T, sh []string, dir, text string) (code int, output string) {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(bin); err != nil {
		base64 := interpreter(t, "base64")[0]
		if err := os.Mkdir(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"id": "echo 0", "chpasswd": "exit 0", "flock": "exit 0", "date": fmt.Sprintf("echo %d", testOrder), "base64": "exec " + base64 + ` "$@"`,
		} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+sh[0]+"\n"+text+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(sh[0], "-s")
	cmd.Env, cmd.Stdin = []string{"PATH=" + bin}, strings.NewReader(text)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}
