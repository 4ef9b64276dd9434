package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// turns bound what goes on at a time: one session at a host, and some at all hosts of a connection. Who waits for a host holds up
// nobody else. Hosts that could not be logged in to when last tried have half of the sessions at most: a dead one takes as long as a
// connection is waited for, and many of them would keep the living ones waiting.
type turns struct {
	slots chan struct{}
	mu    sync.Mutex
	hosts map[string]*turn
	// dead are the hosts that could not be logged in to when last tried, and trying is how many of them have a session.
	dead   map[string]bool
	trying int
}

// turn is one host's. It exists while somebody has it or waits for it.
type turn struct {
	busy  chan struct{}
	users int
}

func newTurns(slots int) *turns {
	return &turns{slots: make(chan struct{}, slots), hosts: map[string]*turn{}, dead: map[string]bool{}}
}

// reached notes whether a host could be logged in to.
func (t *turns) reached(host string, could bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if could {
		delete(t.dead, host)
	} else {
		t.dead[host] = true
	}
}

// tryDead counts a session with a host that was dead when last tried. It is not waited for: who waits is a worker of the connection, and
// is wanted for the living hosts.
func (t *turns) tryDead(host string) (leave func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead[host] {
		return func() {}, true
	}
	if t.trying >= max(1, cap(t.slots)/2) {
		return nil, false
	}
	t.trying++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.trying--
	}, true
}

// enter waits for a turn at a host. Its error is of kind Unavailable and a cloud.ErrNoTurn: nothing was sent.
func (t *turns) enter(ctx context.Context, host string) (leave func(), err error) {
	t.mu.Lock()
	own := t.hosts[host]
	if own == nil {
		own = &turn{busy: make(chan struct{}, 1)}
		t.hosts[host] = own
	}
	own.users++
	t.mu.Unlock()
	done := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.hosts, host)
		}
	}
	select {
	case own.busy <- struct{}{}:
	case <-ctx.Done():
		done()
		return nil, noTurn(ctx, host, "another session with it has not ended")
	}
	leaveDead, ok := t.tryDead(host)
	if !ok {
		<-own.busy
		done()
		return nil, noTurn(ctx, host, "it could not be logged in to when last tried, and as many such hosts as may be are being tried already; "+
			"it has its turn later")
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		leaveDead()
		<-own.busy
		done()
		return nil, noTurn(ctx, host, fmt.Sprintf("all %d sessions of the connection are in use, see max_sessions", cap(t.slots)))
	}
	return func() {
		<-t.slots
		leaveDead()
		<-own.busy
		done()
	}, nil
}

func noTurn(ctx context.Context, host, why string) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("ssh to %s: nothing was sent: %s", host, why),
		Err: errors.Join(cloud.ErrNoTurn, ctx.Err())}
}
