package cloud

import (
	"context"
	"time"
)

// CredentialRotator is implemented by providers that can replace the very credential they use
// (rotate-root). The backend drives it: create, verify, store, delete the old one; so that a crash at
// any step leaves a working credential in storage.
type CredentialRotator interface {
	// OwnCredentials lists the credentials of the identity that the connection uses, the one in use
	// included.
	OwnCredentials(ctx context.Context) ([]OwnCredential, error)
	// CreateCredential makes another credential for the same identity. It returns what becomes of the connection's fields
	// with it: those that hold it, one of which names it (Field.NamesCredential, Descriptor.CredentialName), empty ones that it
	// makes superfluous, and those that are needed until the old one is deleted (Field.Internal). Where the cloud allows no more of
	// them, the error is Refused and says which to delete.
	CreateCredential(ctx context.Context) (Values, error)
	// DeleteCredential deletes one of the identity's credentials. Deleting one that does not exist
	// succeeds. Where it cannot be deleted everywhere yet, the error is NotReady and says where not; the call is repeated,
	// first by the request and then by the background, until it succeeds.
	DeleteCredential(ctx context.Context, id string) error
	// CheckRotation says, without asking the cloud, why the connection's credential cannot be replaced; nil if it can, as far as can
	// be told.
	CheckRotation() error
}

// CredentialTeller is implemented by providers whose cloud tells how old the connection's credential is, or when it ends.
type CredentialTeller interface {
	// Credential asks what the cloud says of the credential that the connection uses. What it does not tell is zero. A cloud that
	// refuses the question is an error, which changes nothing for the connection.
	Credential(ctx context.Context) (Credential, error)
}

// Credential is what a cloud says of the credential that a connection uses.
type Credential struct {
	ID      string    // access key id, application credential id or user name; "" where the connection has none of its own
	Created time.Time // zero if the cloud does not tell
	Expires time.Time // zero if it does not tell, or the credential does not end
}

// CredentialOf finds, among the identity's credentials, the one that the connection uses.
func CredentialOf(id string, own []OwnCredential) (Credential, error) {
	for _, o := range own {
		if o.InUse {
			return Credential{ID: id, Created: o.Created}, nil
		}
	}
	return Credential{ID: id}, Errorf(NotFound,
		"the cloud does not list credential %s, which the connection uses, among those of its user", id)
}

// OwnCredential is a credential as the cloud lists it.
type OwnCredential struct {
	ID      string
	Created time.Time // zero if the cloud does not tell
	InUse   bool      // it is the one that this connection uses
}

// PermissionChecker is implemented by providers that can say what their credentials may do.
type PermissionChecker interface {
	// CheckPermissions tries, or asks about, every permission that cloudpw may need, without changing
	// anything.
	CheckPermissions(ctx context.Context) ([]Permission, error)
}

// Verdict about a permission.
type Verdict string

// Verdicts. PermissionUnknown means that the cloud offers no way to try it without effect.
const (
	PermissionGranted Verdict = "granted"
	PermissionDenied  Verdict = "denied"
	PermissionUnknown Verdict = "unknown"
)

// Permission is what a connection may do, and what for.
type Permission struct {
	Action   string // the cloud's name of the permission, for example "ec2:GetPasswordData"
	Purpose  string // what cloudpw needs it for
	Required bool   // false: only some features need it
	Verdict  Verdict
	Message  string // the cloud's reason, or why it cannot be told
	Policy   string // the policy text that grants it, ready to paste
}
