package role

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

const (
	// forgottenAtOnce is how many accounts of a connection are looked at in one round, and askedAtOnce how many of their
	// instances are described together.
	forgottenAtOnce = 1000
	askedAtOnce     = 100
	// forgetBudget bounds the part of a round.
	forgetBudget = 30 * time.Second
)

// ForgetGone forgets the accounts of servers that have been gone for as long as their connection says and that no role
// has. The cloud is asked once more before: a server that exists again is not forgotten.
func (s *Store) ForgetGone(ctx context.Context) error {
	now := s.Now()
	if !s.refreshes.mayForget(now) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, forgetBudget)
	defer cancel()
	gone := s.Core.GoneLong(ctx)
	for _, connection := range slices.Sorted(maps.Keys(gone)) {
		free, err := s.freeAccounts(ctx, gone[connection])
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(free, askedAtOnce) {
			if err := s.forgetBatch(ctx, connection, batch); err != nil {
				s.Log().Warn("accounts of servers that are gone could not be looked at; that is tried again", "connection", connection, "error", err)
				break // of this connection
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// forgetBatch looks at the instances of some accounts of a connection that are gone, and forgets the accounts or brings
// them back.
func (s *Store) forgetBatch(ctx context.Context, connection string, ids []rotation.ID) error {
	var instances []string
	for _, id := range ids {
		instances = append(instances, id.InstanceID)
	}
	slices.Sort(instances)
	exist, at, err := s.Existing(ctx, connection, slices.Compact(instances))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if i, ok := exist[id.InstanceID]; ok {
			facts := rotation.FactsOf(i)
			facts.Place = at
			if err := s.Core.Describe(ctx, id, facts); err != nil {
				return request.VaultError("", err)
			}
			continue
		}
		forgotten, err := s.Core.Forget(ctx, id, at)
		if err != nil {
			return request.VaultError("", err)
		}
		if forgotten {
			s.Log().Info("an account was forgotten, with its passwords: its server has been gone for as long as forget_gone_after of its "+
				"connection says", "account", id.String())
		}
	}
	return nil
}

// freeAccounts are the first of the accounts that no role has. One that its role does not list was left behind by a write
// of that role which was cut short, and is taken out of it.
func (s *Store) freeAccounts(ctx context.Context, ids []rotation.ID) ([]rotation.ID, error) {
	var free []rotation.ID
	for _, id := range ids {
		if len(free) == forgottenAtOnce {
			break
		}
		view, err := s.Core.Inspect(ctx, id)
		if err != nil {
			return nil, request.VaultError("", err)
		}
		if view == nil {
			continue
		}
		if view.Role != "" {
			if r, err := s.Get(ctx, view.Role); err != nil || r.MapsTo(id) || !s.freeLeftBehind(ctx, view) {
				continue // a role that cannot be read keeps its accounts
			}
		}
		free = append(free, id)
	}
	return free, nil
}
