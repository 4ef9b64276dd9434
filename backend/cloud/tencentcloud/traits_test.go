package tencentcloud

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The settle window rests on these figures (rule 10): an attempt may be taken for ended only when its request
// cannot be accepted any more, and what it began has ended. Each is derived from what the cloud says,
// and not from the constant that it holds.
func TestTraitsHoldWhatTheCloudSays(t *testing.T) {
	// AuthFailure.SignatureExpire: the timestamp may be five minutes off, to either side (page 213/33281). A clock
	// that is ahead by five minutes signs requests that last for ten.
	const past, future = 5 * time.Minute, 5 * time.Minute
	p := newTestProvider(t, testConfig(t, ""))
	for _, method := range []string{cloud.MethodAPI, cloud.MethodCommand} {
		traits := p.Resetter(method).ResetTraits()
		if traits.SignatureLifetime < past+future {
			t.Errorf("%s: a request may be accepted until %v after its signing; the traits say %v", method, past+future, traits.SignatureLifetime)
		}
		// No page says how long an operation may take. With force_stop it is a shutdown, which the console lets go on
		// for minutes before it cuts the power, the reset and a start. TAT keeps a command for an agent that is away, and the
		// script begins with nothing late: by a clock that may be behind.
		if !traits.KeepsOrder && traits.LongestOperation < 30*time.Minute ||
			traits.KeepsOrder && traits.LongestOperation < cloud.ClockTolerance {
			t.Errorf("%s: an operation is taken for ended after %v", method, traits.LongestOperation)
		}
		if traits.VisibilityGrace < 30*time.Second {
			t.Errorf("%s: an operation that is not shown yet is taken for lost after %v", method, traits.VisibilityGrace)
		}
		// MutexOperation.TaskRunning orders the operations of an instance; nothing orders commands.
		if traits.Serial != (method == cloud.MethodAPI) {
			t.Errorf("%s: serial %v", method, traits.Serial)
		}
		// Only a script keeps the order, and only of a command is anything shown that the caller chose.
		if command := method == cloud.MethodCommand; traits.KeepsOrder != command || traits.OwnIDs != command {
			t.Errorf("%s: %+v", method, traits)
		}
	}
}
