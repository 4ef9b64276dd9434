package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

const (
	// takeWait is how long a take waits for a password that is being set.
	takeWait = 3 * time.Minute
	// giveTime bounds the end of one lease.
	giveTime = 15 * time.Second
)

// taken is a password that was taken in this console.
type taken struct {
	id       string
	role     string
	until    time.Time // when the lease ends; zero: there is none
	password *engine.Password
}

// shownTaken is what the page is told of one, which is not the password.
type shownTaken struct {
	ID         string    `json:"id"`
	Role       string    `json:"role"`
	Connection string    `json:"connection"`
	InstanceID string    `json:"instance_id"`
	Name       string    `json:"name"`
	Address    string    `json:"address"`
	Username   string    `json:"username"`
	Version    int       `json:"version"`
	Leased     bool      `json:"leased"`
	Renewable  bool      `json:"renewable"`
	Until      time.Time `json:"until,omitzero"`
	Warnings   []string  `json:"warnings,omitempty"`
}

// held keeps the passwords that were taken here until they are given back or end.
type held struct {
	vault vault
	ttl   time.Duration // of leases
	now   func() time.Time

	// takes ends with the console: a take that waits is given up, and Vault keeps no lease of a client that has hung up.
	takes context.Context // the life of the console, not of a request
	stop  context.CancelFunc
	open  sync.WaitGroup // takes that run

	mu     sync.Mutex
	closed bool
	all    map[string]*taken
}

func newHeld(v vault, ttl time.Duration, now func() time.Time) *held {
	ctx, stop := context.WithCancel(context.Background())
	return &held{vault: v, ttl: ttl, now: now, takes: ctx, stop: stop, all: map[string]*taken{}}
}

var errClosing = errors.New("the console is ending")

// take reads a password. It goes on if the browser hangs up: a lease that nobody knows of could not be given back.
func (h *held) take(p engine.Place) (*shownTaken, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, errClosing
	}
	h.open.Add(1)
	h.mu.Unlock()
	defer h.open.Done()
	password, err := h.vault.Read(h.takes, p, engine.ReadOptions{TTL: h.ttl, Wait: takeWait})
	if err != nil {
		return nil, err
	}
	t := &taken{id: rand.Text(), role: p.Role, password: password}
	if password.LeaseID != "" {
		t.until = h.now().Add(password.LeaseDuration)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[t.id] = t
	return t.shown(), nil
}

func (t *taken) shown() *shownTaken {
	p := t.password
	return &shownTaken{ID: t.id, Role: t.role, Connection: p.Connection, InstanceID: p.InstanceID, Name: p.Name,
		Address: cmp.Or(p.PrivateIP, p.PublicIP), Username: p.Username, Version: p.Version, Leased: p.LeaseID != "",
		Renewable: p.Renewable, Until: t.until, Warnings: p.Warnings}
}

// list are the passwords that are held, the newest last. Those whose lease has ended are forgotten.
func (h *held) list() []*shownTaken {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgetEnded()
	found := make([]*shownTaken, 0, len(h.all))
	for _, t := range h.all {
		found = append(found, t.shown())
	}
	slices.SortFunc(found, func(a, b *shownTaken) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	return found
}

// forgetEnded needs the lock.
func (h *held) forgetEnded() {
	now := h.now()
	for id, t := range h.all {
		if !t.until.IsZero() && now.After(t.until) {
			delete(h.all, id)
		}
	}
}

// find returns a password that is held, or nil.
func (h *held) find(id string) *taken {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgetEnded()
	return h.all[id]
}

// renew has Vault extend a lease by the console's ttl.
func (h *held) renew(ctx context.Context, t *taken) error {
	asked := h.now()
	good, err := h.vault.Renew(ctx, t.password.LeaseID, h.ttl)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.until = asked.Add(good)
	return nil
}

// give gives a password back: it ends the lease, and forgets the password.
func (h *held) give(ctx context.Context, t *taken) error {
	if t.password.LeaseID != "" {
		ctx, cancel := context.WithTimeout(ctx, giveTime)
		defer cancel()
		if err := h.vault.GiveBack(ctx, t.password.LeaseID); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, t.id)
	return nil
}

// leftOver is a lease that could not be given back.
type leftOver struct {
	lease string
	until time.Time
	err   error
}

// close gives up takes that wait, and gives everything back. It returns the leases whose end Vault did not confirm.
func (h *held) close(ctx context.Context) []leftOver {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.stop()
	h.open.Wait()
	h.mu.Lock()
	h.forgetEnded()
	all := make([]*taken, 0, len(h.all))
	for _, t := range h.all {
		all = append(all, t)
	}
	h.mu.Unlock()
	var mu sync.Mutex
	var left []leftOver
	var done sync.WaitGroup
	for _, t := range all {
		done.Go(func() {
			if err := h.give(ctx, t); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, leftOver{lease: t.password.LeaseID, until: t.until, err: err})
			}
		})
	}
	done.Wait()
	slices.SortFunc(left, func(a, b leftOver) int { return cmp.Compare(a.lease, b.lease) })
	return left
}
