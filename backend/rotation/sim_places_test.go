package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// alias are other hosts of the cloud: a place of its own, which leads to the same servers. What runs through one of the
// two is not ordered with what runs through the other.
var alias = PlaceOf([]string{"the same under another name"}, "", false)

// simPlaces leads the connection of a simulated world to a cloud that lies, or to the same one through other hosts, and
// checks I15: no value is ever sent to two places.
type simPlaces struct {
	w    *world
	mu   sync.Mutex
	at   Place
	sent map[string]Place // by value
	ids  int
}

func newSimPlaces(w *world) *simPlaces {
	return &simPlaces{w: w, at: genuine, sent: map[string]Place{}}
}

// lead leads the connection to a place.
func (p *simPlaces) lead(to Place) {
	p.mu.Lock()
	p.at = to
	p.mu.Unlock()
	p.w.tracef("the connection leads to %s", to)
	p.w.node.core.ForgetConnection(simConnection)
}

// draw is one of the places.
func (*simPlaces) draw(r *rand.Rand) Place { return []Place{genuine, genuine, lying, alias}[r.IntN(4)] }

// send notes that a value leaves for a place.
func (p *simPlaces) send(value string, to Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, ok := p.sent[value]; ok && before != to {
		p.w.violation("I15", "%s, which was sent to %s, is sent to %s", value, before, to)
	}
	p.sent[value] = to
}

// sentTo is the place that a value was sent to.
func (p *simPlaces) sentTo(value string) Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[value]
}

// now is the place that the connection leads to.
func (p *simPlaces) now() Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// nextLie makes the id of one more operation that the lying place invents.
func (p *simPlaces) nextLie() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids++
	return fmt.Sprintf("lie-%d", p.ids)
}

// lies is how many operations the lying place has invented.
func (p *simPlaces) lies() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids
}

// connect makes the connection that leads to the place of now.
func (p *simPlaces) connect(honest *Connection) *Connection {
	live := *honest
	live.Place = p.now()
	placed := &placedProvider{honest.Provider.(*simProvider), p, live.Place}
	live.Provider, live.Login = placed, placedLogin{honest.Login, placed}
	return &live
}

// placedLogin is a login at the servers of one of the places. One that lies lets in whom it likes.
type placedLogin struct {
	cloud.PasswordChecker
	p *placedProvider
}

// CheckPassword implements cloud.PasswordChecker.
func (l placedLogin) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	for _, value := range check.Values {
		l.p.places.send(value, l.p.at)
	}
	if l.p.at != lying {
		return l.PasswordChecker.CheckPassword(ctx, check)
	}
	found := cloud.PasswordFinding{Match: l.p.places.lies()%2 - 1, Tried: true} // it is there, or it is another one
	_ = l.p.places.nextLie()
	return found, nil
}

// placedProvider is a provider at one of the places. At the lying one it believes itself to have every server, and
// answers what it likes.
type placedProvider struct {
	*simProvider
	places *simPlaces
	at     Place
}

// Resetter implements cloud.PasswordResetters.
func (p *placedProvider) Resetter(method string) cloud.PasswordResetter {
	if p.at == alias && simMethod(method) == serialMethod {
		method = string(serialElsewhere)
	}
	r := p.simProvider.Resetter(method)
	return placedResetter{r, p}
}

type placedResetter struct {
	cloud.PasswordResetter
	p *placedProvider
}

// StartReset implements cloud.PasswordResetter.
func (r placedResetter) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	r.p.places.send(reset.Password, r.p.at)
	if r.p.at != lying {
		return r.PasswordResetter.StartReset(ctx, reset)
	}
	return cloud.ResetStarted{RequestID: r.p.places.nextLie()}, nil
}

// ResetRecords implements cloud.PasswordResetter. A lie is that another operation was last, that all went well, that it
// failed, or that the server is gone.
func (r placedResetter) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	if r.p.at != lying {
		return r.PasswordResetter.ResetRecords(ctx, refs)
	}
	out := map[string]cloud.ResetRecord{}
	for i, ref := range refs {
		out[ref.InstanceID] = []cloud.ResetRecord{
			{OperationID: "another", State: cloud.OperationSuccess},
			{OperationID: ref.RequestID, State: cloud.OperationSuccess},
			{OperationID: ref.RequestID, State: cloud.OperationFailed},
			{OperationID: ref.RequestID, Gone: true},
		}[(r.p.places.lies()+i)%4]
	}
	return out, nil
}

