package tencentcloud

import (
	"context"

	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// keySource gives the sessions that sign a connection's requests: with its own keys, those of the
// environment, or those of a role that is assumed with either.
type keySource struct {
	renewed *cloud.Renewed[*session]
	origin  origin
	// static is the access key id of a connection whose own key signs its requests, else "".
	static string
	// assumes is the name of the role to assume, else "".
	assumes string
}

// get returns the session to sign with. Its errors are *cloud.Error values.
func (k *keySource) get(ctx context.Context) (*session, error) { return k.renewed.Get(ctx) }

// refused makes the next call fetch new keys if the failure says that the used ones are dead, or do not
// belong together, as when a file with them was read while it was edited. The connection's own keys stay
// what they are.
func (k *keySource) refused(used *session, failure *cloud.Error) {
	if k.static != "" {
		return
	}
	switch failure.Code {
	case "AuthFailure.TokenFailure", "AuthFailure.SecretIdNotFound", "AuthFailure.InvalidSecretId", "AuthFailure.SignatureFailure",
		cvm.UNAUTHORIZEDOPERATION_INVALIDTOKEN:
		k.renewed.Drop(func(have *session) bool { return have == used })
	}
}
