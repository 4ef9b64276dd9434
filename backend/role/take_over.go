package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// TakeOver lets a role take over the accounts that another one has, or had last; from is "" for all that its tags match.
// r is the role that takes, or nil if there is none yet. It returns the accounts that may move.
func (s *Store) TakeOver(ctx context.Context, connection, name, from string, r *Record) (accounts []string, warnings []hint.Text,
	err error) {
	taken := &takenOver{}
	if from != "" {
		ids, err := s.Core.Owned(ctx, connection, from)
		if err != nil {
			return nil, nil, request.VaultError("", err)
		}
		for _, id := range ids {
			if err := s.take(ctx, id, name, taken); err != nil {
				return nil, nil, err
			}
		}
	}
	if r != nil && r.InstanceTags != nil {
		how := refresh{linger: s.lingerAll}
		if from == "" {
			how.taken = taken
		}
		if _, warnings, err = s.refreshTags(ctx, name, how); err != nil {
			return nil, nil, err
		}
	}
	return taken.names(), warnings, nil
}
