package campaign

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// AtOnce is for how many accounts an order is carried out before it is answered. The others follow in the background.
const AtOnce = 100

// Begun tells of an order that was taken.
type Begun struct {
	ID string
	// Troubles are the accounts for which it could not be carried out at once. It is tried again.
	Troubles map[rotation.ID]error
	// Displaced are open campaigns that were forgotten to make room.
	Displaced []string
}

// Begin takes an order about a list of accounts, and carries it out for the first of them. refused are those that were left out
// already. After an error it is not carried out, unless storage has failed in such a way that nobody can tell.
func (s *Campaigns) Begin(ctx context.Context, order Order, list []rotation.Ordered, refused map[rotation.SkipReason]int) (*Begun, error) {
	c, displaced, err := s.take(ctx, order, list, refused)
	if err != nil {
		return nil, err
	}
	defer s.walker.wake()
	defer c.release()
	for _, id := range displaced {
		s.Log().Warn("an open campaign was forgotten to make room for another; its accounts stay due", "campaign", id, "for", c.id)
	}
	s.Log().Info("a campaign has begun", "campaign", c.id, "kind", string(order.Kind), "role", order.Role, "connection", order.Connection,
		"accounts", c.record().Total, "requested_by", order.By.DisplayName)
	return &Begun{ID: c.id, Troubles: s.carryFirst(ctx, c), Displaced: displaced}, nil
}

// take stores an order.
func (s *Campaigns) take(ctx context.Context, order Order, list []rotation.Ordered, refused map[rotation.SkipReason]int) (
	*campaign, []string, error,
) {
	s.orders.Lock()
	defer s.orders.Unlock()
	if err := s.loadLocked(ctx); err != nil {
		return nil, nil, err
	}
	displaced, err := s.clear(ctx)
	if err != nil {
		return nil, nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, nil, err
	}
	rec := record{Header: store.Header{Schema: store.SchemaVersion}, Order: order, Created: s.Engine.Now(), Refused: refused}
	for _, o := range list {
		rec.Total += o.Accounts
	}
	for _, n := range refused {
		rec.Total += n
	}
	parts := cut(list, AtOnce)
	rec.Parts = len(parts)
	for n, p := range parts {
		if err := s.files.put(ctx, partKey(id, n), p); err != nil {
			s.dropParts(ctx, id)
			return nil, nil, err
		}
	}
	if err := s.files.put(ctx, Prefix+id, &rec); err != nil {
		// It may have landed. Whether or not it can be taken back, no part is deleted before that is so.
		if undone := s.files.remove(ctx, Prefix+id); undone != nil {
			return nil, nil, request.Unavailablef("whether the order was taken is not known, since storage fails: %v; campaigns/ shows it as %s "+
				"after the next start if it was", err, id)
		}
		s.dropParts(ctx, id)
		return nil, nil, err
	}
	c := newCampaign(id, rec)
	c.first = sample{at: rec.Created}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[id] = c
	return c, displaced, nil
}

// dropParts deletes the parts of an order that was not taken.
func (s *Campaigns) dropParts(ctx context.Context, id string) {
	if err := s.files.removeParts(ctx, id); err != nil {
		s.Log().Warn("the list of an order that was not taken could not be deleted and will be after the next start", "campaign", id, "error",
			err)
	}
}

// clear makes room for another campaign, and returns the open ones that were forgotten for it.
func (s *Campaigns) clear(ctx context.Context) ([]string, error) {
	var all []place
	for _, c := range s.listed() {
		all = append(all, place{id: c.id, open: c.isOpen(), carried: c.isCarried()})
	}
	forgotten, displaced, err := makeRoom(all, Limit)
	if err != nil {
		return nil, err
	}
	for _, id := range append(forgotten, displaced...) {
		c, err := s.inMemory(id)
		if err == nil {
			err = s.forget(ctx, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return displaced, nil
}

var errForgotten = errors.New("the campaign was deleted meanwhile")

func (s *Campaigns) inMemory(id string) (*campaign, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.all[id]; c != nil {
		return c, nil
	}
	return nil, errForgotten
}

// idBytes are those of an id, which is 8 characters of base32.
const idBytes = 5

// newID makes an id that no campaign has. All have the same length, so that none is the beginning of another.
func (s *Campaigns) newID() (string, error) {
	for {
		var b [idBytes]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", err
		}
		id := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
		if _, err := s.inMemory(id); err != nil {
			return id, nil //nolint:nilerr // nobody has it
		}
	}
}

// release lets the walker have a campaign.
func (c *campaign) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = true
}

// carryFirst carries the order out for the first part of its list, and returns for which accounts that failed.
func (s *Campaigns) carryFirst(ctx context.Context, c *campaign) map[rotation.ID]error {
	p, err := s.files.part(ctx, c.id, 0)
	if err != nil {
		s.Log().Warn("an order was taken and will be carried out, but not yet", "campaign", c.id, "error", err)
		return nil
	}
	var mu sync.Mutex
	troubles := map[rotation.ID]error{}
	// A panic is an error, and ends with it; the walker has the rest.
	err = request.InParallel(s.Log(), len(p.Items), func(n int) error {
		if id, err := s.carryItem(ctx, c, &p.Items[n]); err != nil {
			mu.Lock()
			defer mu.Unlock()
			troubles[id] = err
		}
		return nil
	})
	if err == nil {
		err = s.saveCarried(ctx, c, 0, p)
	}
	if err != nil {
		s.Log().Warn("an order was taken and will be carried out, but not for all accounts yet", "campaign", c.id, "error", err)
	}
	return troubles
}
