package openstack

import (
	"context"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// rotator makes and deletes credentials of the kind that the connection uses.
type rotator interface {
	own(ctx context.Context) ([]cloud.OwnCredential, error)
	create(ctx context.Context) (cloud.Values, error)
	remove(ctx context.Context, id string) error
	// tell says what the cloud tells of the credential that the connection uses.
	tell(ctx context.Context) (cloud.Credential, error)
	// check says why the credential cannot be replaced, without asking the cloud.
	check() error
	// permissions tries what rotation needs, without changing anything.
	permissions(ctx context.Context) []cloud.Permission
}

// noRotation belongs to connections whose secret the cloud's API cannot replace.
type noRotation struct {
	sender *sender
	user   string
}

var errNoRotation = cloud.Errorf(cloud.Refused, "this connection uses username and password, which the cloud does not replace; "+
	"write access_key and secret_key of the same user to the connection, or change the password in the console and write the new one")

func (noRotation) own(context.Context) ([]cloud.OwnCredential, error) { return nil, errNoRotation }

func (noRotation) create(context.Context) (cloud.Values, error) {
	return nil, errNoRotation
}

func (noRotation) remove(context.Context, string) error { return errNoRotation }

func (noRotation) check() error { return errNoRotation }

func (n noRotation) tell(ctx context.Context) (cloud.Credential, error) {
	return tellPassword(ctx, n.sender, n.user)
}

// ambientRotation belongs to connections without credentials of their own.
type ambientRotation struct{}

func (ambientRotation) check() error { return cloud.OwnKey{}.CheckRotation() }

func (r ambientRotation) own(context.Context) ([]cloud.OwnCredential, error) { return nil, r.check() }

func (r ambientRotation) create(context.Context) (cloud.Values, error) { return nil, r.check() }

func (r ambientRotation) remove(context.Context, string) error { return r.check() }

func (ambientRotation) tell(context.Context) (cloud.Credential, error) {
	return cloud.Credential{}, nil
}

func (ambientRotation) permissions(context.Context) []cloud.Permission { return nil }

// tellPassword is what Keystone's token says of the password that it was given for: when it ends, and not since when it is.
func tellPassword(ctx context.Context, s *sender, user string) (cloud.Credential, error) {
	session, err := s.sessions.get(ctx)
	if err != nil {
		return cloud.Credential{ID: user}, err
	}
	return cloud.Credential{ID: user, Expires: session.passwordExpires}, nil
}

func (noRotation) permissions(context.Context) []cloud.Permission { return nil }

// incomplete is for an answer that lacks what was made: the credential exists and nobody has its
// secret.
func incomplete(what string) error {
	return fmt.Errorf("%w: a new %s without its id or secret", errAnswerForm, what)
}

// accessKeyDescription is how the console shows which keys were made here.
const accessKeyDescription = "made by cloudpw"
