//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// servers are the seeded servers of Tencent Cloud, one of each platform with other password rules or another user.
var servers = []string{"windows-1", "ubuntu-1", "linux-1"}

func TestEachLeaseCausesOneReset(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	for _, server := range servers {
		t.Run(server, func(t *testing.T) {
			id := e.role(t, server, model.TencentCloud, server, nil)
			if n := len(e.sim.PasswordAttempts(t, id)); n != 0 {
				t.Fatalf("writing the role caused %d resets", n)
			}
			const leases = 3
			secret := e.first(t, server)
			for n := 1; n <= leases; n++ {
				if secret.Version != n || secret.lease == "" {
					t.Fatalf("version %d under lease %q, want version %d under a lease", secret.Version, secret.lease, n)
				}
				e.revoke(t, secret.lease)
				e.awaitRotated(t, secret)

				before := e.sim.LastEntry(t)
				next := e.issue(t, server)
				if calls := e.sim.Since(t, before); len(calls) != 0 {
					t.Fatalf("the read of a rotated account made %d cloud calls, the first %s", len(calls), calls[0].Action)
				}
				if next.Password == secret.Password {
					t.Fatal("a version repeats the password of the one before it")
				}
				secret = next
			}
			attempts := e.sim.PasswordAttempts(t, id)
			if len(attempts) != 1+leases {
				t.Fatalf("%d resets, want the first and one for each of %d leases", len(attempts), leases)
			}
			for i, attempt := range attempts {
				if attempt.State != model.Succeeded {
					t.Errorf("reset %d ended as %q", i+1, attempt.State)
				}
			}
		})
	}
}

func TestSharedCheckout(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"checkout": "shared"})

	one := e.first(t, "web")
	two := e.issue(t, "web")
	if two.Version != one.Version || two.Password != one.Password || two.lease == one.lease {
		t.Fatalf("versions %d and %d, same password %v, same lease %v; want one version under two leases",
			one.Version, two.Version, one.Password == two.Password, one.lease == two.lease)
	}
	e.revoke(t, one.lease)
	// The revocation has been answered, and being due is part of the same write: nothing can follow later.
	if a := e.accountOf(t, two); a.State != "ready" || a.CurrentVersion != two.Version || len(a.Leases) != 1 {
		t.Fatalf("after the end of one of two leases the account is %s, version %d, with %d leases", a.State, a.CurrentVersion, len(a.Leases))
	}
	e.sim.Accepts(t, id, two.Username, two.Password)
	e.revoke(t, two.lease)
	e.awaitRotated(t, two)
	if n := len(e.sim.PasswordAttempts(t, id)); n != 2 {
		t.Errorf("%d resets, want the first and one for both leases", n)
	}
}

func TestExclusiveCheckout(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"checkout": "exclusive"})

	held := e.first(t, "web")
	_, err := e.TryRead(t.Context(), "cloudpw/creds/web")
	if text := harness.Refused(t, err, http.StatusConflict); !strings.Contains(text, "checked out") {
		t.Errorf("the second reader is told %q", text)
	}
	if a := e.accountOf(t, held); len(a.Leases) != 1 {
		t.Errorf("%d leases, want the holder's", len(a.Leases))
	}
	e.revoke(t, held.lease)
	e.awaitRotated(t, held)
	if next := e.issue(t, "web"); next.Version != held.Version+1 {
		t.Errorf("the next reader gets version %d, want %d", next.Version, held.Version+1)
	}
}

