package rotation

import (
	"context"
	"fmt"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// simGroup is the role of the simulated groups.
const simRole = "role"

// bindGroup writes the role of a shared password with these members until that has worked.
func (w *world) bindGroup(ctx context.Context, members []ID) {
	s := w.specs[0].Settings
	for range 50 {
		if err := w.node.core.BindGroup(ctx, "conn", "sim", simRole, s, members); err == nil && !w.node.dead() {
			return
		}
		w.recoverNode()
	}
}

// readShared is a client's read of the shared password, or of one instance's.
func (w *world) readShared(ctx context.Context, only *ID, wait time.Duration) *simLease {
	n := w.node
	var answer *Answer
	var err error
	if only == nil {
		answer, err = n.core.ReadGroup(w.client(ctx), "conn", Reader{Role: simRole}, wait)
	} else {
		answer, err = n.core.ReadMember(w.client(ctx), *only, Reader{}, wait)
	}
	if err != nil {
		w.tracef("shared read %v: %v", only, err)
		return nil
	}
	value := answer.Version.Password
	w.tracef("shared read %v: version %d %s", only, answer.Version.Number, value)
	group := w.record(GroupID("conn", simRole))
	for _, b := range w.specs {
		if only != nil && b.ID != *only || only == nil && !contains(answer.Holders, b.ID) {
			continue
		}
		if has, byHand, gone := w.server(b.ID); has != value && !byHand && !gone {
			w.violation("I2", "a client got %s for %v, but server %s has %s: %s; group %s", value, only, b.InstanceID, has, describe(w.record(b.ID)),
				describe(group))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handed[value] = time.Now()
	if w.burned[value] {
		w.lockedViolation("I6", "%s was handed out again after its last lease had ended", value)
	}
	if answer.Lease == nil {
		return nil
	}
	l := &simLease{ref: LeaseRef{ID: answer.LeaseID(), Version: answer.Version.Number, Nonce: answer.Lease.Nonce}, password: value,
		exclusive: answer.Settings.Checkout == Exclusive, issued: w.now(), expires: time.Now().Add(answer.Lease.TTL),
		granted: [2]time.Time{w.node.core.Now(), time.Now()}}
	if n.dead() || n.deposed() {
		l.lost = true
	}
	w.checkExclusive(l)
	w.leases = append(w.leases, l)
	return l
}

func contains(ids []ID, id ID) bool {
	for _, i := range ids {
		if i == id {
			return true
		}
	}
	return false
}

// unsettledGroup says what keeps a group from its goal: all members have one password, which, in
// leased mode, nobody knows.
func (w *world) unsettledGroup() string {
	g := w.record(GroupID("conn", simRole))
	if g == nil {
		return "no group"
	}
	if g.Pending != nil || g.Due != nil || len(g.Leases) > 0 {
		return "the group is not at rest: " + describe(g)
	}
	if g.Current() == nil {
		return ""
	}
	for _, id := range g.Members {
		m := w.record(id)
		if m == nil || !m.Gone.IsZero() {
			continue
		}
		if !m.Confirmed(g.Current().Batch) {
			return id.String() + " does not have the group's password: " + describe(m) + "; group " + describe(g)
		}
	}
	return ""
}

// playGroup simulates one random schedule over a role with a shared password.
func playGroup(t *testing.T, seed uint64) *world {
	t.Helper()
	o, method := profile(seed)
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w = newWorld(t, seed, method, o)
		w.faulty.Store(true) // resets are counted per account elsewhere
		w.start()
		draw := rand.New(rand.NewPCG(seed, 3))
		s := leasedSettings()
		s.SharedPassword = true
		s.TTL = time.Duration(1+draw.IntN(4)) * time.Minute
		s.MaxTTL = s.TTL + time.Duration(draw.IntN(8))*time.Minute
		s.MaxVersions = 1 + draw.IntN(3)
		if draw.IntN(3) == 0 {
			s.Checkout = Exclusive
		}
		var all []ID
		for range 2 + draw.IntN(3) {
			all = append(all, w.bind(s))
		}
		w.ensureBound(ctx)
		members := all[:len(all)-1]
		if bad := draw.IntN(12); bad < 2 && o != (odds{}) {
			w.guests(all[:1], func(s *simServer) { s.hangs, s.refuses = bad == 0, bad == 1 })
		}
		w.bindGroup(ctx, members)
		var actors sync.WaitGroup
		for range 12 + draw.IntN(25) {
			switch n := draw.IntN(100); {
			case n < 25:
				wait := time.Duration(draw.IntN(45)) * time.Second * time.Duration(draw.IntN(2))
				actors.Go(func() { w.readShared(ctx, nil, wait) })
			case n < 45:
				id := members[draw.IntN(len(members))]
				wait := time.Duration(draw.IntN(45)) * time.Second * time.Duration(draw.IntN(2))
				actors.Go(func() { w.readShared(ctx, &id, wait) })
			case n < 62:
				if l := w.someLease(draw); l != nil {
					w.revoke(ctx, l)
				}
			case n < 70:
				if l := w.someLease(draw); l != nil {
					w.renew(ctx, l, time.Duration(draw.IntN(900))*time.Second)
				}
			case n < 76:
				w.rotateRole(ctx)
			case n < 80:
				w.cloud.overwrite(members[draw.IntN(len(members))].InstanceID)
			case n < 82:
				w.tripMember(ctx, draw, members[draw.IntN(len(members))])
			case n < 84:
				if o.crash > 0 {
					w.node.die("at random", "", "")
				}
			case n < 88:
				w.depose()
			case n < 96:
				// Joiners and leavers; who leaves may join again.
				members = all[:1+draw.IntN(len(all))]
				if draw.IntN(3) == 0 {
					m := string(simMethods[draw.IntN(len(simMethods))])
					w.tracef("reset method: %s", m)
					for i := range w.specs {
						w.specs[i].Settings.ResetMethod = m
					}
				}
				w.tracef("members: %v", members)
				w.ensureMembers(ctx, members)
				w.bindGroup(ctx, members)
			default:
				if o.refuse > 0 {
					refuse := draw.IntN(2) == 0
					w.cloud.locked(func() { w.cloud.refuse = refuse })
					w.tracef("outage %v", refuse)
				}
			}
			synctest.Wait()
			w.recoverNode()
			pass(time.Duration(draw.IntN(1+draw.IntN(90000))) * time.Millisecond)
			w.recoverNode()
			w.endLeases(ctx)
			if len(w.violations()) > 0 {
				break
			}
		}
		w.convergeGroup(ctx, members)
		actors.Wait()
		w.node.core.Stop()
		pass(time.Minute)
		w.checkLateStarts()
	})
	return w
}

// rotateRole is an operator's rotate-role/.
func (w *world) rotateRole(ctx context.Context) {
	id := GroupID("conn", simRole)
	w.mu.Lock()
	w.asked[id] = true
	w.mu.Unlock()
	_, err := w.node.core.Rotate(ctx, id, 0)
	w.tracef("rotate the role: %v", err)
}

// tripMember has one server disappear or come back, or somebody change its password inside it and say so.
func (w *world) tripMember(ctx context.Context, draw *rand.Rand, id ID) {
	_, _, gone := w.server(id)
	if draw.IntN(3) == 0 && !gone {
		if before := w.record(id); before != nil && len(before.Versions) > 0 {
			value := fmt.Sprintf("by-hand-%d", draw.Uint32())
			w.byHand(id, value)
			_, err := w.node.core.Import(ctx, id, value, false)
			w.tracef("correction: %v", err)
			if err == nil {
				w.told(id, before)
			}
		}
		return
	}
	w.cloud.vanish(id.InstanceID, !gone)
	w.reappear(ctx)
}

// ensureMembers binds accounts to the role again that had left it.
func (w *world) ensureMembers(ctx context.Context, members []ID) {
	for _, b := range w.specs {
		if !contains(members, b.ID) {
			continue
		}
		for range 50 {
			_, err := w.node.core.Bind(ctx, b)
			if err == nil && !w.node.dead() {
				break
			}
			w.recoverNode()
		}
	}
}

// convergeGroup is converge for a group, its members, and those who left it.
func (w *world) convergeGroup(ctx context.Context, members []ID) {
	w.calm()
	for _, b := range w.specs {
		if _, _, gone := w.server(b.ID); gone {
			w.cloud.vanish(b.InstanceID, false)
		}
		w.guests([]ID{b.ID}, func(s *simServer) { s.hangs, s.refuses = false, false })
	}
	w.reappear(ctx)
	w.ensureMembers(ctx, members)
	w.bindGroup(ctx, members)
	for end := time.Now().Add(2 * settleBound); ; {
		w.endLeases(ctx)
		w.forgiveRefusals(ctx)
		why := w.unsettledGroup()
		for _, b := range w.specs {
			if s := w.unsettled(b.ID); s != "" && w.record(b.ID) != nil {
				why += "; " + s
			}
		}
		if why == "" {
			w.awaitClean(ctx)
			return
		}
		if len(w.violations()) > 0 {
			return // it has not had its time, and says nothing
		}
		if time.Now().After(end) {
			w.violation("I8", "%s", why)
			return
		}
		pass(37 * time.Second)
		w.recoverNode()
	}
}

// forgiveRefusals is the operator's word that a member needs which was left out for what it refused.
func (w *world) forgiveRefusals(ctx context.Context) {
	for _, b := range w.specs {
		if a := w.record(b.ID); a != nil && a.Refusals >= protocol.MaxRefusals && !a.LeftOut.IsZero() && a.Gone.IsZero() {
			w.tracef("an operator gives %s another chance", b.InstanceID)
			w.rotateRole(ctx)
			return
		}
	}
}

// playSharedCrash plays one life of a group of two, with crashes at the given half points.
func playSharedCrash(t *testing.T, method simMethod, crashAt map[int]bool) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w = newWorld(t, 1, method, odds{})
		w.crashAt = crashAt
		w.faulty.Store(true)
		w.start()
		s := leasedSettings()
		s.SharedPassword = true
		members := []ID{w.bind(s), w.bind(s), w.bind(s)}
		w.ensureBound(ctx)
		w.bindGroup(ctx, members[:2])
		insist := func(only *ID) *simLease {
			for range 60 {
				l := w.readShared(ctx, only, 45*time.Second)
				w.recoverNode()
				if l != nil {
					return l
				}
				pass(31 * time.Second)
				w.endLeases(ctx)
			}
			return nil
		}
		if l := insist(nil); l != nil {
			w.revoke(ctx, l)
			w.recoverNode()
		}
		w.bindGroup(ctx, members) // one joins
		insist(&members[1])
		w.bindGroup(ctx, members[1:]) // one leaves
		insist(nil)
		w.convergeGroup(ctx, members[1:])
		w.node.core.Stop()
	})
	return w
}

