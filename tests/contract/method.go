package contract

import (
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// methodChecks are about what a method says of itself.
var methodChecks = []check{
	{"the traits are usable", traits},
	{"methods are those of the descriptor", methods},
	{"check methods are those of the descriptor", checkMethods},
	{"check methods that log in are given room", tries},
}

func traits(t *testing.T, s *scene) {
	got := s.method.ResetTraits()
	if got != s.method.ResetTraits() {
		t.Error("the traits are not constant")
	}
	if got.Action == "" || got.BatchSize < 1 || got.PollBatch < 0 || got.SignatureLifetime <= 0 || got.LongestOperation <= 0 ||
		got.PollInterval <= 0 {
		t.Errorf("%+v", got)
	}
	// What keeps the order is bounded by the server's clock, and what is over when it is answered has no id to be found by.
	if got.KeepsOrder && (got.Serial || got.LongestOperation > cloud.OrderDeadline) || got.OwnIDs && s.subject.Synchronous {
		t.Errorf("%+v", got)
	}
	// A record that is not there yet must be looked at once more before the reset is taken for lost.
	if !s.subject.Synchronous && got.VisibilityGrace <= got.PollInterval {
		t.Errorf("no room to look twice: %+v", got)
	}
}

func methods(t *testing.T, s *scene) {
	resetters := s.provider.(cloud.PasswordResetters)
	seen := map[cloud.PasswordResetter]string{} // panics on what is not comparable
	for _, name := range []string{cloud.MethodAPI, cloud.MethodCommand, "", "other"} {
		r := resetters.Resetter(name)
		if _, known := s.subject.Descriptor.ResetMethod(name); known != (r != nil) {
			t.Errorf("method %q: the descriptor has it: %t, the provider: %t", name, known, r != nil)
		}
		if r == nil {
			continue
		}
		if r != resetters.Resetter(name) {
			t.Errorf("method %q is another one at each call", name)
		}
		if same, taken := seen[r]; taken {
			t.Errorf("methods %q and %q are the same", same, name)
		}
		seen[r] = name
	}
	for _, name := range s.subject.Descriptor.ResetMethodNames() {
		if resetters.Resetter(name) == nil {
			t.Errorf("the provider does not know the descriptor's method %q", name)
		}
	}
}

func checkMethods(t *testing.T, s *scene) {
	checkers, ok := s.provider.(cloud.PasswordCheckers)
	if own := len(s.subject.Descriptor.CheckMethods) > 0; ok != own {
		t.Fatalf("the descriptor has check methods: %t, the provider: %t", own, ok)
	}
	if !ok {
		return
	}
	for _, name := range s.subject.Descriptor.CheckMethods {
		c := checkers.Checker(name)
		if c == nil {
			t.Errorf("the provider does not know the descriptor's check method %q", name)
			continue
		}
		if c != checkers.Checker(name) { // panics on what is not comparable
			t.Errorf("check method %q is another one at each call", name)
		}
	}
	for _, name := range []string{cloud.CheckCommand, "", "other"} {
		if known := slices.Contains(s.subject.Descriptor.CheckMethods, name); known != (checkers.Checker(name) != nil) {
			t.Errorf("check method %q: the descriptor has it: %t, the provider: %t", name, known, !known)
		}
	}
}

// leastTryInterval is the least distance between two passwords that a check tries on a user. A lockout counts within about as long.
const leastTryInterval = 10 * time.Minute

func tries(t *testing.T, s *scene) {
	checkers, ok := s.provider.(cloud.PasswordCheckers)
	if !ok {
		return
	}
	for _, name := range s.subject.Descriptor.CheckMethods {
		for _, platform := range []cloud.Platform{cloud.Linux, cloud.Windows} {
			c := checkers.Checker(name)
			if c == nil {
				continue // another check says so
			}
			got := c.CheckTraits(platform)
			if got != c.CheckTraits(platform) {
				t.Errorf("%s, %s: the traits are not constant", name, platform)
			}
			if got.Action == "" || got.Interval < time.Minute || got.Tries != (got.LongestTry > 0) || got.Tries && got.Interval < leastTryInterval {
				t.Errorf("%s, %s: %+v", name, platform, got)
			}
			if !got.Tries {
				continue
			}
			id, mark := s.server(t, string(platform)), s.mark()
			_, err := c.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: id, Username: "Administrator", Platform: platform,
				Values: []string{oldPassword, "Another-1-Password"}})
			if cloud.KindOf(err) != cloud.Refused || len(s.world.Log(mark)) > 0 {
				t.Errorf("%s, %s: two passwords at once: %v, %d requests", name, platform, err, len(s.world.Log(mark)))
			}
		}
	}
}
