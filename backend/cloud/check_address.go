package cloud

import "slices"

// AddressKind says which of a cloud's addresses of a server a login goes to.
type AddressKind string

// Kinds of addresses.
const (
	AddressPrivate AddressKind = "private_ip"
	AddressPublic  AddressKind = "public_ip"
	// AddressName is the instance's name at the cloud, as a name that Vault's resolver knows.
	AddressName AddressKind = "name"
)

// AddressKinds are all kinds, the default first.
func AddressKinds() []AddressKind { return []AddressKind{AddressPrivate, AddressPublic, AddressName} }

// Known reports whether it is one of AddressKinds.
func (k AddressKind) Known() bool { return slices.Contains(AddressKinds(), k) }

// Of is an instance's address of that kind, of the default's where none is named; "" if the cloud tells none.
func (k AddressKind) Of(i Instance) string {
	switch k {
	case AddressPublic:
		return i.PublicIP
	case AddressName:
		return i.Name
	}
	return i.PrivateIP
}

// SSHPort is where servers take logins by SSH unless somebody says otherwise.
const SSHPort = 22
