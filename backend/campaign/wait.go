package campaign

import (
	"context"
	"errors"
	"time"
)

// State is a campaign as people are told of it.
type State struct {
	ID string
	Order
	Created time.Time
	Progress
	// Ended is zero while it is open. Reason is why it has ended.
	Ended  time.Time
	Reason EndReason
}

// answerMargin is kept of a request's own deadline for writing the answer.
const answerMargin = 2 * time.Second

// Read returns a campaign, after waiting for its end for up to wait, or nil.
func (s *Campaigns) Read(ctx context.Context, id string, wait time.Duration) (*State, error) {
	c, err := s.find(ctx, id)
	if err != nil || c == nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-answerMargin)
	}
	for end := time.Now().Add(wait); ; {
		state, err := s.state(ctx, c, freshness)
		left := time.Until(end)
		if err != nil || state == nil || !state.Ended.IsZero() || left <= 0 || ctx.Err() != nil {
			return state, err
		}
		awaitEnd(ctx, c, min(left, freshness))
	}
}

// awaitEnd waits until a campaign has ended, for a while at most.
func awaitEnd(ctx context.Context, c *campaign, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// state is what is told of a campaign, as it was within that time; nil: it was deleted meanwhile.
func (s *Campaigns) state(ctx context.Context, c *campaign, within time.Duration) (*State, error) {
	for {
		if rec := c.record(); !rec.Ended.IsZero() {
			return stateOf(c.id, &rec, &Progress{Counts: *rec.Counts.clone(), Total: rec.Total}), nil
		}
		p, err := s.count(ctx, c, within)
		switch {
		case !c.isOpen():
			if rec := c.record(); rec.Ended.IsZero() {
				return nil, nil // it was deleted, and its list with it
			}
			continue
		case err != nil:
			return nil, err
		case p.Final() && c.isTaken():
			if err := s.end(ctx, c, Completed, &p.Counts); err == nil {
				continue
			}
			// That it has ended is stored by the walker, then.
		}
		rec := c.record()
		return stateOf(c.id, &rec, p), nil
	}
}

func stateOf(id string, rec *record, p *Progress) *State {
	return &State{ID: id, Order: rec.Order, Created: rec.Created, Progress: *p, Ended: rec.Ended, Reason: rec.Reason}
}

// listFreshness is how old the counts of a list may be: the walker counts more often than that.
const listFreshness = 2 * lookInterval

// List returns the campaigns, the newest first.
func (s *Campaigns) List(ctx context.Context) ([]*State, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	var states []*State
	for _, c := range s.listed() {
		state, err := s.state(ctx, c, listFreshness)
		if errors.Is(err, errNoPart) { // the walker ends it
			rec := c.record()
			state, err = stateOf(c.id, &rec, &Progress{Counts: *rec.lostCounts(), Total: rec.Total}), nil
		}
		if err != nil {
			return nil, err
		}
		if state != nil {
			states = append(states, state)
		}
	}
	return states, nil
}
