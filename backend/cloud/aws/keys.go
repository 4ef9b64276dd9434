package aws

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// keySource gives the keys that sign a connection's requests: static ones, those of the environment,
// or those of a role that is assumed with either. It implements the SDK's CredentialsProvider.
type keySource struct {
	renewed *cloud.Renewed[sdk.Credentials]
	origin  origin
	// static is the access key id of a connection whose own access key signs its requests, else "".
	static string
	// assumes is the ARN of the role to assume, else "".
	assumes string
}

// pinned is the context key of the keys that were chosen for one request of a source.
type pinned struct{ source *keySource }

// pin chooses the keys that sign the requests of the returned context, so that the SDK, which asks
// once more, fetches none in the middle of a request.
func (s *keySource) pin(ctx context.Context) (context.Context, sdk.Credentials, error) {
	keys, err := s.renewed.Get(ctx)
	return context.WithValue(ctx, pinned{s}, keys), keys, err
}

// Retrieve implements the SDK's CredentialsProvider. Its errors are *cloud.Error values.
func (s *keySource) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	if keys, ok := ctx.Value(pinned{s}).(sdk.Credentials); ok {
		return keys, nil
	}
	return s.renewed.Get(ctx)
}

// rejections are the codes by which the cloud says that it does not (or no longer) know the keys, or that the
// secret is another one.
var rejections = []string{
	"AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException", "RequestExpired",
	"SignatureDoesNotMatch", "UnrecognizedClientException",
}

// refused makes the next request fetch new keys if the failure says that the used ones are dead, as
// those of a revoked session or a replaced shared file are. Static keys stay what they are.
func (s *keySource) refused(used sdk.Credentials, failure *cloud.Error) {
	if s.static == "" && failure.Kind == cloud.Denied && slices.Contains(rejections, failure.Code) {
		s.renewed.Drop(func(have sdk.Credentials) bool { return have.AccessKeyID == used.AccessKeyID })
	}
}
