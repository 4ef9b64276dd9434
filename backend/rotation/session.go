package rotation

import (
	"context"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// session is a connection as one step of an account or group uses it: one snapshot of its configuration, and so of its place,
// with what outlives a change of that.
type session struct {
	*Connection
	state *connectionState
	// method is the name of the reset method that the step uses, and reset the method itself; neither is set in a step that
	// sets no password.
	method string
	reset  cloud.PasswordResetter
}

// session returns a session of a connection, whose provider is made if need be.
func (c *Core) session(ctx context.Context, connection string) (session, error) {
	n, live, err := c.connect(ctx, connection)
	return session{Connection: live, state: n}, err
}

// with is the session with a reset method.
func (s session) with(method string) (session, error) {
	r, err := s.resetter(method)
	s.method, s.reset = method, r
	return s, err
}

// resetter returns one of the connection's reset methods.
func (v *Connection) resetter(method string) (cloud.PasswordResetter, error) {
	if p, ok := v.Provider.(cloud.PasswordResetters); ok {
		if r := p.Resetter(method); r != nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("provider %s cannot reset passwords by the method %q", v.ProviderName, method)
}

// traits returns the constants of one of the connection's reset methods, or nil if it has none of that
// name.
func (v *Connection) traits(method string) *cloud.ResetTraits {
	r, err := v.resetter(method)
	if err != nil {
		return nil
	}
	t := r.ResetTraits()
	return &t
}

// joint reports whether the account's reset method takes it in one request with others.
func (v *Connection) joint(a *Account) bool {
	r, err := v.resetter(a.Settings.ResetMethod)
	return err == nil && joint(r, a)
}

// joint reports whether a reset method takes the account in one request with others.
func joint(r cloud.PasswordResetter, a *Account) bool {
	return r.ResetTraits().BatchSize > 1 && !prepares(r, a)
}

// prepares reports whether a reset method needs to ask for something before it can reset an account.
func prepares(r cloud.PasswordResetter, a *Account) bool {
	p, ok := r.(cloud.ResetPreparer)
	return ok && p.Prepares(a.Facts.Platform)
}
