package backend

import (
	"context"
	"sync"
	"time"
)

// roundLimit bounds one round of background work, as Vault bounds what it calls itself.
const roundLimit = 90 * time.Second

// rounds runs the backend's regular background work, one round at a time, in a goroutine of its own:
// Vault holds a mount while it waits for a request, and for what it calls every minute, so a round that
// asks clouds would keep a plugin reload, and with it every other request, waiting.
type rounds struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	running bool
	wg      sync.WaitGroup
}

func newRounds() *rounds {
	r := &rounds{}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// start begins a round, unless one runs or the backend has ended, and does not wait for it.
func (r *rounds) start(round func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running || r.ctx.Err() != nil {
		return
	}
	r.running = true
	r.wg.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, roundLimit)
		defer cancel()
		defer r.ended()
		round(ctx)
	})
}

func (r *rounds) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
}

// stop cuts a running round short, waits for its end, and lets no other begin.
func (r *rounds) stop() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
}
