package ssh

import (
	"context"
	"fmt"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// turns bound what goes on at a time: one session at a host, and some at all hosts of a connection. Who waits for a host holds up
// nobody else.
type turns struct {
	slots chan struct{}
	mu    sync.Mutex
	hosts map[string]*turn
}

// turn is one host's. It exists while somebody has it or waits for it.
type turn struct {
	busy  chan struct{}
	users int
}

func newTurns(slots int) *turns {
	return &turns{slots: make(chan struct{}, slots), hosts: map[string]*turn{}}
}

// enter waits for a turn at a host. Its error is of kind Unavailable: nothing was sent.
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
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		<-own.busy
		done()
		return nil, noTurn(ctx, host, fmt.Sprintf("all %d sessions of the connection are in use, see max_sessions", cap(t.slots)))
	}
	return func() {
		<-t.slots
		<-own.busy
		done()
	}, nil
}

func noTurn(ctx context.Context, host, why string) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("ssh to %s: nothing was sent: %s", host, why), Err: ctx.Err()}
}
