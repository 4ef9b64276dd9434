package rotation

import (
	"context"
	"errors"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sharedSettings are those of a leased role with a shared password.
func sharedSettings() Settings {
	return with(leasedSettings(), func(s *Settings) { s.SharedPassword, s.TTL, s.MaxTTL = true, 24*time.Hour, 48*time.Hour })
}

// sharedWorld has a role with a shared password and that many servers, of which nothing was read yet.
func sharedWorld(t *testing.T, method simMethod, size int, s Settings) (*world, []ID) {
	t.Helper()
	w := newWorld(t, 1, method, odds{})
	w.faulty.Store(true) // resets are counted here
	w.start()
	var members []ID
	for range size {
		members = append(members, w.bind(s))
	}
	w.ensureBound(t.Context())
	w.bindGroup(t.Context(), members)
	return w, members
}

// insistOnShared reads the role's password, waiting up to bound, and says how long that took.
func (w *world) insistOnShared(ctx context.Context, t *testing.T, bound time.Duration) (*Answer, time.Duration) {
	t.Helper()
	began := time.Now()
	var last error
	for time.Since(began) < bound {
		answer, err := w.node.core.ReadGroup(w.client(ctx), "conn", Reader{Role: simRole}, 45*time.Second)
		if err == nil {
			return answer, time.Since(began)
		}
		last = err
	}
	t.Fatalf("the role's password cannot be read within %s: %v", bound, last)
	return nil, 0
}

// rotateShared has the role rotated and waits until another password can be read.
func (w *world) rotateShared(ctx context.Context, t *testing.T, bound time.Duration) *Answer {
	t.Helper()
	before := w.record(GroupID("conn", simRole)).LastVersion
	if _, err := w.node.core.Rotate(ctx, GroupID("conn", simRole), 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(bound); w.record(GroupID("conn", simRole)).LastVersion == before; pass(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("the role was not rotated within %s: %s", bound, describe(w.record(GroupID("conn", simRole))))
		}
	}
	answer, _ := w.insistOnShared(ctx, t, time.Minute)
	return answer
}

// guests changes servers.
func (w *world) guests(ids []ID, change func(*simServer)) {
	w.cloud.locked(func() {
		for _, id := range ids {
			change(w.cloud.servers[id.InstanceID])
		}
	})
}

// leave ends a simulation that went well so far.
func (w *world) leave(t *testing.T) {
	t.Helper()
	if len(w.violations()) > 0 {
		w.failShortly(t)
	}
	w.node.core.Stop()
	pass(time.Minute)
}

// TestSharedPasswordOfManyIsAsFastAsSingles: on a cloud without batches 200 servers get one password about as
// fast as 200 accounts get theirs.
func TestSharedPasswordOfManyIsAsFastAsSingles(t *testing.T) {
	quick(t)
	const size = 200
	took := map[bool]time.Duration{}
	for _, shared := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := sharedSettings()
			s.SharedPassword = shared
			w := newWorld(t, 1, commandMethod, odds{})
			w.faulty.Store(true)
			w.start()
			var ids []ID
			for range size {
				ids = append(ids, w.bind(s))
			}
			w.ensureBound(t.Context())
			began := time.Now()
			if shared {
				w.bindGroup(t.Context(), ids)
				w.insistOnShared(t.Context(), t, time.Hour)
			} else {
				for _, id := range ids {
					_, _ = w.node.core.Read(w.client(t.Context()), id, Reader{}, 0)
				}
				for _, id := range ids {
					for w.record(id).LastVersion == 0 {
						pass(100 * time.Millisecond)
					}
				}
			}
			took[shared] = time.Since(began)
			w.leave(t)
		})
	}
	t.Logf("%d accounts: %s apart, %s as one", size, took[false], took[true])
	if most := took[false]*5/4 + 3*time.Second; took[true] > most {
		t.Errorf("%d servers with one password took %s, and %s with one each", size, took[true], took[false])
	}
}

