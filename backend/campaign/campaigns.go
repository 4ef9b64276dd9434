package campaign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Engine is what campaigns need of the rotation core.
type Engine interface {
	Now() time.Time
	// CarryOut and Standing are those of [rotation.Core].
	CarryOut(ctx context.Context, order rotation.Order, o *rotation.Ordered) (rotation.SkipReason, error)
	Standing(ctx context.Context, order rotation.Order, o rotation.Ordered, carried bool) (rotation.Standing, error)
}

// Deps are what campaigns stand on.
type Deps struct {
	Storage logical.Storage
	Engine  Engine
	Log     func() hclog.Logger
}

// Campaigns are those of a mount. All methods are safe for concurrent use.
type Campaigns struct {
	Deps
	files files

	// orders is held while an order is taken and while what is stored is read for the first time; over this package's own
	// storage only.
	orders sync.Mutex

	mu     sync.Mutex // of the fields below; nothing is waited for under it
	loaded bool
	all    map[string]*campaign

	walker walker
}

// campaign is one of them in memory.
type campaign struct {
	id      string
	created time.Time

	// writing is held over each write of what is stored of the campaign, so that nothing is written after its end.
	writing sync.Mutex

	mu      sync.Mutex // of the fields below; nothing is waited for under it
	rec     record     // replaced, never changed
	deleted bool
	taken   bool            // the order was taken: the walker may have it
	carried map[int]bool    // the parts for which the order was carried out
	at      position        // where the walker is
	final   map[int]*Counts // the parts of which nothing is left to be done
	ended   chan struct{}   // closed at its end, or when it is deleted

	counting sync.Mutex // held while it is counted, which others wait for
	last     *Progress
	first    sample
}

// New makes the campaigns of a mount. Nothing is read before it is needed.
func New(d Deps) *Campaigns {
	s := &Campaigns{Deps: d, files: files{d.Storage}, all: map[string]*campaign{}}
	s.walker.init()
	return s
}

func newCampaign(id string, rec record) *campaign {
	c := &campaign{id: id, created: rec.Created, rec: rec, carried: map[int]bool{}, final: map[int]*Counts{}, ended: make(chan struct{})}
	if !rec.Ended.IsZero() {
		close(c.ended)
	}
	return c
}

// record is the campaign as it is stored.
func (c *campaign) record() record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec
}

// isOpen reports whether it has neither ended nor been deleted.
func (c *campaign) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.deleted && c.rec.Ended.IsZero()
}

// isCarried reports whether the order was carried out for all accounts.
func (c *campaign) isCarried() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.carried) >= c.rec.Parts
}

// load reads the campaigns that are stored, once. What cannot be read is left as it is, and does not keep the others away.
func (s *Campaigns) load(ctx context.Context) error {
	s.orders.Lock()
	defer s.orders.Unlock()
	return s.loadLocked(ctx)
}

func (s *Campaigns) loadLocked(ctx context.Context) error {
	s.mu.Lock()
	loaded := s.loaded
	s.mu.Unlock()
	if loaded {
		return nil
	}
	ids, err := s.files.listed(ctx, Prefix)
	if err != nil {
		return err
	}
	found := map[string]*campaign{}
	var open []string // whose parts are needed
	for _, id := range ids {
		rec, err := get[record](ctx, s.files, Prefix+id)
		switch {
		case err != nil && !errors.Is(err, errUnreadable):
			return err
		case err != nil:
			s.Log().Error("a campaign cannot be read and is left out", "campaign", id, "error", err)
			open = append(open, id)
		case rec != nil:
			c := newCampaign(id, *rec)
			c.taken = true
			found[id] = c
			if c.isOpen() {
				open = append(open, id)
			}
		}
	}
	s.sweep(ctx, open)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.loaded = found, true
	return nil
}

