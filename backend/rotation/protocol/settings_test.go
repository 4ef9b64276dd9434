package protocol

import (
	"errors"
	"testing"
	"time"
)

// TestAdjustedSettings: other settings of a role need no look at the instance, and pretend none.
func TestAdjustedSettings(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	base := Account{ID: ID{"prod", "srv-1", "root"}, Role: "web", Settings: Settings{Mode: Static, CanReset: true, MaxVersions: 3},
		Facts: Facts{Name: "web-1"}}
	next := base.Settings
	next.MaxVersions, next.Period = 5, time.Hour
	for name, test := range map[string]struct {
		change func(*Account)
		event  SettingsChanged
		err    error
	}{
		"running":            {nil, SettingsChanged{"web", next, at}, nil},
		"gone":               {func(a *Account) { a.Gone = at }, SettingsChanged{"web", next, at}, nil},
		"nothing to change":  {nil, SettingsChanged{"web", base.Settings, at}, ErrNoChange},
		"gone and unchanged": {func(a *Account) { a.Gone = at }, SettingsChanged{"web", base.Settings, at}, ErrNoChange},
	} {
		t.Run(name, func(t *testing.T) {
			a := base
			if test.change != nil {
				test.change(&a)
			}
			got, err := Transition(&a, test.event)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err == nil && (got.Settings != next || got.Facts != a.Facts || !got.Gone.Equal(a.Gone) || got.Role != "web" ||
				got.NextRotation.IsZero()) {
				t.Errorf("the account is %+v", got)
			}
		})
	}
	for _, role := range []string{"", "other"} {
		a := base
		a.Role = role
		var failed *Error
		if _, err := Transition(&a, SettingsChanged{"web", next, at}); !errors.As(err, &failed) || failed.Kind != Conflict {
			t.Errorf("an account of role %q: %v", role, err)
		}
	}
}
