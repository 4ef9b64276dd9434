package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// fakeVault is a Vault that answers as a test says.
type fakeVault struct {
	mu       sync.Mutex
	accounts []engine.Account // sorted by id
	err      error            // of everything but the lease calls
	leaseErr error
	reports  int
	leases   map[string]bool // that live
	taken    int
	static   bool                    // passwords have no lease
	waiting  chan struct{}           // if not nil, a read waits until it is closed or given up
	deaf     bool                    // a read goes on after it was given up, until waiting is closed
	read     chan struct{}           // if not nil, it gets a value when a read begins
	giving   chan struct{}           // if not nil, it gets a value when a lease is given back, which takes as long as it may
	orders   []string                // that were given
	hook     func(after string)      // is called with each page
	detail   engine.Detail           // of every account
	places   map[string]engine.Place // that texts lead to
}

func (f *fakeVault) Mount() string { return "cloudpw" }

func (f *fakeVault) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeVault) Report(_ context.Context, _ engine.Filter, after string, limit int) (engine.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports++
	if f.hook != nil {
		f.hook(after)
	}
	if f.err != nil {
		return engine.Page{}, f.err
	}
	from := 0
	if after != "" {
		from = 1 + slices.IndexFunc(f.accounts, func(a engine.Account) bool { return a.ID() == after })
	}
	to := min(from+limit, len(f.accounts))
	page := engine.Page{Accounts: f.accounts[from:to], Total: len(f.accounts)}
	if to < len(f.accounts) {
		page.Next = f.accounts[to-1].ID()
	}
	return page, nil
}

func (f *fakeVault) Account(context.Context, string, string, string) (engine.Detail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.detail, f.err
}

func (f *fakeVault) Resolve(_ context.Context, t engine.Target) (engine.Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, found := f.places[t.Text]; found {
		return p, nil
	}
	return engine.Place{}, cmp.Or[error](f.err, &engine.UnknownError{Text: t.Text, Reason: "there is no server " + t.Text})
}

func (f *fakeVault) Read(ctx context.Context, p engine.Place, o engine.ReadOptions) (*engine.Password, error) {
	f.mu.Lock()
	waiting, read := f.waiting, f.read
	f.mu.Unlock()
	if read != nil {
		read <- struct{}{}
	}
	if waiting != nil && f.deaf {
		<-ctx.Done()
		<-waiting
	} else if waiting != nil {
		select {
		case <-ctx.Done():
			return nil, &engine.Error{Path: "cloudpw/creds/" + p.Role, Err: ctx.Err()}
		case <-waiting:
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	f.taken++
	password := &engine.Password{Username: "ubuntu", Value: engine.NewSecret(fmt.Sprintf("pass-%d-word", f.taken)), InstanceID: p.InstanceID,
		Name: "web-1", PrivateIP: "10.0.0.1", Connection: "prod", Version: 1}
	if !f.static {
		password.LeaseID, password.LeaseDuration, password.Renewable = fmt.Sprintf("cloudpw/creds/%s/%d", p.Role, f.taken), o.TTL, true
		if f.leases == nil {
			f.leases = map[string]bool{}
		}
		f.leases[password.LeaseID] = true
	}
	return password, nil
}

func (f *fakeVault) Renew(_ context.Context, lease string, increment time.Duration) (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaseErr != nil || !f.leases[lease] {
		return 0, cmp.Or[error](f.leaseErr, &engine.Error{Status: 400, Messages: []string{"lease not found"}, Path: "sys/leases/renew"})
	}
	return increment / 2, nil
}

func (f *fakeVault) GiveBack(ctx context.Context, lease string) error {
	f.mu.Lock()
	giving := f.giving
	f.mu.Unlock()
	if giving != nil {
		giving <- struct{}{}
		<-ctx.Done()
		return &engine.Error{Path: "sys/leases/revoke", Err: ctx.Err()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaseErr != nil {
		return f.leaseErr
	}
	delete(f.leases, lease)
	return nil
}

func (f *fakeVault) live() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.leases)
}

func (f *fakeVault) Rotate(_ context.Context, o engine.RotateOrder) (engine.Ordered, error) {
	return f.order("rotate", o.Role, o.InstanceID)
}

func (f *fakeVault) Verify(_ context.Context, o engine.VerifyOrder) (engine.Ordered, error) {
	return f.order("verify", o.Role, o.InstanceID)
}

func (f *fakeVault) order(verb, role, instance string) (engine.Ordered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return engine.Ordered{}, f.err
	}
	f.orders = append(f.orders, verb+" "+role+" "+instance)
	return engine.Ordered{Campaign: "abc", Accounts: 1}, nil
}

func (f *fakeVault) CampaignFailing(_ context.Context, id string, _ int) (engine.Campaign, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return engine.Campaign{ID: id}, f.err
}

func (f *fakeVault) Campaigns(context.Context) ([]engine.Campaign, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return nil, f.err
}

func (f *fakeVault) Status(context.Context) (engine.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return engine.Status{}, f.err
}

func (f *fakeVault) Token(context.Context) (token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return token{who: "userpass-alice", ttl: time.Hour}, f.err
}
