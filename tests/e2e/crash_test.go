//go:build e2e

package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// recoversWithin is how long after a crash in the middle of a rotation a retried read may go without a password.
const recoversWithin = 60 * time.Second

// The worst moment to die: the cloud has the request, and nobody has its answer.
func TestPluginKilledWhileTheCloudAnswers(t *testing.T) {
	t.Parallel()
	// By default a server is not reset twice within 10 minutes. That must not hold a retry back.
	byDefault := map[string]any{"min_reset_interval": ""}
	for name, test := range map[string]struct {
		fault model.FaultKind
		// applied tells whether the server has the new password before the kill.
		applied bool
		// revoked makes it the rotation at a lease's end, else the account's first.
		revoked bool
		// more are the role's fields.
		more map[string]any
	}{
		"first reset, applied":      {model.FaultHoldAfter, true, false, byDefault},
		"first reset, not begun":    {model.FaultHoldBefore, false, false, byDefault},
		"end of a lease, applied":   {model.FaultHoldAfter, true, true, nil},
		"end of a lease, not begun": {model.FaultHoldBefore, false, true, nil},
		"exclusive, applied":        {model.FaultHoldAfter, true, false, map[string]any{"checkout": "exclusive"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			e.connect(t, model.TencentCloud)
			id := e.role(t, "web", model.TencentCloud, "ubuntu-1", test.more)
			var held issued
			if test.revoked {
				held = e.first(t, "web")
			}
			before := len(e.sim.PasswordAttempts(t, id))
			e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: test.fault, Count: 1})
			if test.revoked {
				e.revoke(t, held.lease)
			} else if _, err := e.TryRead(t.Context(), "cloudpw/creds/web"); harness.Status(err) != 503 {
				t.Fatalf("the read that starts the first reset: %v, want 503", err)
			}
			e.sim.AwaitHeld(t, 1, rotatesWithin)
			if test.applied {
				harness.Eventually(t, rotatesWithin, "the new password on the server", func() error {
					if attempts := e.sim.PasswordAttempts(t, id); attempts[before].Applied.IsZero() {
						return errors.New("not applied")
					}
					return nil
				})
			}

			e.KillPlugin(t)
			killed := time.Now()
			if _, err := e.sim.ReleaseHolds(t.Context()); err != nil {
				t.Fatal(err)
			}
			next := e.eventuallyIssue(t, "web", recoversWithin)
			t.Logf("a password %s after the kill", time.Since(killed).Round(100*time.Millisecond))

			attempts := e.sim.PasswordAttempts(t, id)[before:]
			if len(attempts) < 2 {
				t.Errorf("%d attempt, want another after the one whose answer was lost", len(attempts))
			}
			for _, attempt := range attempts {
				if attempt.Password != attempts[0].Password {
					t.Errorf("%d attempts of one rotation sent more than one value", len(attempts))
				}
			}
			if next.Password != attempts[0].Password || next.Version != held.Version+1 {
				t.Errorf("version %d was given, the value of this rotation: %v; want version %d and its value",
					next.Version, next.Password == attempts[0].Password, held.Version+1)
			}
			if test.revoked {
				e.sim.Refuses(t, id, held.Username, held.Password)
			}
		})
	}
}

// A killed plugin costs nobody the lease: Vault starts it again, and the accounts are in storage.
func TestPluginKilledBetweenRequests(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	held := e.first(t, "web")

	pid := e.KillPlugin(t)
	var again issued
	harness.Eventually(t, rotatesWithin, "a read after the kill", func() error {
		secret, err := e.TryRead(t.Context(), "cloudpw/creds/web")
		if err == nil {
			again = asIssued(t, secret)
		}
		return err
	})
	if again.Version != held.Version || again.Password != held.Password {
		t.Errorf("version %d after the kill, the same password: %v; want version %d", again.Version, again.Password == held.Password,
			held.Version)
	}
	if e.PluginPID(t) == pid {
		t.Error("the process was not replaced")
	}
	e.revoke(t, again.lease)
	e.revoke(t, held.lease)
	e.awaitRotated(t, held)
}
