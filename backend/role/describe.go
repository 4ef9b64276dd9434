package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// describeMembers brings what the accounts tell about their instances, such as addresses, up to date.
func (s *Store) describeMembers(ctx context.Context, r *Record, members []member) error {
	return request.VaultError("", request.InParallel(s.Log(), len(members), func(i int) error {
		m := members[i]
		if m.unseen {
			return nil
		}
		facts := rotation.FactsOf(m.instance)
		facts.Place = m.at
		return s.Core.Describe(ctx, r.Account(m.instance.ID), facts)
	}))
}
