package host

import (
	"context"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// View is the inventory as one connection sees it.
type View struct {
	store      *Store
	connection string
	listed     bool // its instances are those of the inventory
}

var _ cloud.Hosts = (*View)(nil)

// View is the inventory as a connection sees it. listed says that the connection's instances are those of the inventory
// (cloud.Descriptor.HasHosts), and not a cloud's.
func (s *Store) View(connection string, listed bool) *View { return &View{s, connection, listed} }

// Host implements cloud.Hosts.
func (v *View) Host(ctx context.Context, name string) (*cloud.Host, error) {
	r, err := v.store.Get(ctx, name)
	if err != nil || r == nil || r.Connection != v.connection {
		return nil, err
	}
	h := r.host(name)
	return &h, nil
}

// Hosts implements cloud.Hosts. If an entry cannot be decoded, nobody knows whose it is, and an instance that is left out would
// count as gone: so there is an error then.
func (v *View) Hosts(ctx context.Context) (hosts []cloud.Host, err error) {
	if err := v.store.index.load(ctx); err != nil {
		return nil, err
	}
	v.store.index.of(v.connection, func(names []string, known map[string]*Record, broken map[string]error) {
		for _, cause := range broken {
			err = cause
			return
		}
		hosts = make([]cloud.Host, 0, len(names))
		for _, name := range names {
			hosts = append(hosts, known[name].host(name))
		}
	})
	return hosts, err
}

// PinHostKey implements cloud.Hosts. On the connection of a cloud it makes the entry of a server that has none: whoever calls it has
// been told to trust that server's first key.
func (v *View) PinHostKey(ctx context.Context, name, key string) (pinned string, err error) {
	if err := request.CheckName("host", name); err != nil {
		return "", request.VaultError("", err)
	}
	key, err = sshclient.ParseHostKey(key)
	if err != nil {
		return "", cloud.Errorf(cloud.Refused, "host %s shows a host key that cannot be pinned: %v", name, err)
	}
	s := v.store
	defer s.Lock(name)()
	old, err := s.index.get(ctx, name)
	if err != nil {
		return "", err
	}
	next, err := v.pinning(ctx, name, old, key)
	switch {
	case err != nil:
		return "", err
	case next == old:
		return old.HostKey, nil
	}
	if err := s.index.put(ctx, name, next); err != nil {
		return "", err
	}
	s.Log().Info("a host key was pinned on first use", "host", name, "connection", v.connection, "fingerprint", sshclient.Fingerprint(key))
	return key, nil
}

// pinning is the entry after a login that was shown a key; old if it stays as it is. The caller holds the entry's lock.
func (v *View) pinning(ctx context.Context, name string, old *Record, key string) (*Record, error) {
	s := v.store
	if old != nil && !old.living() {
		use, err := s.Use(ctx, old.Connection, name)
		switch {
		case err != nil:
			return nil, err
		case use.Accounts == 0:
			old = nil // nothing needs the tombstone
		}
	}
	switch {
	case v.listed && !old.living():
		return nil, cloud.Errorf(cloud.NotFound, "host %s is not in the inventory any more", name)
	case old == nil:
		next := newRecord(s.Now())
		next.Connection, next.TrustOnFirstUse, next.ByFirstUse = v.connection, true, true
		next.pin(key, PinnedByFirstUse, s.Now())
		return next, nil
	case old.Connection != v.connection:
		return v.adopting(ctx, name, old, key)
	case !old.living() && old.HostKey != key:
		return nil, deletedError(name, old, key)
	case !old.living():
		next := old.clone()
		next.Deleted, next.TrustOnFirstUse, next.ByFirstUse = noTime, true, true
		return next, nil
	case old.HostKey != "":
		return old, nil
	case !old.TrustOnFirstUse:
		return nil, unpinnedError(name)
	}
	next := old.clone()
	next.pin(key, PinnedByFirstUse, s.Now())
	return next, nil
}

// adopting lets a server of a cloud go on at another connection with the same key, if the old one has no account of it any more.
func (v *View) adopting(ctx context.Context, name string, old *Record, key string) (*Record, error) {
	use, err := v.store.Use(ctx, old.Connection, name)
	if err != nil {
		return nil, err
	}
	if v.listed || old.Address != "" || use.Accounts > 0 || old.HostKey != key {
		return nil, refusedf(repinHint(name, "connection="+v.connection), "the host key of %s is pinned for connection %s, so that none is "+
			"trusted on first use for connection %s; if the server belongs to that now", name, old.Connection, v.connection)
	}
	next := old.clone()
	next.Connection, next.Deleted = v.connection, noTime
	return next, nil
}

// refusedf is an error of a login to one host, which ends with the way out.
func refusedf(way hint.Hint, format string, args ...any) error {
	return &cloud.Error{Kind: cloud.Refused, Message: fmt.Sprintf(format, args...) + ": " + way.String(), Hint: way}
}

// unpinnedError refuses to trust a host that nobody wants trusted.
func unpinnedError(name string) error {
	return refusedf(hint.New("write", "hosts/"+name, "host_key=@host-key.pub"),
		"host %s has no pinned host_key, and trust_on_first_use is false; pin its key", name)
}

// deletedError refuses the first use of a name whose host was deleted while its accounts exist.
func deletedError(name string, old *Record, key string) error {
	return refusedf(repinHint(name, "host_key=@host-key.pub"), "host %s was deleted while it had accounts, and its pinned host key is %s; it "+
		"shows %s; if that is right, have it pinned", name, sshclient.Fingerprint(old.HostKey), sshclient.Fingerprint(key))
}
