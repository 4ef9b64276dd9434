package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// simPlaces leads the connection of a simulated world to a cloud that lies, and checks I15: no value is ever sent to
// two places.
type simPlaces struct {
	w    *world
	away bool
	sent map[string]Place // by value
	ids  int
}

// send notes that a value leaves for a place.
func (p *simPlaces) send(value string, to Place) {
	if before, ok := p.sent[value]; ok && before != to {
		p.w.violation("I15", "%s, which was sent to %s, is sent to %s", value, before, to)
	}
	p.sent[value] = to
}

// connect makes the connection that leads to the place of now.
func (p *simPlaces) connect(honest *Connection) *Connection {
	live := *honest
	live.Place = genuine
	if p.away {
		live.Place = lying
	}
	live.Provider = &placedProvider{honest.Provider.(*simProvider), p, live.Place}
	return &live
}

// placedProvider is a provider at one of two places. At the lying one it believes itself to have every server, and
// answers what it likes.
type placedProvider struct {
	*simProvider
	places *simPlaces
	at     Place
}

// Resetter implements cloud.PasswordResetters.
func (p *placedProvider) Resetter(method string) cloud.PasswordResetter {
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
	if r.p.at == genuine {
		return r.PasswordResetter.StartReset(ctx, reset)
	}
	r.p.places.ids++
	return cloud.ResetStarted{RequestID: fmt.Sprintf("lie-%d", r.p.places.ids)}, nil
}

// ResetRecords implements cloud.PasswordResetter. A lie is that another operation was last, that all went well, that it
// failed, or that the server is gone.
func (r placedResetter) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	if r.p.at == genuine {
		return r.PasswordResetter.ResetRecords(ctx, refs)
	}
	out := map[string]cloud.ResetRecord{}
	for i, ref := range refs {
		out[ref.InstanceID] = []cloud.ResetRecord{
			{OperationID: "another", State: cloud.OperationSuccess},
			{OperationID: ref.RequestID, State: cloud.OperationSuccess},
			{OperationID: ref.RequestID, State: cloud.OperationFailed},
			{OperationID: ref.RequestID, Gone: true},
		}[(r.p.places.ids+i)%4]
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
		if w := playPlaces(t, seed); len(w.violations()) > 0 {
			w.fail(t, "")
		}
	}
}

func playPlaces(t *testing.T, seed uint64) *world {
	t.Helper()
	o, _ := profile(seed)
	method := []simMethod{serialMethod, overlappingMethod}[seed%2]
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w = newWorld(t, seed, method, o)
		w.places = &simPlaces{w: w, sent: map[string]Place{}}
		draw := rand.New(rand.NewPCG(seed, 2))
		w.start()
		s := staticSettings()
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
		lead := func(away bool) {
			w.places.away = away
			w.node.core.ForgetConnection(id.Connection)
		}
		for range 16 {
			_ = w.rotate(ctx, id, 0)
			pass(time.Duration(draw.IntN(int(40 * time.Second))))
			synctest.Wait()
			w.recoverNode()
			lead(draw.IntN(2) == 0)
			pass(time.Duration(draw.IntN(1 + draw.IntN(int(90*time.Minute)))))
			w.recoverNode()
		}
		lead(false)
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
