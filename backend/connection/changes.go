package connection

import (
	"maps"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// placeFields are those fields that every provider has and that decide where the secrets are sent.
var placeFields = []struct {
	name string
	same func(a, b *Record) bool
}{
	{"endpoints", func(a, b *Record) bool { return maps.Equal(a.Endpoints, b.Endpoints) }},
	{"ca_certificate", func(a, b *Record) bool { return a.CACertificate == b.CACertificate }},
}

// changedFields lists the fields of some kinds in which two connections of a provider differ.
func changedFields(d cloud.Descriptor, old, next *Record, kind func(cloud.FieldKind) bool) []string {
	var changed []string
	for _, f := range d.Fields {
		same := old.Own.Text(f) == next.Own.Text(f)
		if f.Type == cloud.FieldFlag {
			same = old.Own.Flag(f) == next.Own.Flag(f)
		}
		if kind(f.Kind) && !same {
			changed = append(changed, f.Name)
		}
	}
	for _, f := range placeFields {
		if kind(cloud.FieldPlace) && !f.same(old, next) {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// SecretFields lists the secrets that a connection has and that clients write.
func SecretFields(d cloud.Descriptor, c *Record) []string {
	var names []string
	for _, f := range d.Fields {
		if f.Kind == cloud.FieldSecret && f.Written() && c.Own.Text(f) != "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// sameIdentity reports whether two connections ask the cloud in the same name.
func sameIdentity(d cloud.Descriptor, old, next *Record) bool {
	return len(changedFields(d, old, next, func(k cloud.FieldKind) bool { return k == cloud.FieldIdentity })) == 0
}

// SameCredentials reports whether two connections use the same secrets, in the same name and at the
// same place.
func SameCredentials(d cloud.Descriptor, old, next *Record) bool {
	return len(changedFields(d, old, next, func(k cloud.FieldKind) bool { return k == cloud.FieldSecret || k.BindsSecrets() })) == 0
}

// sameCredential reports whether two states of a connection have the same credential.
func sameCredential(d cloud.Descriptor, a, b *Record) bool {
	return len(changedFields(d, a, b, func(k cloud.FieldKind) bool { return k == cloud.FieldSecret || k == cloud.FieldIdentity })) == 0
}
