package connection

import (
	"hash/fnv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	// maxJitter bounds how much earlier than its period a credential is replaced.
	maxJitter = 12 * time.Hour
	// Delays after an unattended rotation that failed, each twice the one before.
	firstRootDelay = 10 * time.Minute
	lastRootDelay  = 24 * time.Hour
)

// RootSchedule is when the connection's credential is replaced unattended, and what became of it.
type RootSchedule struct {
	Period    time.Duration // 0: never
	Last      time.Time     // when rotate-root, attended or not, last replaced it
	Next      time.Time     // zero without a period
	Error     hint.Text     // of the last unattended try, if it failed
	ErrorTime time.Time
}

// RootSchedule tells when the credential of the connection is to be replaced.
func (c *Record) RootSchedule(name string, now time.Time) RootSchedule {
	s := RootSchedule{Last: c.LastRootRotation}
	if c.RotationPeriod == nil || *c.RotationPeriod == 0 {
		return s
	}
	s.Period = *c.RotationPeriod
	since := c.RotationSince
	for _, at := range []time.Time{c.LastRootRotation, c.CredentialConfigured} {
		if at.After(since) {
			since = at
		}
	}
	s.Next = since.Add(s.Period - jitter(name, since, s.Period))
	if f := c.RootFailure; f != nil {
		s.Error, s.ErrorTime = f.Error, f.At
		// A failure to come was noted by a clock that was set back since.
		if f.Next.After(s.Next) && !f.At.After(now) {
			s.Next = f.Next
		}
	}
	return s
}

// jitter is how much before the end of its period a credential is replaced: at most a tenth of the period. It is always the same
// for one credential, so that what is shown as the next time is the next time, and differs between connections, so that those which
// were written together are not replaced together.
func jitter(name string, since time.Time, period time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name + since.UTC().Format(time.RFC3339)))
	return time.Duration(hash.Sum64() % uint64(min(period/10, maxJitter)))
}

// FailRoot notes that an unattended rotation of the credential has failed.
func (c *Record) FailRoot(cause error, now time.Time) {
	failures := 1
	if c.RootFailure != nil {
		failures = c.RootFailure.Failures + 1
	}
	delay := lastRootDelay
	if doublings := failures - 1; doublings < 8 { // more are longer than the longest
		delay = min(firstRootDelay<<doublings, lastRootDelay)
	}
	c.RootFailure = &RootFailure{Error: hint.Of(cause), At: now.UTC(), Next: now.Add(delay).UTC(), Failures: failures}
}
