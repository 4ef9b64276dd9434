package aws

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// actionAmbient is the limiter's name for a request to a service that turns something of the environment
// (a web identity token, a shared profile) into keys.
const actionAmbient = "AmbientCredentials"

// metadataAddresses are those of EC2's instance metadata, of ECS and of EKS pod identity (the SDK's
// config package, feature/ec2/imds), and loopback, where stand-ins for them listen.
var metadataAddresses = []netip.Prefix{
	netip.MustParsePrefix("169.254.169.254/32"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("169.254.170.2/32"),
	netip.MustParsePrefix("169.254.170.23/32"),
	netip.MustParsePrefix("fd00:ec2::23/128"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// ambient gets keys by the SDK's default chain: environment variables, shared files, web identity,
// container and instance roles.
//
// The chain belongs to whoever runs Vault. So its own requests, some of which carry bearer tokens, go
// where the environment says and trust what the host trusts: never the connection's endpoints and
// ca_certificate, or who may write a connection could have the host's tokens sent to himself.
type ambient struct {
	cfg      cloud.Config
	metadata *http.Client
}

func newAmbient(cfg cloud.Config) *ambient {
	return &ambient{cfg: cfg, metadata: cloud.NewMetadataClient(metadataAddresses...)}
}

// fetch runs the whole chain again each time, so that changed variables and files are seen.
func (a *ambient) fetch(ctx context.Context) (sdk.Credentials, time.Time, error) {
	if a.cfg.RequestTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.cfg.RequestTimeout)
		defer cancel()
	}
	loaded, err := a.load(ctx)
	if err != nil {
		return sdk.Credentials{}, time.Time{}, ambientError(err)
	}
	keys, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return sdk.Credentials{}, time.Time{}, ambientError(err)
	}
	if !keys.CanExpire {
		return keys, time.Time{}, nil
	}
	return keys, keys.Expires, nil
}

// load reads the environment and the shared files, and gives the chain's clients their ways out.
func (a *ambient) load(ctx context.Context) (sdk.Config, error) {
	// The SDK adds the host's CA bundle, if there is one, to a client of this type only.
	client := awshttp.NewBuildableClient().WithTimeout(a.cfg.RequestTimeout).WithDialerOptions(cloud.GuardDialer)
	once := func() sdk.Retryer { return sdk.NopRetryer{} }
	common := func(o *config.LoadOptions) error {
		o.DefaultRegion, o.HTTPClient, o.Retryer = a.cfg.Text(cloud.Region), client, once
		return nil
	}
	// What concerns the metadata service (its address, whether it is switched off) is read first.
	plain, err := config.LoadDefaultConfig(ctx, common, config.WithCredentialsProvider(sdk.AnonymousCredentials{}))
	if err != nil {
		return sdk.Config{}, err
	}
	instance := imds.NewFromConfig(plain, func(o *imds.Options) { o.HTTPClient = a.metadata })
	return config.LoadDefaultConfig(ctx, common,
		config.WithAPIOptions([]func(*middleware.Stack) error{a.addLimiter, addBounds}),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = instance }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient, o.APIOptions = a.metadata, nil }))
}

// addLimiter makes the requests of a client wait for the connection's limiter.
func (a *ambient) addLimiter(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("cloudpwLimiter",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput,
			middleware.Metadata, error) {
			if err := a.cfg.Limiter.Wait(ctx, actionAmbient); err != nil {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			}
			began := time.Now()
			out, metadata, err := next.HandleInitialize(ctx, in)
			var failure error
			if err != nil {
				failure = ambientError(err)
			}
			cloud.Measured(a.cfg.Limiter, actionAmbient, began, failure)
			return out, metadata, err
		}), middleware.Before)
}

// addBounds holds the answers of a client to the bounds of all others. It comes last, so it sees them first.
func addBounds(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("cloudpwBounds",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput,
			middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if answer, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
				err = cloud.ReadBounded(answer.Response)
			}
			return out, metadata, err
		}), middleware.After)
}

// ambientError says why the chain gave no keys. The chain's own text may hold what a credential
// process printed, so only what is known to be harmless is taken from it.
func ambientError(err error) *cloud.Error {
	if own := cloud.AsError(err); own != nil {
		return own
	}
	const what = "use_ambient_credentials: the environment of the Vault server (variables, shared files, web identity, container and " +
		"instance role) gives no AWS credentials"
	var file *fs.PathError
	var profile config.SharedConfigProfileNotExistError
	var api smithy.APIError
	var network net.Error
	switch {
	case errors.As(err, &file):
		return cloud.Errorf(cloud.Unavailable, "%s: %s %s: %v", what, file.Op, file.Path, file.Err)
	case errors.As(err, &profile):
		return cloud.Errorf(cloud.Unavailable, "%s: AWS_PROFILE names a profile that its shared files do not have", what)
	case errors.As(err, &api):
		return &cloud.Error{Kind: cloud.Denied, Code: text.Name(api.ErrorCode(), cloud.MaxCode), Message: what +
			": a service refused what it offers: " + clean(api.ErrorMessage())}
	case errors.As(err, &network), errors.Is(err, context.Canceled), errors.Is(err, cloud.ErrAnswer):
		reason := cloud.Transport(what, err)
		reason.Kind = cloud.Unavailable
		return reason
	}
	return cloud.Errorf(cloud.Unavailable, "%s; to see why, run aws sts get-caller-identity as the Vault server's user in its environment",
		what)
}
