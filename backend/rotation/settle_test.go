package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

func TestSettleWindow(t *testing.T) {
	traits := cloud.ResetTraits{SignatureLifetime: 15 * time.Minute, LongestOperation: 10 * time.Minute}
	v := &Connection{RequestTimeout: 30 * time.Second, RequestsPerSecond: 4}
	// 30 s of patience and two requests' pace before the request is signed, the exchange, the life of
	// its signature, the clocks' difference.
	request := limiterTimeout + 500*time.Millisecond + 30*time.Second + 15*time.Minute + protocol.ClockSkew
	is(t, "a cloud whose operations may overlap", settleWindow(traits, cloud.ResetBound{}, false, v), request+10*time.Minute)
	traits.Serial = true
	is(t, "a cloud that runs one operation at a time", settleWindow(traits, cloud.ResetBound{}, false, v), request)
	is(t, "a change of the method", settleWindow(traits, cloud.ResetBound{}, true, v), request+10*time.Minute)
	bound := cloud.ResetBound{Expires: t0, Within: 2 * time.Minute}
	is(t, "an expiry by the cloud's clock", settleWindow(traits, bound, false, v), 2*time.Minute)
	is(t, "the same, and a change of the method", settleWindow(traits, bound, true, v), 12*time.Minute)
	traits.Serial = false
	is(t, "the same where operations may overlap", settleWindow(traits, bound, false, v), 12*time.Minute)
	is(t, "patience at 4 requests a second", sendPatience(v), limiterTimeout+500*time.Millisecond)
	is(t, "patience without a limit", sendPatience(&Connection{}), limiterTimeout)
}

// TestASettleWindowIsThatOfItsRecording: a later change of the connection does not shorten it.
func TestASettleWindowIsThatOfItsRecording(t *testing.T) {
	c := New(Options{Now: func() time.Time { return t0 }})
	e := c.entry(ID{Connection: "conn", InstanceID: "i-1", Username: "root"})
	recorded := sentTo(genuine, "a")
	e.rec, e.loaded = leasedAccount(), true
	e.attempts.seen = map[string]time.Time{"a": time.Now()}
	s := c.planInput(e)
	if left := s.Settles(recorded).Sub(t0); left < 50*time.Second || left > time.Minute {
		t.Errorf("it ends in %s, want a minute, though no connection is known", left)
	}
}