// TestHungMembersHoldNobodyUp: servers that never confirm are left out, and come back with the present value.
func TestHungMembersHoldNobodyUp(t *testing.T) {
	quick(t)
	for _, method := range simMethods {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w, members := sharedWorld(t, method, 30, sharedSettings())
				hung, healthy := members[:4], members[4:]
				w.guests(hung, func(s *simServer) { s.hangs = true })
				_, _ = w.node.core.ReadGroup(ctx, "conn", Reader{Role: simRole}, 0)
				pass(2 * time.Minute)
				for _, id := range healthy {
					if _, err := w.node.core.ReadMember(w.client(ctx), id, Reader{}, 0); err != nil {
						t.Errorf("%s cannot be read while others hang: %v", id, err)
					}
				}
				answer, took := w.insistOnShared(ctx, t, protocol.LaggardPatience)
				if len(answer.Holders) != len(healthy) || slices.Contains(answer.Holders, hung[0]) {
					t.Errorf("after %s the password is that of %v", took, answer.Holders)
				}
				for _, id := range hung {
					_, err := w.node.core.ReadMember(ctx, id, Reader{}, 0)
					var not *Error
					if !errors.As(err, &not) || not.Kind != NotReadable || !strings.Contains(err.Error(), "left out") {
						t.Errorf("a server that hangs: %v", err)
					}
					if v, err := w.node.core.Inspect(ctx, id); err != nil || v.LeftOut.IsZero() || v.LeftOutReason.IsZero() {
						t.Errorf("%s is not shown as left out: %+v, %v", id, v, err)
					}
				}
				if failing := w.node.core.Status().Failing; len(failing) != len(hung) {
					t.Errorf("status shows %v", failing)
				}
				if out, _, err := w.node.core.Outside(ctx, "conn", simRole); err != nil || len(out) != len(hung) {
					t.Errorf("the role shows %v, %v", out, err)
				}
				// The next rotation does not wait for them at all.
				second := w.rotateShared(ctx, t, protocol.LaggardPatience)
				w.guests(hung, func(s *simServer) { s.hangs = false })
				pass(settleBound)
				w.checkSharers(t, members, second.Version.Password)
				for _, id := range healthy {
					if values := w.cloud.values(id.InstanceID); len(values) != 2 {
						t.Errorf("%s was reset to %v, for two rotations", id, values)
					}
				}
				w.leave(t)
			})
		})
	}
}

// checkSharers checks that members have a password, and that the core knows and hands it out.
func (w *world) checkSharers(t *testing.T, members []ID, value string) {
	t.Helper()
	for _, id := range members {
		if has, _, _ := w.server(id); has != value {
			t.Errorf("%s has %s, want %s: %s", id, has, value, describe(w.record(id)))
		}
		if a := w.record(id); !a.LeftOut.IsZero() || a.Current() == nil || a.Current().Password != value {
			t.Errorf("%s: %s", id, describe(a))
		}
	}
}

// TestHostileMemberCostsTheOthersThreeBatches: a guest that refuses every password has the others reset three
// times at most, once and for all.
func TestHostileMemberCostsTheOthersThreeBatches(t *testing.T) {
	quick(t)
	for _, method := range []simMethod{commandMethod, answeringMethod} {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w, members := sharedWorld(t, method, 5, sharedSettings())
				hostile, honest := members[:1], members[1:]
				w.guests(hostile, func(s *simServer) { s.refuses = true })
				answer, took := w.insistOnShared(ctx, t, protocol.LaggardPatience)
				if len(answer.Holders) != len(honest) {
					t.Errorf("after %s the password is that of %v", took, answer.Holders)
				}
				if v, err := w.node.core.Inspect(ctx, hostile[0]); err != nil || v.LeftOut.IsZero() ||
					!strings.Contains(v.LeftOutReason.String(), "refused 3") {
					t.Errorf("the hostile member is shown as %+v, %v", v, err)
				}
				batches := len(w.cloud.values(honest[0].InstanceID))
				if batches > protocol.MaxRefusals {
					t.Errorf("an honest server was reset %d times", batches)
				}
				// By the ends of leases, not by an operator's word, which forgives.
				for round := range 4 {
					answer, _ := w.insistOnShared(ctx, t, 5*time.Minute)
					for _, nonce := range leasesOfGroup(w) {
						if err := w.node.core.Revoke(ctx, LeaseRef{ID: answer.LeaseID(), Version: answer.Version.Number, Nonce: nonce}); err != nil {
							t.Fatal(err)
						}
					}
					pass(20 * time.Minute)
					for _, id := range honest {
						if values := w.cloud.values(id.InstanceID); len(values) > batches+round+1 {
							t.Errorf("in round %d %s was reset to %d values", round, id, len(values))
						}
					}
				}
				w.guests(hostile, func(s *simServer) { s.refuses = false })
				second := w.rotateShared(ctx, t, time.Minute)
				w.checkSharers(t, members, second.Version.Password)
				w.leave(t)
			})
		})
	}
}

