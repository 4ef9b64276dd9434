package host

import (
	"context"
	"maps"
	"reflect"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Results of a write.
const (
	Created   = "created"
	Changed   = "changed"
	Unchanged = "unchanged"
)

// Connection is what the inventory needs to know of a connection.
type Connection struct {
	// Listed is set where the instances are those of the inventory, and not a cloud's.
	Listed bool
	// CheckID says why no instance can have an id; nil if one can.
	CheckID func(id string) error
}

// Change is what a write does.
type Change struct {
	Result   string // Created, Changed or Unchanged
	Record   *Record
	Warnings []hint.Text
}

var noTime time.Time

// Plan says what a write would do, and why it is refused.
func (s *Store) Plan(ctx context.Context, name string, in request.Fields) (Change, error) {
	if err := request.CheckName("host", name); err != nil {
		return Change{}, err
	}
	old, err := s.index.get(ctx, name)
	if err != nil {
		return Change{}, err
	}
	return s.plan(ctx, name, old, in)
}

// Write makes or changes a host. Fields that the write does not name stay as they are.
func (s *Store) Write(ctx context.Context, name string, in request.Fields) (Change, error) {
	if err := request.CheckName("host", name); err != nil {
		return Change{}, err
	}
	unlock, old, err := s.lockWith(ctx, name, in)
	if err != nil {
		return Change{}, err
	}
	defer unlock()
	change, err := s.plan(ctx, name, old, in)
	if err != nil || change.Result == Unchanged {
		return change, err
	}
	return change, s.index.put(ctx, name, change.Record)
}

// lockWith locks an entry for writing, and before it the connection that it will have, so that nobody deletes that meanwhile.
func (s *Store) lockWith(ctx context.Context, name string, in request.Fields) (unlock func(), old *Record, err error) {
	connection := ""
	if in.Trimmed("connection", &connection); connection == "" {
		if old, err = s.index.get(ctx, name); err != nil {
			return nil, nil, err
		}
		if old != nil {
			connection = old.Connection
		}
	}
	unlockConnection := s.HoldConnection(connection)
	unlockEntry := s.Lock(name)
	unlock = func() {
		unlockEntry()
		unlockConnection()
	}
	if old, err = s.index.get(ctx, name); err == nil && !in.Has("connection") && old != nil && old.Connection != connection {
		err = request.Conflictf("host %s was changed by others at this moment; look at it, and write again: %s", name,
			hint.New("read", "hosts/"+name))
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return unlock, old, nil
}

// plan makes the entry that a write asks for out of the stored one; nil: there is none.
func (s *Store) plan(ctx context.Context, name string, old *Record, in request.Fields) (Change, error) {
	old, next, err := s.begin(ctx, name, old)
	if err != nil {
		return Change{}, err
	}
	key, err := next.read(in)
	if err != nil {
		return Change{}, err
	}
	if next.Connection == "" {
		return Change{}, request.Invalidf("connection: required; one of: %s", hint.New("list", "config"))
	}
	to, err := s.Connection(ctx, next.Connection)
	if err != nil {
		return Change{}, err
	}
	if err := to.CheckID(name); err != nil {
		return Change{}, request.Invalidf("name: connection %s has no such instance: %s", next.Connection, err)
	}
	if err := next.check(in, to.Listed); err != nil {
		return Change{}, err
	}
	if err := s.checkKey(name, old, key, in); err != nil {
		return Change{}, err
	}
	if next.HostKey == "" && key != "" {
		next.pin(key, PinnedByWrite, s.Now())
	}
	if err := s.checkAccounts(ctx, name, old, next, to.Listed); err != nil {
		return Change{}, err
	}
	return s.change(name, old, next), nil
}

// begin is the entry before the fields of a write are read: the stored one, or a new one. A tombstone that accounts need gives the new
// one what must not change; another is none.
func (s *Store) begin(ctx context.Context, name string, stored *Record) (old, next *Record, err error) {
	if stored.living() {
		return stored, stored.clone(), nil
	}
	next = newRecord(s.Now())
	if stored == nil {
		return nil, next, nil
	}
	use, err := s.Use(ctx, stored.Connection, name)
	if err != nil || use.Accounts == 0 {
		return nil, next, err
	}
	next.Connection, next.LoginUser, next.Serial, next.Created = stored.Connection, stored.LoginUser, stored.Serial, stored.Created
	next.HostKey, next.KeyPinned, next.KeyTime = stored.HostKey, stored.KeyPinned, stored.KeyTime
	return stored, next, nil
}

// change says what becomes of an entry.
func (s *Store) change(name string, old, next *Record) Change {
	c := Change{Result: Changed, Record: next}
	if len(next.Tags) == 0 {
		next.Tags = nil
	}
	next.ByFirstUse = false // somebody cares for it now
	switch {
	case !old.living():
		c.Result = Created
	case same(old, next):
		c.Result, c.Record = Unchanged, old
	}
	if next.HostKey == "" && !next.TrustOnFirstUse {
		c.Warnings = append(c.Warnings, hint.Textf("host %s has no pinned key, and nobody logs in to a server without one; pin it: %s; or let "+
			"the first login do it, with trust_on_first_use=true", name, hint.New("write", "hosts/"+name, "host_key=@host-key.pub")))
	}
	return c
}

// same reports whether a write leaves an entry as it is.
func same(old, next *Record) bool {
	a, b := *old, *next
	a.Tags, b.Tags = nil, nil
	return reflect.DeepEqual(a, b) && maps.Equal(old.Tags, next.Tags)
}

// checkKey refuses to replace or drop a pinned key.
func (s *Store) checkKey(name string, old *Record, key string, in request.Fields) error {
	if old == nil || old.HostKey == "" {
		return nil
	}
	switch {
	case key != "" && key != old.HostKey && !old.living():
		return request.Conflictf("host_key: the host was deleted, accounts of it exist, and its pinned key is %s; this one is %s. If the same "+
			"server has a new key: %s; if it is another server, which may then get passwords of those accounts, add another_server=true to "+
			"that; or delete the accounts first: %s",
			sshclient.Fingerprint(old.HostKey), sshclient.Fingerprint(key), repinHint(name, "host_key=@host-key.pub"),
			hint.New("list", "accounts/"+old.Connection+"/"+name))
	case key != "" && key != old.HostKey:
		return request.Conflictf("host_key: the pinned key is %s; this one is %s. If the same server has a new key: %s; if it is another "+
			"server, add another_server=true to that, or delete the host and write it again: %s",
			sshclient.Fingerprint(old.HostKey), sshclient.Fingerprint(key), repinHint(name, "host_key=@host-key.pub"),
			hint.New("delete", "hosts/"+name))
	case in.Empty("host_key"):
		return request.Conflictf("host_key: a pinned key (%s) cannot be dropped; leave it out, or replace it: %s",
			sshclient.Fingerprint(old.HostKey), repinHint(name, "host_key=@host-key.pub"))
	}
	return nil
}

// checkAccounts refuses what would have somebody else get the passwords of a host's accounts.
func (s *Store) checkAccounts(ctx context.Context, name string, old, next *Record, listed bool) error {
	if old != nil && old.Connection != next.Connection {
		use, err := s.Use(ctx, old.Connection, name)
		if err != nil {
			return err
		}
		if use.Accounts > 0 {
			return request.Conflictf("connection: cannot be changed from %s while accounts of the host exist (%d); have it changed by who may "+
				"change host keys: %s; or delete the accounts: %s", old.Connection, use.Accounts, repinHint(name, "connection="+next.Connection),
				hint.New("list", "accounts/"+old.Connection+"/"+name))
		}
	}
	if !listed || !opens(old, next) {
		return nil
	}
	use, err := s.Use(ctx, next.Connection, name)
	if err != nil {
		return err
	}
	moved := old == nil || old.Connection != next.Connection
	switch {
	case use.Passwords && (moved || old.HostKey == ""):
		return request.Conflictf("host_key: accounts of %s at connection %s have passwords, and no key is pinned that says which server they "+
			"belong to; have its key pinned by who may change host keys: %s", name, next.Connection, repinHint(name,
			"connection="+next.Connection, "host_key=@host-key.pub"))
	case use.Accounts > 0 && !moved && old.LoginUser != next.LoginUser:
		return request.Conflictf("login_user: the user that logs in is given the passwords to set, so that it cannot be changed while accounts "+
			"of the host exist (%d); have it changed by who may change host keys: %s", use.Accounts,
			repinHint(name, "login_user="+next.LoginUser))
	}
	return nil
}

// opens reports whether a change decides to whom passwords may go.
func opens(old, next *Record) bool {
	if old == nil || old.Connection != next.Connection || old.LoginUser != next.LoginUser {
		return true
	}
	return old.HostKey == "" && (old.Address != next.Address || old.portInForce() != next.portInForce() || next.HostKey != "" ||
		old.TrustOnFirstUse != next.TrustOnFirstUse)
}

// repinHint is the command that changes what Write refuses to.
func repinHint(name string, fields ...string) hint.Hint {
	return hint.New("write", RepinPrefix+name, fields...)
}
