package aws

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxKeys is how many access keys an IAM user can have (IAM user guide, "IAM and AWS STS quotas").
const maxKeys = 2

// maxKeyPages bounds a listing of access keys, so that an endpoint that repeats its marker can't keep
// a caller for ever.
const maxKeyPages = 10

var _ cloud.CredentialTeller = (*Provider)(nil)

// OwnCredentials implements cloud.CredentialRotator by iam ListAccessKeys of the user who signs.
func (p *Provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	user, err := p.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := p.ownKeys(ctx, user)
	if err != nil {
		return nil, err
	}
	own := make([]cloud.OwnCredential, 0, len(keys))
	for _, k := range keys {
		id := sdk.ToString(k.AccessKeyId)
		own = append(own, cloud.OwnCredential{ID: id, Created: sdk.ToTime(k.CreateDate), InUse: id == p.keys.static})
	}
	return own, nil
}

// CreateCredential implements cloud.CredentialRotator by iam CreateAccessKey. IAM takes some seconds
// until every service accepts the new key.
func (p *Provider) CreateCredential(ctx context.Context) (cloud.Values, error) {
	user, err := p.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	c := call{endpointIAM, "CreateAccessKey", user}
	out, err := send(ctx, p.sender, c, p.iam.createAccessKey, &iam.CreateAccessKeyInput{})
	switch {
	case cloud.CodeOf(err) == "LimitExceeded":
		return nil, p.tooManyKeys(ctx, user, cloud.AsError(err))
	case cloud.KindOf(err) == cloud.Unknown:
		failure := *cloud.AsError(err)
		failure.Message += fmt.Sprintf(
			"; IAM may have made an access key nevertheless: see what aws iam list-access-keys says of %s, and delete one that is not in use", user)
		return nil, &failure
	case err != nil:
		return nil, err
	}
	made := out.AccessKey
	if made == nil || !accessKeyForm.MatchString(sdk.ToString(made.AccessKeyId)) || sdk.ToString(made.SecretAccessKey) == "" {
		return nil, cloud.Errorf(cloud.Unknown, "%s: the answer holds no access key; check endpoints.iam", c)
	}
	return cloud.Values{cloud.AccessKey.Name: *made.AccessKeyId, cloud.SecretKey.Name: *made.SecretAccessKey}, nil
}

// tooManyKeys makes the error about IAM's limit name the key that can go.
func (p *Provider) tooManyKeys(ctx context.Context, user string, limit *cloud.Error) error {
	return p.ownKey().TooMany(cloud.KeyLimit{
		User: user, Most: maxKeys, Service: "IAM", Shown: "aws iam list-access-keys shows them",
		Remove: func(id string) string { return "aws iam delete-access-key --access-key-id " + id },
	}, limit, func() ([]cloud.UserKey, error) {
		list, err := p.ownKeys(ctx, user)
		keys := make([]cloud.UserKey, len(list))
		for i, k := range list {
			made := sdk.ToTime(k.CreateDate).UTC().Format(time.DateOnly)
			keys[i] = cloud.UserKey{ID: sdk.ToString(k.AccessKeyId), Status: string(k.Status), Made: made}
		}
		return keys, err
	})
}

// DeleteCredential implements cloud.CredentialRotator by iam DeleteAccessKey. The key that signs the
// request is not deleted: a connection does not lock itself out.
func (p *Provider) DeleteCredential(ctx context.Context, id string) error {
	if !accessKeyForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "%.40q is not an access key id", id)
	}
	if id == p.keys.static {
		return cloud.Errorf(cloud.Refused, "access key %s is the one that this connection uses; write the connection with another one first", id)
	}
	user, err := p.ownUser(ctx)
	if err != nil {
		return err
	}
	c := call{endpointIAM, "DeleteAccessKey", id + " of " + user}
	_, err = send(ctx, p.sender, c, p.iam.deleteAccessKey, &iam.DeleteAccessKeyInput{AccessKeyId: &id})
	if cloud.KindOf(err) == cloud.NotFound {
		return nil
	}
	return err
}

// ownKeys lists the access keys of the user who signs.
func (p *Provider) ownKeys(ctx context.Context, user string) ([]types.AccessKeyMetadata, error) {
	c := call{endpointIAM, "ListAccessKeys", user}
	in := &iam.ListAccessKeysInput{}
	var keys []types.AccessKeyMetadata
	for range maxKeyPages {
		out, err := send(ctx, p.sender, c, p.iam.listAccessKeys, in)
		if err != nil {
			return nil, err
		}
		keys = append(keys, out.AccessKeyMetadata...)
		if !out.IsTruncated || sdk.ToString(out.Marker) == "" {
			return keys, nil
		}
		in.Marker = out.Marker
	}
	return nil, cloud.Errorf(cloud.Unknown, "%s: the listing does not end after %d pages; check endpoints.iam", c, maxKeyPages)
}

// Credential implements cloud.CredentialTeller by iam ListAccessKeys, which tells when a key was made; access keys do not end by
// themselves. Of the keys of a role, and of those of the surroundings, there is nothing to tell.
func (p *Provider) Credential(ctx context.Context) (cloud.Credential, error) {
	return p.ownKey().Credential(ctx, p.OwnCredentials)
}

func (p *Provider) ownKey() cloud.OwnKey {
	return cloud.OwnKey{ID: p.keys.static, Role: p.keys.assumes}
}

// CheckRotation implements cloud.CredentialRotator.
func (p *Provider) CheckRotation() error {
	if err := p.ownKey().CheckRotation(); err != nil {
		return err
	}
	switch {
	case p.mayNotAsk(endpointSTS):
		return cloud.Errorf(cloud.Refused, "endpoints.sts: required next to endpoints.ec2 to find out whose access key this is")
	case p.mayNotAsk(endpointIAM):
		return cloud.Errorf(cloud.Refused,
			"endpoints.iam: required next to endpoints.ec2 to rotate the access key; for Amazon's own IAM it is https://iam.amazonaws.com")
	}
	return nil
}

// ownUser returns the ARN of the IAM user whose access key the connection has, or says why there is
// none whose keys could be rotated.
func (p *Provider) ownUser(ctx context.Context) (string, error) {
	if err := p.CheckRotation(); err != nil {
		return "", err
	}
	arn, err := p.identity(ctx)
	if err != nil {
		return "", err
	}
	_, resource, _ := strings.Cut(arn, ":iam::")
	_, resource, _ = strings.Cut(resource, ":")
	switch {
	case strings.HasPrefix(resource, "user/"):
		return arn, nil
	case resource == "root":
		return "", cloud.Errorf(cloud.Refused, "access_key: belongs to the account's root user (%s), whose keys cloudpw neither makes nor "+
			"deletes; make an IAM user for the connection", arn)
	}
	return "", cloud.Errorf(cloud.Refused, "access_key: belongs to %s, which is no IAM user, so it has no access keys to rotate",
		text.Name(arn, 128))
}

// identity returns the ARN of who signs.
func (p *Provider) identity(ctx context.Context) (string, error) {
	out, err := send(ctx, p.sender, call{endpointSTS, "GetCallerIdentity", ""}, p.sts.getCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return sdk.ToString(out.Arn), nil
}
