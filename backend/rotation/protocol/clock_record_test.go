package protocol

import (
	"testing"
	"time"
)

// TestWhatMayExpire: both clocks must say that a time has come.
func TestWhatMayExpire(t *testing.T) {
	now := func(wall time.Duration) ClockReading { return ClockReading{Now: t0, Wall: t0.Add(wall)} }
	for _, c := range []struct {
		name string
		r    ClockReading
		at   time.Duration
		want time.Duration
	}{
		{"the clocks agree", now(0), -time.Hour, -time.Hour},
		{"the wall clock is ahead, which is not believed", now(time.Hour), time.Minute, time.Minute},
		{"the wall clock is behind: looked at again", now(-2 * time.Hour), -time.Hour, ExpiryRecheck},
		{"the wall clock is a little behind", now(-10 * time.Second), -5 * time.Second, 5 * time.Second},
		{"past by both", now(-2 * time.Hour), -3 * time.Hour, -3 * time.Hour},
		{"to come by both", now(-2 * time.Hour), 5 * time.Hour, 5 * time.Hour},
		{"nothing expires for a while", ClockReading{Now: t0, Wall: t0, QuietUntil: t0.Add(time.Minute)}, -time.Hour, time.Minute},
	} {
		is(t, c.name, c.r.ExpiredAt(t0.Add(c.at)), t0.Add(c.want))
	}
}

// TestAScheduleIsDoubtedAfterAStart: a time that an earlier process has stored, for no longer than a period.
func TestAScheduleIsDoubtedAfterAStart(t *testing.T) {
	quiet := ClockReading{Now: t0, Wall: t0, QuietUntil: t0.Add(StartHold)}
	for _, c := range []struct {
		name   string
		period time.Duration
		at     time.Duration
		own    bool
		window time.Duration
		want   time.Duration
	}{
		{"of an earlier process", time.Hour, -time.Minute, false, 0, StartHold},
		{"of this one", time.Hour, -time.Minute, true, 0, -time.Minute},
		{"of a short period", 10 * time.Second, -5 * time.Hour, false, 0, 10 * time.Second},
		{"long past", time.Hour, -5 * time.Hour, false, 0, StartHold},
		{"in a window that closes soon", time.Hour, -time.Minute, false, 2 * time.Minute, -time.Minute},
		{"in a window that stays open", time.Hour, -time.Minute, false, time.Hour, StartHold},
		{"after its window", time.Hour, -time.Hour, false, time.Minute, StartHold},
		{"to come", time.Hour, time.Minute + StartHold, false, 0, time.Minute + StartHold},
	} {
		a := leasedAccount()
		a.Settings = with(staticSettings(), func(s *Settings) { s.Period = c.period })
		a.Settings.Window = c.window
		a.NextRotation = t0.Add(c.at)
		is(t, c.name, a.scheduledAt(PlanInput{Now: t0, Clock: quiet, OwnSchedule: c.own}), t0.Add(c.want))
	}
}

func TestTimesThatAWrongClockHasStoredAreCorrected(t *testing.T) {
	const ahead = 2 * time.Hour
	during := both(readAgo(time.Minute-ahead), func(a *Account) {
		a.Leases = map[string]Lease{
			"old":     {Version: 1, Issued: t0.Add(-10 * time.Minute), Expires: t0.Add(time.Minute)},
			"during":  {Version: 1, Issued: t0.Add(ahead - time.Minute), Expires: t0.Add(ahead + time.Minute)},
			"renewed": {Version: 1, Issued: t0.Add(-10 * time.Minute), Renewed: t0.Add(ahead - time.Minute), Expires: t0.Add(ahead + time.Minute)},
		}
		a.Due = &Due{Since: t0.Add(ahead), Reason: DueManual}
		a.Backoff = &Backoff{LastErrorTime: t0.Add(ahead - time.Minute), NotBefore: t0.Add(ahead + time.Minute)}
		a.LastReset, a.LastRotation = t0.Add(ahead-time.Minute), t0.Add(ahead-time.Minute)
	})
	check := func(by time.Duration) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) {
			is(t, "still ahead", a.Ahead(t0), false)
			is(t, "disclosed", a.Current().Disclosed, t0.Add(by))
			is(t, "until", a.Current().Until, t0.Add(by+a.Settings.MaxTTL))
			is(t, "a lease of before", a.Leases["old"].Expires, t0.Add(time.Minute))
			is(t, "issued", a.Leases["during"].Issued, t0.Add(by))
			is(t, "expires", a.Leases["during"].Expires, t0.Add(by+2*time.Minute))
			is(t, "renewed", a.Leases["renewed"].Expires, t0.Add(by+2*time.Minute))
			is(t, "last error", a.Backoff.LastErrorTime, t0.Add(by))
			is(t, "not before", a.Backoff.NotBefore, t0.Add(by+2*time.Minute))
			is(t, "last reset", a.LastReset, t0.Add(by))
			is(t, "last rotation", a.LastRotation, t0.Add(by))
			is(t, "due", a.Due.Since.After(t0), false)
		}
	}
	runTransitions(t, []transitionCase{
		{"by the step that was seen", during, TimesCorrected{Now: t0, By: -ahead}, nil, check(-time.Minute)},
		{"by what is known now, after a restart", during, TimesCorrected{Now: t0}, nil, check(0)},
		{"a step that does not explain it", during, TimesCorrected{Now: t0, By: -time.Second}, nil, check(0)},
		{"nothing is ahead", both(readAgo(time.Minute), holding("n", 1, time.Minute)), TimesCorrected{Now: t0}, ErrNoChange, nil},
		{"no lease is longer than its version", both(readAgo(time.Minute), func(a *Account) {
			a.Leases = map[string]Lease{"n": {Version: 1, Issued: t0.Add(ahead), Expires: t0.Add(ahead + time.Hour)}}
		}), TimesCorrected{Now: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "expires", a.Leases["n"].Expires, a.Current().Until)
		}},
	})
}

