package rotation

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// sshSettings are those of a static account whose checks are logins by SSH.
func sshSettings() Settings {
	s := staticSettings()
	s.CheckMethod = cloud.CheckSSH
	return s
}

// tries is when passwords were tried on a server, and which.
func (w *world) tries(id ID) (at []time.Time) {
	w.cloud.locked(func() { at = slices.Clone(w.cloud.of(id).tried) })
	return at
}

// TestALoginFollowsEachRotation, though the process dies in between, and with the distance that tries keep.
func TestALoginFollowsEachRotation(t *testing.T) {
	verified(t, sshSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		w.node.core.Stop()
		w.start()
		w.ensureBound(ctx)
		pass(time.Minute)
		k := w.record(id).Checked()
		if k.Result != protocol.CheckMatches || k.Of != 1 || len(w.tries(id)) != 1 {
			t.Fatalf("%d tries, %+v", len(w.tries(id)), k)
		}
		for range 3 {
			w.manual(ctx, id, time.Minute)
		}
		if n := len(w.tries(id)); n != 1 {
			t.Errorf("%d tries within a few minutes", n)
		}
		pass(15 * time.Minute)
		if k = w.record(id).Checked(); k.Result != protocol.CheckMatches || k.Of != 4 || len(w.tries(id)) != 2 {
			t.Errorf("%d tries, %+v", len(w.tries(id)), k)
		}
		pass(24 * time.Hour)
		is(t, "tries at the end", len(w.tries(id)), 2)
	})
}

// TestALoginThatIsRefusedAfterARotationResetsNothing: it is told, and the password is not handed out.
func TestALoginThatIsRefusedAfterARotationResetsNothing(t *testing.T) {
	s := sshSettings()
	s.DriftAction = protocol.DriftRotate
	view, resets := verified(t, s, func(ctx context.Context, w *world, id ID) {
		w.trouble.Store(&odds{lost: 4}) // the first look fails, so that the next one comes after the change by hand
		w.manual(ctx, id, time.Hour)
		w.byHand(id, "by hand")
		w.trouble.Store(&odds{})
		pass(6 * time.Hour)
		if _, err := w.node.core.Read(ctx, id, Reader{}, 0); w.record(id).Drifted() != (err != nil) {
			t.Error(err)
		}
	})
	if resets > 2 || view.Check.Result == protocol.CheckDiffers && resets != 1 {
		t.Errorf("%d resets, %+v", resets, view.Check)
	}
}

// TestALoginWithTheValueOnItsWayPromotes: nothing else would tell what became of it.
func TestALoginWithTheValueOnItsWayPromotes(t *testing.T) {
	s := leasedSettings()
	s.CheckMethod = cloud.CheckSSH
	view, resets := verified(t, s, func(ctx context.Context, w *world, id ID) {
		w.cloud.locked(func() { w.cloud.lies = lies{otherID: true} })
		w.read(ctx, id, 0)
		pass(40 * time.Minute)
	})
	is(t, "state", view.State, "ready")
	is(t, "resets", resets, protocol.MaxUnshown)
	is(t, "by a check", view.Versions[0].Change.Checked, true)
}

// TestServersThatDoNotAnswerALoginPauseNoConnection, of which other servers are.
func TestServersThatDoNotAnswerALoginPauseNoConnection(t *testing.T) {
	for method, opens := range map[string]bool{cloud.CheckSSH: false, simLoginMethod: true} {
		s := staticSettings()
		s.CheckMethod = method
		verified(t, s, func(ctx context.Context, w *world, id ID) {
			ids := []ID{id}
			for n := range 2 * breakerThreshold {
				ids = append(ids, w.bindUser(ID{Connection: simConnection, InstanceID: fmt.Sprintf("i-1%d", n), Username: "root"}, "web", s))
			}
			w.ensureBound(ctx)
			for _, id := range ids {
				w.manual(ctx, id, time.Minute)
			}
			pass(15 * time.Minute)
			w.trouble.Store(&odds{lost: 4})
			open := false
			for range 40 {
				for _, id := range ids {
					_, _ = w.node.core.Verify(ctx, id, "", 0)
				}
				pass(time.Second)
				now, _, _ := w.node.core.connection(simConnection).breaker.state(w.now())
				open = open || now
			}
			w.trouble.Store(&odds{})
			is(t, "the connection pauses by "+method, open, opens)
			if method == cloud.CheckSSH {
				w.manual(ctx, id, time.Minute)
			}
		})
	}
}

// TestAPasswordThatIsRecordedEndsTheTryOfTheOneBefore, before it leaves.
func TestAPasswordThatIsRecordedEndsTheTryOfTheOneBefore(t *testing.T) {
	verified(t, sshSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		pass(15 * time.Minute)
		before := len(w.tries(id))
		w.trouble.Store(&odds{late: 1})
		_, _ = w.node.core.Verify(ctx, id, "", 0)
		pass(time.Second)
		if _, err := w.node.core.Import(ctx, id, "by hand", true); err != nil {
			t.Fatal(err)
		}
		w.byHand(id, "by hand")
		w.trouble.Store(&odds{})
		pass(5 * time.Minute)
		is(t, "tries of an old password", len(w.tries(id)), before)
		pass(20 * time.Minute)
		if k := w.record(id).Checked(); k.Result != protocol.CheckMatches || k.Of != 2 {
			t.Errorf("%+v", k)
		}
	})
}
