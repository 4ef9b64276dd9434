package console

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

const (
	// firstPage is small, so that a large fleet shows something at once.
	firstPage = 500
	// nextPages is the most that a report answers with.
	nextPages = 10_000
	// readEvery is the pause after the report has been read; a reading that took long is followed by a longer one.
	readEvery = 15 * time.Second
	// retryEvery is the pause after a failure.
	retryEvery = 3 * time.Second
	// watchedFor is how long after a page's last request the report is still read.
	watchedFor = 2 * time.Minute
)

// row is an account as the table has it.
type row struct {
	engine.Account
	text string // what a search looks at, in lower case
}

// snapshot is the report as it was read. Nobody changes it.
type snapshot struct {
	rows       []row
	generation int64 // another one for each snapshot
	total      int   // how many accounts Vault says there are
	whole      bool  // false while the first reading goes on
	loading    bool  // Vault itself is still loading accounts after a start
	readAt     time.Time

	mu    sync.Mutex
	views map[query][]int32
	facts *choices
}

// fleet keeps the report in memory and reads it again while somebody looks.
type fleet struct {
	vault vault
	now   func() time.Time
	wake  chan struct{} // holds one value when the report is to be read at once

	mu      sync.Mutex
	current *snapshot
	failure *problem  // why the last reading failed; nil if it did not
	failing time.Time // since when readings have failed
	asked   time.Time // when a page asked last
}

func newFleet(v vault, now func() time.Time) *fleet {
	return &fleet{vault: v, now: now, wake: make(chan struct{}, 1), current: &snapshot{}}
}

// again has the report read at once.
func (f *fleet) again() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// look is the newest snapshot, and why there is no newer one if a reading has failed since.
func (f *fleet) look() (s *snapshot, failure *problem, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.asked) > watchedFor {
		f.again()
	}
	f.asked = now
	return f.current, f.failure, f.failing
}

func (f *fleet) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now().Sub(f.asked) <= watchedFor
}

// run reads the report until the context ends: at once when [fleet.again] is called, and regularly while somebody looks.
func (f *fleet) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-pause.C:
			if !f.watched() {
				continue // look wakes it
			}
		}
		began := f.now()
		wait := retryEvery
		if f.read(ctx) {
			wait = max(readEvery, 5*f.now().Sub(began))
		}
		pause.Reset(wait)
	}
}

// read reads all pages of the report, and tells whether that worked. The pages of the first reading are shown as they come.
func (f *fleet) read(ctx context.Context) bool {
	f.mu.Lock()
	first := !f.current.whole
	f.mu.Unlock()
	var rows []row
	for after, limit := "", firstPage; ; limit = nextPages {
		page, err := f.vault.Report(ctx, engine.Filter{}, after, limit)
		if err != nil {
			f.fail(ctx, err)
			return false
		}
		for _, account := range page.Accounts {
			rows = append(rows, newRow(account))
		}
		// Without rows a next page would be the same one.
		whole := page.Next == "" || len(page.Accounts) == 0
		if whole || first {
			f.publish(&snapshot{rows: slices.Clip(rows), total: page.Total, whole: whole, loading: page.Loading, readAt: f.now()})
		}
		if whole {
			return true
		}
		after = page.Next
	}
}

func newRow(a engine.Account) row {
	parts := []string{a.Name, a.InstanceID, a.Address, a.Username, a.Role, a.Connection, a.LastError}
	return row{Account: a, text: strings.ToLower(strings.Join(append(parts, a.Holders...), "\n"))}
}

func (f *fleet) publish(s *snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.generation = f.current.generation + 1
	s.views = map[query][]int32{}
	f.current, f.failure, f.failing = s, nil, time.Time{}
}

// fail keeps the last snapshot, with the reason why it is not newer. Where the token has no right to the report any more, there
// is nothing to keep.
func (f *fleet) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	found := explain(f.vault.Mount(), err, needs("report", "read"))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failing = f.now()
	}
	f.failure = found
	if found.Kind == kindDenied || found.Kind == kindToken {
		f.current = &snapshot{generation: f.current.generation + 1, views: map[query][]int32{}}
	}
}

// siblings are the accounts of one server, by user.
func (s *snapshot) siblings(connection, instance string) []engine.Account {
	var found []engine.Account
	for i := range s.rows {
		if a := &s.rows[i].Account; a.InstanceID == instance && a.Connection == connection {
			found = append(found, *a)
		}
	}
	slices.SortFunc(found, func(a, b engine.Account) int { return cmp.Compare(a.Username, b.Username) })
	return found
}
