package rotation

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Of the recorded method, the cloud keeps each command as a resource of its server until it is removed. Each start of the server has
// all of them carried out that are there, those too that have been carried out before. One that the cloud accepts while the server
// is being stopped waits for that. The cloud may lose the end of one, whose record never becomes final then, and it may remove one
// only some time after it has said so. It takes no command for a server that does not run, or has simMostRecords of them.
const (
	// simLongestStop is how long a server may stay stopped while its accounts are used.
	simLongestStop = 30 * time.Minute
	// simLateStart is how much later a server is started that nobody has used since.
	simLateStart = 15 * 24 * time.Hour
	// simSlowRemoval is how long a removal may take that has been answered.
	simSlowRemoval = 20 * time.Minute
	// simMostStalled is how many records of a server never become final, so that there is room for others.
	simMostStalled = 3
	// simSwept is how long after its end what the account forgot is removed, before the next command, and simMostSwept how many are.
	simSwept     = time.Hour
	simMostSwept = 3
)

// recorded is a command that a server has carried out again.
type recorded struct {
	s       *simServer
	op      *simOperation
	stalled bool // its record never becomes final
	ended   time.Time
}

// keep notes a command that the cloud has accepted, and reports whether it waits for a start of the server. The caller holds c.mu.
func (c *simCloud) keep(s *simServer, op *simOperation) bool {
	w, late := c.w, c.w.odds().late
	r := &recorded{s: s, op: op}
	s.recorded = append(s.recorded, r)
	stalled := 0
	for _, r := range s.recorded {
		if r.stalled {
			stalled++
		}
	}
	switch {
	case stalled < simMostStalled && w.fault("preempted", s.id, late/4):
		r.stalled = true
		if w.fault("preempted although it is carried out", s.id, 0.5) {
			time.AfterFunc(w.duration("carried out after", s.id, time.Minute), func() { c.again(s, op) })
		}
		w.tracef("command %s on %s is preempted", op.id, s.id)
		return true
	case !s.stopped && w.fault("accepted while the server is stopped", s.id, late/3):
		s.stopped = true
		after := time.Second + w.duration("stopped for", s.id, simLongestStop)
		time.AfterFunc(after, func() { c.startServer(s.simMachine) })
		w.tracef("server %s is stopped with command %s, for %s", s.id, op.id, after)
		return true
	case w.fault("a start behind it", s.id, late/3):
		time.AfterFunc(w.duration("a start after", s.id, simLongestStop), func() { c.startServer(s.simMachine) })
	}
	return s.stopped
}

// startServer has a server carry out all commands that the cloud keeps, in any order.
func (c *simCloud) startServer(s *simMachine) {
	var all []*recorded
	c.locked(func() {
		s.stopped = false
		all = slices.Clone(s.recorded)
		c.w.tracef("server %s starts, with %d commands", s.id, len(all))
	})
	for i := range all {
		j := i + c.w.number("order of a start", s.id, len(all)-i)
		all[i], all[j] = all[j], all[i]
		done := all[i].stalled
		c.locked(func() { done = done || all[i].op.ended })
		if done {
			c.again(all[i].s, all[i].op)
		} else {
			c.finish(all[i].s, all[i].op)
		}
	}
}

// removesSlowly reports whether a removal that is answered now comes later. The caller holds c.mu.
func (c *simCloud) removesSlowly(s *simServer, name string) bool {
	if !slices.ContainsFunc(s.recorded, func(r *recorded) bool { return r.op.name == name }) ||
		!c.w.fault("slow removal", s.id, c.w.odds().late) {
		return false
	}
	time.AfterFunc(c.w.duration("removal takes", s.id, simSlowRemoval), func() { c.locked(func() { c.drop(s.simMachine, name) }) })
	return true
}

// sweep is what a reset method of such a cloud does before a command: it removes some records that ended long ago, whose account
// has not had them removed. The caller holds c.mu.
func (c *simCloud) sweep(s *simServer) {
	left := simMostSwept
	for _, r := range slices.Clone(s.recorded) {
		state := s.commands[r.op.id].State
		if final := state == cloud.OperationSuccess || state == cloud.OperationFailed; !final {
			continue
		}
		if r.ended.IsZero() {
			r.ended = time.Now() // when it is first seen to be final
		}
		if left > 0 && !s.stopped && time.Since(r.ended) > simSwept {
			c.drop(s.simMachine, r.op.name)
			left--
		}
	}
}

// stalled reports whether the record of a name never becomes final.
func (w *world) stalled(id ID, name string) (stalled bool) {
	w.cloud.locked(func() {
		stalled = slices.ContainsFunc(w.cloud.of(id).recorded, func(r *recorded) bool { return r.stalled && r.op.name == name })
	})
	return stalled
}

// checkLateStarts starts each server long after everything, with all that the cloud still keeps: it changes nothing.
func (w *world) checkLateStarts() {
	pass(simLateStart)
	for _, b := range w.specs {
		before, _, _ := w.server(b.ID)
		w.cloud.startServer(w.cloud.of(b.ID).simMachine)
		if after, _, _ := w.server(b.ID); after != before {
			w.violation("I1", "a start of %s %s later has replaced %s by %s", b.InstanceID, simLateStart, before, after)
		}
	}
}

// playRecorded simulates one random schedule in which commands wait for a start, are carried out again, and stay.
func playRecorded(t *testing.T, seed uint64) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 17))
	some := func(p float64) float64 { return p * r.Float64() }
	o := odds{late: 0.2 + some(0.7), lost: some(0.5), refuse: some(0.3), crash: some(0.06), storage: some(0.06), lag: some(0.5),
		failed: some(0.4), password: some(0.3)}
	return playMethod(t, seed, o, recordedMethod)
}

// TestRandomSchedulesOfRecordedCommands simulates schedules of that method only, with much of its own trouble.
func TestRandomSchedulesOfRecordedCommands(t *testing.T) {
	if *simSeed != 0 {
		w := playRecorded(t, *simSeed)
		t.Log(w.trace())
		if len(w.violations()) > 0 {
			w.fail(t, "recorded commands")
		}
		return
	}
	quick(t)
	var next, sent, stalled, most atomic.Uint64
	end := uint64(min(runs(), 3000))
	t.Run("all", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
				t.Parallel()
				for {
					seed := next.Add(1)
					if seed > end || t.Failed() {
						return
					}
					w := playRecorded(t, seed)
					if len(w.violations()) > 0 {
						w.fail(t, "recorded commands")
					}
					w.cloud.locked(func() {
						sent.Add(uint64(len(w.cloud.times)))
						for _, s := range w.cloud.servers {
							most.Store(max(most.Load(), uint64(len(s.named))))
							for _, r := range s.recorded {
								if r.stalled {
									stalled.Add(1)
								}
							}
						}
					})
				}
			})
		}
	})
	t.Logf("%d commands, %d of them never final, at most %d left on a server", sent.Load(), stalled.Load(), most.Load())
	if n := stalled.Load(); n == 0 || n > sent.Load()/4 {
		t.Errorf("of %d commands %d never became final; want some", sent.Load(), n)
	}
}
