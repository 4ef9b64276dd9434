package connection

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CredentialWarning is how long before the end of a credential people are warned.
const CredentialWarning = 30 * 24 * time.Hour

// CredentialState is what is known of the credential that a connection uses. It is zero for one whose credentials come from the
// surroundings.
type CredentialState struct {
	ID string
	// Created and Expires are zero if the cloud does not tell, or the credential does not end. Configured is when Vault was given it.
	Created, Expires, Configured time.Time
	// Age is since Created, or else since Configured.
	Age time.Duration
	// Asked is when the cloud was last asked, and Error why it does not tell.
	Asked time.Time
	Error hint.Text
}

// Ends reports whether the credential ends so soon that people are to be warned.
func (s CredentialState) Ends(now time.Time) bool {
	return !s.Expires.IsZero() && s.Expires.Sub(now) <= CredentialWarning
}

// CredentialState tells of the credential in use, as stored. It asks no cloud.
func (c *Record) CredentialState(d cloud.Descriptor, now time.Time) CredentialState {
	if len(SecretFields(d, c)) == 0 {
		return CredentialState{}
	}
	s := CredentialState{ID: d.CredentialID(c.Own), Configured: c.CredentialConfigured}
	if told := c.Told; told != nil {
		if s.ID == "" {
			s.ID = told.ID
		}
		s.Created, s.Expires, s.Asked, s.Error = told.Created, told.Expires, told.Asked, told.Error
	}
	since := s.Created
	if since.IsZero() {
		since = s.Configured
	}
	s.Age = max(now.Sub(since), 0)
	return s
}

// Tell notes what the cloud said of the credential.
func (c *Record) Tell(told *ToldCredential) { c.Told = told }

// newCredential notes that Vault was given another credential.
func (c *Record) newCredential(now time.Time) {
	c.CredentialConfigured, c.Told, c.RootFailure = now.UTC(), nil, nil
}

// toAsk reports whether a write of the connection is to ask what the cloud tells of its credential.
func (c *Record) toAsk() bool { return c.Told == nil || !c.Told.Error.IsZero() }
