package rotation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Options are what a Core needs of its surroundings.
type Options struct {
	// Storage is the mount's storage view. A deposed node's writes must fail.
	Storage logical.Storage
	Logger  hclog.Logger
	// Connect makes the provider of a connection, whose calls wait for the limiter; nil: there are none.
	Connect func(ctx context.Context, connection string, gate cloud.Limiter) (*Connection, error)
	// Generate makes a password by a policy ("": the built-in generator) that keeps to the rules.
	Generate func(ctx context.Context, policy string, rules password.Rules, username string) (string, error)
	// Decrypt decrypts the ciphertext of an initial password with the key that the settings name, or
	// else the instance's key-pair name does.
	Decrypt func(ctx context.Context, c Ciphertext) (string, error)
	// Now is the wall clock, which Vault's lease times follow; nil: time.Now. The core acts upon it only
	// where the monotonic clock does not speak against it; see clock.go. Settle windows do not use it: they
	// are counted monotonically.
	Now func() time.Time
	// Random feeds the jitter of retries, in [0,1); nil: math/rand.
	Random func() float64
	// Monitor is told what happens, for metrics and events; nil: nobody is.
	Monitor Monitor
	// NewID makes nonces and attempt ids; nil: 128 random bits.
	NewID func() (string, error)

	// turn is called where a goroutine has just been woken, or starts, and holds no lock. A simulation
	// decides there who of several goes first, which makes its histories repeatable. Only tests set it.
	turn func(ctx context.Context, id ID)
}

// Ciphertext is an initial password as the cloud has it, and what is needed to choose the key.
type Ciphertext struct {
	ID    ID
	Key   string // the role's key; may be empty
	Facts Facts
	Value string
	// Fingerprint asks the cloud for the fingerprint of the instance's key pair, for error messages.
	Fingerprint func(context.Context) (string, error)
}

func randomID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.NewID == nil {
		o.NewID = randomID
	}
	if o.Connect == nil {
		o.Connect = func(context.Context, string, cloud.Limiter) (*Connection, error) {
			return nil, protocol.Errorf(Unavailable, "there are no connections")
		}
	}
	if o.Monitor == nil {
		o.Monitor = unmonitored{}
	}
	if o.turn == nil {
		o.turn = func(context.Context, ID) {}
	}
	return o
}
