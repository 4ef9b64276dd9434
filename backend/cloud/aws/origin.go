package aws

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"

// origin is where the keys of a connection come from, in the words of error messages.
type origin struct {
	keys      string    // what to check when the cloud refuses them
	principal string    // who needs a permission
	check     hint.Hint // what to type to see which permissions there are
}

var (
	originStatic  = origin{keys: "access_key and secret_key of the connection", principal: "the access key's user"}
	originAmbient = origin{keys: "the ambient credentials of the Vault server (use_ambient_credentials)",
		principal: "the user or role of the ambient credentials"}
)
