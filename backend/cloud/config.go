package cloud

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Config is what a provider needs to talk to its cloud. The backend has validated it against the
// provider's Descriptor.
type Config struct {
	Connection string // the connection's name, for messages; empty while there is none
	Provider   string // the registry name, for example "huaweicloud"
	// Values are the fields that the provider's Descriptor lists.
	Values
	// Endpoints overrides service URLs, keyed by the Descriptor's EndpointKeys.
	Endpoints map[string]string
	// RequestTimeout bounds one HTTP exchange.
	RequestTimeout time.Duration
	// HTTPClient is the guarded client of NewHTTPClient. Providers use no other one.
	HTTPClient *http.Client
	// Limiter is waited for before each request.
	Limiter Limiter
	// Hosts is the connection's inventory; nil where there is no mount that keeps one, as in some tests.
	Hosts Hosts
}

// CheckHint is what to type to see which permissions the connection's credentials have. Messages of missing
// permissions end with it.
func (c Config) CheckHint() hint.Hint { return CheckHint(cmp.Or(c.Connection, "CONNECTION")) }

// CheckHint is Config.CheckHint for a connection's name.
func CheckHint(connection string) hint.Hint { return hint.New("read", "check/"+connection) }

// Limiter paces the requests of one connection.
type Limiter interface {
	// Wait blocks until a request of the API action may be sent. Its error is an *Error of kind
	// Unavailable: nothing was sent.
	Wait(ctx context.Context, action string) error
}

// Unlimited never waits. It is for tests and for one-off calls.
type Unlimited struct{}

// Wait implements Limiter.
func (Unlimited) Wait(ctx context.Context, action string) error {
	if err := ctx.Err(); err != nil {
		return &Error{Kind: Unavailable, Message: action + ": abandoned before it was sent", Err: err}
	}
	return nil
}

type interactiveKey struct{}

// WithInteractive marks the calls of a context as made for a waiting client: a Limiter lets them pass
// before background calls.
func WithInteractive(ctx context.Context) context.Context {
	return context.WithValue(ctx, interactiveKey{}, true)
}

// IsInteractive reports whether WithInteractive marked the context.
func IsInteractive(ctx context.Context) bool {
	v, _ := ctx.Value(interactiveKey{}).(bool)
	return v
}
