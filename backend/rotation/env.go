package rotation

import (
	"context"
	"sync"
	"time"
)

// env is what all parts of the engine share: their surroundings, the time, and the life of the background work.
type env struct {
	opts  Options // its Now is the clock's
	clock *clock

	// ctx ends with Stop; background work runs under it, and wg waits for it.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ending sync.Mutex // held while ctx is ended, so that nothing is added to wg once that is waited for
}

func newEnv(o Options) *env {
	o = o.withDefaults()
	v := &env{clock: newClock(o.Now, time.Now)}
	o.Now = v.clock.now
	v.opts = o
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// background runs what does not end before ctx does, or soon; after the end it runs nothing.
func (v *env) background(run func()) {
	v.ending.Lock()
	defer v.ending.Unlock()
	if v.ctx.Err() == nil {
		v.wg.Go(run)
	}
}

// end ends background work.
func (v *env) end() {
	v.ending.Lock()
	defer v.ending.Unlock()
	v.cancel()
}