func TestWhatWasGrantedBeforeAStepWasBelievedEndsInTime(t *testing.T) {
	step := BelievedStep{By: 2 * time.Hour, From: t0.Add(-5 * time.Minute), To: t0}
	runTransitions(t, []transitionCase{
		{"granted meanwhile", both(readAgo(time.Minute), holding("n", 1, time.Minute)), TimesDelayed{step}, nil, func(t *testing.T, a *Account) {
			is(t, "disclosed", a.Current().Disclosed, t0.Add(2*time.Hour-time.Minute))
			is(t, "until", a.Current().Until, t0.Add(2*time.Hour+9*time.Minute))
			is(t, "expires", a.Leases["n"].Expires, t0.Add(2*time.Hour+time.Minute))
		}},
		{"granted before", both(readAgo(6*time.Minute), func(a *Account) {
			a.Leases = map[string]Lease{"n": {Version: 1, Issued: t0.Add(-6 * time.Minute), Expires: t0.Add(time.Minute)}}
		}), TimesDelayed{step}, ErrNoChange, nil},
	})
}

// TestRenewalsEndWithTheDisclosure: whatever Vault's clock or the one that stored the disclosure said.
func TestRenewalsEndWithTheDisclosure(t *testing.T) {
	for _, c := range []struct {
		name                  string
		disclosed, issued     time.Duration // ago
		skew, increment       time.Duration
		refused               bool
		expires, maxTTLAtMost time.Duration
	}{
		{name: "the clocks agree", disclosed: time.Minute, issued: time.Minute, increment: time.Hour, expires: 9 * time.Minute,
			maxTTLAtMost: 10 * time.Minute},
		{name: "disclosed by a clock that was ahead", disclosed: -2 * time.Hour, issued: -2 * time.Hour, increment: 5 * time.Minute,
			expires: 5 * time.Minute, maxTTLAtMost: 10 * time.Minute},
		{name: "and for longer than that", disclosed: -2 * time.Hour, issued: -2 * time.Hour, increment: time.Hour, refused: true},
		{name: "Vault's clock is ahead now", disclosed: time.Minute, issued: time.Minute, skew: 2 * time.Hour, increment: time.Hour,
			expires: 9 * time.Minute, maxTTLAtMost: 10*time.Minute + 2*time.Hour},
		{name: "Vault's clock is behind now", disclosed: time.Minute, issued: -2*time.Hour + time.Minute, skew: -2 * time.Hour,
			increment: 5 * time.Minute, expires: 5 * time.Minute, maxTTLAtMost: 10 * time.Minute},
	} {
		a := leasedAccount()
		both(readAgo(c.disclosed), holding("n", 1, time.Minute))(a)
		var grant Grant
		next, err := Transition(a, LeaseRenewed{Lease: LeaseRef{Version: 1, Nonce: "n"}, Issued: t0.Add(-c.issued), Increment: c.increment,
			At: t0, Skew: c.skew, Grant: &grant})
		if (err != nil) != c.refused {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.refused {
			continue
		}
		is(t, c.name, next.Leases["n"].Expires, t0.Add(c.expires))
		if grant.MaxTTL > c.maxTTLAtMost {
			t.Errorf("%s: max_ttl %s, want at most %s", c.name, grant.MaxTTL, c.maxTTLAtMost)
		}
	}
}
