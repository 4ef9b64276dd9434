package campaign

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

const (
	// lookInterval is how often open campaigns are looked at for their ends, and failures are tried again.
	lookInterval = 15 * time.Second
	// rareInterval is how often one is looked at that has been open for hours. Whoever reads it has it counted at once.
	rareInterval = 5 * time.Minute
	// slice is for how many accounts an order is carried out before that of another campaign has its turn.
	slice = 100
)

// position is where the walker is: all items of the part before that one have been seen.
type position struct{ part, item int }

// walker carries orders out, in one goroutine.
type walker struct {
	kick   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	running bool
	wg      sync.WaitGroup

	// The goroutine's own.
	current map[string]*part     // the parts that it is in the middle of
	later   map[string]time.Time // campaigns for some of whose accounts it has failed, and when those are tried again
	look    map[string]time.Time // when campaigns are looked at again
}

func (w *walker) init() {
	w.kick = make(chan struct{}, 1)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.current, w.later = map[string]*part{}, map[string]time.Time{}
	w.look = map[string]time.Time{}
}

// wake has it look at the campaigns now.
func (w *walker) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Start begins to carry orders out. It is called where storage may be written.
func (s *Campaigns) Start() {
	w := &s.walker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running || w.ctx.Err() != nil {
		return
	}
	w.running = true
	w.wg.Go(func() { s.walk(w.ctx) })
}

// Stop ends that, and waits for it. The next Start, here or on another node, goes on.
func (s *Campaigns) Stop() {
	w := &s.walker
	w.mu.Lock()
	w.cancel()
	w.mu.Unlock()
	w.wg.Wait()
}