// TestNoValueIsSentToTwoPlaces leads the connection to and fro while rotations are under way and answers are lost. In
// the end it comes to rest.
func TestNoValueIsSentToTwoPlaces(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		if w := playPlaces(t, seed, staticSettings()); len(w.violations()) > 0 {
			w.fail(t, "")
		}
	}
}

// TestNoValueIsTriedAtTwoPlaces is the same with logins, each of which gives a password to the place that is asked.
func TestNoValueIsTriedAtTwoPlaces(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	tried := 0
	for seed := range seeds {
		s := staticSettings()
		s.CheckMethod, s.VerifyPeriod = cloud.CheckSSH, 15*time.Minute
		s.DriftAction = []protocol.DriftAction{protocol.DriftReport, protocol.DriftRestore, protocol.DriftRotate}[seed%3]
		w := playPlaces(t, 100+seed, s)
		if len(w.violations()) > 0 {
			w.fail(t, "")
		}
		tried += len(w.cloud.of(w.specs[0].ID).tried)
	}
	if tried < int(seeds)*20 {
		t.Errorf("%d tries in %d histories", tried, seeds)
	}
}

func playPlaces(t *testing.T, seed uint64, s Settings) *world {
	t.Helper()
	o, _ := profile(seed)
	method := []simMethod{serialMethod, overlappingMethod}[seed%2]
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w = newWorld(t, seed, method, o)
		w.places = newSimPlaces(w)
		draw := rand.New(rand.NewPCG(seed, 2))
		w.start()
		s.CanReset, s.ResetMethod = true, string(method)
		id := w.bind(s)
		w.specs[0].Place = genuine
		w.ensureBound(ctx)
		for range 20 { // the first value is set at the real place
			_ = w.rotate(ctx, id, 0)
			pass(time.Hour)
			w.recoverNode()
			if a := w.record(id); a != nil && a.Current() != nil {
				break
			}
		}
		for range 16 {
			_ = w.rotate(ctx, id, 0)
			pass(time.Duration(draw.IntN(int(40 * time.Second))))
			synctest.Wait()
			w.recoverNode()
			w.places.lead(w.places.draw(draw))
			pass(time.Duration(draw.IntN(1 + draw.IntN(int(90*time.Minute)))))
			w.recoverNode()
		}
		w.places.lead(genuine)
		w.calm()
		w.faulty.Store(false)
		pass(48 * time.Hour)
		if a := w.record(id); a == nil || !a.Gone.IsZero() {
			w.violation("I8", "the account is gone at the word of a place that nobody stands for")
		} else if a.Pending != nil || a.Due != nil || len(a.OldUnresolved) > 0 {
			w.violation("I8", "two days after the last trouble: %s", describe(a))
		} else if a.Current() != nil && a.Current().Place == genuine && a.Current().Password != w.cloud.servers[id.InstanceID].password {
			w.violation("I2", "%s is current, and the server has another password", a.Current().Password)
		}
		w.node.core.Stop()
		pass(time.Minute)
	})
	return w
}

// TestAResetOfThePlaceThatWasLeftIsWaitedFor: the new place may lead to the same server, and run its operations beside
// one that the old place still has. A value of the new place that the old one's overtakes would be lost (I9).
func TestAResetOfThePlaceThatWasLeftIsWaitedFor(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			w := newWorld(t, seed, serialMethod, odds{})
			w.faulty.Store(true) // resets are counted elsewhere
			w.places = newSimPlaces(w)
			w.start()
			s := staticSettings()
			s.CanReset = true
			id := w.bind(s)
			w.specs[0].Place = genuine
			w.ensureBound(ctx)
			_ = w.rotate(ctx, id, 0)
			pass(time.Hour)
			w.trouble.Store(&odds{late: 1})
			_ = w.rotate(ctx, id, 0)
			pass(2 * time.Second)
			w.places.lead(alias)
			_ = w.rotate(ctx, id, 0)
			pass(12 * time.Hour)
			w.calm()
			pass(4 * time.Hour)
			has, _, _ := w.server(id)
			a := w.record(id)
			switch {
			case a.Current().Place != alias || w.places.sentTo(has) != alias:
				w.violation("I8", "the server has %s, and nothing was set through the new place: %s", has, describe(a))
			case a.Current().Password != has:
				w.violation("I2", "%s is current, and the server has %s", a.Current().Password, has)
			}
			w.node.core.Stop()
			pass(time.Minute)
			if len(w.violations()) > 0 {
				w.fail(t, "")
			}
		})
	}
}
