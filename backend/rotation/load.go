package rotation

import (
	"context"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// loadAll rebuilds the schedule from storage. It lists, so that reads and bindings that come
// meanwhile do not wait for it, and tries again until it has seen everything.
func (p *planner) loadAll() {
	p.opts.turn(p.ctx, ID{})
	for failures := 1; ; failures++ {
		err := guard.Do(p.opts.Logger, "rebuilding the schedule", func() error { return p.loadOnce(p.ctx) })
		if err == nil || p.ctx.Err() != nil {
			break
		}
		p.opts.Logger.Error("the schedule cannot be rebuilt from storage; trying again", "error", err)
		_ = cloud.Sleep(p.ctx, protocol.BackoffDelay(failures, protocol.MaxBackoff, p.opts.Random())) // a closing core tries once more, in vain
	}
	p.setLoading(false)
}

// loadReaders is how many records are read at once while the schedule is being rebuilt, so that storage which
// takes long to answer is not waited for a hundred thousand times in a row.
const loadReaders = 32

func (p *planner) loadOnce(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	free := make(chan struct{}, loadReaders)
	visit := func(id ID) error {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		readers.Go(func() {
			defer func() { <-free }()
			p.opts.turn(ctx, id)
			if err := guard.Do(p.opts.Logger, "the plan of account "+id.String(),
				func() error { p.loadAndSchedule(ctx, id); return nil }); err != nil {
				p.delayPanicked(p.entry(id), err)
			}
		})
		return nil
	}
	if err := p.walk(ctx, "", visit); err != nil {
		return err
	}
	return p.walkGroups(ctx, visit)
}

// loadAndSchedule puts a stored account into its queue. One record that cannot be read must not keep the
// others from their schedule.
func (p *planner) loadAndSchedule(ctx context.Context, id ID) {
	e := p.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := p.load(ctx, e); err != nil {
		if ctx.Err() == nil {
			p.opts.Logger.Error("an account cannot be scheduled and will be tried again", "account", id.String(), "error", err)
		}
		p.scheduleAt(e, protocol.StepNone, p.opts.Now().Add(protocol.BackoffDelay(6, protocol.MaxBackoff, p.opts.Random())))
		return
	}
	p.schedule(e)
}
