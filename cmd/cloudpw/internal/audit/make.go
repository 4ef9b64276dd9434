package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// ErrLoading is the error while the plugin still loads accounts after a start: a report would lack some.
var ErrLoading = errors.New("the plugin still loads accounts after a start, so that the report would lack some; try again in a minute")

// parallel is how many accounts are asked about at once.
const parallel = 8

// Mount is what is needed of a mount: engine.Client.
type Mount interface {
	Report(ctx context.Context, f engine.Filter, after string, limit int) (engine.Page, error)
	Account(ctx context.Context, connection, instance, user string) (engine.Detail, error)
	Status(ctx context.Context) (engine.Status, error)
	List(ctx context.Context, keyInfo any, segments ...string) ([]string, error)
	Get(ctx context.Context, out any, segments ...string) error
}

// Options say what a report is about.
type Options struct {
	Filter  engine.Filter
	MaxAge  time.Duration
	Readers bool // read who was given each password, which takes a request for each account
	// Progress, if not nil, is told how far it has come, by one goroutine at a time.
	Progress func(done, total int)
}

// Make reads a report. What the token may not read is missing, and in Notes; without the path report there is none.
func Make(ctx context.Context, m Mount, origin Origin, o Options) (*Report, error) {
	r := &Report{Origin: origin, MaxAge: o.MaxAge, MaxAgeHours: int64(o.MaxAge / time.Hour), Filter: describe(o.Filter)}
	if err := r.readAccounts(ctx, m, o.Filter); err != nil {
		return nil, err
	}
	if o.Readers {
		if err := r.readDetails(ctx, m, o.Progress); err != nil {
			return nil, err
		}
	} else {
		r.Notes = append(r.Notes, "readers were not asked for, nor whether passwords were recorded by hand")
	}
	for i := range r.Accounts {
		r.Accounts[i].judge(o.MaxAge)
	}
	return r, r.readConnections(ctx, m, o.Filter.Connection)
}

// describe is a filter in words.
func describe(f engine.Filter) string {
	var parts []string
	for _, p := range [][2]string{{"connection", f.Connection}, {"role", f.Role}, {"name", f.Name}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Report) readAccounts(ctx context.Context, m Mount, f engine.Filter) error {
	after := ""
	for {
		page, err := m.Report(ctx, f, after, 10000)
		if err != nil {
			return err
		}
		if page.Loading {
			return ErrLoading
		}
		for _, a := range page.Accounts {
			r.Accounts = append(r.Accounts, Account{Account: a})
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// readDetails reads who was given the passwords.
func (r *Report) readDetails(ctx context.Context, m Mount, progress func(done, total int)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	done, denied := 0, 0
	work := make(chan *Account)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for a := range work {
				d, err := m.Account(ctx, a.Connection, a.InstanceID, a.Username)
				mu.Lock()
				switch {
				case err == nil:
					a.take(d)
				case engine.IsDenied(err):
					denied++
				case !engine.IsGone(err): // else it was forgotten meanwhile
					stop(err)
				}
				if done++; progress != nil {
					progress(done, len(r.Accounts))
				}
				mu.Unlock()
			}
		})
	}
	for i := range r.Accounts {
		if ctx.Err() != nil {
			break
		}
		work <- &r.Accounts[i]
	}
	close(work)
	workers.Wait()
	if denied > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("the readers of %d accounts are missing: the token may not read accounts/ there", denied))
	}
	return context.Cause(ctx)
}

// take takes over what only accounts/ tells. A shared password has its readers with the role's group.
func (a *Account) take(d engine.Detail) {
	a.ReadersSeen = true
	for _, v := range d.AllVersions() {
		if v.Current {
			a.Readers, a.MoreReaders, a.Source = v.Readers, v.MoreReaders, v.Source
		}
	}
	if a.Source == "" {
		a.Source = d.Source
	}
}

// readConnections lists the connections: those that the token may list, and those of the accounts.
func (r *Report) readConnections(ctx context.Context, m Mount, only string) error {
	byName := map[string]*Connection{}
	of := func(name string) *Connection {
		if byName[name] == nil {
			byName[name] = &Connection{Name: name}
		}
		return byName[name]
	}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		c := of(a.Connection)
		c.Accounts++
		if len(a.Exceptions) > 0 {
			c.Exceptions++
		}
		c.Oldest = max(c.Oldest, a.Age)
	}
	names, err := m.List(ctx, nil, "config")
	switch {
	case engine.IsDenied(err):
		r.Notes = append(r.Notes, "connections without accounts are missing: the token may not list config/")
	case err != nil:
		return err
	}
	for _, name := range names {
		if only == "" || name == only {
			of(name)
		}
	}
	status, err := m.Status(ctx)
	switch {
	case engine.IsDenied(err):
		r.Notes = append(r.Notes, "how connections do is missing: the token may not read status")
	case err != nil:
		return err
	}
	for name, c := range byName {
		if err := r.readConnection(ctx, m, name, c); err != nil {
			return err
		}
		s := status.Details.Connections[name]
		c.CredentialAge, c.CredentialEnds = time.Duration(s.CredentialAge)*time.Second, s.CredentialExpires
		c.CredentialSecs, c.OldestSeconds, c.CredentialChange = s.CredentialAge, int64(c.Oldest/time.Second), s.LastRootRotation
		c.Trouble = cmp.Or(s.LastError, s.RootRotationTrouble)
		r.Connections = append(r.Connections, *c)
	}
	slices.SortFunc(r.Connections, func(x, y Connection) int { return strings.Compare(x.Name, y.Name) })
	return nil
}

// readConnection reads which provider a connection has.
func (r *Report) readConnection(ctx context.Context, m Mount, name string, c *Connection) error {
	var config struct {
		Provider string `json:"provider"`
	}
	err := m.Get(ctx, &config, "config", name)
	if err != nil && !engine.IsDenied(err) && !engine.IsGone(err) {
		return err
	}
	c.Provider = config.Provider
	return nil
}
