//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// grant is a password that Vault has handed out under a lease.
type grant struct {
	lease    string
	version  int
	password string
	from     time.Time // when the answer had arrived
	until    time.Time // when the client first asked for the end of the lease; zero: never
	ended    bool      // Vault has said that it ends the lease
}

// checkGrants finds the grants whose password the server did not have, from the answer until the client gave the
// lease back. attempts are all that ever wanted to set the server's password; nothing else changes it.
func checkGrants(attempts []model.Attempt, grants []grant) []string {
	applied := slices.DeleteFunc(slices.Clone(attempts), func(a model.Attempt) bool { return a.Applied.IsZero() })
	slices.SortStableFunc(applied, func(a, b model.Attempt) int { return a.Applied.Compare(b.Applied) })
	var faults []string
	for _, g := range grants {
		before := slices.IndexFunc(applied, func(a model.Attempt) bool { return a.Applied.After(g.from) })
		if before < 0 {
			before = len(applied)
		}
		if before == 0 || applied[before-1].Password != g.password {
			faults = append(faults, fmt.Sprintf("version %d was handed out at %s (lease %s), and the server had another password then",
				g.version, clock(g.from), g.lease))
			continue
		}
		for _, a := range applied[before:] {
			if a.Password != g.password && (g.until.IsZero() || a.Applied.Before(g.until)) {
				faults = append(faults,
					fmt.Sprintf("version %d was leased from %s (lease %s), and the server got another password at %s, before the lease was given back",
						g.version, clock(g.from), g.lease, clock(a.Applied)))
				break
			}
		}
	}
	return faults
}

// checkValues finds a rotation that sent more than one value: a value that comes again after another was sent. It
// returns the number of different values too.
func checkValues(attempts []model.Attempt) (values int, faults []string) {
	ordered := slices.Clone(attempts)
	slices.SortStableFunc(ordered, func(a, b model.Attempt) int { return cmp.Compare(a.Seq, b.Seq) })
	var seen []string
	for _, a := range ordered {
		switch i := slices.Index(seen, a.Password); {
		case i < 0:
			seen = append(seen, a.Password)
		case i != len(seen)-1:
			faults = append(faults, fmt.Sprintf("value %d was sent again at %s, after value %d", i+1, clock(a.Time), len(seen)))
		}
	}
	return len(seen), faults
}

// lateRequests finds the requests that a node has sent to the clouds since its successor's first: how many there are, and
// those which cannot have been on their way then, since they are not the first about an instance. log is all since
// before the change, old the address that the node's requests come from.
func lateRequests(log []model.Entry, old string) (late int, faults []string) {
	first := slices.IndexFunc(log, func(e model.Entry) bool { return e.Source != old })
	if first < 0 {
		return 0, nil
	}
	seen := map[string]bool{}
	for _, e := range log[first:] {
		if e.Source != old {
			continue
		}
		late++
		for _, id := range e.Instances {
			if seen[id] {
				faults = append(faults, fmt.Sprintf("%s about %s at %s, after the successor had begun, and not the first", e.Action, id, clock(e.Time)))
			}
			seen[id] = true
		}
	}
	return late, faults
}

// clock is a time as the logs beside the test print it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

func TestHistoryOfGrants(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	history := []model.Attempt{
		{Seq: 1, Password: "one", Applied: at(10)},
		{Seq: 2, Password: "two"}, // lost on its way
		{Seq: 3, Password: "two", Applied: at(20)},
		{Seq: 4, Password: "two", Applied: at(30)}, // a late repetition
	}
	for name, c := range map[string]struct {
		password    string
		from, until int
		faults      int
	}{
		"given back before the reset": {"one", 11, 19, 0},
		"never given back":            {"two", 21, 0, 0},
		"a repetition under a lease":  {"two", 25, 35, 0},
		"before any reset":            {"one", 5, 9, 1},
		"a value not set yet":         {"two", 15, 40, 1},
		"an old value":                {"one", 25, 26, 1},
		"reset under the lease":       {"one", 12, 22, 1},
		"reset under an endless one":  {"one", 12, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := grant{password: c.password, from: at(c.from)}
			if c.until != 0 {
				g.until = at(c.until)
			}
			if got := checkGrants(history, []grant{g}); len(got) != c.faults {
				t.Errorf("found %q, want %d faults", got, c.faults)
			}
		})
	}
}

func TestHistoryOfValues(t *testing.T) {
	for name, c := range map[string]struct {
		passwords []string
		values    int
		faults    int
	}{
		"none":             {nil, 0, 0},
		"retries":          {[]string{"one", "one", "two", "two", "three"}, 3, 0},
		"an old one again": {[]string{"one", "two", "one"}, 2, 1},
		"two in turn":      {[]string{"one", "two", "one", "two"}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts []model.Attempt
			for i, p := range c.passwords {
				attempts = append(attempts, model.Attempt{Seq: i + 1, Password: p})
			}
			values, faults := checkValues(attempts)
			if values != c.values || len(faults) != c.faults {
				t.Errorf("%d values, faults %q; want %d and %d", values, faults, c.values, c.faults)
			}
		})
	}
}

func TestHistoryOfANodeThatLostTheLead(t *testing.T) {
	const old, next = "127.0.1.1", "127.0.1.2"
	request := func(source string, ids ...string) model.Entry { return model.Entry{Source: source, Instances: ids} }
	for name, c := range map[string]struct {
		log          []model.Entry
		late, faults int
	}{
		"no successor":        {[]model.Entry{request(old, "a"), request(old, "a")}, 0, 0},
		"in time":             {[]model.Entry{request(old, "a"), request(old, "a"), request(next, "a")}, 0, 0},
		"on their way":        {[]model.Entry{request(old, "a"), request(next, "a"), request(old, "a"), request(old, "b", "c")}, 2, 0},
		"one goes on":         {[]model.Entry{request(next, "a"), request(old, "a"), request(next, "b"), request(old, "b", "a")}, 2, 1},
		"one goes on and on":  {[]model.Entry{request(next, "a"), request(old, "a"), request(old, "a"), request(old, "a")}, 3, 2},
		"successor alone now": {[]model.Entry{request(next, "a"), request(next, "a")}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if late, faults := lateRequests(c.log, old); late != c.late || len(faults) != c.faults {
				t.Errorf("%d late, faults %q; want %d and %d", late, faults, c.late, c.faults)
			}
		})
	}
}
