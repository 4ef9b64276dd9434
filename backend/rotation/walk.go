package rotation

import (
	"context"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// walk visits the accounts below a prefix of account names, from storage.
func (s *accountStore) walk(ctx context.Context, prefix string, visit func(ID) error) error {
	names, err := s.opts.Storage.List(ctx, AccountPrefix+prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasSuffix(name, "/") {
			if err := s.walk(ctx, prefix+name, visit); err != nil {
				return err
			}
			continue
		}
		id, err := ParseID(prefix + name)
		if err != nil {
			continue // not ours
		}
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// walkGroups visits all groups, from storage.
func (s *accountStore) walkGroups(ctx context.Context, visit func(ID) error) error {
	connections, err := s.opts.Storage.List(ctx, GroupPrefix)
	if err != nil {
		return err
	}
	for _, connection := range connections {
		roles, err := s.opts.Storage.List(ctx, GroupPrefix+connection)
		if err != nil {
			return err
		}
		for _, role := range roles {
			if err := visit(GroupID(strings.TrimSuffix(connection, "/"), role)); err != nil {
				return err
			}
		}
	}
	return nil
}

// each visits the records below a prefix of account names.
func (s *accountStore) each(ctx context.Context, prefix string, visit func(*Account)) error {
	return s.walk(ctx, prefix, func(id ID) error {
		a, err := s.get(ctx, id)
		if err == nil && a != nil {
			visit(a)
		}
		return err
	})
}

// list returns the names below a prefix of account names, as storage lists them.
func (s *accountStore) list(ctx context.Context, prefix string) ([]string, error) {
	names, err := s.opts.Storage.List(ctx, AccountPrefix+prefix)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Message: hint.Textf("storage failed while listing accounts/%s: %v", prefix, err), Err: err}
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, "/")
	}
	return names, nil
}

// members returns the records of a group's accounts that still exist at their cloud.
func (s *accountStore) members(ctx context.Context, g *Account) ([]*Account, error) {
	var out []*Account
	for _, id := range g.Members {
		m, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Gone.IsZero() && m.Role == g.Role && m.Settings.SharedPassword {
			out = append(out, m)
		}
	}
	return out, nil
}
