package cloud

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// OwnKey is a connection's access key, as its configuration has it: what clouds with such keys have in common.
type OwnKey struct {
	ID   string // "": the connection takes its keys from the surroundings of the Vault server
	Role string // that the connection assumes with the key; "": none
}

// CheckRotation says why the key cannot be replaced by another one; nil if it can, as far as can be told from these two.
func (k OwnKey) CheckRotation() error {
	switch {
	case k.Role != "":
		return Errorf(Refused, "role_arn: the connection works as the role %s, and roles have no access keys to rotate; "+
			"rotate the access key with a connection that has it without role_arn", k.Role)
	case k.ID == "":
		return Errorf(Refused,
			"use_ambient_credentials: the connection has no access key of its own to rotate; rotate them where the Vault server gets them")
	}
	return nil
}

// Credential is what the cloud's list of its user's keys says of the key: when it was made. Access keys do not end by themselves. Of
// the surroundings' keys there is nothing to tell.
func (k OwnKey) Credential(ctx context.Context, list func(context.Context) ([]OwnCredential, error)) (Credential, error) {
	if k.ID == "" {
		return Credential{}, nil
	}
	own, err := list(ctx)
	if err != nil {
		return Credential{ID: k.ID}, err
	}
	return CredentialOf(k.ID, own)
}

// KeyLimit is a user who has as many access keys as the cloud allows.
type KeyLimit struct {
	User string
	Most int
	// Service is the one that counts them.
	Service string
	// Shown is where an operator finds them, in brackets after what is to be done.
	Shown string
	// Remove is how one is deleted, given its id.
	Remove func(id string) string
}

// UserKey is one of a user's access keys, in the cloud's words, none of which is trusted.
type UserKey struct{ ID, Status, Made string }

// TooMany makes the cloud's error about the limit name the keys that can go: all that the connection does not use.
func (k OwnKey) TooMany(l KeyLimit, limit *Error, list func() ([]UserKey, error)) error {
	out := *limit
	out.Kind = Refused
	out.Message = fmt.Sprintf("%s has %d access keys already, as many as %s allows", l.User, l.Most, l.Service)
	keys, err := list()
	if err != nil {
		out.Message += "; delete the one that this connection does not use (" + l.Shown + ")"
		return &out
	}
	for _, other := range keys {
		if other.ID == k.ID {
			continue
		}
		id := text.Name(other.ID, MaxCode)
		out.Message += fmt.Sprintf("; this connection does not use %s (%s, made %s): if nothing else does either, %s", id,
			strings.ToLower(text.Name(other.Status, MaxCode)), text.Line(other.Made, MaxCode), l.Remove(id))
	}
	return &out
}
