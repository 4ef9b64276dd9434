package connection

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// askingTimeout bounds one question. It is short: nothing depends on the answer, and where a firewall swallows requests to the
	// identity service, the write of a connection waits for it.
	askingTimeout = 5 * time.Second
	// maxCredentialID is in characters.
	maxCredentialID = 128
)

// AskCredential asks a cloud what it tells of the credential that the provider uses; nil where it tells nothing of any. That it
// refuses is no failure: the answer then says why.
func AskCredential(ctx context.Context, p cloud.Provider, now time.Time) *ToldCredential {
	teller, ok := p.(cloud.CredentialTeller)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askingTimeout)
	defer cancel()
	credential, err := teller.Credential(ctx)
	told := &ToldCredential{Created: credential.Created.UTC(), Expires: credential.Expires.UTC(), Asked: now.UTC(), Error: hint.Of(err)}
	if len(credential.ID) <= maxCredentialID && text.Check(credential.ID) == nil {
		told.ID = credential.ID
	}
	if told.Created.After(now.Add(time.Hour)) { // clocks differ, but not by that much
		told.Created = time.Time{}
	}
	return told
}
