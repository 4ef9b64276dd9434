package azureapi

import (
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Principal is whom a bearer token stands for.
type Principal struct {
	// Key is the application's client id with the secret that the token was got with.
	Key model.AccessKey
	// TenantID is the tenant that issued the token, and ObjectID the service principal in it.
	TenantID, ObjectID string
	// Audience is the resource that the token is for, as the client has written it in its scope.
	Audience string
	Expires  time.Time
}

// Tokens knows the bearer tokens that were issued.
type Tokens interface {
	// Token says whom a token stands for, even one that has expired; false: nobody has issued it.
	Token(token string) (Principal, bool)
}

// Options configure API.
type Options struct {
	// Tokens judges bearer tokens. It is required.
	Tokens Tokens
	// TokenLifetime is how long a token of the login service lasts; default DefaultTokenLifetime.
	TokenLifetime time.Duration
	// PageSize is how many entries a page of a list has; default DefaultPageSize.
	PageSize int
}

// DefaultPageSize is the length of a page unless Options say otherwise. The documents name none.
const DefaultPageSize = 50

// API is an http.Handler for Azure Resource Manager.
type API struct {
	world *model.World
	opts  Options
}

// New makes the handler over a world.
func New(w *model.World, o Options) *API {
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	return &API{world: w, opts: o}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	out := answers{id: a.world.NewUUID()}
	who, f := a.authenticate(r)
	call := model.Call{
		Cloud: model.Azure, Service: "arm", Action: "unknown", Source: wire.Source(r), Account: who.Key.AccountID, AccessKey: who.Key.ID,
		Unauthenticated: f != nil,
	}
	x := a.world.Begin(call)
	if f != nil {
		x.Done(f.status, f.code, out.id)
		wire.Write(rw, out.failed(f))
		return
	}
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return out.failed(refusal(ref)) },
		func() wire.Answer {
			return out.failed(fail(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found."))
		})
}
