package rotation

import (
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// ReportQuery says which accounts a report has. What is empty keeps none out.
type ReportQuery struct {
	Connection, Role string
	States           []string
	DueReasons       []protocol.Reason
	// OlderThan keeps accounts whose current version is at least that old. An account without one has no age.
	OlderThan time.Duration
	// Name is a glob for the instance's name.
	Name string
	// Server keeps accounts of the instances with this id, name or address, which is compared as it is.
	Server string
	// Holder keeps accounts of which a reader with this display name or entity id has a live lease.
	Holder string
	// Failing keeps the accounts whose last try failed, or those whose did not.
	Failing *bool
	// Drifted keeps the accounts whose server did not have the current version when it was checked last, or the others.
	Drifted *bool
	// Rebuilt keeps the accounts whose server seems to have been rebuilt since the current version was recorded, or the others.
	Rebuilt *bool
	// CheckResults keeps those whose last check has shown one of these.
	CheckResults []string
	// After and Limit are the page: the accounts after that one, and how many of them.
	After ID
	Limit int
}

// Report is a page of the accounts that a query keeps, sorted by name.
type Report struct {
	Accounts []*View
	// Total is how many accounts there are on all pages.
	Total int
	// Next is the last account of the page; zero: no page follows.
	Next ID
	// Seen is whether there is any account of the query's connection, role and server, whatever else was asked for.
	Seen bool
	// Loading is Status.Loading.
	Loading bool
}

// Report looks for accounts in memory: it waits for no storage and calls no cloud. It judges records, and makes a View only of
// what is on the page.
func (c *Core) Report(q ReportQuery) Report {
	r := Report{Loading: c.isLoading()}
	now, places, page, matches := c.opts.Now(), c.newPlaces(), firstEntries{limit: q.Limit}, glob(q.Name)
	holds := c.newHoldings(q.Holder)
	for _, e := range c.below(q.Connection) {
		rec := e.snapshot.Load()
		if rec == nil || e.id.IsGroup() || q.Role != "" && rec.Role != q.Role {
			continue
		}
		a := places.shown(rec)
		facts := a.FactsFor(a.Current())
		if q.Server != "" && !isServer(e.id.InstanceID, facts, q.Server) {
			continue
		}
		r.Seen = true
		if !q.keeps(a, now) || !matches(facts.Name) || q.Failing != nil && *q.Failing != fails(e, rec) || !holds.has(rec) {
			continue
		}
		r.Total++
		if q.After == (ID{}) || CompareIDs(e.id, q.After) > 0 {
			page.add(e)
		}
	}
	found, more := page.sorted()
	if more {
		r.Next = found[len(found)-1].id
	}
	for _, e := range found {
		if v := c.known(e); v != nil { // else it was forgotten meanwhile
			r.Accounts = append(r.Accounts, v)
		}
	}
	return r
}

// below is what is in memory of a connection's accounts, or of all if it is empty, in no order.
func (c *Core) below(connection string) []*entry {
	if connection == "" {
		return c.listed()
	}
	return c.entriesOf(connection)
}

// keeps judges what only the record tells.
func (q *ReportQuery) keeps(a *Account, now time.Time) bool {
	if len(q.States) > 0 && !slices.Contains(q.States, a.State()) {
		return false
	}
	if len(q.DueReasons) > 0 && (a.Due == nil || !slices.Contains(q.DueReasons, a.Due.Reason)) {
		return false
	}
	if q.Drifted != nil && *q.Drifted != a.Drifted() {
		return false
	}
	if q.Rebuilt != nil && *q.Rebuilt != (a.Rebuilt != nil) {
		return false
	}
	if len(q.CheckResults) > 0 && !slices.Contains(q.CheckResults, string(a.Checked().Result)) {
		return false
	}
	current := a.Current()
	return q.OlderThan == 0 || current != nil && now.Sub(current.Created) >= q.OlderThan
}

// isServer reports whether an instance has an id, a name or an address.
func isServer(id string, facts Facts, named string) bool {
	return id == named || facts.Name == named || facts.PrivateIP == named || facts.PublicIP == named
}

// glob is what tells whether a name matches a pattern, in which * stands for any characters. The empty one matches all.
func glob(pattern string) func(string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	switch {
	case pattern == "":
		return func(string) bool { return true }
	case len(parts) == 1:
		return func(name string) bool { return name == pattern }
	}
	return func(name string) bool {
		if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
			return false
		}
		name = name[len(first) : len(name)-len(last)]
		for _, part := range parts[1 : len(parts)-1] {
			_, after, found := strings.Cut(name, part)
			if !found {
				return false
			}
			name = after
		}
		return true
	}
}