// TestEveryCrashOfAGroup crashes a group's life at every storage write and cloud call, alone and, in
// the long form, in pairs.
func TestEveryCrashOfAGroup(t *testing.T) {
	clouds(t, func(t *testing.T, method simMethod) {
		t.Parallel()
		half := 2 * playSharedCrash(t, method, nil).points
		runs := 0
		for i := range half {
			w := playSharedCrash(t, method, map[int]bool{i: true})
			runs++
			if len(w.violations()) > 0 {
				w.fail(t, fmt.Sprintf("crash at half point %d", i))
			}
			if testing.Short() {
				continue
			}
			// A sample of the partners: the pairs of one account are played in full elsewhere.
			for j := i + 1; j < 2*w.points; j += 17 {
				w := playSharedCrash(t, method, map[int]bool{i: true, j: true})
				runs++
				if len(w.violations()) > 0 {
					w.fail(t, fmt.Sprintf("crashes at half points %d and %d", i, j))
				}
			}
		}
		t.Logf("%d histories", runs)
	})
}

// TestRandomGroups simulates random schedules over roles with a shared password.
func TestRandomGroups(t *testing.T) {
	runs := *simRuns / 5
	for i := range 2 {
		t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
			t.Parallel()
			for n := range runs / 2 {
				seed := *simFrom + uint64(2*n+i)
				if *simSeed != 0 {
					seed = *simSeed
				}
				if w := playGroup(t, seed); len(w.violations()) > 0 {
					w.fail(t, "shared password")
				}
			}
		})
	}
}
