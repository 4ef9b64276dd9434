package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Requester is who asked for something, as far as Vault tells.
type Requester = protocol.Requester

type requesterKey struct{}

// WithRequester is a context for what somebody asks for: a rotation, an import or a restore keeps who that was.
func WithRequester(ctx context.Context, by Requester) context.Context {
	return context.WithValue(ctx, requesterKey{}, by)
}

// requester is who asked for what the context is for; zero: nobody, or it is not known.
func requester(ctx context.Context) Requester {
	by, _ := ctx.Value(requesterKey{}).(Requester)
	return by
}
