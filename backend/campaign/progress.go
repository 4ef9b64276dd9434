package campaign

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// MaxFailing is how many accounts that fail are named at most.
const MaxFailing = 1000

// Progress is how far a campaign has come.
type Progress struct {
	Counts
	Total int
	// Causes sum up why accounts fail, those of most accounts first. Failing names some of these accounts.
	Causes  []rotation.FailureCause
	Failing []Failing
	// Left is how long what waits will take at the pace so far; 0: it is not known, or nothing waits.
	Left time.Duration

	counted time.Time
}

// Failing is an account, or a group, whose last try failed.
type Failing struct {
	ID         rotation.ID
	State      string
	Trouble    hint.Text
	NextTry    time.Time
	WaitingFor string
}

func (t *tally) progress(total int, counted time.Time) *Progress {
	return &Progress{Counts: t.Counts, Total: total, Causes: t.causes.Sorted(), Failing: t.failing, counted: counted}
}

// sample is how many accounts were done at a time.
type sample struct {
	at   time.Time
	done int
}

// left is how long the rest takes at the pace since an earlier sample; 0: nobody can tell.
func (s sample) left(now sample, rest int) time.Duration {
	passed, done := now.at.Sub(s.at), now.done-s.done
	if s.at.IsZero() || rest == 0 || done <= 0 || passed <= 0 {
		return 0
	}
	return time.Duration(float64(passed) / float64(done) * float64(rest))
}

// estimate fills in how long the rest will take, by the pace since this process knows the campaign: time for which Vault was
// sealed says nothing of the pace. The caller holds c.counting.
func (c *campaign) estimate(p *Progress, at time.Time) {
	now := sample{at: at, done: p.Done + p.Skipped}
	if c.first.at.IsZero() {
		c.first = now
	}
	p.Left = c.first.left(now, p.Waiting+p.Unordered)
}
