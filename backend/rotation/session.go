package rotation

import (
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

// with is the session with a reset method.
func (s session) with(method string) (session, error) {
	r, err := s.resetter(method)
	s.method, s.reset = method, r
	return s, err
}
