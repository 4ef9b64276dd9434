package connection

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// What a cloud tells of the credential of a connection, and what became of its unattended rotation, are stored with the connection:
// reads ask no cloud, every node gives the same answer, and neither a restart nor a failover asks again.

// ToldCredential is the cloud's last answer about a connection's credential.
type ToldCredential struct {
	ID      string    `json:"id,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Asked   time.Time `json:"asked"`
	Error   hint.Text `json:"error,omitzero"` // why it tells no more
}

// RootFailure is that of the last unattended rotation of a connection's credential.
type RootFailure struct {
	Error    hint.Text `json:"error"`
	At       time.Time `json:"at"`
	Next     time.Time `json:"next"` // not before it is tried again
	Failures int       `json:"failures"`
}
