package cloud

import (
	"context"
	"time"
)

// Host is one server of a mount's inventory, as operators wrote it: all there is to know of a server that no cloud manages
// (Descriptor.HasHosts); of a cloud's server only what a login needs and the cloud does not tell, which is the host key.
type Host struct {
	// Name is the instance id.
	Name string
	// Connection serves the host. Another connection does not see it.
	Connection string
	// Address is a name or an IP address; "" for a cloud's server, whose address the cloud tells.
	Address string
	// Port is that of SSH, 1 to 65535.
	Port int
	// HostKey is the pinned public key in the form of authorized_keys, without a comment, such as "ssh-ed25519 AAAA..."; "": none yet.
	HostKey string
	// TrustOnFirstUse lets the first key that the host shows be pinned. It has no meaning once there is one.
	TrustOnFirstUse bool
	// Platform is "" for a cloud's server.
	Platform Platform
	// LoginUser and Sudo override the connection's fields of these names; "": they do not.
	LoginUser, Sudo string
	Tags            map[string]string
	// Serial is another one if another server takes the name.
	Serial  string
	Created time.Time
}

// Hosts reads the inventory of one connection. It is safe for concurrent use, and asks no server.
type Hosts interface {
	// Host returns the connection's host of that name; nil if it has none.
	Host(ctx context.Context, name string) (*Host, error)
	// Hosts returns all hosts of the connection, sorted by name.
	Hosts(ctx context.Context) ([]Host, error)
	// PinHostKey stores the first key that a host has shown, in the form of Host.HostKey, where the host has TrustOnFirstUse and no key
	// yet. It returns the key that is pinned then: another one where another call was faster, or somebody wrote it meanwhile.
	PinHostKey(ctx context.Context, name, key string) (pinned string, err error)
}
