package connection

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// RootStep is how far the replacement of a connection's credential has come. Each step is stored
// before what follows it is done, so whoever finds it knows what may have happened since.
type RootStep string

const (
	// RootCreating: the cloud may have been asked for a new credential. Its secret is not known.
	RootCreating RootStep = "creating"
	// RootCreated: the new credential is stored beside the old one, which is still in use.
	RootCreated RootStep = "created"
	// RootStored: the new credential has proved to work and is in use. The old one is to be deleted.
	RootStored RootStep = "stored"
)

// RootRotation is the replacement of a connection's credential that is under way, as stored with the
// connection.
type RootRotation struct {
	Step    RootStep  `json:"step"`
	Started time.Time `json:"started"`
	// OldID is the credential to be replaced; empty where that is a password, which no cloud deletes.
	OldID string `json:"old_id,omitempty"`
	// Known are the credentials that the identity had before. One that is not among them was made since.
	Known []string `json:"known,omitempty"`
	// New is what becomes of the provider's own fields with the new credential, until they have: it is set in step
	// RootCreated. NewID is the id of that credential, also after it.
	New       cloud.Values `json:"new,omitempty"`
	NewID     string       `json:"new_id,omitempty"`
	LastError hint.Text    `json:"last_error,omitzero"`
}

// Leftover is a credential that exists at the cloud, as far as is known, because a rotation failed,
// and that the connection does not use.
type Leftover struct {
	ID     string    `json:"id"`
	Since  time.Time `json:"since"`
	Reason hint.Text `json:"reason"`
}
