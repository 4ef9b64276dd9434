package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// explaining is a provider that knows why there is no initial password, and maybe sets passwords by one method.
type explaining struct {
	cloud.Provider
	method string
}

func (explaining) WhyNoInitialPassword() string { return "the image was made without Sysprep" }

func (e explaining) Resetter(method string) cloud.PasswordResetter {
	if method == e.method && method != "" {
		return simResetter{}
	}
	return nil
}

// Until twice the usual time is over a reader is told to wait. After that it is told the causes and the ways out.
func TestMissingInitialPasswordIsExplainedByAge(t *testing.T) {
	const usual = 15 * time.Minute
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	c := New(Options{Now: func() time.Time { return now }})
	t.Cleanup(c.Stop)
	for name, x := range map[string]struct {
		launched  time.Time
		canReset  bool
		method    string
		wants     []string
		never     []string
		retryFast bool
	}{
		"young": {now.Add(-3 * time.Minute), false, cloud.MethodCommand, []string{"launched 3m0s ago", "may take 15m0s"},
			[]string{"Sysprep", "import/"}, true},
		"late": {now.Add(-29 * time.Minute), false, "", []string{"launched 29m0s ago"}, []string{"Sysprep"}, true},
		"of three days, import only": {now.Add(-72 * time.Hour), false, "",
			[]string{"launched 72h0m0s ago", "Waiting longer is unlikely to help", "without Sysprep",
				"vault write m/import/conn/i-1/Administrator password=@password.txt"}, []string{"reset_method", "rotate-role"}, false},
		"of three days, could reset": {now.Add(-72 * time.Hour), false, cloud.MethodCommand,
			[]string{"without Sysprep", "import/", "vault write m/roles/win reset_method=command, then: vault write -force m/rotate-role/win/i-1"},
			nil, false},
		"of three days, resets": {now.Add(-72 * time.Hour), true, cloud.MethodAPI,
			[]string{"without Sysprep", "import/", "vault write -force m/rotate-role/win/i-1"}, []string{"reset_method="}, false},
		"of the future": {now.Add(time.Hour), false, "", []string{"launched 0s ago"}, []string{"Sysprep", "-1h"}, true},
		"of no time":    {time.Time{}, false, "", []string{"does not tell when that was", "without Sysprep", "import/"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &Account{ID: ID{Connection: "conn", InstanceID: "i-1", Username: "Administrator"}, Role: "win",
				Facts: Facts{LaunchTime: x.launched}, Settings: Settings{CanReset: x.canReset, Source: FromInitial}}
			err := c.notYet(rec, explaining{method: x.method}, usual)
			not, ok := err.(*Error) //nolint:errorlint // The value itself is meant.
			if !ok || not.Kind != NotReadable || not.Poll == 0 || (not.RetryAfter <= 45*time.Second) != x.retryFast {
				t.Fatalf("%+v", err)
			}
			for _, want := range append(x.wants, "has no initial password yet") {
				if !strings.Contains(not.Text().At("m/"), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
			for _, never := range x.never {
				if strings.Contains(err.Error(), never) {
					t.Errorf("%v says %q", err, never)
				}
			}
		})
	}
}
