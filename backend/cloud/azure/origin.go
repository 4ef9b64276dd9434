package azure

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// origin is where the tokens of a connection come from, in the words of error messages.
type origin struct {
	credentials string    // what to check when the cloud refuses them
	principal   string    // who needs a permission
	check       hint.Hint // what to type to see which permissions there are
}

// originOf says where the tokens of a connection come from.
func originOf(cfg cloud.Config) origin {
	if cfg.Flag(cloud.AmbientCredentials) {
		return origin{"the ambient credentials of the Vault server (use_ambient_credentials)",
			"the identity of the ambient credentials", cfg.CheckHint()}
	}
	return origin{"tenant_id, client_id and client_secret of the connection", "the application of client_id", cfg.CheckHint()}
}
