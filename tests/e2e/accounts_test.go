//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// rotatesWithin bounds what takes one or two seconds on an idle machine: the end of a lease, the reset and its polls.
const rotatesWithin = 90 * time.Second

// issued is an answer of creds/.
type issued struct {
	InstanceID string `json:"instance_id"`
	Connection string `json:"connection"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	Source     string `json:"source"`
	Version    int    `json:"version"`

	lease    string        // empty in static mode
	duration time.Duration // of the lease
}

// account is what accounts/ shows, as far as these tests look.
type account struct {
	State          string    `json:"state"`
	CurrentVersion int       `json:"current_version"`
	Versions       []version `json:"versions"`
	Leases         []struct {
		Version int `json:"version"`
	} `json:"leases"`
	DueReason string `json:"due_reason"`
	LastError string `json:"last_error"`
}

type version struct {
	Number    int       `json:"version"`
	Current   bool      `json:"current"`
	Disclosed time.Time `json:"disclosed_time"`
	Until     time.Time `json:"disclosed_until"`
}

// decode reads an answer's data into a struct.
func decode(tb testing.TB, data map[string]any, into any) {
	tb.Helper()
	text, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		tb.Fatalf("an answer of another form than expected: %v", err)
	}
}

func asIssued(tb testing.TB, secret *api.Secret) issued {
	tb.Helper()
	i := issued{lease: secret.LeaseID, duration: time.Duration(secret.LeaseDuration) * time.Second}
	decode(tb, secret.Data, &i)
	return i
}

// issue reads creds/<role>, which must answer, and logs in with what it gives.
func (e *env) issue(tb testing.TB, role string, query ...string) issued {
	tb.Helper()
	i := asIssued(tb, e.Read(tb, "cloudpw/creds/"+role, query...))
	e.sim.Accepts(tb, i.InstanceID, i.Username, i.Password)
	return i
}

// first is issue for an account whose first reset the read has to start.
func (e *env) first(tb testing.TB, role string) issued {
	tb.Helper()
	return e.eventuallyIssue(tb, role, rotatesWithin)
}

// eventuallyIssue repeats a waiting read until it is answered. Nothing may come before that but 503, and Vault's answer that
// the plugin's process is gone.
func (e *env) eventuallyIssue(tb testing.TB, role string, within time.Duration) issued {
	tb.Helper()
	var answer *api.Secret
	harness.Eventually(tb, within, "a password of role "+role, func() error {
		secret, err := e.TryRead(tb.Context(), "cloudpw/creds/"+role, "wait", "20s")
		if err != nil && harness.Status(err) != 503 && !harness.Unreached(err) {
			tb.Fatalf("read creds/%s: %v", role, err)
		}
		answer = secret
		return err
	})
	i := asIssued(tb, answer)
	e.sim.Accepts(tb, i.InstanceID, i.Username, i.Password)
	return i
}

// accountOf reads the account that an answer came from.
func (e *env) accountOf(tb testing.TB, i issued) account {
	tb.Helper()
	var a account
	decode(tb, e.Read(tb, fmt.Sprintf("cloudpw/accounts/%s/%s/%s", i.Connection, i.InstanceID, i.Username)).Data, &a)
	return a
}

// awaitRotated waits until the version is no longer current and the next one waits in storage, disclosed to nobody. The
// old password must be dead then. An account whose earlier attempts were lost is "settling" for some minutes more, which
// keeps only the rotation after this one waiting.
func (e *env) awaitRotated(tb testing.TB, old issued) account {
	tb.Helper()
	var a account
	harness.Eventually(tb, rotatesWithin, fmt.Sprintf("the rotation of version %d of %s", old.Version, old.InstanceID), func() error {
		if a = e.accountOf(tb, old); a.CurrentVersion != old.Version+1 || a.State != "ready" && a.State != "settling" {
			return fmt.Errorf("version %d is current, the account is %s; last error: %q", a.CurrentVersion, a.State, a.LastError)
		}
		return nil
	})
	e.sim.Refuses(tb, old.InstanceID, old.Username, old.Password)
	newest := a.Versions[len(a.Versions)-1]
	if newest.Number != a.CurrentVersion || !newest.Current || !newest.Disclosed.IsZero() {
		tb.Fatalf("the newest version is %+v, want version %d, current and disclosed to nobody", newest, a.CurrentVersion)
	}
	if len(a.Leases) != 0 {
		tb.Fatalf("an undisclosed version has %d leases", len(a.Leases))
	}
	return a
}

// revoke ends a lease and returns when Vault has heard from the engine.
func (e *env) revoke(tb testing.TB, lease string) {
	tb.Helper()
	if err := e.Client.Sys().RevokeWithOptions(&api.RevokeOptions{LeaseID: lease, Sync: true}); err != nil {
		tb.Fatalf("revoke: %v", err)
	}
}

// leaseLives tells whether Vault knows the lease. A lease whose revocation failed lives on.
func (e *env) leaseLives(tb testing.TB, lease string) bool {
	tb.Helper()
	_, err := e.Client.Sys().Lookup(lease)
	if err != nil && harness.Status(err) != 400 {
		tb.Fatalf("look up a lease: %v", err)
	}
	return err == nil
}

// passwords are the values of all attempts to set a server's password, oldest first, each once.
func (e *env) passwords(tb testing.TB, id string) []string {
	tb.Helper()
	var values []string
	for _, attempt := range e.sim.PasswordAttempts(tb, id) {
		if !slices.Contains(values, attempt.Password) {
			values = append(values, attempt.Password)
		}
	}
	return values
}

// inBackground runs a read that waits, and returns a function that gives its outcome.
func (e *env) inBackground(tb testing.TB, path string, query ...string) func() (*api.Secret, error) {
	type outcome struct {
		secret *api.Secret
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		secret, err := e.TryRead(tb.Context(), path, query...)
		done <- outcome{secret, err}
	}()
	return func() (*api.Secret, error) {
		select {
		case o := <-done:
			return o.secret, o.err
		case <-time.After(rotatesWithin):
			return nil, errors.New("no answer")
		}
	}
}
