package openstack

import (
	"context"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// OwnCredentials implements cloud.CredentialRotator.
func (p *provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	return p.rotator.own(ctx)
}

// Credential implements cloud.CredentialTeller.
func (p *provider) Credential(ctx context.Context) (cloud.Credential, error) {
	return p.rotator.tell(ctx)
}

// CheckRotation implements cloud.CredentialRotator.
func (p *provider) CheckRotation() error { return p.rotator.check() }

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