// sweep deletes parts that no open campaign needs: those of an order that was never taken, or of a campaign that has ended.
func (s *Campaigns) sweep(ctx context.Context, open []string) {
	parts, err := s.files.listed(ctx, partPrefix)
	for _, id := range parts {
		if !slices.Contains(open, id) {
			err = errors.Join(err, s.files.removeParts(ctx, id))
		}
	}
	if err != nil {
		s.Log().Warn("what is left of deleted campaigns could not be deleted and will be after the next start", "error", err)
	}
}

// find returns a campaign, or nil.
func (s *Campaigns) find(ctx context.Context, id string) (*campaign, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id], nil
}

// listed are the campaigns in memory, the newest first.
func (s *Campaigns) listed() []*campaign {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*campaign, 0, len(s.all))
	for _, c := range s.all {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *campaign) int {
		if n := b.created.Compare(a.created); n != 0 {
			return n
		}
		return strings.Compare(a.id, b.id)
	})
	return all
}

// Ordering returns the oldest campaign whose order is not yet carried out for all of its accounts; "" if there is none. Its list has
// accounts by their names, so that it would miss one that gets another name now.
func (s *Campaigns) Ordering(ctx context.Context) (string, error) {
	if err := s.load(ctx); err != nil {
		return "", err
	}
	for _, c := range slices.Backward(s.listed()) {
		if c.isOpen() && !c.isCarried() {
			return c.id, nil
		}
	}
	return "", nil
}

// end stores that a campaign has ended, with what was counted then.
func (s *Campaigns) end(ctx context.Context, c *campaign, reason EndReason, counts *Counts) error {
	if err := s.storeEnd(ctx, c, reason, counts); err != nil {
		return err
	}
	c.counting.Lock()
	defer c.counting.Unlock()
	c.last = nil
	return nil
}

func (s *Campaigns) storeEnd(ctx context.Context, c *campaign, reason EndReason, counts *Counts) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.isOpen() {
		return nil
	}
	rec := c.record()
	rec.Ended, rec.Reason, rec.Counts = s.Engine.Now(), reason, counts.clone()
	if err := s.files.put(ctx, Prefix+c.id, &rec); err != nil {
		return err
	}
	c.mu.Lock()
	c.rec, c.final = rec, nil
	close(c.ended)
	c.mu.Unlock()
	if err := s.files.removeParts(ctx, c.id); err != nil {
		s.Log().Warn("the list of a campaign that has ended could not be deleted and will be after the next start", "campaign", c.id, "error",
			err)
	}
	s.Log().Info("a campaign has ended", "campaign", c.id, "kind", string(rec.Kind), "reason", string(reason), "done", counts.Done,
		"skipped", counts.Skipped, "left", counts.Failed+counts.Waiting+counts.Unordered)
	return nil
}

// Delete forgets a campaign. What was not ordered yet is not ordered any more; what was, stays so. It reports whether there was
// such a campaign.
func (s *Campaigns) Delete(ctx context.Context, id string) (bool, error) {
	c, err := s.find(ctx, id)
	if err != nil || c == nil {
		return false, err
	}
	return true, s.forget(ctx, c)
}

func (s *Campaigns) forget(ctx context.Context, c *campaign) error {
	c.mu.Lock()
	was := c.deleted
	c.deleted = true // the walker stops with the next account
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := s.files.remove(ctx, Prefix+c.id); err != nil {
		c.mu.Lock()
		c.deleted = was
		c.mu.Unlock()
		return err
	}
	s.mu.Lock()
	if s.all[c.id] == c {
		delete(s.all, c.id)
	}
	s.mu.Unlock()
	c.mu.Lock()
	if c.rec.Ended.IsZero() && !was {
		close(c.ended)
	}
	c.mu.Unlock()
	if err := s.files.removeParts(ctx, c.id); err != nil {
		s.Log().Warn("the list of a deleted campaign could not be deleted and will be after the next start", "campaign", c.id, "error", err)
	}
	return nil
}
