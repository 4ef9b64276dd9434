package guest

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// An exit code is known by the output alone where exactly one line tells it.
func TestExitCode(t *testing.T) {
	for output, want := range map[string]int{
		"cloudpw: exit 0 password set\n":                              0,
		"cloudpw: exit 0 password set":                                0,
		"cloudpw: exit 0 password set\r\n":                            0,
		"cloudpw: exit 0 password set \t\n":                           -1,
		"motd\ncloudpw: exit 85 too late now=1 notafter=0\n\nbye\n":   85,
		"cloudpw: user=local\ncloudpw: exit 0 checked\n":              0,
		"cloudpw: public key n=;\r\ncloudpw: exit 0 public key shown": 0,
		"cloudpw: exit 255 x\n":                                       255,
		"cloudpw: exit 256 x\n":                                       -1,
		"cloudpw: exit 1000 x\n":                                      -1,
		"cloudpw: exit 00 x\n":                                        -1,
		"cloudpw: exit 07 x\n":                                        -1,
		"cloudpw: exit -1 x\n":                                        -1,
		"cloudpw: exit 0\n":                                           -1,
		"cloudpw: exit 0 \n":                                          -1,
		"cloudpw: exit  0 x\n":                                        -1,
		"cloudpw: exit 0 \u00e9\n":                                    -1,
		" cloudpw: exit 0 x\n":                                        -1,
		"+ echo cloudpw: exit 0 x\n":                                  -1,
		"Cloudpw: exit 0 x\n":                                         -1,
		"cloudpw: exit 0 password s":                                  0, // the end of a text that was cut tells nothing else
		"cloudpw: exi":                                                -1,
		"":                                                            -1,
		"cloudpw: exit 0 password set\ncloudpw: exit 0 password set\n":                    -1,
		"cloudpw: exit 0 password set\ncloudpw: exit 84 x\n":                              -1,
		"cloudpw: exit 84 x\ncloudpw: exit 0 password set\n":                              -1,
		"cloudpw: exit 0 " + strings.Repeat("x", 201):                                     -1,
		strings.Repeat("\n", maxLines-1) + "cloudpw: exit 7 x\n":                          7,
		strings.Repeat("\n", maxLines) + "cloudpw: exit 7 x\n":                            -1,
		"cloudpw: exit 7 x\n" + strings.Repeat(" ", maxOutput):                            -1,
		"cloudpw: exit 7 x\n" + strings.Repeat("y", maxOutput-len("cloudpw: exit 7 x\n")): 7,
	} {
		code, ok := ExitCode(output)
		if ok != (want >= 0) || ok && code != want {
			t.Errorf("%.80q: %d, %t; want %d", output, code, ok, want)
		}
	}
}

// The server's order counts only where the script's own last line tells it, with the very code for it.
func TestNewerOrder(t *testing.T) {
	for _, c := range []struct {
		interpreter Interpreter
		code        int
		output      string
		want        int64
	}{
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=1764000001\n", 1_764_000_001},
		{PowerShell, exitWindowsTooOld, "cloudpw: exit 98 too old order=1764000000 server=9999999999\r\n", maxOrder},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=1764000000\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000001 server=1764000000\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=17640000010\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=1764000001 x\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 86 too old order=176400000 server=1764000001\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 98 too old order=1764000000 server=1764000001\n", 0},
		{Shell, exitWindowsTooOld, "cloudpw: exit 98 too old order=1764000000 server=1764000001\n", 0},
		{PowerShell, exitTooOld, "cloudpw: exit 86 too old order=1764000000 server=1764000001\n", 0},
		{Shell, exitTooLate, "cloudpw: exit 85 too old order=1764000000 server=1764000001\n", 0},
		{Shell, 0, "cloudpw: exit 0 too old order=1764000000 server=1764000001\n", 0},
		{Shell, exitTooOld, "cloudpw: exit 86 too late now=1764000000 notafter=1764000001\n", 0},
		{Shell, exitTooOld, "", 0},
		{Shell, exitTooOld, strings.Repeat("cloudpw: exit 86 too old order=1764000000 server=1764000001\n", 2), 0},
	} {
		if got := newerOrder(c.interpreter, c.code, c.output); got != c.want {
			t.Errorf("%s, code %d, %q: %d, want %d", c.interpreter, c.code, c.output, got, c.want)
		}
	}
}

// The rotation core is told the server's order, and neither that nor a late command proves that nothing was changed.
func TestResetterTellsTheOrder(t *testing.T) {
	for name, c := range map[string]struct {
		run   Run
		order int64
	}{
		"too old": {Run{State: Exited, Interpreter: Shell, ExitCode: exitTooOld,
			Output: "cloudpw: exit 86 too old order=1764000000 server=1764000009\n"}, 1_764_000_009},
		"too old on Windows": {Run{State: Exited, Interpreter: PowerShell, ExitCode: exitWindowsTooOld,
			Output: "cloudpw: exit 98 too old order=1764000000 server=1764000009\r\n"}, 1_764_000_009},
		"too late": {Run{State: Exited, Interpreter: Shell, ExitCode: exitTooLate,
			Output: "cloudpw: exit 85 too late now=1764000700 notafter=1764000600\n"}, 0},
		"cut off": {Run{State: CutOff, ExitCode: exitTooOld, Interpreter: Shell,
			Output: "cloudpw: exit 86 too old order=1764000000 server=1764000009\n"}, 0},
	} {
		ref := cloud.ResetRef{InstanceID: "vm-1", RequestID: "run-1"}
		records, err := Resetter{Service: newService(c.run)}.ResetRecords(t.Context(), []cloud.ResetRef{ref})
		if got := records["vm-1"]; err != nil || got.State != cloud.OperationFailed || got.Kind != "" || got.Order != c.order {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A hash is kept out of messages as a whole and in part, in clear and in base64; other words are not.
func TestWithoutHashes(t *testing.T) {
	const clear = "$6$rounds=20000$1764000000aB./09$"
	long := strings.Repeat("x/+9", 20)
	for said, want := range map[string]string{
		"it is " + clear + long + ": no":              "it is [hash]: no",
		"it is " + clear + "xyz":                      "it is [hash]",
		"a='$y$j9T$salt$xyz'":                         "a='[hash]'",
		"it is " + encoded(clear+long) + " here":      "it is [hash] here",
		"it is " + encoded(clear + "xyz")[:30]:        "it is [hash]",
		`it is ` + encoded(clear)[:20] + `\/x\/y+ no`: "it is [hash] no",
		"its end " + long + "==":                      "its end [hash]",
		"order SCT20260301120000010abcdef of 5":       "order SCT20260301120000010abcdef of 5",
		"costs $5 and $HOME/bin":                      "costs $5 and $HOME/bin",
		"":                                            "",
	} {
		if got := WithoutHashes(said); got != want {
			t.Errorf("%q became %q, want %q", said, got, want)
		}
	}
}
