package connection

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// PlacePrefix is where the places are stored that an operator has said to be those of a connection's existing
// servers. The entry outlives the connection, as its accounts do.
const PlacePrefix = "place/"

// maxTrustedPlaces is how many places an operator may stand for; the oldest are forgotten first.
const maxTrustedPlaces = 8

// trustedPlaces are an operator's words about the places of one connection.
type trustedPlaces struct {
	store.Header
	Places []rotation.Place `json:"places"`
}

func decodePlaces(raw []byte) (*trustedPlaces, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, err
	}
	var p trustedPlaces
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// has reports whether an operator stands for a place. The account of the cloud counts as told.
func (p *trustedPlaces) has(place rotation.Place) bool {
	return p != nil && slices.Contains(p.Places, place)
}

// Place is the fingerprint of where the connection's requests go and as whom.
func (c *Record) Place(d cloud.Descriptor) rotation.Place {
	return rotation.PlaceOf(c.placeNames(d), c.AccountID, c.chosenByCloud(d))
}

// placeNames are what a place is known by. No key and no user has a part in it, but for what it says of the account.
func (c *Record) placeNames(d cloud.Descriptor) []string {
	names := []string{"provider", c.Provider}
	for _, f := range d.Fields {
		if name := placeName(f, c.Own.Text(f)); name != "" {
			names = append(names, f.Name, name)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		if url := c.Endpoints[service]; url != "" {
			names = append(names, "endpoint "+service, urlName(url))
		}
	}
	return names
}

// placeName is what a field's value adds to a place's names; "" for nothing.
func placeName(f cloud.Field, value string) string {
	switch {
	case value == "":
		return ""
	case f.AccountOf != nil:
		return f.AccountOf(value)
	case f.Kind != cloud.FieldAccount && f.Kind != cloud.FieldPlace:
		return ""
	case f.Type == cloud.FieldURL:
		return urlName(value)
	}
	return value
}

// urlName is a URL as a name: a final slash is no other place.
func urlName(url string) string { return strings.TrimRight(url, "/") }

// chosenByCloud reports whether all requests go to the cloud's own hosts, whose word about the account is a proof.
func (c *Record) chosenByCloud(d cloud.Descriptor) bool {
	for _, f := range d.Fields {
		if f.Type == cloud.FieldURL && c.Own.Text(f) != "" {
			return false
		}
	}
	return !slices.ContainsFunc(slices.Collect(maps.Values(c.Endpoints)), func(url string) bool { return url != "" })
}

// samePlace reports whether two connections of a provider send their requests to the same hosts, for the same names.
func samePlace(d cloud.Descriptor, old, next *Record) bool {
	return slices.Equal(old.placeNames(d), next.placeNames(d))
}

// settleIdentity says, in a connection that is about to be stored, of which account of the cloud its credentials are.
// told is what the cloud said to them, verified whether it was asked at all.
func (c *Record) settleIdentity(d cloud.Descriptor, old *Record, told string, verified, served bool) {
	switch {
	case told != "":
		c.AccountID, c.Doubted = told, false
	case old != nil && samePlace(d, old, c) && sameIdentity(d, old, c):
		// As before.
	case verified:
		c.AccountID, c.Doubted = "", false
	default:
		c.AccountID, c.Doubted = "", served
	}
}

// maxAccountID is more than the id of any cloud's account has, in characters.
const maxAccountID = 128

// TellAccount asks the cloud of which account the credentials are; "" where it does not tell, which is no failure. The id is
// stored and shown, so what cannot be one counts as not told.
func TellAccount(ctx context.Context, p cloud.Provider) string {
	teller, ok := p.(cloud.AccountTeller)
	if !ok {
		return ""
	}
	id, err := teller.CloudAccount(ctx)
	if err != nil || len(id) > maxAccountID || text.Check(id) != nil {
		return ""
	}
	return id
}

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
