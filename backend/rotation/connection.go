package rotation

import (
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Connection is a connection as the core sees it.
type Connection struct {
	Provider     cloud.Provider
	ProviderName string
	// Login is the check method cloud.CheckSSH for the connection's servers; nil: they cannot be logged in to.
	Login             cloud.PasswordChecker
	RequestsPerSecond float64
	RequestTimeout    time.Duration
	PasswordPolicy    string
	// Place is where the requests of Provider go, and as whom. Both come from one snapshot of the connection.
	Place Place
	// Trusted is an operator's word that this place is the cloud of the connection's existing accounts.
	Trusted bool
	// Doubted is set while it is not known whether the credentials are those of the same cloud account as before.
	Doubted bool
	// ForgetGoneAfter is after what time accounts are forgotten whose servers are gone; 0: never.
	ForgetGoneAfter time.Duration
}

// moved is what an account is to note of a connection.
func (v *Connection) moved(at time.Time) *protocol.PlaceChanged {
	return &protocol.PlaceChanged{Place: v.Place, Trusted: v.Trusted, Doubted: v.Doubted, At: at}
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
