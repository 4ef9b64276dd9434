package guest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// FuzzOutputs judges anything that a guest may print.
func FuzzOutputs(f *testing.F) {
	f.Add(0, done)
	f.Add(85, "cloudpw: exit 85 too late now=1764000700 notafter=1764000600\n")
	f.Add(86, "noise\ncloudpw: exit 86 too old order=0000000001 server=9999999999\r\n")
	f.Add(98, "cloudpw: exit 98 too old order=1764000000 server=1764000001\ncloudpw: exit 0 password set\n")
	f.Add(84, "chpasswd: \x1b[31m root:$6$abc$def\u202e")
	f.Add(96, "cloudpw: failed 0x8007052D")
	f.Add(0, "cloudpw: key AAEC AQAB")
	f.Fuzz(func(t *testing.T, code int, output string) {
		for _, i := range []Interpreter{Shell, PowerShell} {
			if err := Outcome(i, code, output); err != nil {
				if bad := text.Check(strings.ReplaceAll(err.Error(), "\uFFFD", "?")); bad != nil {
					t.Errorf("%q: %v", err, bad)
				}
			} else if code != 0 || !strings.Contains(output, done) {
				t.Errorf("code %d and %q count as a success", code, output)
			}
		}
		told, ok := ExitCode(output)
		if lines := strings.Count("\n"+output, "\ncloudpw: exit "); ok && (lines == 0 || told < 0 || told > 255) {
			t.Errorf("exit code %d out of %q", told, output)
		}
		for _, i := range []Interpreter{Shell, PowerShell} {
			has := newerOrder(i, code, output)
			if has < 0 || has > maxOrder || has != 0 && (!ok || told != code || !strings.Contains(output, digits(has))) {
				t.Errorf("the order %d out of %d and %q", has, code, output)
			}
		}
		if _, err := Prepared(code, output); err != nil && len(err.Error()) > 4096 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
	})
}

// FuzzReports takes anything that a guest may print for a report. None makes a match that it has not the digest for, none
// costs more than a bounded time, and no sentence about it has anything but printable characters.
func FuzzReports(f *testing.F) {
	const l = "abc"
	digest := look{nonce: l}.digest("$6$rounds=1000$saltsalt$x")
	f.Add(0, reportOf("password=hash", "locked=yes", "setting=$6$rounds=1000$saltsalt", "digest="+digest))
	f.Add(0, reportOf("password=hash", "setting=$6$rounds=999999999$saltsalt", "digest="+digest))
	f.Add(0, reportOf("password=hash", "setting=$y$j75$salt", "digest="+digest))
	f.Add(0, reportOf("password=hash", "setting=$2b$04$abcdefghijklmnopqrstuu", "digest="+digest))
	f.Add(0, reportOf("password=hash", "setting=$1$", "digest="))
	f.Add(0, reportOf("password=off", "now=99999999999", "changed=1", "max=999999999", "inactive=999999999", "expires=1"))
	f.Add(0, reportOf("password=gy", "uid=0", "sshd passwordauthentication=yes", "sshd permitrootlogin=no"))
	f.Add(0, "cloudpw: user=foreign\n"+checked+"\n")
	f.Add(exitLookNotRoot, "cloudpw: not root\n")
	f.Add(1, "\x1b[31m root:$6$abc$def\u202e")
	f.Fuzz(func(t *testing.T, code int, output string) {
		var texts []string
		report, err := seen(code, output)
		if err != nil {
			if cloud.KindOf(err) != cloud.Refused {
				t.Errorf("kind %s", cloud.KindOf(err))
			}
			texts = append(texts, err.Error())
		} else {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			found, err := Checker{Service: newService(), Hashing: NewHashing()}.compare(ctx, look{nonce: l}, report, []string{"x"})
			if err != nil || found.Match != cloud.NoMatch {
				t.Errorf("%+v, %v", found, err)
			}
			if found.Unknown != "" && found.Different() || (found.State == "") != (found.Detail == "") {
				t.Errorf("%+v", found)
			}
			texts = append(texts, found.Unknown, found.Detail)
		}
		for _, said := range texts {
			if bad := text.Check(strings.ReplaceAll(said, "\uFFFD", "?")); said != "" && bad != nil {
				t.Errorf("%q: %v", said, bad)
			}
		}
	})
}

// FuzzTries takes anything that a guest may print for a try. Only its very words make a match or a difference, no sentence repeats
// what it printed, and what did not fit is taken for a try.
func FuzzTries(f *testing.F) {
	f.Add(0, "cloudpw: exit 0 checked matches\r\n")
	f.Add(0, "cloudpw: exit 0 checked refused 1326\n")
	f.Add(0, "cloudpw: exit 0 checked too_many 3 5\n")
	f.Add(0, "cloudpw: exit 0 checked too_many\n")
	f.Add(0, "cloudpw: exit 0 checked refused 999999999 7\n")
	f.Add(0, "cloudpw: exit 0 checked failed 0x80131509")
	f.Add(exitNeedsKey, "cloudpw: the key is missing or another one\n")
	f.Add(1, "\x1b[31m "+secret+"\u202e")
	f.Fuzz(func(t *testing.T, code int, output string) {
		found, err := Run{State: Exited, Interpreter: PowerShell, ExitCode: code, Output: output}.tried()
		said := found.Unknown + found.Detail
		if err != nil {
			said = err.Error()
			if cloud.KindOf(err) != cloud.Refused || found.Match != cloud.NoMatch || found.Unknown != "" {
				t.Errorf("%+v, %v", found, err)
			}
		} else if code != 0 {
			t.Errorf("exit code %d tells %+v", code, found)
		}
		if found.Match == 0 && !strings.Contains(output, "cloudpw: exit 0 checked matches") {
			t.Error("a match that nobody told")
		}
		if err == nil && found.Different() && found.State == "" && !strings.Contains(output, "cloudpw: exit 0 checked refused 1326") {
			t.Errorf("a difference that nobody told: %+v", found)
		}
		if bad := text.Check(said); said != "" && bad != nil || strings.Contains(said, secret) {
			t.Errorf("%q: %v", said, bad)
		}
	})
}
