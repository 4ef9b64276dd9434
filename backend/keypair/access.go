package keypair

import (
	"slices"
	"strings"

	"github.com/hashicorp/go-secure-stdlib/strutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Who may have something decrypted with a key. Roles of every connection of a mount may name every key of it, and
// a connection may lead to a cloud that answers with another team's ciphertext; so a key says for which
// connections it works.

// ConnectionsField is the field of keys/<name> that says so.
const ConnectionsField = "allowed_connections"

// Allows reports whether initial passwords of a connection's instances may be decrypted with the key.
func (k *Record) Allows(connection string) bool {
	return strutil.StrListContainsGlob(k.AllowedConnections, connection)
}

// Refusal says that a connection may not use a key, and what lets it.
func Refusal(name string, k *Record, connection string) hint.Text {
	allowed := append(slices.Clone(k.AllowedConnections), connection)
	return hint.Textf("keys/%s is not for connection %s: its %s leave that out. Use a key of the connection's own; or, if both are to be "+
		"trusted alike, add it: %s",
		name, connection, ConnectionsField, hint.New("write", "keys/"+name, ConnectionsField+"="+strings.Join(allowed, ",")))
}
