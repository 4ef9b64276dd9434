package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestSettleWindow(t *testing.T) {
	traits := cloud.ResetTraits{SignatureLifetime: 15 * time.Minute, LongestOperation: 10 * time.Minute}
	v := &Connection{RequestTimeout: 30 * time.Second, RequestsPerSecond: 4}
	// 30 s of patience and two requests' pace before the request is signed, the exchange, the life of
	// its signature, the clocks' difference.
	request := gatePatience + 500*time.Millisecond + 30*time.Second + 15*time.Minute + clockSkew
	is(t, "a cloud whose operations may overlap", settleWindow(traits, false, v), request+10*time.Minute)
	traits.Serial = true
	is(t, "a cloud that runs one operation at a time", settleWindow(traits, false, v), request)
	is(t, "a change of the method", settleWindow(traits, true, v), request+10*time.Minute)
	is(t, "patience at 4 requests a second", sendPatience(v), gatePatience+500*time.Millisecond)
	is(t, "patience without a limit", sendPatience(&Connection{}), gatePatience)
}

// TestASettleWindowIsThatOfItsRecording: a later change of the connection does not shorten it.
func TestASettleWindowIsThatOfItsRecording(t *testing.T) {
	c := New(Options{Now: func() time.Time { return t0 }})
	e := c.entry(ID{"conn", "i-1", "root"})
	recorded := sentTo(genuine, "a")
	e.rec, e.loaded = leasedAccount(), true
	e.seen = map[string]time.Time{"a": time.Now()}
	s := c.situate(e)
	if left := s.settles(recorded).Sub(t0); left < 50*time.Second || left > time.Minute {
		t.Errorf("it ends in %s, want a minute, though no connection is known", left)
	}
}