func leasesOfGroup(w *world) []string {
	var nonces []string
	for nonce := range w.record(GroupID("conn", simRole)).Leases {
		nonces = append(nonces, nonce)
	}
	slices.Sort(nonces)
	return nonces
}

// TestRoleWhosePasswordsAllRefuse: it is the value, not a member. New ones are made, ever more slowly, until
// one is taken.
func TestRoleWhosePasswordsAllRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w, members := sharedWorld(t, commandMethod, 3, sharedSettings())
		w.guests(members, func(s *simServer) { s.refuses = true })
		_, _ = w.node.core.ReadGroup(ctx, "conn", Reader{Role: simRole}, 0)
		pass(3 * time.Hour)
		if tries := len(w.cloud.values(members[0].InstanceID)); tries < 8 || tries > 60 {
			t.Errorf("%d passwords were tried in 3 hours", tries)
		}
		w.guests(members, func(s *simServer) { s.refuses = false })
		answer, _ := w.insistOnShared(ctx, t, time.Hour)
		w.checkSharers(t, members, answer.Version.Password)
		w.leave(t)
	})
}

// TestJoinerGetsANewPassword: an account that joins waits for a value that is made for it, which all get.
func TestJoinerGetsANewPassword(t *testing.T) {
	for _, method := range simMethods {
		for name, c := range map[string]struct {
			change func(*Settings)
			wait   time.Duration // before the rotation
		}{
			"at once":                       {func(*Settings) {}, 0},
			"after the least interval":      {func(s *Settings) { s.MinResetInterval = 30 * time.Minute }, 28 * time.Minute},
			"after the exclusive lease":     {func(s *Settings) { s.Checkout, s.TTL = Exclusive, time.Hour }, 59 * time.Minute},
			"for a role that nobody leases": {func(s *Settings) { s.Mode, s.Checkout, s.TTL, s.MaxTTL = Static, "", 0, 0 }, 0},
		} {
			t.Run(string(method)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx := t.Context()
					s := sharedSettings()
					c.change(&s)
					w, members := sharedWorld(t, method, 2, s)
					if s.Mode == Static {
						if err := w.node.core.RotateNew(ctx, GroupID("conn", simRole)); err != nil {
							t.Fatal(err)
						}
					}
					first, _ := w.insistOnShared(ctx, t, time.Minute)
					all := append(slices.Clone(members), w.bind(s))
					w.ensureBound(ctx)
					w.bindGroup(ctx, all)
					_, err := w.node.core.ReadMember(ctx, all[2], Reader{}, 0)
					var not *Error
					if !errors.As(err, &not) || not.Kind != NotReadable || !strings.Contains(err.Error(), "joined") {
						t.Errorf("the joiner: %v", err)
					}
					if v, err := w.node.core.Inspect(ctx, all[2]); err != nil || !v.Joining {
						t.Errorf("the joiner is shown as %+v, %v", v, err)
					}
					if c.wait > 0 {
						pass(c.wait)
						if values := w.cloud.values(all[0].InstanceID); len(values) != 1 {
							t.Errorf("the others were reset to %v within %s", values, c.wait)
						}
						if s.Checkout != Exclusive {
							if again, err := w.node.core.ReadGroup(w.client(ctx), "conn", Reader{Role: simRole}, 0); err != nil || len(again.Holders) != 2 {
								t.Errorf("meanwhile the others' password cannot be read: %v", err)
							}
						}
						pass(5 * time.Minute)
					}
					pass(3 * time.Minute)
					second := w.record(GroupID("conn", simRole)).Current()
					if second.Password == first.Version.Password {
						t.Fatalf("the group was not rotated: %s", describe(w.record(GroupID("conn", simRole))))
					}
					w.checkSharers(t, all, second.Password)
					for _, id := range all {
						if values, want := w.cloud.values(id.InstanceID), 1+boolInt(id != all[2]); len(values) != want {
							t.Errorf("%s was reset to %v", id, values)
						}
					}
					w.leave(t)
				})
			})
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestHungJoinerDoesNotBlockTheGroup: the others have the new password meanwhile.
func TestHungJoinerDoesNotBlockTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w, members := sharedWorld(t, commandMethod, 3, sharedSettings())
		first, _ := w.insistOnShared(ctx, t, time.Minute)
		joiner := w.bind(sharedSettings())
		w.guests([]ID{joiner}, func(s *simServer) { s.hangs = true })
		w.ensureBound(ctx)
		w.bindGroup(ctx, append(slices.Clone(members), joiner))
		pass(time.Minute)
		for _, id := range members {
			if a, err := w.node.core.ReadMember(w.client(ctx), id, Reader{}, 0); err != nil || a.Version.Password == first.Version.Password {
				t.Errorf("%s a minute after another one has joined: %v", id, err)
			}
		}
		second, _ := w.insistOnShared(ctx, t, protocol.LaggardPatience)
		if second.Version.Password == first.Version.Password || len(second.Holders) != 3 {
			t.Errorf("the password is that of %v", second.Holders)
		}
		w.leave(t)
	})
}

