package aws

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// The settle window rests on these figures (rule 10): an attempt may be taken for ended only when its request
// cannot be accepted any more, and what it began has ended. Each is derived from what the cloud says,
// and not from the constant that it holds.
func TestTraitsHoldWhatTheCloudSays(t *testing.T) {
	// Systems Manager API reference, "Common Error Types", RequestExpired: "The request reached the service more
	// than 15 minutes after the date stamp on the request", "or the date stamp on the request is more than 15
	// minutes in the future". A clock that is ahead by the second signs requests that last for both.
	const expires, future = 15 * time.Minute, 15 * time.Minute
	traits := newTestProvider(t, testConfig(t, "https://ec2.example")).Resetter(cloud.MethodCommand).ResetTraits()
	if traits.SignatureLifetime < expires+future {
		t.Errorf("a request may be accepted until %v after its signing; the traits say %v", expires+future, traits.SignatureLifetime)
	}

	// What the request itself says: until when an agent may fetch the command (TimeoutSeconds, 30 seconds at
	// least), and how long its script may run then (executionTimeout of the documents).
	script, err := guest.Linux(guest.Change{Username: "root", Secret: "x", Order: 1, NotAfter: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	in := commandInput("i-0123456789abcdef0", guest.Command{Script: script, Purpose: guest.SetPassword})
	deliver := time.Duration(*in.TimeoutSeconds) * time.Second
	run, err := time.ParseDuration(in.Parameters["executionTimeout"][0] + "s")
	if err != nil || deliver < 30*time.Second {
		t.Fatalf("delivery %v, execution %v", deliver, err)
	}
	// The cloud's own bounds do not hold for what an agent has fetched already. Those of the script do, by a clock that may be behind.
	if deliver+run > cloud.OrderDeadline {
		t.Errorf("a command may end %v after its request, and is to begin with nothing after %v", deliver+run, cloud.OrderDeadline)
	}
	if !traits.KeepsOrder || traits.LongestOperation < cloud.ClockTolerance {
		t.Errorf("%+v", traits)
	}
	// Commands of one instance run side by side (agent/plugins/runscript), so no later one ends an earlier one.
	if traits.Serial {
		t.Error("the cloud does not order commands")
	}
	// A command is eventually consistent: CLOUD_APIS notes InvocationDoesNotExist right after SendCommand.
	if traits.VisibilityGrace < time.Minute {
		t.Errorf("a command that is not shown yet is taken for lost after %v", traits.VisibilityGrace)
	}
}
