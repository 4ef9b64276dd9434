package openstack

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// rotator makes and deletes credentials of the kind that the connection uses.
type rotator interface {
	own(ctx context.Context) ([]cloud.OwnCredential, error)
	create(ctx context.Context) (cloud.Values, error)
	remove(ctx context.Context, id string) error
	// permissions tries what rotation needs, without changing anything.
	permissions(ctx context.Context) []cloud.Permission
}

// OwnCredentials implements cloud.CredentialRotator.
func (p *provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	return p.rotator.own(ctx)
}

// CreateCredential implements cloud.CredentialRotator.
func (p *provider) CreateCredential(ctx context.Context) (cloud.Values, error) {
	return p.rotator.create(ctx)
}

// DeleteCredential implements cloud.CredentialRotator. The credential is looked for first, so that only
// the identity's own ones can be deleted, and a wrong address is no "deleted already".
func (p *provider) DeleteCredential(ctx context.Context, id string) error {
	if !accessKeyForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "credential id: holds characters that none has")
	}
	all, err := p.rotator.own(ctx)
	if err != nil {
		return err
	}
	for _, have := range all {
		if have.ID != id {
			continue
		}
		err := p.rotator.remove(ctx, id)
		if a, answered := answerOf(err); answered && a.status == http.StatusNotFound && cloud.KindOf(err) != cloud.Denied {
			return nil // somebody else was faster
		}
		return err
	}
	return nil
}

// noRotation belongs to connections whose secret the cloud's API cannot replace.
type noRotation struct{}

var errNoRotation = cloud.Errorf(cloud.Refused, "this connection uses username and password, which the cloud does not replace; "+
	"write access_key and secret_key of the same user to the connection, or change the password in the console and write the new one")

func (noRotation) own(context.Context) ([]cloud.OwnCredential, error) { return nil, errNoRotation }

func (noRotation) create(context.Context) (cloud.Values, error) {
	return nil, errNoRotation
}

func (noRotation) remove(context.Context, string) error { return errNoRotation }

func (noRotation) permissions(context.Context) []cloud.Permission { return nil }

// incomplete is for an answer that lacks what was made: the credential exists and nobody has its
// secret.
func incomplete(what string) error {
	return fmt.Errorf("%w: a new %s without its id or secret", errAnswerForm, what)
}
