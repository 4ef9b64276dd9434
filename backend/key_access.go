package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-secure-stdlib/strutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Who may have something decrypted with a key. Roles of every connection of a mount may name every key of it, and
// a connection may lead to a cloud that answers with another team's ciphertext; so a key says for which
// connections it works.

// connectionsField is the field of keys/<name> that says so.
const connectionsField = "allowed_connections"

// allows reports whether initial passwords of a connection's instances may be decrypted with the key.
func (k *privateKey) allows(connection string) bool {
	return strutil.StrListContainsGlob(k.AllowedConnections, connection)
}

// keyRefused says that a connection may not use a key, and what lets it.
func keyRefused(name string, k *privateKey, connection string) hint.Text {
	allowed := append(slices.Clone(k.AllowedConnections), connection)
	return hint.Textf("keys/%s is not for connection %s: its %s leave that out. Use a key of the connection's own; or, if both are to be "+
		"trusted alike, add it: %s",
		name, connection, connectionsField, hint.New("write", "keys/"+name, connectionsField+"="+strings.Join(allowed, ",")))
}

// excludedUsers warns of roles that name the key and whose connection may not use it.
func (b *backend) excludedUsers(ctx context.Context, name string, k *privateKey) ([]string, error) {
	users, err := b.rolesThat(ctx, func(r *role) bool { return r.Key == name && !k.allows(r.Connection) })
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%s leave out the connections of roles that name this key, which read no initial password any more: %s",
		connectionsField, request.Summarize(users))}, nil
}
