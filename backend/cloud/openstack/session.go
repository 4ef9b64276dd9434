package openstack

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// session is what a call needs besides its own data: where it goes and, with Keystone, a token.
type session struct {
	projectID string
	endpoint  string // of the compute service, down to the project where it is in the path, with a final slash
	// imageEndpoint is that of the image service, like endpoint; empty where the catalogue names none.
	imageEndpoint string
	token         string       // empty where requests are signed
	keys          signing.Keys // that sign; empty where there is a token
	userID        string       // Keystone's id of the token's user
	// passwordExpires is when that user's password ends; zero where Keystone does not say so, or it does not.
	passwordExpires time.Time
	// restricted is set where the token comes from an application credential that may manage no others.
	restricted bool
}

// sessions hands out the session for the next call.
type sessions interface {
	// get returns a session that should work. Its errors are about the credentials, never about the
	// call that follows: kinds NotFound and Unknown do not occur, since that call was not sent.
	get(ctx context.Context) (session, error)
	// renewable drops a session that the cloud answered 401 to and reports whether get may come up
	// with a better one.
	renewable(session) bool
}

// secrets are those of the session, which no message may repeat.
func (s session) secrets() redactor { return redactor{s.token, s.keys.Secret, s.keys.Token} }
