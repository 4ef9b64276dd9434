package rotation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// lies are what a cloud may say that is not so, or what we may have got wrong about it. Resets are carried out
// all the same, unless it says that it refuses them.
type lies struct {
	otherID   bool // each reset is shown under another id than the one that was answered
	hidden    bool // no reset is ever shown
	foreign   bool // a foreign operation follows each reset, and only that is shown
	sameID    bool // each reset is answered with, and shown under, the same id
	noID      bool // a reset is accepted without an id
	lost      bool // no reset is answered
	failed    bool // each reset is shown as failed
	refused   bool // the guest refuses each reset
	password  bool // the guest refuses each password
	endless   bool // a reset is never shown as ended
	unsteady  bool // the record is there and not there in turn
	vanishing bool // the instance is shown as terminated in turn
}

var allLies = map[string]lies{
	"ids that never match":     {otherID: true},
	"hidden records":           {hidden: true},
	"foreign operations":       {foreign: true},
	"the same id for all":      {sameID: true},
	"no ids":                   {noID: true},
	"no answers":               {lost: true},
	"failures":                 {failed: true},
	"refusals":                 {refused: true},
	"refused passwords":        {password: true},
	"operations without end":   {endless: true},
	"unsteady records":         {unsteady: true},
	"instances come and go":    {vanishing: true},
	"failures, unsteadily":     {failed: true, unsteady: true},
	"hidden, come and go":      {hidden: true, vanishing: true},
	"refused, ids don't match": {password: true, otherID: true},
}

// tell is what the cloud shows instead of a record; found is false if it shows none. The caller holds c.mu.
func (c *simCloud) tell(s *simServer, r cloud.ResetRecord) (shown cloud.ResetRecord, found bool) {
	l := c.lies
	s.looks++
	if l.unsteady && s.looks%2 == 0 {
		return r, false
	}
	r.Gone = l.vanishing && s.looks%3 == 0
	ended := r.State == cloud.OperationSuccess || r.State == cloud.OperationFailed
	switch {
	case l.otherID && r.OperationID != "":
		r.OperationID = "other-" + r.OperationID
	case l.hidden:
		r = cloud.ResetRecord{Gone: r.Gone}
	case l.foreign && r.OperationID != "":
		r = cloud.ResetRecord{OperationID: fmt.Sprintf("foreign-%d", len(c.resets[s.id])), State: cloud.OperationSuccess, Gone: r.Gone}
	case l.sameID && r.OperationID != "":
		r.OperationID = "same"
	case l.failed && ended:
		r.State, r.Kind = cloud.OperationFailed, ""
	case l.endless && ended:
		r.State = cloud.OperationRunning
	}
	return r, true
}

// refuses reports whether an operation changes nothing, and says so. The caller holds c.mu.
func (l lies) refuses() (cloud.Kind, bool) {
	switch {
	case l.password:
		return cloud.PasswordRefused, true
	case l.refused:
		return cloud.Refused, true
	}
	return "", false
}

// answered is the cloud's answer to an accepted reset. The caller holds c.mu.
func (l lies) answered(id string) string {
	switch {
	case l.noID:
		return ""
	case l.sameID:
		return "same"
	}
	return id
}

// maxResets is I14's bound for an hour: the backoff's own, where the server may have been reset each time.
const maxResets = 12

// maxRefused is the bound for a cloud that answers each reset with a refusal.
const maxRefused = 24

