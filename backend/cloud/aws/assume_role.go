package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// sessionName is the name of role sessions. It is shown in CloudTrail and in aws:userid, and is the
	// same for all, so that policies can name it.
	sessionName = "cloudpw"
	// sessionLife is how long a role session lasts: the longest life that every role allows, and the
	// only one for a role that is assumed with the session of another (STS API reference, AssumeRole).
	sessionLife = time.Hour
)

// assumedRole gets the keys of a role by sts AssumeRole.
type assumedRole struct {
	cfg  cloud.Config
	base sender // with the keys that it is assumed with
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
	out, err := sendOnce(ctx, r.base, c, r.sts.assumeRole, in)
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
	out.Message = c.String() + ": " + r.base.keys.origin.principal +
		" may not assume it; check role_arn, allow sts:AssumeRole on it in their policies, " +
		"name them as principal in the role's trust policy"
	if r.cfg.Text(cloud.ExternalID) == "" {
		out.Message += ", and if that asks for an external id, set external_id"
	} else {
		out.Message += ", and compare external_id with what that asks for"
	}
	return &out
}
