//go:build e2e

package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// A server that was just launched has no password yet: readers are told how old it is, and those who wait get the
// password when it comes.
func TestInitialPasswordThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	const ready = 15 * time.Minute
	e := start(t, "-ready-after="+ready.String())
	var waiting []func(t *testing.T)
	for _, cloud := range clouds {
		if cloud == model.TencentCloud { // has no initial passwords
			continue
		}
		e.connect(t, cloud)
		name := string(cloud)
		id := e.role(t, name, cloud, "windows-1", nil)

		_, err := e.TryRead(t.Context(), "cloudpw/creds/"+name)
		text := harness.Refused(t, err, http.StatusServiceUnavailable)
		for _, want := range []string{id, "no initial password yet", "launched", "ago", "wait=45s"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: a reader is told %q, want %q in it", cloud, text, want)
			}
		}
		before := e.sim.LastEntry(t)
		answer := e.inBackground(t, "cloudpw/creds/"+name, "wait", "45s")
		harness.Eventually(t, rotatesWithin, "a reader who waits", func() error {
			if len(e.sim.Since(t, before)) == 0 {
				return errors.New("the cloud was not asked")
			}
			return nil
		})
		waiting = append(waiting, func(t *testing.T) {
			secret, err := answer()
			if err != nil {
				t.Fatalf("%s: a reader who waited got %v", cloud, err)
			}
			i := asIssued(t, secret)
			e.sim.Accepts(t, id, i.Username, i.Password)
		})
	}
	if err := e.sim.Advance(t.Context(), ready); err != nil {
		t.Fatal(err)
	}
	for _, check := range waiting {
		check(t)
	}
}

// A version that is in Vault is read from there: the cloud's copy may be gone.
func TestInitialPasswordIsReadOnce(t *testing.T) {
	t.Parallel()
	e := start(t)
	for cloud, clear := range map[model.Cloud]bool{model.AWS: false, model.HuaweiCloud: true, model.OpenTelekomCloud: true,
		model.OpenStack: true} {
		e.connect(t, cloud)
		var more map[string]any
		if clear {
			more = map[string]any{"clear_initial": true}
		}
		id := e.role(t, string(cloud), cloud, "windows-1", more)
		one := e.issue(t, string(cloud))
		if clear {
			harness.Eventually(t, rotatesWithin, "the deletion of the cloud's copy", func() error {
				server, err := e.sim.Server(t.Context(), id)
				if err == nil && !server.Cleared {
					err = errors.New("it is still there")
				}
				return err
			})
		}
		before := e.sim.LastEntry(t)
		if two := e.issue(t, string(cloud)); two.Password != one.Password || two.Version != 1 || two.Source != "initial" {
			t.Errorf("%s: the second read gave version %d of source %s, same password: %v", cloud, two.Version, two.Source,
				two.Password == one.Password)
		}
		if calls := e.sim.Since(t, before); len(calls) != 0 {
			t.Errorf("%s: the second read made %d cloud calls", cloud, len(calls))
		}
	}
}
