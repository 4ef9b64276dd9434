package session

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/askpass"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

func TestOldSSHClientsAreRefused(t *testing.T) {
	for banner, fine := range map[string]bool{
		"OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026\n": true,
		"OpenSSH_10.0p2, LibreSSL 3.3.6\n":                              true,
		"OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2\n":                   true,
		"OpenSSH_8.4p1\n":     true,
		"OpenSSH_8.3p1\n":     false,
		"OpenSSH_7.9p1\n":     false,
		"Dropbear v2022.83\n": false,
		"":                    false,
	} {
		if err := checkSSHVersion("ssh", banner); (err == nil) != fine {
			t.Errorf("%q: %v", banner, err)
		}
	}
}

func TestWhatSSHWouldMisunderstandIsRefused(t *testing.T) {
	good := Login{User: "app", Host: "web-1", Password: engine.NewSecret("secret")}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Login){
		"a host that is an option": func(l *Login) { l.Host = "-oProxyCommand=sh" },
		"a host with a blank":      func(l *Login) { l.Host = "web 1" },
		"a host with a user":       func(l *Login) { l.Host = "root@web" },
		"a URL":                    func(l *Login) { l.Host = "ssh://web" },
		"no host":                  func(l *Login) { l.Host = "" },
		"no user":                  func(l *Login) { l.User = "" },
		"a user that is an option": func(l *Login) { l.User = "-v" },
		"a user with a line break": func(l *Login) { l.User = "a\nb" },
		"a user with a blank":      func(l *Login) { l.User = "a b" },
		"a password with two lines": func(l *Login) {
			l.Password = engine.NewSecret("a\nb")
		},
		"a password that is too long": func(l *Login) { l.Password = engine.NewSecret(strings.Repeat("x", longestPassword+1)) },
	} {
		l := good
		change(&l)
		if err := l.check(); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%s: the error repeats it", name)
		}
	}
	for _, host := range []string{"10.0.0.1", "fd00::1", "fe80::1%eth0", "web-1.example.com", "web_1"} {
		if err := (Login{User: "app", Host: host}).check(); err != nil {
			t.Error(err)
		}
	}
}

// TestOurOptionsWin: the client takes the first value of an option.
func TestOurOptionsWin(t *testing.T) {
	l := Login{User: "app", Host: "web", Before: []string{"-F", "file"}, After: []string{"-o", "ControlMaster=yes", "uptime"}}
	args := l.arguments("-G")
	want := append(slices.Clone(options), "-F", "file", "-G", "app@web", "-o", "ControlMaster=yes", "uptime")
	if !slices.Equal(args, want) {
		t.Errorf("the arguments are %q", args)
	}
}

// TestWhatSSHMakesOfItIsLookedAt: by the client of this machine, with what a person gives it.
func TestWhatSSHMakesOfItIsLookedAt(t *testing.T) {
	client, err := FindSSH(t.Context())
	if err != nil {
		t.Skip(err)
	}
	config := filepath.Join(t.TempDir(), "config")
	const text = "Host alias\n HostKeyAlias known\nHost *\n User somebody\n ControlMaster auto\n ControlPath /tmp/%C\n ControlPersist 10m\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		host   string
		before []string
		after  []string
		want   string // the host of the prompt
		says   string
	}{
		"a configuration that shares connections": {"web", nil, nil, "web", ""},
		"a name of the host's key":                {"alias", nil, nil, "known", ""},
		"a command":                               {"web", nil, []string{"uptime"}, "web", ""},
		"another user":                            {"web", []string{"-l", "root"}, nil, "", "--user"},
		"the background":                          {"web", nil, []string{"-f", "sleep", "1"}, "", "-f"},
		"a socket to share":                       {"web", nil, []string{"-S", "/tmp/shared"}, "", "-S"},
		"a connection to share":                   {"web", nil, []string{"-M", "-S", "/tmp/shared"}, "", "-S"},
		"an option that is none":                  {"web", nil, []string{"-o", "NoOption=yes"}, "", "nooption"},
	} {
		l := Login{User: "app", Host: c.host, Before: append([]string{"-F", config}, c.before...), After: c.after}
		user, host, err := client.expect(t.Context(), l)
		switch {
		case c.says == "" && (err != nil || user != "app" || host != c.want):
			t.Errorf("%s: %q at %q, %v", name, user, host, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want an error with %s", name, err, c.says)
		}
	}
}

