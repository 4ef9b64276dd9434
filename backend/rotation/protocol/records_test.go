package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// t0 is when the accounts of the transition tests have their moment.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// leasedAccount is a leased account at rest that nobody has read yet.
func leasedAccount() *Account {
	return &Account{Schema: SchemaVersion, ID: ID{"conn", "i-1", "root"}, Provider: "sim", Role: "web", Settings: leasedSettings(),
		Versions:    []Version{{Number: 1, Password: "one", Source: FromReset, Created: t0.Add(-time.Hour), Confirmed: true}},
		LastVersion: 1, LastRotation: t0.Add(-time.Hour), LastReset: t0.Add(-time.Hour), InitialOverwritten: true}
}

// due makes an account due.
func due(reason Reason) func(*Account) {
	return func(a *Account) { a.Due = &Due{Since: t0, Reason: reason} }
}

// rotating gives an account a pending with these open attempts.
func rotating(attempts ...Attempt) func(*Account) {
	return func(a *Account) {
		due(DueRevoked)(a)
		a.Pending = &Pending{Password: "two", Created: t0, Attempts: attempts, Tried: len(attempts)}
	}
}

// both applies several changes to an account.
func both(changes ...func(*Account)) func(*Account) {
	return func(a *Account) {
		for _, change := range changes {
			change(a)
		}
	}
}

func sent(id string) Attempt { return Attempt{ID: id, Started: t0, SeenOperation: "before"} }

func acknowledged(id, request string) Attempt {
	return Attempt{ID: id, Started: t0, SeenOperation: "before", RequestID: request}
}

// wanted reports whether an error is the sentinel, or of the kind, that a case wants.
func wanted(err error, wants any) bool {
	switch wants := wants.(type) {
	case nil:
		return err == nil
	case error:
		return errors.Is(err, wants)
	case ErrorKind:
		var e *Error
		return errors.As(err, &e) && e.Kind == wants
	}
	return false
}

func encoded(t *testing.T, a *Account) string {
	t.Helper()
	raw, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// is fails unless got is want.
func is[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// read is version 1 as disclosed ago before t0.
func readAgo(ago time.Duration) func(*Account) {
	return func(a *Account) {
		a.Versions[0].Disclosed, a.Versions[0].Roles = t0.Add(-ago), RoleSet(a.Role)
		a.Versions[0].Given.More = true // the tests' readers have no name
		a.Versions[0].Until = t0.Add(a.Settings.MaxTTL - ago)
	}
}

// holding gives an account a lease of a version that ends at a time after t0.
func holding(nonce string, version int, left time.Duration) func(*Account) {
	return func(a *Account) {
		if a.Leases == nil {
			a.Leases = map[string]Lease{}
		}
		a.Leases[nonce] = Lease{Version: version, Issued: t0.Add(-time.Minute), Expires: t0.Add(left)}
	}
}

// second gives an account version 2, so that version 1 is not the current one any more.
func second(a *Account) {
	a.Add(Version{Password: "two", Source: FromReset, Created: t0, Confirmed: true})
}

func exclusive(a *Account) { a.Settings.Checkout = Exclusive }

func leasedSettings() Settings {
	return Settings{Mode: Leased, Source: FromReset, Checkout: Shared, TTL: 2 * time.Minute, MaxTTL: 10 * time.Minute, MaxVersions: 10,
		CanReset: true}
}

func with(s Settings, change func(*Settings)) Settings {
	change(&s)
	return s
}

func staticSettings() Settings {
	return with(leasedSettings(), func(s *Settings) { s.Mode, s.TTL, s.MaxTTL, s.Checkout = Static, 0, 0, "" })
}

// describe is a record in a line of the trace.
func describe(a *Account) string {
	if a == nil {
		return "no record"
	}
	var b strings.Builder
	for _, v := range a.Versions {
		fmt.Fprintf(&b, "v%d=%s ", v.Number, v.Password)
	}
	if p := a.Pending; p != nil {
		fmt.Fprintf(&b, "pending=%s attempts=%+v rejected=%v failures=%d ", p.Password, p.Attempts, p.Rejected, p.Failures)
	}
	for _, c := range a.Candidates {
		fmt.Fprintf(&b, "candidate=%s ", c.Password)
	}
	if len(a.OldUnresolved) > 0 {
		fmt.Fprintf(&b, "old_unresolved=%+v ", a.OldUnresolved)
	}
	if a.Due != nil {
		fmt.Fprintf(&b, "due=%s ", a.Due.Reason)
	}
	if !a.Gone.IsZero() {
		b.WriteString("gone ")
	}
	fmt.Fprintf(&b, "leases=%v next=%s", a.Leases, a.NextRotation.Format("15:04:05"))
	return b.String()
}

// allMethods gives every reset method the same traits.
func allMethods(t cloud.ResetTraits) func(string) *cloud.ResetTraits {
	return func(string) *cloud.ResetTraits { return &t }
}

var genuine = PlaceOf([]string{"real"}, "", false)

var lying = PlaceOf([]string{"false"}, "", false)

// placed puts an account, and all that it has, at a place.
func placed(p Place) func(*Account) {
	return func(a *Account) {
		a.Place, a.Trusted = p, []Place{p}
		for i := range a.Versions {
			a.Versions[i].Place = p
		}
		if a.Pending != nil {
			a.Pending.Place = p
			for i := range a.Pending.Attempts {
				a.Pending.Attempts[i].Place = p
				a.Pending.Attempts[i].Window, a.Pending.Attempts[i].FenceWindow = time.Minute, 2*time.Minute
			}
		}
	}
}

// led leads the connection elsewhere.
func led(p Place) func(*Account) {
	return func(a *Account) {
		next, err := Transition(a, PlaceChanged{Place: p, At: t0})
		if err != nil {
			panic(err)
		}
		*a = *next
	}
}

func sentTo(p Place, id string) Attempt {
	t := sent(id)
	t.Place, t.Window, t.FenceWindow = p, time.Minute, 2*time.Minute
	return t
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
