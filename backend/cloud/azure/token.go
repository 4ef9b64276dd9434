package azure

import (
	"context"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// tokenSource gives the tokens of a connection, and keeps one until shortly before its end.
type tokenSource struct {
	renewed *cloud.Renewed[string]
	origin  origin
}

func newTokenSource(from origin, fetch func(context.Context) (string, time.Time, error)) *tokenSource {
	return &tokenSource{renewed: cloud.NewRenewed(fetch), origin: from}
}

// get returns a token. Its errors are *cloud.Error values.
func (s *tokenSource) get(ctx context.Context) (string, error) { return s.renewed.Get(ctx) }

// refused makes the next call fetch another token, unless that has happened already.
func (s *tokenSource) refused(used string) {
	s.renewed.Drop(func(have string) bool { return have == used })
}

// bearerForm is that of a token in the Authorization header (RFC 6750, section 2.1).
var bearerForm = regexp.MustCompile(`^[0-9A-Za-z._~+/-]+=*$`)

// longestToken bounds how long a token is believed to last. Managed identities' tokens last a day.
const longestToken = 24 * time.Hour
