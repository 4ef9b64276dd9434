package guest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var tryCheck = cloud.PasswordCheck{InstanceID: "vm-1", Username: "Administrator", Platform: cloud.Windows, Values: []string{secret}}

// What a server has shown of a try, what may be concluded of it, and whether the next one has to keep its distance.
func TestWhatATryShows(t *testing.T) {
	for name, c := range map[string]struct {
		line    string
		match   int
		state   cloud.UserState
		unknown string
		tried   bool
	}{
		"right":                {"matches", 0, "", "", true},
		"wrong":                {"refused 1326", cloud.NoMatch, "", "", true},
		"locked out by it":     {"refused 1909", cloud.NoMatch, cloud.UserLocked, "Windows error 1909", true},
		"disabled":             {"refused 1331", cloud.NoMatch, cloud.UserDisabled, "disabled", true},
		"account expired":      {"refused 1793", cloud.NoMatch, cloud.UserExpired, "the account has expired", true},
		"password expired":     {"refused 1330", cloud.NoMatch, cloud.UserExpired, "the password has expired", true},
		"must be changed":      {"refused 1907", cloud.NoMatch, cloud.UserExpired, "must be changed", true},
		"not over the network": {"refused 1385", cloud.NoMatch, "", "over the network", true},
		"at other hours":       {"refused 1328", cloud.NoMatch, "", "restricts when", true},
		"another code":         {"refused 5", cloud.NoMatch, "", "Windows error 5", true},
		"let in as Guest":      {"other_user", cloud.NoMatch, "", "somebody else", true},
		"an exception":         {"failed 0x80131509", cloud.NoMatch, "", "another way", true},
		"a new word":           {"something", cloud.NoMatch, "", "another way", true},
		"no numbers":           {"too_many", cloud.NoMatch, "", "another way", true},
		"no number":            {"refused", cloud.NoMatch, "", "has not said", true},

		"no user":         {"no_user", cloud.NoMatch, cloud.UserMissing, "", false},
		"locked before":   {"locked", cloud.NoMatch, cloud.UserLocked, "no password was tried", false},
		"disabled before": {"disabled", cloud.NoMatch, cloud.UserDisabled, "no password was tried", false},
		"expired before":  {"account_expired", cloud.NoMatch, cloud.UserExpired, "no password was tried", false},
		"to be changed":   {"password_expired", cloud.NoMatch, cloud.UserExpired, "no password was tried", false},
		"near to its lockout": {"too_many 3 5", cloud.NoMatch, "", "3 wrong passwords of the user are counted on the server, " +
			"which locks the account at 5", false},
		"a secret policy": {"no_policy", cloud.NoMatch, "", "does not tell how many", false},
		"late":            {"late", cloud.NoMatch, "", "its clock is right", false},
	} {
		r := Run{State: Exited, Interpreter: PowerShell, Output: "noise\r\ncloudpw: exit 0 checked " + c.line + "\r\n" + secret + "\r\n"}
		got, err := r.tried()
		if err != nil || got.Match != c.match || got.State != c.state || got.Tried != c.tried || (got.Unknown == "") != (c.unknown == "") ||
			!strings.Contains(got.Unknown, c.unknown) || strings.Contains(fmt.Sprint(got), secret) ||
			(got.State == "") != (got.Detail == "") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got.Different() != (c.line == "refused 1326" || c.line == "no_user") {
			t.Errorf("%s: different %t", name, got.Different())
		}
	}
	for name, c := range map[string]struct {
		run   Run
		text  string
		tried bool
	}{
		"no administrator":  {Run{State: Exited, ExitCode: exitNotAdministrator}, "rights of an administrator", false},
		"domain controller": {Run{State: Exited, ExitCode: exitDomainController}, "domain controller", false},
		"another key":       {Run{State: Exited, ExitCode: exitNeedsKey}, "key pair", false},
		"failed before": {Run{State: Exited, ExitCode: exitFailedBefore, Output: "cloudpw: failed X 0x80131500 " + secret}, "0x80131500",
			false},
		"killed": {Run{State: Exited, ExitCode: 1, Output: secret}, "exit code 1", true},
		"silent": {Run{State: Exited}, "without saying", true},
		"two answers": {Run{State: Exited, Output: "cloudpw: exit 0 checked matches\ncloudpw: exit 0 checked refused 1326\n"}, "without saying",
			true},
		"cut short":   {Run{State: Exited, Output: "cloudpw: exit 0 checked matches now"}, "without saying", true},
		"cut off":     {Run{State: CutOff, Failure: cloud.Errorf(cloud.Unknown, "lost")}, "lost", true},
		"never begun": {Run{State: CutOff, Failure: cloud.Errorf(cloud.Refused, "no agent")}, "no agent", false},
	} {
		got, err := c.run.tried()
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), c.text) || got.Tried != c.tried || got.Match != cloud.NoMatch ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// keyed answers the question for the key, and then tries.
type keyed struct {
	*service
	key     string
	answers []Run
}