// The client's increment beats the engine's TTL, but nothing beats max_ttl; shortly before that nobody new is let in, and
// at it the account rotates.
func TestRenewalStopsAtMaxTTL(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	const ttl, maxTTL = 15 * time.Second, 20 * time.Second
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"ttl": "15s", "max_ttl": "20s"})

	secret := e.first(t, "web")
	if secret.duration > ttl {
		t.Errorf("the lease lasts %s, want at most the role's ttl of %s", secret.duration, ttl)
	}
	disclosed := e.accountOf(t, secret).Versions[0]
	if got := disclosed.Until.Sub(disclosed.Disclosed); got != maxTTL {
		t.Errorf("the version is disclosed for %s, want max_ttl, which is %s", got, maxTTL)
	}
	// Times are shown in whole seconds, rounded down.
	bound := disclosed.Until.Add(time.Second)

	renew := func() (time.Duration, error) {
		renewed, err := e.Client.Sys().Renew(secret.lease, int((24 * time.Hour).Seconds()))
		if err != nil {
			return 0, err
		}
		return time.Duration(renewed.LeaseDuration) * time.Second, nil
	}
	longest, err := renew()
	if err != nil {
		t.Fatal(err)
	}
	if longest <= ttl-2*time.Second && time.Until(bound) > ttl {
		t.Errorf("a renewal by 24h gave %s, want what is left of %s", longest, maxTTL)
	}
	var late bool
	harness.Eventually(t, rotatesWithin, "the refusal of renewals", func() error {
		before := time.Now()
		duration, err := renew()
		if err != nil {
			harness.Refused(t, err, http.StatusBadRequest)
			return nil
		}
		if end := before.Add(duration); end.After(bound.Add(time.Second)) {
			t.Fatalf("a renewal lets the lease end %s after the version's bound", end.Sub(bound))
		}
		if !late && time.Until(bound) < 2500*time.Millisecond { // the last tenth of ttl is 1.5 s
			if _, err := e.TryRead(t.Context(), "cloudpw/creds/web"); err != nil {
				text := harness.Refused(t, err, http.StatusServiceUnavailable)
				if late = strings.Contains(text, "max_ttl"); !late || !strings.Contains(text, "rotates") {
					t.Errorf("a reader short of the bound is told %q", text)
				}
			}
		}
		return errors.New("still renewed")
	})
	if before := time.Until(disclosed.Until); before > time.Second {
		t.Errorf("renewals were refused %s before max_ttl", before)
	}
	if !late {
		t.Error("readers were let in until the very end of max_ttl")
	}
	e.awaitRotated(t, secret)
}

func TestExpiryRotates(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"ttl": "3s"})
	secret := e.first(t, "web")
	e.awaitRotated(t, secret)
	if e.leaseLives(t, secret.lease) {
		t.Error("the expired lease lives")
	}
}

func TestRevokedParentTokenRotates(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	e.revoke(t, e.first(t, "web").lease)

	if err := e.Client.Sys().PutPolicy("reader", `path "cloudpw/creds/web" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	token, err := e.Client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"reader"}, TTL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	var answer *api.Secret
	harness.Eventually(t, rotatesWithin, "a password for the token", func() error {
		answer, err = e.As(t, token.Auth.ClientToken).Logical().ReadWithData("cloudpw/creds/web", map[string][]string{"wait": {"20s"}})
		return err
	})
	secret := asIssued(t, answer)
	if err := e.Client.Auth().Token().RevokeTree(token.Auth.ClientToken); err != nil {
		t.Fatal(err)
	}
	e.awaitRotated(t, secret)
	if e.leaseLives(t, secret.lease) {
		t.Error("the lease lives longer than its token")
	}
}

func TestRevokedPrefixRotatesEachAccountOnce(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	var held []issued
	for _, server := range servers {
		e.role(t, server, model.TencentCloud, server, nil)
		held = append(held, e.first(t, server))
		for range 4 {
			e.issue(t, server)
		}
	}
	e.CLI(t, "lease", "revoke", "-prefix", "cloudpw/creds")
	for _, secret := range held {
		e.awaitRotated(t, secret)
		if n := len(e.sim.PasswordAttempts(t, secret.InstanceID)); n != 2 {
			t.Errorf("%d resets of %s, want the first and one for its 5 leases", n, secret.InstanceID)
		}
	}
}

// A cloud that does not answer makes no revocation fail or wait, and hands nobody an old password.
func TestRevocationsDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, outage := range []model.FaultKind{model.FaultDropBefore, model.FaultServerError, model.FaultThrottle} {
		t.Run(string(outage), func(t *testing.T) {
			e := start(t)
			e.connect(t, model.TencentCloud)
			id := e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
			secret := e.first(t, "web")
			before := e.sim.LastEntry(t)
			e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Kind: outage})

			e.revoke(t, secret.lease)
			if e.leaseLives(t, secret.lease) {
				t.Fatal("the lease outlives its revocation")
			}
			harness.Eventually(t, rotatesWithin, "a failed try", func() error {
				if calls := e.sim.Since(t, before); len(calls) == 0 {
					return errors.New("the cloud was not asked")
				}
				a := e.accountOf(t, secret)
				if a.LastError == "" || a.DueReason != "revoked" {
					return fmt.Errorf("due: %q, last error: %q", a.DueReason, a.LastError)
				}
				return nil
			})
			_, err := e.TryRead(t.Context(), "cloudpw/creds/web")
			if text := harness.Refused(t, err, http.StatusServiceUnavailable); !strings.Contains(text, "last error") {
				t.Errorf("a reader is told %q, want the last error", text)
			}
			if err := e.sim.ClearFaults(t.Context()); err != nil {
				t.Fatal(err)
			}
			e.awaitRotated(t, secret)
			if values := e.passwords(t, id); len(values) != 2 {
				t.Errorf("%d values were sent to the cloud, want one for each version", len(values))
			}
		})
	}
}
