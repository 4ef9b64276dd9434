package connection

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// SettlePlace completes a connection that is about to be stored with what is known of its cloud account, and warns
// where it leads to another place than its accounts are at.
func (s *Store) SettlePlace(ctx context.Context, name string, old, next *Record, told string) ([]hint.Text, error) {
	use, err := s.core.ConnectionUse(ctx, name)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	d := s.registry[next.Provider]
	next.settleIdentity(d, old, told, next.Verifies(), use.Accounts > 0)
	if use.Accounts == 0 {
		return nil, nil
	}
	place := next.Place(d)
	trusted, err := s.IsTrusted(ctx, name, place)
	if err != nil {
		return nil, err
	}
	unproven, err := s.core.Unproven(ctx, name, place, trusted, next.Doubted)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	if unproven == 0 {
		return nil, nil
	}
	return []hint.Text{hint.Textf("connection %s leads to another place than before, or with other credentials, and that it is the same "+
		"account of the cloud is not proven: for %d accounts what it says about existing servers (that they are gone, their initial "+
		"passwords, their addresses) is not trusted, and passwords that were on their way are not sent there; to see the places, and to say "+
		"that one is right: %s",
		name, unproven, hint.New("read", PlacePrefix+name))}, nil
}

// IsTrusted reports whether an operator stands for a place of a connection.
func (s *Store) IsTrusted(ctx context.Context, name string, place rotation.Place) (bool, error) {
	trusted, err := s.places.Get(ctx, name)
	return trusted.has(place), err
}

// TrustPlace notes that the place where a connection leads is that of its existing servers. It names the place, so
// that nobody can lead the connection elsewhere between the look and the word.
func (s *Store) TrustPlace(ctx context.Context, name string, c *Record, d cloud.Descriptor, place rotation.Place) (int, error) {
	if here := c.Place(d); place != here {
		return 0, request.Conflictf("trust: connection %s leads to %s now, and not to %.80q; look again: %s", name, here, string(place),
			hint.New("read", PlacePrefix+name))
	}
	old, err := s.places.Get(ctx, name)
	if err != nil {
		return 0, err
	}
	count, err := s.core.Unproven(ctx, name, place, false, c.Doubted)
	if err != nil {
		return 0, request.VaultError("", err)
	}
	if !old.has(place) {
		next := &trustedPlaces{Header: store.Header{Schema: store.SchemaVersion}}
		if old != nil {
			next.Places = append(next.Places, old.Places...)
		}
		next.Places = append(next.Places, place)
		next.Places = next.Places[max(0, len(next.Places)-maxTrustedPlaces):]
		if err := s.places.Put(ctx, name, next); err != nil {
			return 0, err
		}
	}
	if c.Doubted {
		known := c.Clone()
		known.Doubted = false
		if err := s.Put(ctx, name, known); err != nil {
			return 0, err
		}
	}
	s.core.ForgetConnection(name)
	return count, nil
}
