package aws

import (
	"context"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	// sessionName is the name of role sessions. It is shown in CloudTrail and in aws:userid, and is the
	// same for all, so that policies can name it.
	sessionName = "cloudpw"
	// sessionLife is how long a role session lasts: the longest life that every role allows, and the
	// only one for a role that is assumed with the session of another (STS API reference, AssumeRole).
	sessionLife = time.Hour
)

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

// keySource gives the keys that sign a connection's requests: static ones, those of the environment,
// or those of a role that is assumed with either. It implements the SDK's CredentialsProvider.
type keySource struct {
	renewed *cloud.Renewed[sdk.Credentials]
	origin  origin
	// static is the access key id of a connection whose own access key signs its requests, else "".
	static string
	// assumes is the ARN of the role to assume, else "".
	assumes string
	// base are the keys that the role is assumed with; nil without a role.
	base *keySource
}

func newKeySource(cfg cloud.Config) *keySource {
	base := &keySource{origin: originStatic, static: cfg.Text(cloud.AccessKey)}
	if cfg.Flag(cloud.AmbientCredentials) {
		base = &keySource{origin: originAmbient}
		base.renewed = cloud.NewRenewed(newAmbient(cfg).fetch)
	} else {
		value := credentials.NewStaticCredentialsProvider(cfg.Text(cloud.AccessKey), cfg.Text(cloud.SecretKey), "").Value
		base.renewed = cloud.NewRenewed(func(context.Context) (sdk.Credentials, time.Time, error) { return value, time.Time{}, nil })
	}
	base.origin.check = cfg.CheckHint()
	if cfg.Text(cloud.RoleARN) == "" {
		return base
	}
	role := &assumedRole{cfg: cfg, base: base, sts: newSTS(cfg, base)}
	return &keySource{
		renewed: cloud.NewRenewed(role.fetch),
		origin:  origin{"the role " + cfg.Text(cloud.RoleARN) + " and its sessions", "the role " + cfg.Text(cloud.RoleARN), cfg.CheckHint()},
		assumes: cfg.Text(cloud.RoleARN),
		base:    base,
	}
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

// assumedRole gets the keys of a role by sts AssumeRole.
type assumedRole struct {
	cfg  cloud.Config
	base *keySource
	sts  stsOperations
}

// fetch makes one AssumeRole request. Whoever needs the keys repeats it, if it was throttled.
func (r *assumedRole) fetch(ctx context.Context) (sdk.Credentials, time.Time, error) {
	c := call{endpointSTS, "AssumeRole", r.cfg.Text(cloud.RoleARN)}
	in := &sts.AssumeRoleInput{RoleArn: sdk.String(r.cfg.Text(cloud.RoleARN)), RoleSessionName: sdk.String(sessionName),
		DurationSeconds: sdk.Int32(int32(sessionLife / time.Second))}
	if r.cfg.Text(cloud.ExternalID) != "" {
		in.ExternalId = sdk.String(r.cfg.Text(cloud.ExternalID))
	}
	asked := time.Now()
	sender := &Provider{limiter: r.cfg.Limiter, timeout: r.cfg.RequestTimeout, keys: r.base}
	out, err := sendOnce(ctx, sender, c, r.sts.assumeRole, in)
	if err != nil {
		return sdk.Credentials{}, time.Time{}, r.explain(c, err)
	}
	got := out.Credentials
	if got == nil || sdk.ToString(got.AccessKeyId) == "" || sdk.ToString(got.SecretAccessKey) == "" ||
		sdk.ToString(got.SessionToken) == "" || got.Expiration == nil {
		return sdk.Credentials{}, time.Time{}, cloud.Errorf(cloud.Unavailable, "%s: the answer holds no session; check endpoints.sts", c)
	}
	// Our clock and the cloud's may differ: what ends first counts.
	end := asked.Add(sessionLife)
	if got.Expiration.Before(end) {
		end = *got.Expiration
	}
	return sdk.Credentials{
		AccessKeyID: *got.AccessKeyId, SecretAccessKey: *got.SecretAccessKey, SessionToken: *got.SessionToken,
		Source: "AssumeRole", CanExpire: true, Expires: *got.Expiration,
	}, end, nil
}

// explain makes a refusal to assume the role name what is usually missing. STS gives the same answer to a
// role that does not exist, one that trusts others, and a wrong external id.
func (r *assumedRole) explain(c call, err error) error {
	if !permissionMissing(err) {
		return err
	}
	out := *cloud.AsError(err)
	out.Message = c.String() + ": " + r.base.origin.principal +
		" may not assume it; check role_arn, allow sts:AssumeRole on it in their policies, " +
		"name them as principal in the role's trust policy"
	if r.cfg.Text(cloud.ExternalID) == "" {
		out.Message += ", and if that asks for an external id, set external_id"
	} else {
		out.Message += ", and compare external_id with what that asks for"
	}
	return &out
}
