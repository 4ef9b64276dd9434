package role

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Prefix is where roles are stored.
const Prefix = "role/"

// Store has the roles of a mount: as stored, with what binds their accounts and looks at their instances. Writers of one
// name hold its lock, and their connection's for reading, so that the connection stays while the role is checked against
// it. The order is role before connection.
type Store struct {
	*store.Cache[Record]
	store.Locks
	Deps

	resolutions resolutions
	refreshes   refreshes
}

// Deps is what roles need of the mount.
type Deps struct {
	Storage     logical.Storage
	Registry    cloud.Registry
	Policies    policy.Generator
	Connections *connection.Store
	Keys        *keypair.Store
	Core        *rotation.Core
	Log         func() hclog.Logger
	Now         func() time.Time
}

// NewStore makes the roles of a mount.
func NewStore(deps Deps) *Store {
	return &Store{Cache: store.NewCache(deps.Storage, Prefix, decode), Locks: store.NewLocks(), Deps: deps}
}

// Invalidate forgets what is cached of a storage key that another node has changed, and reports whether it is a role's.
func (s *Store) Invalidate(key string) bool {
	name, ok := strings.CutPrefix(key, Prefix)
	if ok {
		s.Drop(name)
	}
	return ok
}

// With lists the roles with a property, sorted.
func (s *Store) With(ctx context.Context, has func(*Record) bool) ([]string, error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		r, err := s.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		if r != nil && has(r) {
			found = append(found, name)
		}
	}
	return found, nil
}

// Of lists the roles that use a connection.
func (s *Store) Of(ctx context.Context, connection string) ([]string, error) {
	return s.With(ctx, func(r *Record) bool { return r.Connection == connection })
}
