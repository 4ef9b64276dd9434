package aws

import (
	"context"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// freshSigner signs each request with a signer of its own. One of the SDK's remembers for a day the key that
// it derived from the secret of an access key id (aws/signer/internal/v4, derivedKeyCache), so it goes on with
// a wrong secret after that was corrected where ambient credentials come from. What it saves are four HMACs.
type freshSigner struct{}

// SignHTTP implements the HTTPSignerV4 of each service's client.
func (freshSigner) SignHTTP(ctx context.Context, keys sdk.Credentials, r *http.Request, payloadHash, service, region string, at time.Time,
	options ...func(*v4.SignerOptions)) error {
	return v4.NewSigner().SignHTTP(ctx, keys, r, payloadHash, service, region, at, options...)
}
