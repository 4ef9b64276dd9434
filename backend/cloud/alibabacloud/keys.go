package alibabacloud

import (
	"context"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// keys are what signs requests; token belongs to temporary ones.
type keys struct{ id, secret, token string }

// usable reports whether the keys can stand in a request's headers.
func (k keys) usable() bool {
	return accessKeyForm.MatchString(k.id) && secretKeyForm.MatchString(k.secret) && (k.token == "" || tokenForm.MatchString(k.token))
}

// keySource gives the keys that sign a connection's requests: its own, those of the environment, or those of a role that is
// assumed with either.
type keySource struct {
	renewed *cloud.Renewed[keys]
	origin  origin
	// static is the access key id of a connection whose own key signs its requests, else "".
	static string
	// assumes is the name of the role to assume, else "".
	assumes string
}

// get returns the keys to sign with. Its errors are *cloud.Error values.
func (k *keySource) get(ctx context.Context) (keys, error) { return k.renewed.Get(ctx) }

// deadKeys are the codes by which the cloud says that it does not accept the very keys.
var deadKeys = []string{
	"InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive", "SignatureDoesNotMatch", "InvalidSecurityToken.Expired",
	"InvalidSecurityToken.Malformed", "InvalidSecurityToken.MismatchWithAccessKey", "InvalidSecurityToken",
}

// refused makes the next call fetch new keys if the failure says that the used ones are dead, or do not belong together.
// The connection's own keys stay what they are.
func (k *keySource) refused(used keys, failure *cloud.Error) {
	if k.static == "" && slices.Contains(deadKeys, failure.Code) {
		k.renewed.Drop(func(have keys) bool { return have == used })
	}
}
