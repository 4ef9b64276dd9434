package guestos

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// TestCheckHash takes the first examples of the scheme's specification (Ulrich Drepper, "Unix crypt using
// SHA-256 and SHA-512").
func TestCheckHash(t *testing.T) {
	const (
		usual  = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
		rounds = "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."
	)
	for _, hash := range []string{usual, rounds} {
		if !CheckHash(hash, "Hello world!") || CheckHash(hash, "Hello world") {
			t.Errorf("%s", hash)
		}
	}
	for _, hash := range []string{"", "!", "*", "$6$", "$5" + usual[2:], "$6$rounds=x" + rounds[15:], strings.TrimPrefix(usual, "$")} {
		if CheckHash(hash, "Hello world!") {
			t.Errorf("%q passes", hash)
		}
	}
}

// TestShellIsShutIn shows what a script can reach by name: two stand-ins and nothing of the machine.
func TestShellIsShutIn(t *testing.T) {
	system := System{Accounts: []string{"root", "web"}}
	probe := `for c in id chpasswd passwd usermod cat rm ls; do command -v "$c" >/dev/null && echo "$c"; done; echo "$PATH" "$HOME"` + "\n"
	r, err := system.runShell(probe)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(r.Output)
	if len(lines) != 3 || lines[0] != "id" || lines[1] != "chpasswd" || !strings.HasSuffix(lines[2], "/bin") ||
		strings.Contains(lines[2], ":") {
		t.Errorf("got %q", lines)
	}
}

// TestArgumentsAreBare shows that no process gets the hash as an argument.
func TestArgumentsAreBare(t *testing.T) {
	script, err := guest.Linux(change("web", "secret", 1))
	if err != nil {
		t.Fatal(err)
	}
	system := System{Accounts: []string{"root", "web"}, Wall: noon}
	r, err := system.Run("shell", script.Text)
	if err != nil || r.User != "web" || !CheckHash(r.Hash, "secret") {
		t.Fatalf("%+v, %v", r, err)
	}
	// The stand-in for chpasswd refuses any argument but -e, as this shows.
	r, err = system.runSet(strings.Replace(script.Text, "chpasswd -e", `chpasswd -e "$hash"`, 1))
	if err != nil || r.User != "" || r.ExitCode != 84 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPlainCommands takes what clients send to try commands, and what is none of cloudpw's business.
func TestPlainCommands(t *testing.T) {
	for text, want := range map[string]struct {
		code   int
		output string
	}{
		"echo hello  world\n":            {0, "hello world\n"},
		"#!/bin/sh\ntrue\nfalse\n":       {1, ""},
		"echo a\r\nexit 7\r\necho b\r\n": {7, "a\n"},
		"false\nexit\n":                  {1, ""},
		"exit 256\n":                     {126, ""},
		"echo $HOME\n":                   {126, ""},
		"echo a; touch /tmp/x\n":         {126, ""},
		"echo 'a  b' \"c\"\n":            {0, "a  b c\n"},
		"echo -n a\n":                    {126, ""},
		"echo \"$a\"\n":                  {126, ""},
		"echo a > b\n":                   {126, ""},
		"touch x\n":                      {126, ""},
		"true && rm x\n":                 {126, ""},
		"exit 1 | cat\n":                 {126, ""},
	} {
		r, err := System{}.Run("shell", text)
		if err != nil || r.ExitCode != want.code || want.code != 126 && r.Output != want.output {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
	if r, err := (System{Windows: true}).Run("powershell", "echo hello\n"); err != nil || r.ExitCode != 126 {
		t.Errorf("PowerShell: %+v, %v", r, err)
	}
}

// TestLook shows that the script which looks at passwords is run on the simulated system's shadow file, and changes
// nothing.
func TestLook(t *testing.T) {
	script, err := guest.Look("web")
	if err != nil {
		t.Fatal(err)
	}
	set := System{Accounts: []string{"root", "web"}, Passwords: map[string]string{"root": "x", "web": "by hand"}}
	locked, expired, off, bare := set, set, set, set
	locked.Locked, expired.Expired, off.NoPasswordLogin = []string{"web"}, []string{"web"}, true
	bare.Passwords = nil
	hashed := bare
	hashed.Hashes = map[string]string{"web": "$6$saltstring$hash"}
	foreign := System{Accounts: []string{"root"}, Conditions: Conditions{Directory: []string{"web"}}}
	for name, c := range map[string]struct {
		system System
		lines  []string
		code   int
	}{
		"set":       {set, []string{"user=local", "password=hash", "setting=$6$rounds=1000$cloudsim", "exit 0 checked"}, 0},
		"hashed":    {hashed, []string{"user=local", "password=hash", "setting=$6$saltstring", "exit 0 checked"}, 0},
		"locked":    {locked, []string{"locked=yes", "password=hash"}, 0},
		"expired":   {expired, []string{"expires=1", "password=hash"}, 0},
		"sshd":      {off, []string{"sshd passwordauthentication=no"}, 0},
		"bare":      {bare, []string{"password=off"}, 0},
		"directory": {foreign, []string{"user=foreign"}, 0},
		"gone":      {System{Accounts: []string{"root"}}, []string{"user=none"}, 0},
		"not root":  {System{Conditions: Conditions{NotRoot: true}}, []string{"exit 101 not root"}, 101},
	} {
		r, err := c.system.Run("shell", script.Text)
		if err != nil || r.ExitCode != c.code || r.User != "" || r.Hash != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		for _, line := range c.lines {
			if !strings.Contains(r.Output, "cloudpw: "+line+"\n") {
				t.Errorf("%s: no line %q in %q", name, line, r.Output)
			}
		}
	}
	if r, err := (System{Windows: true}).Run("shell", script.Text); err != nil || r.ExitCode != 127 {
		t.Errorf("Windows: %+v, %v", r, err)
	}
	// One that is cloudpw's but for another line is not run.
	if r, err := set.Run("shell", strings.Replace(script.Text, "main\n", "rm -r /\nmain\n", 1)); err != nil || r.ExitCode != 126 {
		t.Errorf("another script: %+v, %v", r, err)
	}
}

// TestEnvironmentIsCloudpwsOwn shows that nobody's variables but those of cloudpw reach a script: another PATH would let it reach the
// machine.
func TestEnvironmentIsCloudpwsOwn(t *testing.T) {
	system := System{Accounts: []string{"root"}, Environment: map[string]string{
		"CLOUDPW_SEALED": "$6$x", "CLOUDPW_EMPTY": "", "PATH": "/bin", "ENV": "/x", "CLOUDPW_A=1\nPATH": "/bin", "CLOUDPW_": "x",
		"CLOUDPW_NUL": "\x00",
	}}
	r, err := system.runShell("echo \"$PATH ${CLOUDPW_SEALED-none} ${CLOUDPW_EMPTY-no1} ${ENV-no2} ${CLOUDPW_-no3} ${CLOUDPW_NUL-no4}\"\n")
	if err != nil {
		t.Fatal(err)
	}
	path, rest, _ := strings.Cut(r.Output, " ")
	if !strings.HasSuffix(path, "/bin") || path == "/bin" || rest != "$6$x no1 no2 no3 no4\n" {
		t.Errorf("%q", r.Output)
	}
}
