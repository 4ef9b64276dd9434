package guest

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var private = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// printed is what the preparation prints for a key.
func printed(n *big.Int, e int64) string {
	return fmt.Sprintf("cloudpw: public key n=%s,e=%s;\r\n", base64.StdEncoding.EncodeToString(n.Bytes()),
		base64.StdEncoding.EncodeToString(big.NewInt(e).Bytes()))
}

func testKey(t *testing.T) PublicKey {
	t.Helper()
	k, err := private()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublicKey(printed(k.N, int64(k.E)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestWindowsSet(t *testing.T) {
	script, err := WindowsSet(change("Administrator", secret), testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\$sealed = '([A-Za-z0-9+/=]+)'$`).FindStringSubmatch(script.Text)
	if script.Interpreter != PowerShell || found == nil || !strings.Contains(script.Text, "\n$name = '"+encodedName("Administrator")+"'\n") {
		t.Fatalf("got %s", script.Text)
	}
	block, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	k, _ := private()
	if clear, err := rsa.DecryptOAEP(sha1.New(), nil, k, block, nil); err != nil || string(clear) != secret {
		t.Errorf("it decrypts to %q, %v", clear, err)
	}
	try, err := WindowsTry("Administrator", secret, testKey(t), time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Script{script, try, WindowsPrepare()} {
		for _, foreign := range []string{secret, "@", "{{", "}}", "\r"} {
			if strings.Contains(s.Text, foreign) {
				t.Errorf("a script holds %q", foreign)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "ErrorAction") {
			t.Errorf("printed, a script shows itself: %s", text)
		}
	}
	if block, err := base64.StdEncoding.DecodeString(try.Sealed); err != nil ||
		!strings.Contains(try.Text, "\n$sealed = '"+try.Sealed+"'\n") ||
		!strings.Contains(try.Text, "\n$until = '1800000000'\n") ||
		!strings.Contains(try.Text, "\n$name = '"+encodedName("Administrator")+"'\n") {
		t.Errorf("%v: %s", err, try.Text)
	} else if clear, err := rsa.DecryptOAEP(sha1.New(), nil, k, block, nil); err != nil || string(clear) != secret {
		t.Errorf("a try's decrypts to %q, %v", clear, err)
	}
	if _, err := WindowsSet(change("Administrator", secret), PublicKey{}); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("without a key: %v", err)
	}
	if _, err := WindowsSet(change("Administrator", strings.Repeat("x", 215)), testKey(t)); cloud.KindOf(err) != cloud.PasswordRefused {
		t.Errorf("a password that is too long for the key: %v", err)
	}
}

func TestParsePublicKey(t *testing.T) {
	k, err := private()
	if err != nil {
		t.Fatal(err)
	}
	good := printed(k.N, int64(k.E))
	for name, output := range map[string]string{
		"alone":       good,
		"among noise": "WARNING: profile \r\nend\r\ncloudpw:\r\n" + good + "\r\nPS C:\\> cloudpw: public end\r\n",
		"wrapped":     strings.Join(regexp.MustCompile(`.{1,79}`).FindAllString(strings.TrimSpace(good), -1), "\r\n"),
	} {
		if key, err := ParsePublicKey(output); err != nil || key.rsa.N.Cmp(k.N) != 0 || key.rsa.E != k.E {
			t.Errorf("%s: %v", name, err)
		}
	}
	bits := func(n uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(n)-1, 1) }
	for name, output := range map[string]string{
		"nothing":         "",
		"two keys":        good + good,
		"cut short":       good[:100],
		"no base64":       strings.Replace(good, "n=", "n==", 1),
		"loose base64":    "cloudpw: public key n=" + base64.StdEncoding.EncodeToString(k.N.Bytes()) + ",e=AR==;",
		"2047 bits":       printed(bits(2047), 65537),
		"8193 bits":       printed(bits(8193), 65537),
		"even modulus":    printed(new(big.Int).SetBit(bits(2048), 0, 0), 65537),
		"exponent 1":      printed(k.N, 1),
		"even exponent":   printed(k.N, 65536),
		"huge exponent":   printed(k.N, 1<<32+1),
		"no exponent":     printed(k.N, 0),
		"too much output": good + strings.Repeat(" ", maxOutput),
	} {
		if _, err := ParsePublicKey(output); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := Prepared(0, output); cloud.KindOf(err) != cloud.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Prepared(0, good); err != nil {
		t.Error(err)
	}
	if _, err := ParsePublicKey(printed(bits(8192), 3)); err != nil {
		t.Errorf("8192 bits: %v", err)
	}
}

func TestPublicKeyText(t *testing.T) {
	for name, key := range map[string]PublicKey{"a key": testKey(t), "none": {}} {
		text, err := json.Marshal(map[string]PublicKey{"key": key})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]PublicKey
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if got := back["key"]; got.IsZero() != key.IsZero() || !key.IsZero() && !got.rsa.Equal(key.rsa) {
			t.Errorf("%s became %s", name, text)
		}
	}
	for _, text := range []string{"x", "AQAB AQ==", " "} {
		if err := new(PublicKey).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		interpreter Interpreter
		code        int
		output      string
		kind        cloud.Kind
		says        string
	}{
		{Shell, 0, "motd\ncloudpw: exit 0 password set\n", "", ""},
		{PowerShell, 0, "noise\r\ncloudpw: exit 0 password set\r\n", "", ""},
		{Shell, 0, "", cloud.Unknown, "without confirming"},
		{Shell, 0, "\techo 'cloudpw: exit 0 password set'\n", cloud.Unknown, "without confirming"}, // sh -v
		{PowerShell, 0, "cloudpw: public key n=AQAB,e=AQAB;\r\n", cloud.Unknown, "without confirming"},
		{Shell, 1, "cloudpw: exit 0 password set\n", cloud.Unknown, "exit code 1,"},
		{Shell, 127, "sh: not found \x1b[31m\n", cloud.Unknown, "the server says: sh: not found \uFFFD[31m"},
		{Shell, exitNotRoot, "", cloud.Refused, "root"},
		{Shell, exitNoUser, "", cloud.Refused, "no such user"},
		{Shell, exitNoChpasswd, "", cloud.Refused, "shadow-utils"},
		{Shell, exitChpasswdFailed, "chpasswd: web:$6$rounds=20000$ab$cd/e.f: bad", cloud.Unknown, "chpasswd: web:[hash]: bad"},
		{Shell, exitTooLate, "cloudpw: exit 85 too late now=1764000700 notafter=1764000600\n", cloud.Unknown,
			"was 2025-11-24T16:11:40Z, 100 s past the limit 2025-11-24T16:10:00Z; had the agent been prompt, it would be about 700 s ahead"},
		{Shell, exitTooLate, "cloudpw: exit 85 too late now=1764000700 notafter=1764000700\n", cloud.Unknown, "time synchronization"},
		{Shell, exitTooLate, "too late now=1764000700 notafter=1764000600\n", cloud.Unknown, "time synchronization"},
		{Shell, exitTooLate, "", cloud.Unknown, "time synchronization"},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=1764000001\n", cloud.Unknown,
			"(the server's order is 1764000001, the command's 1764000000)"},
		{Shell, exitTooOld, "", cloud.Unknown, "newer password"},
		{Shell, exitNoLock, "cloudpw: exit 87 no flock\n", cloud.Refused, "flock"},
		{Shell, exitNoField, "cloudpw: exit 88 no field\n", cloud.Refused, "LDAP"},
		{Shell, exitNoClock, "cloudpw: exit 89 no clock\n", cloud.Refused, "date +%s"},
		{Shell, exitPasswordRefused, "", cloud.Unknown, "none of cloudpw's"},
		{PowerShell, exitFailedBefore, "cloudpw: exit 90 failed System.Exception 0x80131500\r\n", cloud.Refused, "(error 0x80131500)"},
		{PowerShell, exitNotAdministrator, "", cloud.Refused, "SYSTEM"},
		{PowerShell, exitDomainController, "", cloud.Refused, "domain controller"},
		{PowerShell, exitNoWindowsUser, "", cloud.Refused, "no such local user"},
		{PowerShell, exitNeedsKey, "", cloud.Refused, "key pair"},
		{PowerShell, exitPasswordRefused, "cloudpw: exit 95 password refused 0x800708C5\r\n", cloud.PasswordRefused, "(error 0x800708C5)"},
		{PowerShell, exitFailed, "", cloud.Unknown, "failure"},
		{PowerShell, exitWindowsTooLate, "cloudpw: exit 97 too late now=1764000700 notafter=1764000600\r\n", cloud.Unknown, "about 700 s ahead"},
		{PowerShell, exitWindowsTooOld, "cloudpw: exit 98 too old order=0000000001 server=9999999999\r\n", cloud.Unknown,
			"(the server's order is 9999999999, the command's 1)"},
		{PowerShell, exitNoOrder, "cloudpw: exit 99 no order can be kept System.UnauthorizedAccessException 0x80070005\r\n", cloud.Refused,
			"(error 0x80070005)"},
		{PowerShell, exitTooLate, "", cloud.Unknown, "none of cloudpw's"},
		{PowerShell, exitNoUser, "", cloud.Unknown, "none of cloudpw's"},
		{PowerShell, -1, "", cloud.Unknown, "exit code -1"},
	} {
		err := Outcome(c.interpreter, c.code, c.output)
		if cloud.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, code %d: %v", c.interpreter, c.code, err)
		}
		if NeedsKey(err) != (c.interpreter == PowerShell && c.code == exitNeedsKey) {
			t.Errorf("%s, code %d: NeedsKey is %t", c.interpreter, c.code, NeedsKey(err))
		}
	}
	// A Windows guest knows the clear password and may print what it likes.
	if err := Outcome(PowerShell, exitFailed, "cloudpw: failed "+secret+" 0x8000FFFF\n"+secret); strings.Contains(err.Error(), secret) {
		t.Errorf("the message holds a password: %v", err)
	}
	if err := Outcome(Shell, 1, strings.Repeat("x", maxOutput+1)); len(err.Error()) > 400 {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
}

// TestExitCodes holds the scripts against the table: each code of a script has a meaning there, and each
// meaning a code in a script.
func TestExitCodes(t *testing.T) {
	texts := map[Interpreter]string{Shell: linuxText + storedText + linuxStoredText, PowerShell: prepareText + setText + tryText}
	forms := map[Interpreter]*regexp.Regexp{Shell: regexp.MustCompile(`finish (\d+) `), PowerShell: regexp.MustCompile(`Complete (\d+) `)}
	for interpreter, text := range texts {
		used := map[int]bool{}
		for _, m := range forms[interpreter].FindAllStringSubmatch(text, -1) {
			var code int
			if _, err := fmt.Sscan(m[1], &code); err != nil {
				t.Fatal(err)
			}
			if _, known := verdicts[interpreter][code]; !known && code != 0 {
				t.Errorf("%s: exit code %d has no meaning", interpreter, code)
			}
			used[code] = true
		}
		for code := range verdicts[interpreter] {
			if !used[code] {
				t.Errorf("%s: no script ends with %d", interpreter, code)
			}
		}
	}
}

// TestUnderStrictFIPS runs itself again in a process with GODEBUG=fips140=only, since that setting is read
// once when a process starts.
func TestUnderStrictFIPS(t *testing.T) {
	if fips140.Enforced() {
		if _, err := Linux(change("root", secret)); err != nil {
			t.Errorf("Linux: %v", err)
		}
		if _, err := WindowsSet(change("Administrator", secret), testKey(t)); cloud.KindOf(err) != cloud.Refused ||
			!strings.Contains(err.Error(), "fips140=only") {
			t.Errorf("Windows: %v", err)
		}
		if _, err := WindowsTry("Administrator", secret, testKey(t), time.Now()); cloud.KindOf(err) != cloud.Refused {
			t.Errorf("a try on Windows: %v", err)
		}
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s", err, out)
	}
}
