package alibabacloud

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"

// origin is where the keys of a connection come from, in the words of error messages.
type origin struct {
	keys      string    // what to check when the cloud refuses them
	mismatch  string    // what to say when the cloud refuses a signature, and the way out
	ended     string    // the same for a token
	principal string    // who needs a permission
	check     hint.Hint // what to type to see which permissions there are
}

var (
	originStatic = origin{
		keys:     "access_key and secret_key of the connection",
		mismatch: "secret_key does not belong to access_key; write both again",
		ended: "access_key is a temporary key, which works with its token only; give the AccessKey pair of a RAM user " +
			"(RAM console, Users)",
		principal: "the user of access_key",
	}
	originAmbient = origin{
		keys: "the ambient credentials of the Vault server (use_ambient_credentials)",
		mismatch: "the secret of the ambient credentials does not belong to their id; correct it where the Vault server finds them " +
			"(variables, RAM role of the ECS instance), the next call reads them again",
		ended: "the ambient credentials of the Vault server were revoked or have expired, or their token is missing; the next call reads " +
			"them again",
		principal: "the user or role of the ambient credentials",
	}
)

// originRole is the origin of a role's sessions.
func originRole(arn string, check hint.Hint) origin {
	return origin{
		keys: "the role " + arn + " and its sessions",
		mismatch: "the cloud does not accept the signature of a session of the role " + arn +
			"; the next call assumes it again; check endpoints.sts if this continues",
		ended:     "the session of the role " + arn + " was revoked or has expired; the next call assumes the role again",
		principal: "the role " + arn, check: check,
	}
}
