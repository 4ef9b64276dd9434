package rotation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// watchClock compares the clocks regularly.
func (p *planner) watchClock() {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-ticker.C:
		}
		p.lookAtClock()
	}
}

// lookAtClock acts on a step of the clock that is believed now.
func (p *planner) lookAtClock() {
	defer guard.Recover(p.opts.Logger, "looking at the clock", nil)
	step, ok := p.clock.look()
	if !ok {
		return
	}
	p.opts.Logger.Warn("the wall clock has been set and is believed now", "by", step.By.Round(time.Second).String())
	p.stepped(p.ctx, step)
}

// stepped corrects what is in memory after a step that is believed, and asks for every account's plan.
func (p *planner) stepped(ctx context.Context, step protocol.BelievedStep) {
	entries := p.listed()
	for _, n := range p.all() {
		n.breaker.shift(step.By)
	}
	slices.SortFunc(entries, func(a, b *entry) int { return strings.Compare(a.id.String(), b.id.String()) })
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		p.opts.turn(ctx, e.id)
		p.shift(ctx, e, step)
	}
}

// shift is stepped for one account.
func (p *planner) shift(ctx context.Context, e *entry, step protocol.BelievedStep) {
	e.mu.Lock()
	defer e.mu.Unlock()
	times := []*time.Time{&e.delay.wait.Until, &e.attempts.pollAt}
	if e.group != nil {
		times = append(times, &e.group.next)
	}
	for _, t := range times {
		if !t.IsZero() {
			*t = t.Add(step.By)
		}
	}
	if !e.loaded || e.rec == nil {
		return
	}
	if step.By > 0 {
		// A failed write is read again, and what it was to correct ends early then.
		if _, err := p.updateLocked(ctx, e, protocol.TimesDelayed{Step: step}); err != nil && !protocol.IsNoChange(err) {
			return
		}
	}
	p.schedule(e)
}
