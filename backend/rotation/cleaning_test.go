package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// TestANewRecordIsRemovedSoon: what could not be removed before makes the next record wait for nothing, and only a new record does
// that.
func TestANewRecordIsRemovedSoon(t *testing.T) {
	later := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	none := &Account{}
	one := &Account{Leftovers: []protocol.Leftover{{Name: "a"}}}
	two := &Account{Leftovers: []protocol.Leftover{{Name: "a"}, {Name: "b"}}}
	for name, c := range map[string]struct {
		before, after *Account
		soon          bool
	}{
		"the first":          {none, one, true},
		"another":            {one, two, true},
		"as before":          {two, two, false},
		"one is removed":     {two, one, false},
		"the record is new":  {nil, one, false},
		"the record is gone": {one, nil, false},
	} {
		clean := cleaning{held: later, failures: 5, passed: 2}
		clean.observe(c.before, c.after)
		if soon := clean.held.IsZero() && clean.failures == 0; soon != c.soon || clean.passed != 2 {
			t.Errorf("%s: held until %s after %d failures, %d passed", name, clean.held, clean.failures, clean.passed)
		}
	}
}

// TestADueAccountEndsARemoval: its rotation does not wait for that.
func TestADueAccountEndsARemoval(t *testing.T) {
	rest, due := &Account{}, &Account{Due: &protocol.Due{}}
	for name, c := range map[string]struct {
		before, after *Account
		ends          bool
	}{
		"it becomes due":   {rest, due, true},
		"it is loaded due": {nil, due, true},
		"it was due":       {due, due, false},
		"it is at rest":    {rest, rest, false},
		"it is forgotten":  {rest, nil, false},
	} {
		ended := false
		clean := cleaning{cancel: func() { ended = true }}
		clean.observe(c.before, c.after)
		if ended != c.ends {
			t.Errorf("%s: the removal is ended: %t", name, ended)
		}
	}
}