func TestWhoAnswersSSH(t *testing.T) {
	const pid = 4711
	ended := 0
	a := &answers{user: "app", host: "web", password: engine.NewSecret("secret"), started: make(chan struct{}), refused: func() { ended++ }}
	a.start(pid)
	const prompt = "app@web's password: "
	for name, q := range map[string]askpass.Question{
		"another process": {Prompt: prompt, Asker: pid + 1},
		"a confirmation":  {Prompt: prompt, Kind: "confirm", Asker: pid},
		"another server":  {Prompt: "app@jump's password: ", Asker: pid},
		"a host key":      {Prompt: "Are you sure you want to continue connecting (yes/no/[fingerprint])? ", Asker: pid},
	} {
		if got := a.answer(q); got != (askpass.Answer{Terminal: true}) {
			t.Errorf("%s gets %v", name, got)
		}
	}
	if got := a.answer(askpass.Question{Prompt: prompt, Asker: pid}); got.Password != "secret" {
		t.Errorf("the server gets %v", got)
	}
	if a.wasRefused() || ended != 0 {
		t.Error("it is refused before it was asked again")
	}
	got := a.answer(askpass.Question{Prompt: "(app@web) Password: ", Asker: pid})
	if got != (askpass.Answer{}) || ended != 1 || !a.wasRefused() {
		t.Errorf("the second question gets %v, the client was ended %d times", got, ended)
	}
}

func TestRDPVersions(t *testing.T) {
	for out, want := range map[string]int{
		"This is FreeRDP version 2.11.7 (2.11.7)\n": 2,
		"This is FreeRDP version 3.15.0 (n/a)\n":    3,
		"This is FreeRDP version 1.2.0\n":           0,
		"xfreerdp: command not found":               0,
	} {
		if got, found := rdpVersion(out); found != (want != 0) || found && got != want {
			t.Errorf("%q: %d, %v", out, got, found)
		}
	}
}

func TestArgumentsOfFreeRDP(t *testing.T) {
	for _, c := range []struct {
		d     Desktop
		major int
		want  []string
	}{
		{Desktop{User: "Administrator", Host: "10.0.0.1"}, 3, []string{"/v:10.0.0.1", "/u:Administrator", "/d:"}},
		{Desktop{User: "Administrator", Host: "10.0.0.1", Port: 3390}, 2,
			[]string{"/v:10.0.0.1:3390", "/u:Administrator", "/d:", "/from-stdin:force"}},
		{Desktop{User: `CORP\ann`, Host: "fd00::1", More: []string{"/f"}}, 3, []string{"/v:[fd00::1]", `/u:CORP\ann`, "/f"}},
	} {
		c.d.Password = engine.NewSecret("secret")
		if got := c.d.arguments(c.major); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestAShellWord(t *testing.T) {
	if got, want := shellWord("/run/it's $HOME/x"), `'/run/it'\''s $HOME/x'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNoRDPFileForABadHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.rdp")
	for _, d := range []Desktop{{User: "a", Host: "web\r\npassword 51:b:00"}, {User: "a\r\nb", Host: "web"}} {
		if err := WriteRDPFile(path, d); err == nil {
			t.Errorf("%q is written", d.Host)
		}
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

func TestShowable(t *testing.T) {
	for text, want := range map[string]bool{
		"Ab3$ -é": true, "a\x1b[2Jb": false, "a\tb": false, "a\u202eb": false, "a\u200bb": false, "a\xffb": false,
	} {
		if got := Showable(text); got != want {
			t.Errorf("Showable(%q) = %v", text, got)
		}
	}
}

func TestAnRDPFileReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.rdp")
	d := Desktop{User: "app", Host: "win-1", Password: engine.NewSecret("secret")}
	if err := WriteRDPFile(path, d); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	before, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(before), "secret") {
		t.Fatalf("it has the password: %v", err)
	}
	d.User = "other"
	if err := WriteRDPFile(path, d); err == nil {
		t.Error("a file is replaced")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file is changed: %v", err)
	}
}

func TestWhoAnswersFreeRDP(t *testing.T) {
	ended := 0
	a := &desktopAnswers{password: engine.NewSecret("secret"), refused: func() { ended++ }}
	for _, prompt := range []string{"Gateway authentication\nPassword:", "Password:", "FreeRDP authentication\nUsername:", ""} {
		if got := a.answer(askpass.Question{Prompt: prompt}); got != (askpass.Answer{Terminal: true}) {
			t.Errorf("%q gets %v", prompt, got)
		}
	}
	const prompt = "FreeRDP authentication\nPassword: "
	if got := a.answer(askpass.Question{Prompt: prompt}); got.Password != "secret" || a.wasRefused() || ended != 0 {
		t.Errorf("the server gets %v", got)
	}
	if got := a.answer(askpass.Question{Prompt: prompt}); got != (askpass.Answer{}) || !a.wasRefused() || ended != 1 {
		t.Errorf("the second question gets %v, the client was ended %d times", got, ended)
	}
}
