package host

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Prefix is where hosts are stored.
const Prefix = "host/"

// Store has the hosts of a mount. Writers of one name hold its lock; who holds that of the host's connection, too, took it before.
type Store struct {
	store.Locks
	Deps
	index *index
}

// Deps is what the inventory needs of the mount.
type Deps struct {
	Storage logical.Storage
	// Use tells of the accounts that an instance of a connection has.
	Use func(ctx context.Context, connection, instance string) (Use, error)
	// Connection tells of a stored connection; its error says that there is none.
	Connection func(ctx context.Context, name string) (Connection, error)
	// HoldConnection keeps a connection from being deleted until release is called.
	HoldConnection func(name string) (release func())

	Log func() hclog.Logger
	Now func() time.Time
}

// Use is what the mount's accounts have of a server.
type Use struct {
	// Accounts is how many there are, whatever they have.
	Accounts int
	// Passwords reports whether one of them has a password, or may have one: an attempt of unknown outcome.
	Passwords bool
}

// NewStore makes the inventory of a mount. It reads nothing.
func NewStore(deps Deps) *Store {
	return &Store{Locks: store.NewLocks(), Deps: deps, index: newIndex(deps.Storage, deps.Log)}
}

// Invalidate forgets what is cached of a storage key that another node has changed, and reports whether it is a host's.
func (s *Store) Invalidate(key string) bool {
	name, ok := strings.CutPrefix(key, Prefix)
	if ok {
		s.index.forget(name)
	}
	return ok
}

// Get returns a host; nil if there is none.
func (s *Store) Get(ctx context.Context, name string) (*Record, error) {
	r, err := s.index.get(ctx, name)
	if err != nil || !r.living() {
		return nil, err
	}
	return r, nil
}

// Pinned returns a host or a tombstone; nil if there is neither.
func (s *Store) Pinned(ctx context.Context, name string) (*Record, error) {
	return s.index.get(ctx, name)
}

// Names lists the hosts of a connection, or all for "", sorted. Entries that cannot be decoded are among all.
func (s *Store) Names(ctx context.Context, connection string) ([]string, error) {
	if err := s.index.load(ctx); err != nil {
		return nil, err
	}
	var list []string
	s.index.of(connection, func(names []string, _ map[string]*Record, broken map[string]error) {
		list = append(list, names...)
		if connection == "" {
			for name := range broken {
				list = append(list, name)
			}
		}
	})
	return list, nil
}
