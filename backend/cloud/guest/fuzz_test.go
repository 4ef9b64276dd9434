package guest

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// FuzzOutputs judges anything that a guest may print.
func FuzzOutputs(f *testing.F) {
	f.Add(0, done)
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
		if _, err := Prepared(code, output); err != nil && len(err.Error()) > 4096 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
	})
}