// TestGroupAgreesWithoutGoneMembers: a terminated server is no member, and comes back as a joiner.
func TestGroupAgreesWithoutGoneMembers(t *testing.T) {
	for _, method := range simMethods {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w, members := sharedWorld(t, method, 3, sharedSettings())
				w.insistOnShared(ctx, t, time.Minute)
				w.cloud.vanish(members[0].InstanceID, true)
				second := w.rotateShared(ctx, t, 2*MissApart)
				if len(second.Holders) != 2 {
					t.Errorf("the password is that of %v", second.Holders)
				}
				pass(10 * time.Minute)
				if a := w.record(members[0]); a.Gone.IsZero() {
					t.Fatalf("%s is not gone: %s", members[0], describe(a))
				}
				resets := len(w.cloud.values(members[1].InstanceID))
				if resets != 2 {
					t.Errorf("%d resets of a member that is there, for two passwords", resets)
				}
				w.cloud.vanish(members[0].InstanceID, false)
				w.reappear(ctx)
				pass(3 * time.Minute)
				third := w.record(GroupID("conn", simRole)).Current().Password
				if third == second.Version.Password {
					t.Error("an instance that is back was given the password that the others had")
				}
				w.checkSharers(t, members, third)
				if got := len(w.cloud.values(members[1].InstanceID)); got != resets+1 {
					t.Errorf("%d resets of another member since then", got-resets)
				}
				w.leave(t)
			})
		})
	}
}

// TestGroupGoesOnAfterARestartWithoutAReader: a group that is due or has a schedule waits for nobody's read.
func TestGroupGoesOnAfterARestartWithoutAReader(t *testing.T) {
	for name, s := range map[string]Settings{
		"due":       sharedSettings(),
		"scheduled": with(staticSettings(), func(s *Settings) { s.SharedPassword, s.Period = true, time.Hour }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w, members := sharedWorld(t, commandMethod, 2, s)
				if s.Mode == Static {
					if err := w.node.core.RotateNew(ctx, GroupID("conn", simRole)); err != nil {
						t.Fatal(err)
					}
				}
				answer, _ := w.insistOnShared(ctx, t, time.Minute)
				if s.Mode == Leased {
					w.cloud.locked(func() { w.cloud.refuse = true })
					if err := w.node.core.Revoke(ctx, LeaseRef{ID: answer.LeaseID(), Version: answer.Version.Number,
						Nonce: answer.Lease.Nonce}); err != nil {
						t.Fatal(err)
					}
				}
				w.node.core.Stop()
				pass(time.Second)
				w.cloud.locked(func() { w.cloud.refuse = false })
				w.start()
				pass(90 * time.Minute)
				now := w.record(GroupID("conn", simRole)).Current().Password
				if now == answer.Version.Password {
					t.Fatalf("nothing was rotated: %s", describe(w.record(GroupID("conn", simRole))))
				}
				w.checkSharers(t, members, now)
				w.leave(t)
			})
		})
	}
}
