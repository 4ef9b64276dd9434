package connection

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Prefix is where connections are stored.
const Prefix = "config/"

// Store has the connections of a mount: as stored, with the operators' words about their places, and with what they may ask
// their clouds. Writers of one name hold its lock.
type Store struct {
	*store.Cache[Record]
	store.Locks
	places *store.Cache[trustedPlaces]

	registry cloud.Registry
	policies policy.Generator
	core     *rotation.Core
	Answers  *cloud.Answers // what clouds answer
	asking   questions      // what clients ask clouds
	listings listings
	hosts    func(connection string, listed bool) cloud.Hosts
	now      func() time.Time
}

// NewStore makes the connections of a mount. Before the first request, the engine is to be told of by use.
func NewStore(storage logical.Storage, registry cloud.Registry, policies policy.Generator, now func() time.Time) *Store {
	return &Store{
		Cache:    store.NewCache(storage, Prefix, Decode),
		Locks:    store.NewLocks(),
		places:   store.NewCache(storage, PlacePrefix, decodePlaces),
		registry: registry,
		policies: policies,
		Answers:  cloud.NewAnswers(AnswersAtOnce),
		now:      now,
	}
}

// Use tells of the engine, which is made with the connections.
func (s *Store) Use(core *rotation.Core) { s.core = core }

// UseHosts tells of the mount's inventory: hosts is the part of it that a connection sees, listed whether its instances are those of the
// inventory.
func (s *Store) UseHosts(hosts func(connection string, listed bool) cloud.Hosts) { s.hosts = hosts }

// HostsOf is what a connection sees of the mount's inventory; nil where the mount has none.
func (s *Store) HostsOf(name string, d cloud.Descriptor) cloud.Hosts {
	if s.hosts == nil {
		return nil
	}
	return s.hosts(name, d.HasHosts)
}

// Invalidate forgets what is cached of a storage key that another node has changed, and returns the name of the connection;
// "" if the key is of none.
func (s *Store) Invalidate(key string) (name string) {
	if name, ok := strings.CutPrefix(key, Prefix); ok {
		s.Drop(name)
		return name
	}
	if name, ok := strings.CutPrefix(key, PlacePrefix); ok {
		s.places.Drop(name)
		return name
	}
	return ""
}

// providerNames lists the providers of this build, for messages.
func (s *Store) providerNames() string {
	return strings.Join(slices.Sorted(maps.Keys(s.registry)), ", ")
}

// Find returns a stored connection and its provider's descriptor.
func (s *Store) Find(ctx context.Context, name string) (*Record, cloud.Descriptor, error) {
	c, err := s.Get(ctx, name)
	if err != nil {
		return nil, cloud.Descriptor{}, err
	}
	if c == nil {
		return nil, cloud.Descriptor{}, request.Invalidf("connection %s does not exist; write config/%s, or take one of: %s", name, name,
			hint.New("list", "config"))
	}
	d, ok := s.registry[c.Provider]
	if !ok {
		return nil, d, request.Invalidf("connection %s: this plugin version has no provider %s; it has %s", name, c.Provider, s.providerNames())
	}
	return c, d, nil
}
