package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// ErrLoading is the error while the plugin still loads accounts after a start.
var ErrLoading = errors.New("the plugin still loads accounts after a start, so that some are missing; try again in a minute")

// Check asks the mount what would become of rows, and writes nothing. Rows that it would refuse are Failed then; the others say what Send
// would do. The error is that of a mount that cannot be asked, or of the end of ctx.
func (j *Job) Check(ctx context.Context, rows []*Row) error {
	hosts, checked := withHosts(rows), 0
	for batch := range slices.Chunk(hosts, batchSize) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.checkHosts(ctx, batch); err != nil {
			return err
		}
		checked += len(batch)
		j.tell(checked, len(hosts), "hosts checked")
	}
	directories := map[string]*directory{}
	for _, r := range rows {
		if r.Result == Failed || !r.HasPassword {
			continue
		}
		if r.Host != nil { // its account may come with the host
			r.instance, r.Result = r.Server, WouldRecord
			continue
		}
		d := directories[r.Connection]
		if d == nil {
			var err error
			if d, err = j.directoryOf(ctx, r.Connection); err != nil {
				return err
			}
			directories[r.Connection] = d
		}
		d.find(r)
		if r.Result != Failed {
			r.Result = WouldRecord
		}
	}
	return nil
}

func (j *Job) tell(done, total int, words string) {
	if j.Progress != nil {
		j.Progress(done, total, words)
	}
}

func withHosts(rows []*Row) []*Row {
	var hosts []*Row
	for _, r := range rows {
		if r.Host != nil {
			hosts = append(hosts, r)
		}
	}
	return hosts
}

// checkHosts has the mount judge a batch. If it refuses the batch as a whole, as it does for a field that it cannot read, the batch is
// halved until the row is found.
func (j *Job) checkHosts(ctx context.Context, rows []*Row) error {
	answer, err := j.writeHosts(ctx, rows, true)
	switch {
	case engine.IsInvalid(err) && len(rows) > 1:
		half := len(rows) / 2
		if err := j.checkHosts(ctx, rows[:half]); err != nil {
			return err
		}
		return j.checkHosts(ctx, rows[half:])
	case engine.IsInvalid(err):
		rows[0].fail(strings.TrimPrefix(err.Error(), "hosts: element 1: "))
		return nil
	case err != nil:
		return err
	}
	for i, host := range answer.Hosts {
		r := rows[i]
		r.Warnings = host.Warnings
		switch host.Result {
		case string(Created):
			r.planHost, r.Result = Created, WouldCreate
		case string(Changed):
			r.planHost, r.Result = Changed, WouldChange
		case string(Unchanged):
			r.planHost, r.Result = Unchanged, Unchanged
		default:
			r.fail(host.Error)
		}
	}
	return nil
}

// directory is what is known of the servers of a connection.
type directory struct {
	connection string
	servers    map[string]map[string]bool     // instance ids by id, name and address
	users      map[string]map[string]struct{} // by instance id; nil: they are not known
	blind      bool                           // nothing is known: a server is named by its id
}

func (d *directory) add(id string, names ...string) {
	for _, name := range append(names, id) {
		if name == "" {
			continue
		}
		if d.servers[name] == nil {
			d.servers[name] = map[string]bool{}
		}
		d.servers[name][id] = true
	}
}

// directoryOf reads the accounts of a connection: by report, or by the list of accounts/ if the token may not read that, or not at all.
func (j *Job) directoryOf(ctx context.Context, connection string) (*directory, error) {
	d := &directory{connection: connection, servers: map[string]map[string]bool{}, users: map[string]map[string]struct{}{}}
	after := ""
	for {
		page, err := j.Mount.Report(ctx, engine.Filter{Connection: connection}, after, 10000)
		if engine.IsDenied(err) {
			return j.directoryByList(ctx, d)
		}
		if err != nil {
			return nil, err
		}
		if page.Loading {
			return nil, ErrLoading
		}
		for _, a := range page.Accounts {
			d.add(a.InstanceID, a.Name, a.Address)
			if d.users[a.InstanceID] == nil {
				d.users[a.InstanceID] = map[string]struct{}{}
			}
			d.users[a.InstanceID][a.Username] = struct{}{}
		}
		if after = page.Next; after == "" {
			return d, nil
		}
	}
}

func (j *Job) directoryByList(ctx context.Context, d *directory) (*directory, error) {
	var info map[string]struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	}
	ids, err := j.Mount.List(ctx, &info, "accounts", d.connection)
	d.users = nil
	if engine.IsDenied(err) {
		d.blind = true
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		d.add(id, info[id].Name, info[id].Address)
	}
	return d, nil
}

// find notes which instance a row means, and its user, or why there is none.
func (d *directory) find(r *Row) {
	if d.blind {
		r.instance = r.Server
		if r.Username == "" {
			r.fail("username: required, since the token may read neither report nor accounts/" + d.connection)
		}
		return
	}
	ids := d.servers[r.Server]
	if ids[r.Server] {
		ids = map[string]bool{r.Server: true} // an id is meant, whatever else has that name
	}
	switch len(ids) {
	case 0:
		r.fail(fmt.Sprintf("connection %s has no account of a server with this id, name or address; write a role that has the server first",
			d.connection))
		return
	case 1:
	default:
		r.fail(fmt.Sprintf("%d servers have this name or address; write the id of one: %s", len(ids), someOf(ids)))
		return
	}
	for id := range ids {
		r.instance = id
	}
	d.findUser(r)
}

func (d *directory) findUser(r *Row) {
	users := d.users[r.instance]
	_, known := users[r.Username]
	switch {
	case r.Username != "" && (known || d.users == nil):
	case r.Username != "":
		r.fail(fmt.Sprintf("there is no account of this user; the server's accounts are of %s", someOf(users)))
	case d.users == nil:
		r.fail("username: required, since the token may not read report")
	case len(users) != 1:
		r.fail(fmt.Sprintf("username: required, since the server has several accounts: %s", someOf(users)))
	default:
		for user := range users {
			r.user = user
		}
	}
}

// someOf are the first keys of a set.
func someOf[V any](set map[string]V) string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 10 {
		names = append(names[:10], "...")
	}
	return strings.Join(names, ", ")
}
