package azure

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// linuxScript is one that sets a password.
func linuxScript(t *testing.T) guest.Script {
	t.Helper()
	script, err := guest.Linux(guest.Change{Username: "azureuser", Secret: fakePassword, Order: 1_700_000_000, NotAfter: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// Only the line of the hash changes, and nothing of the hash that would let anybody try passwords is left in the text.
func TestTheHashIsNotInTheText(t *testing.T) {
	script := linuxScript(t)
	text, secret, err := shielded(script)
	if err != nil || len(secret) != 1 || secret[0] != (parameter{"CLOUDPW_SEALED", script.Sealed}) {
		t.Fatalf("%+v, %v", secret, err)
	}
	digest := script.Sealed[strings.LastIndexByte(script.Sealed, '$')+1:]
	salt := strings.TrimSuffix(script.Sealed, digest)
	if strings.Contains(text, digest) {
		t.Error("the digest of the hash is in the text")
	}
	want := strings.Replace(script.Text, "hash='"+script.Sealed+"'\n", "hash=${CLOUDPW_SEALED-}\n"+
		"case ${#hash}/$hash in '"+strconv.Itoa(len(script.Sealed))+"/"+salt+"'*) ;; "+
		"*) printf 'cloudpw: exit 79 the value did not arrive\\n'; exit 79 ;; esac\n", 1)
	if text != want || text == script.Text {
		t.Errorf("the text is\n%s", text)
	}
	// Scripts without a secret, and those of Windows, stay as they are.
	for _, plain := range []guest.Script{guest.WindowsPrepare(), {Interpreter: guest.Shell, Text: "#!/bin/sh\n"},
		{Interpreter: guest.PowerShell, Text: "$sealed = 'c'", Sealed: "c"}} {
		if text, secret, err := shielded(plain); text != plain.Text || secret != nil || err != nil {
			t.Errorf("%q, %v, %v", text, secret, err)
		}
	}
}

// What is not exactly the form of a script of ours is not sent, rather than sent with the hash in its text.
func TestAScriptOfAnotherFormIsRefused(t *testing.T) {
	good := linuxScript(t)
	for name, change := range map[string]func(*guest.Script){
		"twice":          func(s *guest.Script) { s.Text += "# " + s.Sealed + "\n" },
		"not there":      func(s *guest.Script) { s.Text = "#!/bin/sh\n" },
		"elsewhere":      func(s *guest.Script) { s.Text = strings.Replace(s.Text, "hash='", "secret='", 1) },
		"without quotes": func(s *guest.Script) { s.Text = strings.Replace(s.Text, "'"+s.Sealed+"'", s.Sealed, 1) },
		"no hash": func(s *guest.Script) {
			s.Text, s.Sealed = strings.Replace(s.Text, s.Sealed, "plain", 1), "plain"
		},
	} {
		script := good
		change(&script)
		text, _, err := shielded(script)
		if text != "" || cloud.KindOf(err) != cloud.Refused || strings.Contains(err.Error(), good.Sealed) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestTheGuardKnowsItsOwnValue runs the lines by a shell.
func TestTheGuardKnowsItsOwnValue(t *testing.T) {
	script, other := linuxScript(t), linuxScript(t)
	text, _, err := shielded(script)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text, "\n")
	var guarded []string
	for i, line := range lines {
		if strings.HasPrefix(line, "hash=") {
			guarded = lines[i : i+2]
		}
	}
	if len(guarded) != 2 {
		t.Fatalf("no guard in\n%s", text)
	}
	file := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+strings.Join(guarded, "\n")+"\nprintf '%s' \"$hash\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environment []string
		passes      bool
	}{
		"as it was sent":           {[]string{"CLOUDPW_SEALED=" + script.Sealed}, true},
		"nothing":                  {nil, false},
		"empty":                    {[]string{"CLOUDPW_SEALED="}, false},
		"expanded by a shell":      {[]string{"CLOUDPW_SEALED=" + os.Expand(script.Sealed, func(string) string { return "" })}, false},
		"cut":                      {[]string{"CLOUDPW_SEALED=" + script.Sealed[:len(script.Sealed)-1]}, false},
		"longer":                   {[]string{"CLOUDPW_SEALED=" + script.Sealed + "\n"}, false},
		"quoted":                   {[]string{"CLOUDPW_SEALED='" + script.Sealed + "'"}, false},
		"another command's":        {[]string{"CLOUDPW_SEALED=" + other.Sealed}, false},
		"another variable's":       {[]string{"CLOUDPW_SEALED_2=" + script.Sealed}, false},
		"the same in other rounds": {[]string{"CLOUDPW_SEALED=" + strings.Replace(script.Sealed, "=20000", "=20001", 1)}, false},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", file)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, c.environment...)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = nil
		}
		code := cmd.ProcessState.ExitCode()
		switch {
		case err != nil:
			t.Fatal(err)
		case c.passes && (code != 0 || string(out) != script.Sealed):
			t.Errorf("%s: exit code %d, %q", name, code, out)
		case !c.passes && (code != exitNoValue || told(string(out)) != exitNoValue):
			t.Errorf("%s: exit code %d, %q", name, code, out)
		}
	}
}