// checkRate checks I14 for a reset that a cloud carries out. The caller holds c.mu.
func (c *simCloud) checkRate(s *simServer) {
	w, version := c.w, 0
	for _, user := range s.users {
		if a := w.record(user.account); a != nil {
			version += a.LastVersion
		}
	}
	now := time.Now()
	if version != s.version {
		s.version, s.times = version, nil
	}
	s.times = append(s.times, now)
	recent := slices.DeleteFunc(slices.Clone(s.times), func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	w.mu.Lock()
	defer w.mu.Unlock()
	// Each account has pauses of its own. An operator's word, and a new node which finds an attempt that it knows nothing
	// of, is good for one more.
	s.refused = s.refused || c.lies.refused || w.odds().failed > 0
	allowed := 0
	for _, user := range s.users {
		allowed += maxResets + w.words[user.account] + w.nodes
		if s.refused {
			allowed += maxRefused - maxResets
		}
	}
	if len(recent) > allowed {
		w.lockedViolation("I14", "%s is reset %d times in an hour: %s", s.id, len(recent), describe(w.lockedRecord(s.account)))
	}
}

// lockedRecord is record for a caller who holds w.mu.
func (w *world) lockedRecord(id ID) *Account {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	return w.disk.parsed[accountKey(id)]
}

// TestLyingClouds: whatever a cloud says, for a day: no server is reset more often than I14 allows, most far less, and the account
// comes to rest once the cloud tells the truth.
func TestLyingClouds(t *testing.T) {
	quick(t)
	for name, l := range allLies {
		for _, method := range simMethods {
			t.Run(name+"/"+string(method), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx := t.Context()
					w := newWorld(t, 1, method, odds{})
					w.faulty.Store(true)
					w.start()
					id := w.bind(leasedSettings())
					w.ensureBound(ctx)
					w.cloud.locked(func() { w.cloud.lies = l })
					w.read(ctx, id, 0)
					hours := [24]int{}
					for hour := range hours {
						before := len(w.cloud.allValues(id.InstanceID))
						for range 6 {
							pass(10 * time.Minute)
							w.reappear(ctx) // the role's instances are looked at
							w.endLeases(ctx)
						}
						hours[hour] = len(w.cloud.allValues(id.InstanceID)) - before
					}
					for hour, n := range hours[1:] {
						confirms := l == lies{sameID: true} || l == lies{unsteady: true} || l == lies{vanishing: true} // and is rotated for readers
						if n > 2 && !confirms && !(l.refused && method == answeringMethod) {
							t.Errorf("hour %d: %d resets", hour+1, n)
						}
					}
					t.Logf("resets by the hour: %v", hours)
					w.cloud.locked(func() { w.cloud.lies = lies{} })
					w.converge(ctx)
					w.node.core.Stop()
					if len(w.violations()) > 0 {
						w.fail(t, name)
					}
				})
			})
		}
	}
}

// TestBrakeOutlivesTheNode: each new node goes on with the pause that the record tells.
func TestBrakeOutlivesTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, serialMethod, odds{})
		w.faulty.Store(true)
		w.start()
		id := w.bind(leasedSettings())
		w.ensureBound(ctx)
		w.cloud.locked(func() { w.cloud.lies = lies{otherID: true} })
		w.read(ctx, id, 0)
		for range 50 {
			pass(time.Minute)
			w.node.die("", "", "")
			w.recoverNode()
		}
		is(t, "resets in 50 minutes", len(w.cloud.allValues(id.InstanceID)), protocol.MaxUnshown)
		is(t, "values", len(w.cloud.values(id.InstanceID)), 1)
		if err := w.rotate(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		is(t, "resets after an operator's word", len(w.cloud.allValues(id.InstanceID)), protocol.MaxUnshown+1)
		w.cloud.locked(func() { w.cloud.lies = lies{} })
		pass(2 * time.Hour)
		if a := w.record(id); a.Pending != nil || a.Current().Password != w.cloud.values(id.InstanceID)[0] {
			t.Errorf("the pause was over, and it has not gone on by itself: %s", describe(a))
		}
		w.node.core.Stop()
		if len(w.violations()) > 0 {
			w.fail(t, "brake")
		}
	})
}

// randomLies draws what a cloud lies about.
func randomLies(r *rand.Rand) lies {
	all := []lies{{otherID: true}, {hidden: true}, {foreign: true}, {noID: true}, {lost: true}, {failed: true}, {refused: true},
		{password: true}, {endless: true}, {unsteady: true}, {vanishing: true}, {hidden: true, unsteady: true}, {failed: true, otherID: true}}
	return all[r.IntN(len(all))]
}
