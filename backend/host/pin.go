package host

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// RepinPrefix begins the path of Repin, which needs sudo. It is no field of hosts/, since a policy cannot ask for sudo for one field.
const RepinPrefix = "host-key/"

// PinFields is the schema of host-key/<name>.
func PinFields() map[string]*framework.FieldSchema {
	fields := Schemas()
	return map[string]*framework.FieldSchema{
		"name": request.NameField("Name of the host."),
		"host_key": {Type: framework.TypeString, DisplayAttrs: fields["host_key"].DisplayAttrs,
			Description: "Public host key to pin instead, in one line as ssh-keyscan prints it. Default: the pinned one."},
		"another_server": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Another server"), Default: false,
			Description: "Together with host_key: another server has the name now, such as one that was installed again. Its accounts then " +
				"count as those of a rebuilt server. If false, the same server has a new key. Default: false."},
		"login_user": {Type: framework.TypeString, DisplayAttrs: fields["login_user"].DisplayAttrs,
			Description: "User to log in as; an empty value is the connection's. Default: as it is."},
		"connection": {Type: framework.TypeString, DisplayAttrs: fields["connection"].DisplayAttrs,
			Description: "Connection that serves the host from now on. Required if the host does not exist and accounts of it do. " +
				"Default: as it is."},
	}
}

// Repin changes what a write of the host must not: who the server is, who logs in, and which connection it belongs to. A host that was
// deleted, or never written, while accounts of its name exist, stays deleted: the next write finds what is pinned here.
func (s *Store) Repin(ctx context.Context, name string, in request.Fields) (*Record, error) {
	if err := request.CheckName("host", name); err != nil {
		return nil, err
	}
	given := false
	for _, field := range []string{"host_key", "another_server", "login_user", "connection"} {
		given = given || in.Has(field)
	}
	if !given {
		return nil, request.Invalidf("host_key: give it, or another field, for something to change: %s", repinHint(name,
			"host_key=@host-key.pub"))
	}
	unlock, old, err := s.lockWith(ctx, name, in)
	if err != nil {
		return nil, err
	}
	defer unlock()
	next, err := s.repinned(ctx, name, old, in)
	if err != nil {
		return nil, err
	}
	if old != nil && same(old, next) {
		return old, nil
	}
	return next, s.index.put(ctx, name, next)
}

func (s *Store) repinned(ctx context.Context, name string, old *Record, in request.Fields) (*Record, error) {
	next, err := s.toRepin(ctx, name, old, in)
	if err != nil {
		return nil, err
	}
	in.Trimmed("connection", &next.Connection)
	if next.Connection == "" {
		return nil, request.Invalidf("connection: cannot be empty; leave it out")
	}
	to, err := s.Connection(ctx, next.Connection)
	if err != nil {
		return nil, err
	}
	if err := to.CheckID(name); err != nil {
		return nil, request.Invalidf("name: connection %s has no such instance: %s", next.Connection, err)
	}
	if next.living() && to.Listed != (next.Address != "") {
		return nil, request.Conflictf("connection: the servers of %s are of another kind: those of a cloud, whose addresses it tells, or those "+
			"of hosts/; delete the host, and write it again", next.Connection)
	}
	var another *bool
	in.Flag("another_server", &another)
	switch {
	case in.Empty("host_key"):
		return nil, request.Invalidf("host_key: cannot be empty; leave it out to keep the pinned one")
	case request.ValueOr(another, false) && !in.Has("host_key"):
		return nil, request.Invalidf("another_server: give the host_key of the other server, too")
	case request.ValueOr(another, false) && !to.Listed:
		return nil, request.Invalidf("another_server: the cloud tells when a server was rebuilt; leave it out")
	case in.Gives("login_user") && !to.Listed:
		return nil, request.Invalidf("login_user: nobody logs in to the servers of a cloud to set passwords; leave it out")
	}
	if in.Has("host_key") {
		key, err := readKey(in)
		if err != nil {
			return nil, err
		}
		if key != next.HostKey {
			next.pin(key, PinnedByWrite, s.Now())
		}
	}
	if request.ValueOr(another, false) {
		next.Serial = newSerial()
	}
	in.Trimmed("login_user", &next.LoginUser)
	return next, checkLoginUser(next.LoginUser)
}

// toRepin is the entry before its change: the stored one, or a tombstone for accounts of which no host is known.
func (s *Store) toRepin(ctx context.Context, name string, old *Record, in request.Fields) (*Record, error) {
	if old != nil {
		return old.clone(), nil
	}
	connection := ""
	in.Trimmed("connection", &connection)
	if connection != "" {
		use, err := s.Use(ctx, connection, name)
		if err != nil {
			return nil, err
		}
		if use.Accounts > 0 && in.Gives("host_key") {
			next := newRecord(s.Now())
			next.Deleted = s.Now().UTC()
			return next, nil
		}
		if use.Accounts > 0 {
			return nil, request.Invalidf("host_key: required, since none of %s is known", name)
		}
	}
	return nil, request.Invalidf("host %s does not exist; write it, with its key: %s", name, hint.New("write", "hosts/"+name,
		"connection=CONNECTION", "host_key=@host-key.pub"))
}

// Delete deletes a host, and returns what it was, nil if there was none, and how many accounts of it exist: where a key is pinned, a
// tombstone stays for them.
func (s *Store) Delete(ctx context.Context, name string) (was *Record, accounts int, err error) {
	defer s.Lock(name)()
	was, err = s.index.get(ctx, name)
	if err != nil || !was.living() {
		return nil, 0, err
	}
	use, err := s.Use(ctx, was.Connection, name)
	if err != nil {
		return nil, 0, err
	}
	if use.Accounts == 0 || was.HostKey == "" {
		return was, use.Accounts, s.index.remove(ctx, name)
	}
	return was, use.Accounts, s.index.put(ctx, name, was.tombstone(s.Now()))
}
