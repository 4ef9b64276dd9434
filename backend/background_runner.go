package backend

import (
	"context"
	"sync"
	"time"
)

// roundLimit bounds one round of background work, as Vault bounds what it calls itself.
const roundLimit = 90 * time.Second

// rootRoundLimit bounds the unattended replacement of one credential. It has rounds of its own, since a request for a credential that
// is cut short leaves one behind which nobody has the secret of: the three requests until it is stored must fit in, each of which may
// take as long as request_timeout allows.
const rootRoundLimit = 8 * time.Minute

// rounds runs the backend's regular background work, one round at a time, in a goroutine of its own:
// Vault holds a mount while it waits for a request, and for what it calls every minute, so a round that
// asks clouds would keep a plugin reload, and with it every other request, waiting.
type rounds struct {
	limit  time.Duration // of one round
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	running bool
	wg      sync.WaitGroup
}

func newRounds(limit time.Duration) *rounds {
	r := &rounds{limit: limit}
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
		ctx, cancel := context.WithTimeout(r.ctx, r.limit)
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
