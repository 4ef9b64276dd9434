package cloud

import "context"

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