// walk goes round the campaigns until ctx ends.
func (s *Campaigns) walk(ctx context.Context) {
	for ctx.Err() == nil {
		goesOn, open := true, true
		err := guard.Do(s.Log(), "carrying orders out", func() (err error) {
			goesOn, open, err = s.round(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Log().Error("orders over many accounts could not be looked after and will be again", "error", err)
		}
		if err == nil && goesOn {
			continue
		}
		s.walker.rest(ctx, open || err != nil)
	}
}

// rest waits to be woken, or where campaigns are open for the time of the next look.
func (w *walker) rest(ctx context.Context, open bool) {
	var next <-chan time.Time
	if open {
		timer := time.NewTimer(lookInterval)
		defer timer.Stop()
		next = timer.C
	}
	select {
	case <-w.kick:
	case <-next:
	case <-ctx.Done():
	}
}

// round carries out a slice of each order, the oldest first. It reports whether there is more to carry out now, and whether any
// campaign is open.
func (s *Campaigns) round(ctx context.Context) (goesOn, open bool, err error) {
	if err := s.load(ctx); err != nil {
		return false, true, err
	}
	all := s.listed()
	s.walker.forget(all)
	for _, c := range slices.Backward(all) {
		if !c.isTaken() {
			open = true // until then, Begin has it
			continue
		}
		if !c.isOpen() || ctx.Err() != nil {
			continue
		}
		open = true
		more, failed := s.carrySlice(ctx, c)
		goesOn, err = goesOn || more, errors.Join(err, failed)
	}
	if goesOn || ctx.Err() != nil {
		return goesOn, open, err
	}
	for _, c := range superseded(all) {
		err = errors.Join(err, s.finish(ctx, c, Superseded))
	}
	for _, c := range all {
		if c.isTaken() && c.isOpen() && ctx.Err() == nil && !time.Now().Before(s.walker.look[c.id]) {
			err = errors.Join(err, s.finish(ctx, c, ""))
			s.walker.look[c.id] = time.Now().Add(min(max(s.Engine.Now().Sub(c.created)/60, lookInterval), rareInterval))
		}
	}
	return false, open, err
}

// forget drops what it has of campaigns that have ended or were deleted.
func (w *walker) forget(all []*campaign) {
	open := map[string]bool{}
	for _, c := range all {
		open[c.id] = c.isOpen()
	}
	maps.DeleteFunc(w.current, func(id string, _ *part) bool { return !open[id] })
	maps.DeleteFunc(w.later, func(id string, _ time.Time) bool { return !open[id] })
	maps.DeleteFunc(w.look, func(id string, _ time.Time) bool { return !open[id] })
}

// isTaken reports whether the walker may have the campaign.
func (c *campaign) isTaken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// finish counts a campaign, and ends it where that is time.
func (s *Campaigns) finish(ctx context.Context, c *campaign, reason EndReason) error {
	p, err := s.count(ctx, c, 0)
	switch {
	case err != nil && !c.isOpen():
		return nil
	case errors.Is(err, errNoPart): // a write that nobody waited for may have landed after its list was deleted
		s.Log().Error("a campaign has ended, since a part of its list is missing; write the order again", "campaign", c.id, "error", err)
		rec := c.record()
		return s.end(ctx, c, Lost, rec.lostCounts())
	case err != nil:
		return err
	}
	if reason == "" {
		switch {
		case p.Final():
			reason = Completed
		case s.Engine.Now().Sub(c.created) >= Lifetime:
			reason = Expired
		default:
			return nil
		}
	}
	return s.end(ctx, c, reason, &p.Counts)
}

// carrySlice carries the order out for some more accounts. It reports whether there are more of them now.
func (s *Campaigns) carrySlice(ctx context.Context, c *campaign) (more bool, err error) {
	w := &s.walker
	if time.Now().Before(w.later[c.id]) {
		return false, nil
	}
	at, found := c.nextPart()
	if !found {
		delete(w.current, c.id)
		s.nextPass(c)
		return false, nil
	}
	p := w.current[c.id]
	if p == nil || at.item == 0 {
		if p, err = s.files.part(ctx, c.id, at.part); err != nil {
			w.later[c.id] = time.Now().Add(lookInterval)
			if errors.Is(err, errNoPart) {
				err = nil // finish sees to that
			}
			return false, err
		}
		if p.Carried {
			c.noteCarried(at.part)
			return true, nil
		}
		w.current[c.id] = p
	}
	end := min(at.item+slice, len(p.Items))
	goesOn := func() bool { return c.isOpen() && ctx.Err() == nil }
	for n := at.item; n < end && goesOn(); n++ {
		if id, err := s.carryItem(ctx, c, &p.Items[n]); err != nil && ctx.Err() == nil {
			s.Log().Warn("an order could not be carried out for an account and will be again", "campaign", c.id, "account", id.String(), "error",
				err)
		}
		c.moveTo(position{at.part, n + 1})
	}
	if !goesOn() {
		delete(w.current, c.id)
		return false, nil
	}
	if end < len(p.Items) {
		return true, nil
	}
	delete(w.current, c.id)
	if err := s.saveCarried(ctx, c, at.part, p); err != nil {
		c.moveTo(position{at.part, 0})
		w.later[c.id] = time.Now().Add(lookInterval)
		return false, err
	}
	c.moveTo(position{at.part + 1, 0})
	return true, nil
}

// nextPass has the parts tried again, after a while, for some of whose accounts the order could not be carried out.
func (s *Campaigns) nextPass(c *campaign) {
	if c.isCarried() {
		return
	}
	s.walker.later[c.id] = time.Now().Add(lookInterval)
	c.moveTo(position{})
}

func (c *campaign) moveTo(at position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// nextPart is where to go on; found is false where all parts have been seen.
func (c *campaign) nextPart() (at position, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.carried[c.at.part] {
		c.at = position{c.at.part + 1, 0}
	}
	return c.at, c.at.part < c.rec.Parts
}

// carryItem carries the order out for one account of the list, unless that was done.
func (s *Campaigns) carryItem(ctx context.Context, c *campaign, i *item) (rotation.ID, error) {
	o, err := i.ordered()
	if err != nil || i.Carried {
		return o.ID, err
	}
	rec := c.record()
	skip, err := s.Engine.CarryOut(rotation.WithRequester(ctx, rec.By), rec.engineOrder(), &o)
	if err != nil {
		return o.ID, err
	}
	i.Before, i.Follow, i.Skip, i.Carried = o.Before, o.Follow, skip, true
	return o.ID, nil
}

// saveCarried stores for which accounts of a part the order was carried out.
func (s *Campaigns) saveCarried(ctx context.Context, c *campaign, n int, p *part) error {
	carried := !slices.ContainsFunc(p.Items, func(i item) bool { return !i.Carried })
	if !carried && !slices.ContainsFunc(p.Items, func(i item) bool { return i.Carried }) {
		return nil
	}
	p.Carried = carried
	if err := s.savePart(ctx, c, n, p); err != nil {
		return err
	}
	if carried {
		c.noteCarried(n)
	}
	return nil
}

func (c *campaign) noteCarried(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carried[n] = true
}

// savePart stores a part, unless the campaign has ended.
func (s *Campaigns) savePart(ctx context.Context, c *campaign, n int, p *part) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.isOpen() {
		return nil
	}
	return s.files.put(ctx, partKey(c.id, n), p)
}