func (s *keyed) script() {
	if s.sent[len(s.sent)-1].Purpose == ShowKey {
		s.runs = []Run{{State: Exited, Interpreter: PowerShell, Output: s.key}}
		return
	}
	s.runs, s.answers = s.answers[:1], s.answers[1:]
}

// A try is one command with the one password, encrypted, and one before it where the server's key is not known.
func TestTryIsOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyed{service: newService(), key: keyOutput(t)}
		wrong := Run{State: Exited, Interpreter: PowerShell, Output: "cloudpw: exit 0 checked refused 1326\r\n"}
		needsKey := Run{State: Exited, Interpreter: PowerShell, ExitCode: exitNeedsKey}
		c := Checker{Service: answering{s}, Hashing: NewHashing(), Keys: &Keys{}}
		for n, step := range []struct {
			answers []Run
			sent    []Purpose
		}{
			{[]Run{wrong}, []Purpose{ShowKey, TryPassword}},
			{[]Run{wrong}, []Purpose{TryPassword}},
			{[]Run{needsKey, wrong}, []Purpose{TryPassword, ShowKey, TryPassword}},
		} {
			s.sent, s.answers = nil, step.answers
			got, err := c.CheckPassword(t.Context(), tryCheck)
			if err != nil || !got.Different() || !got.Tried {
				t.Errorf("%d: %+v, %v", n, got, err)
			}
			var purposes []Purpose
			for _, command := range s.sent {
				purposes = append(purposes, command.Purpose)
				if strings.Contains(command.Script.Text, secret) || command.AtOnce() {
					t.Errorf("%d: the command holds the password", n)
				}
				if command.Purpose == TryPassword && (command.Script.Sealed == "" ||
					!slices.Equal(command.Secrets, []string{secret, command.Script.Sealed})) {
					t.Errorf("%d: what errors must not repeat is not said", n)
				}
			}
			if !slices.Equal(purposes, step.sent) {
				t.Errorf("%d: sent %q", n, purposes)
			}
		}
		s.sent, s.answers = nil, []Run{needsKey}
		c.Keys = nil // asked just before, it is no other one
		if got, err := c.CheckPassword(t.Context(), tryCheck); !NeedsKey(err) || got.Tried {
			t.Errorf("%+v, %v", got, err)
		}
		s.sent = nil
		several := tryCheck
		several.Values = []string{"first", "second"}
		if got, err := c.CheckPassword(t.Context(), several); cloud.KindOf(err) != cloud.Refused || got.Tried || len(s.sent) > 0 {
			t.Errorf("two passwords: %+v, %v, %d sent", got, err, len(s.sent))
		}
	})
}

// answering has each command of a keyed end at once.
type answering struct{ *keyed }

func (a answering) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]Run, error) {
	a.script()
	a.looked = nil
	return a.service.Look(ctx, refs)
}

// A try whose fate is not known counts as one.
func TestATryOfUnknownFate(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		tried bool
	}{
		"no answer":   {cloud.Errorf(cloud.Unknown, "no answer"), true},
		"not allowed": {cloud.Errorf(cloud.Denied, "denied"), false},
		"no agent":    {cloud.Errorf(cloud.Refused, "no agent"), false},
	} {
		s := newService()
		s.ready = map[string]cloud.ResetRecord{"vm-1": {}}
		checker := Checker{Service: &refusing{s, c.err}, Hashing: NewHashing(), Keys: &Keys{}}
		key, err := testKey(t).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		checker.Keys.put("vm-1", string(key))
		got, err := checker.CheckPassword(t.Context(), tryCheck)
		if cloud.KindOf(err) != cloud.KindOf(c.err) || got.Tried != c.tried {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newService(Run{})
		checker := Checker{Service: s, Hashing: NewHashing(), Keys: &Keys{}}
		key, err := testKey(t).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		checker.Keys.put("vm-1", string(key))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := checker.CheckPassword(ctx, tryCheck); cloud.KindOf(err) != cloud.Refused || !got.Tried {
			t.Errorf("never ends: %+v, %v", got, err)
		}
	})
}

// Windows' checks are tries, of which there is one in ten minutes; Linux's are not.
func TestCheckTraits(t *testing.T) {
	s := newService()
	c := Checker{Service: s}
	if got, want := c.CheckTraits(cloud.Linux), (cloud.CheckTraits{Action: "Run", Interval: time.Minute}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := c.CheckTraits(cloud.Windows), (cloud.CheckTraits{Action: "Run", Interval: 10 * time.Minute, Tries: true,
		LongestTry: 15 * time.Minute, Experimental: true}); got != want {
		t.Errorf("%+v", got)
	}
}
