package backend

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// ownerBytes is how much of an owner's hash is kept with each lease: enough to tell readers apart.
const ownerBytes = 9

// readerOf is who reads through a role. Of a leased one, whose leases are counted, it is also the token's entity, or a token that
// has none.
func readerOf(req *logical.Request, role string, leased bool) rotation.Reader {
	by := rotation.Reader{Role: role, Client: clientOf(req)}
	var owner string
	switch {
	case !leased:
		return by
	case req.EntityID != "":
		owner = "entity " + req.EntityID
	case req.ClientTokenAccessor != "":
		owner = "accessor " + req.ClientTokenAccessor
	case req.ClientToken != "": // a batch token has no accessor; Vault passes tokens on as hashes
		owner = "token " + req.ClientToken
	default:
		return by
	}
	sum := sha256.Sum256([]byte(owner))
	by.Owner = base64.RawURLEncoding.EncodeToString(sum[:ownerBytes])
	return by
}