// firstEntries keeps the first entries by name, of many that come in no order.
type firstEntries struct {
	limit int // 0: all
	kept  []*entry
	last  *entry // of those that were kept when there were too many last
	more  bool   // some were dropped
}

func (f *firstEntries) add(e *entry) {
	if f.last != nil && CompareIDs(e.id, f.last.id) > 0 {
		f.more = true
		return
	}
	f.kept = append(f.kept, e)
	if f.limit > 0 && len(f.kept) > 2*f.limit {
		f.cut()
	}
}

func (f *firstEntries) cut() {
	slices.SortFunc(f.kept, func(a, b *entry) int { return CompareIDs(a.id, b.id) })
	if f.limit > 0 && len(f.kept) > f.limit {
		f.kept, f.more = f.kept[:f.limit], true
		f.last = f.kept[f.limit-1]
	}
}

// sorted are the entries, and whether there are more of them.
func (f *firstEntries) sorted() ([]*entry, bool) {
	f.cut()
	return f.kept, f.more
}

// places remember where connections lead while many records are shown.
type places struct {
	core *Core
	led  map[string]*protocol.PlaceChanged // nil: it is not known
}

func (c *Core) newPlaces() places { return places{c, map[string]*protocol.PlaceChanged{}} }

// shown is the record as a View shows it: where the connection leads to another place than it has noted, the account may be
// due for that.
func (p places) shown(rec *Account) *Account {
	led, known := p.led[rec.Connection]
	if !known {
		if live := p.core.connection(rec.Connection).connected(); live != nil {
			led = live.moved(p.core.opts.Now())
		}
		p.led[rec.Connection] = led
	}
	if led == nil || !led.Changes(rec) {
		return rec
	}
	next, err := protocol.Transition(rec, *led)
	if err != nil {
		return rec
	}
	return next
}

// fails reports whether an account's last try failed. Whoever holds the account is not waited for: its record tells, then.
func fails(e *entry, rec *Account) bool {
	if !rec.LeftOut.IsZero() || rec.Backoff != nil && !rec.Backoff.LastError.IsZero() {
		return true
	}
	if !e.mu.TryLock() {
		return false
	}
	defer e.mu.Unlock()
	return !e.delay.cause.IsZero()
}

// Failed is the failure of the account that people are shown; zero: its last try did not fail.
func (v *View) Failed() hint.Text {
	if !v.LeftOut.IsZero() {
		return hint.Textf("left out of role %s: %s", v.Role, v.LeftOutReason)
	}
	return v.LastError
}

// Current is the current version; nil: there is none yet.
func (v *View) Current() *VersionView {
	for i := range v.Versions {
		if v.Versions[i].Current {
			return &v.Versions[i]
		}
	}
	return nil
}

// CompareIDs orders accounts by connection, instance and user.
func CompareIDs(a, b ID) int {
	if c := strings.Compare(a.Connection, b.Connection); c != 0 {
		return c
	}
	if c := strings.Compare(a.InstanceID, b.InstanceID); c != 0 {
		return c
	}
	return strings.Compare(a.Username, b.Username)
}

// Brief is what a list shows of an account beside its name.
type Brief struct {
	ID
	Provider, Role, State string
	Shown                 Facts
}

// Briefs are the accounts in memory below a connection ("" for all) that are wanted, in no order. Nothing is waited for.
func (c *Core) Briefs(connection string, wanted func(ID) bool) []Brief {
	var found []Brief
	places := c.newPlaces()
	for _, e := range c.below(connection) {
		if e.id.IsGroup() || !wanted(e.id) {
			continue
		}
		if rec := e.snapshot.Load(); rec != nil {
			a := places.shown(rec)
			found = append(found, Brief{ID: a.ID, Provider: a.Provider, Role: a.Role, State: a.State(), Shown: a.FactsFor(a.Current())})
		}
	}
	return found
}

// Glance is Inspect for lists: an account that is in memory is shown as it is known, whatever holds it.
func (c *Core) Glance(id ID) *View {
	if e := c.inMemory(id); e != nil {
		return c.known(e)
	}
	return nil
}
