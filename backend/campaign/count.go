package campaign

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// freshness is for how long what was counted is told again. Whoever waits for the end has it counted no more often.
const freshness = time.Second

// count tells how far a campaign has come; what was counted within that time counts still.
func (s *Campaigns) count(ctx context.Context, c *campaign, within time.Duration) (*Progress, error) {
	c.counting.Lock()
	defer c.counting.Unlock()
	now := time.Now()
	if c.last != nil && now.Sub(c.last.counted) < within {
		return c.last, nil
	}
	rec := c.record()
	t := tally{order: rec.engineOrder(), causes: rotation.Causes{}}
	for reason, n := range rec.Refused {
		t.skip(reason, n)
	}
	for n := range rec.Parts {
		if err := s.countPart(ctx, c, n, &t); err != nil {
			return nil, err
		}
	}
	p := t.progress(rec.Total, now)
	c.estimate(p, s.Engine.Now())
	c.last = p
	return p, nil
}

// tally is what is being counted.
type tally struct {
	Counts
	order   rotation.Order
	causes  rotation.Causes
	failing []Failing
}

// countPart adds a part of the list. One of which nothing is left to be done is stored as its counts.
func (s *Campaigns) countPart(ctx context.Context, c *campaign, n int, t *tally) error {
	if counts := c.finalOf(n); counts != nil {
		t.Counts.add(counts)
		return nil
	}
	p, err := s.files.part(ctx, c.id, n)
	if err != nil {
		return err
	}
	if p.Counts != nil {
		c.noteFinal(n, p.Counts)
		t.Counts.add(p.Counts)
		return nil
	}
	of := &tally{order: t.order, causes: t.causes, failing: t.failing}
	for k := range p.Items {
		if err := s.countItem(ctx, &p.Items[k], p.Carried || c.hasPassed(position{n, k}), of); err != nil {
			return err
		}
	}
	t.failing = of.failing
	t.Counts.add(&of.Counts)
	if p.Carried && of.Final() {
		counts := of.clone()
		p.Items, p.Counts = nil, counts
		if err := s.savePart(ctx, c, n, p); err != nil {
			s.Log().Warn("what was counted of a campaign could not be stored and will be counted again", "campaign", c.id, "error", err)
			return nil
		}
		c.noteFinal(n, counts)
	}
	return nil
}

func (s *Campaigns) countItem(ctx context.Context, i *item, passed bool, t *tally) error {
	o, err := i.ordered()
	if err != nil {
		return err
	}
	if i.Skip != "" {
		t.skip(i.Skip, o.Accounts)
		return nil
	}
	st, err := s.Engine.Standing(ctx, t.order, o, passed || i.Carried)
	if err != nil {
		return err
	}
	t.add(&st)
	return nil
}

// add adds the standing of an account.
func (t *tally) add(st *rotation.Standing) {
	t.Done += st.Done
	t.Waiting += st.Waiting
	t.Unordered += st.Unordered
	t.Failed += st.FailedAccounts
	if st.Skipped > 0 {
		t.skip(st.Reason, st.Skipped)
	}
	if st.Result != "" {
		t.found(st.Result, st.Done)
	}
	for _, v := range st.Failed {
		trouble := v.Trouble()
		t.causes.Add(v, trouble)
		if len(t.failing) < MaxFailing {
			t.failing = append(t.failing, Failing{ID: v.ID, State: v.State, Trouble: trouble, NextTry: v.NextTry, WaitingFor: string(v.WaitingFor)})
		}
	}
}

func (c *campaign) finalOf(n int) *Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.final[n]
}

func (c *campaign) noteFinal(n int, counts *Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final != nil {
		c.final[n], c.carried[n] = counts, true
	}
}

// hasPassed reports whether the walker is in the middle of an account's part, and has seen the account.
func (c *campaign) hasPassed(at position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at.part == at.part && at.item < c.at.item
}
