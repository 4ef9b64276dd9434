package aws

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// actionAmbient is the gate's name for a request to a service that turns something of the environment
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

// fetch runs the chain anew, so that changed variables and files are seen.
func (a *ambient) fetch(ctx context.Context) (sdk.Credentials, time.Time, error) {
	if a.cfg.RequestTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.cfg.RequestTimeout)
		defer cancel()
	}
	client, err := a.client()
	if err != nil {
		return sdk.Credentials{}, time.Time{}, ambientError(err)
	}
	defer client.CloseIdleConnections()
	loaded, err := a.load(ctx, gatedClient{a.cfg.Gate, bodyKeeper{client}})
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

// load reads the environment and the shared files and gives every client of the chain its HTTP client.
func (a *ambient) load(ctx context.Context, guarded gatedClient) (sdk.Config, error) {
	once := func() sdk.Retryer { return sdk.NopRetryer{} }
	region := config.WithDefaultRegion(a.cfg.Region)
	// What concerns the metadata service (its address, whether it is switched off) is read first.
	plain, err := config.LoadDefaultConfig(ctx, region, config.WithRetryer(once), config.WithCredentialsProvider(sdk.AnonymousCredentials{}))
	if err != nil {
		return sdk.Config{}, err
	}
	instance := imds.NewFromConfig(plain, func(o *imds.Options) { o.HTTPClient = a.metadata })
	return config.LoadDefaultConfig(ctx, region, config.WithRetryer(once),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = instance }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = a.metadata }),
		config.WithServiceOptions(func(_ string, options any) {
			switch o := options.(type) {
			case *sts.Options:
				o.HTTPClient = guarded
			case *sso.Options:
				o.HTTPClient = guarded
			case *ssooidc.Options:
				o.HTTPClient = guarded
			case *signin.Options:
				o.HTTPClient = guarded
			}
		}))
}

// gatedClient waits for the gate before each request of the chain.
type gatedClient struct {
	gate cloud.Gate
	next bodyKeeper
}

// Do sends the request once.
func (g gatedClient) Do(r *http.Request) (*http.Response, error) {
	if err := g.gate.Wait(r.Context(), actionAmbient); err != nil {
		return nil, err
	}
	return g.next.Do(r)
}

// client makes the client for the chain's services. It trusts the system's roots, or the bundle that
// the environment names for the SDK.
func (a *ambient) client() (*http.Client, error) {
	bundle := ""
	if path := os.Getenv("AWS_CA_BUNDLE"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		bundle = string(text)
	}
	client, err := cloud.NewHTTPClient(bundle, a.cfg.RequestTimeout)
	if err != nil {
		return nil, cloud.Errorf(cloud.Refused, "use_ambient_credentials: AWS_CA_BUNDLE of the Vault server names a file without PEM certificates")
	}
	return client, nil
}

// ambientError says why the chain gave no keys. The chain's own text may hold what a credential
// process printed, so only what is known to be harmless is taken from it.
func ambientError(err error) *cloud.Error {
	var own *cloud.Error
	if errors.As(err, &own) {
		return own
	}
	const what = "use_ambient_credentials: the environment of the Vault server (variables, shared files, web identity, container and instance role) gives no AWS credentials"
	var file *fs.PathError
	var profile config.SharedConfigProfileNotExistError
	var api smithy.APIError
	switch {
	case errors.As(err, &file):
		return cloud.Errorf(cloud.Unavailable, "%s: %s %s: %v", what, file.Op, file.Path, file.Err)
	case errors.As(err, &profile):
		return cloud.Errorf(cloud.Unavailable, "%s: AWS_PROFILE names a profile that its shared files do not have", what)
	case errors.As(err, &api):
		return &cloud.Error{Kind: cloud.Denied, Code: clean(api.ErrorCode()), Message: what + ": a service refused what it offers: " + clean(api.ErrorMessage())}
	}
	reason := cloud.Transport(what, err)
	reason.Kind = cloud.Unavailable
	return reason
}
