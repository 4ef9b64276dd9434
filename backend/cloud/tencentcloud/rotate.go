package tencentcloud

import (
	"context"
	"fmt"
	"strings"
	"time"

	cam "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cam/v20190116"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxKeys is how many access keys a CAM user can have (cam errors.go, OperationDenied.AccessKeyOverLimit).
const maxKeys = 2

var _ cloud.CredentialTeller = (*provider)(nil)

// OwnCredentials implements cloud.CredentialRotator by cam ListAccessKeys of the user who signs.
func (p *provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	if _, err := p.ownUser(ctx); err != nil {
		return nil, err
	}
	list, err := p.ownKeys(ctx)
	if err != nil {
		return nil, err
	}
	own := make([]cloud.OwnCredential, 0, len(list))
	for _, k := range list {
		id := value(k.AccessKeyId)
		own = append(own, cloud.OwnCredential{ID: id, Created: created(k), InUse: id == p.source.static})
	}
	return own, nil
}

// created is when a key was made. The API tells no time zone; UTC is assumed.
func created(k *cam.AccessKey) time.Time {
	at, err := time.Parse(time.DateTime, value(k.CreateTime))
	if err != nil {
		return time.Time{}
	}
	return at
}

// CreateCredential implements cloud.CredentialRotator by cam CreateAccessKey.
func (p *provider) CreateCredential(ctx context.Context) (cloud.Values, error) {
	user, err := p.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	request := cam.NewCreateAccessKeyRequest()
	request.Description = common.StringPtr("made-by-cloudpw") // models.go: [\w+=,.@:/-]*, so no blanks
	var id, secret string
	err = p.ask(ctx, createAccessKey, func(ctx context.Context, s *session) error {
		response, err := s.createAccessKey(ctx, request)
		if err != nil {
			return err
		}
		if response.Response == nil || response.Response.AccessKey == nil {
			return cloud.Errorf(cloud.Unknown, "%s: the answer holds no key", createAccessKey)
		}
		id, secret = value(response.Response.AccessKey.AccessKeyId), value(response.Response.AccessKey.SecretAccessKey)
		if !accessKeyForm.MatchString(id) || !secretKeyForm.MatchString(secret) {
			return cloud.Errorf(cloud.Unknown, "%s: the answer holds no usable key; check endpoints.cam", createAccessKey)
		}
		return nil
	})
	switch failure := cloud.AsError(err); {
	case err == nil:
		return cloud.Values{cloud.AccessKey.Name: id, cloud.SecretKey.Name: secret}, nil
	case failure != nil && failure.Code == cam.OPERATIONDENIED_ACCESSKEYOVERLIMIT:
		return nil, p.tooManyKeys(ctx, user, failure)
	case failure != nil && failure.Kind == cloud.Unknown:
		out := *failure
		out.Message += fmt.Sprintf(
			"; CAM may have made a key nevertheless: look at the API keys of %s in the CAM console, and delete one that is not in use", user)
		return nil, &out
	}
	return nil, err
}

// tooManyKeys makes the error about CAM's limit name the key that can go.
func (p *provider) tooManyKeys(ctx context.Context, user string, limit *cloud.Error) error {
	return p.ownKey().TooMany(cloud.KeyLimit{
		User: user, Most: maxKeys, Service: "CAM", Shown: "CAM console, API keys",
		Remove: func(string) string { return "disable and delete it (CAM console, API keys)" },
	}, limit, func() ([]cloud.UserKey, error) {
		list, err := p.ownKeys(ctx)
		keys := make([]cloud.UserKey, len(list))
		for i, k := range list {
			keys[i] = cloud.UserKey{ID: value(k.AccessKeyId), Status: value(k.Status), Made: value(k.CreateTime)}
		}
		return keys, err
	})
}

// DeleteCredential implements cloud.CredentialRotator by cam UpdateAccessKey and DeleteAccessKey: the
// key is switched off first, since the console deletes no other, and a key that is switched off can
// still be deleted by a repetition. The key that signs the requests is not deleted: it could not
// finish the work.
func (p *provider) DeleteCredential(ctx context.Context, id string) error {
	if !accessKeyForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "%.40q is not the SecretId of an API key", id)
	}
	if id == p.source.static {
		return cloud.Errorf(cloud.Refused, "API key %s is the one that this connection uses; write the connection with another one first", id)
	}
	if _, err := p.ownUser(ctx); err != nil {
		return err
	}
	err := p.switchOff(ctx, id)
	if err == nil {
		err = p.deleteKey(ctx, id)
	}
	if keyIsGone(err) {
		return nil
	}
	return err
}

// switchOff makes one UpdateAccessKey call.
func (p *provider) switchOff(ctx context.Context, id string) error {
	request := cam.NewUpdateAccessKeyRequest()
	request.AccessKeyId, request.Status = &id, common.StringPtr("Inactive")
	return p.ask(ctx, updateAccessKey, func(ctx context.Context, s *session) error {
		_, err := s.updateAccessKey(ctx, request)
		return err
	})
}

// deleteKey makes one DeleteAccessKey call.
func (p *provider) deleteKey(ctx context.Context, id string) error {
	request := cam.NewDeleteAccessKeyRequest()
	request.AccessKeyId = &id
	return p.ask(ctx, deleteAccessKey, func(ctx context.Context, s *session) error {
		_, err := s.deleteAccessKey(ctx, request)
		return err
	})
}

// keyIsGone reports the answer about a key that does not exist.
func keyIsGone(err error) bool {
	failure := cloud.AsError(err)
	return failure != nil && failure.Code == cam.RESOURCENOTFOUND_SECRETNOTEXIST
}

// ownKeys lists the access keys of the user who signs.
func (p *provider) ownKeys(ctx context.Context) ([]*cam.AccessKey, error) {
	var list []*cam.AccessKey
	err := p.ask(ctx, listAccessKeys, func(ctx context.Context, s *session) error {
		response, err := s.listAccessKeys(ctx, cam.NewListAccessKeysRequest())
		if err != nil {
			return err
		}
		if response.Response == nil {
			return cloud.Errorf(cloud.Unknown, "%s: the answer holds no list; check endpoints.cam", listAccessKeys)
		}
		for _, k := range response.Response.AccessKeys {
			if k != nil {
				list = append(list, k)
			}
		}
		return nil
	})
	return list, err
}

// Credential implements cloud.CredentialTeller by cam ListAccessKeys, which tells when a key was made; access keys do not end by
// themselves. Of the keys of a role, and of those of the surroundings, there is nothing to tell.
func (p *provider) Credential(ctx context.Context) (cloud.Credential, error) {
	return p.ownKey().Credential(ctx, p.OwnCredentials)
}

func (p *provider) ownKey() cloud.OwnKey {
	return cloud.OwnKey{ID: p.source.static, Role: p.source.assumes}
}

// CheckRotation implements cloud.CredentialRotator.
func (p *provider) CheckRotation() error {
	if err := p.ownKey().CheckRotation(); err != nil {
		return err
	}
	switch {
	case p.mayNotAsk(endpointSTS):
		return cloud.Errorf(cloud.Refused, "endpoints.sts: required next to endpoints.cvm to find out whose access key this is")
	case p.mayNotAsk(endpointCAM):
		return cloud.Errorf(cloud.Refused, "endpoints.cam: required next to endpoints.cvm to rotate the access key; for Tencent Cloud's "+
			"own CAM it is https://%s", defaultHost(endpointCAM, p.cfg.Text(cloud.Region)))
	}
	return nil
}

// ownUser returns the name of the CAM user whose key the connection has, or says why there is none
// whose keys could be rotated. That a UserId with a colon is a session and one that equals the account
// is the main account is from models.go, GetCallerIdentityResponseParams.
func (p *provider) ownUser(ctx context.Context) (string, error) {
	if err := p.CheckRotation(); err != nil {
		return "", err
	}
	who, err := p.identity(ctx)
	if err != nil {
		return "", err
	}
	switch name := text.Line(value(who.Arn), 128); {
	case value(who.UserId) == "" || strings.Contains(value(who.UserId), ":"):
		return "", cloud.Errorf(cloud.Refused, "access_key: belongs to %s, which is no CAM user, so it has no access keys to rotate", name)
	case value(who.UserId) == value(who.AccountId):
		return "", cloud.Errorf(cloud.Refused,
			"access_key: belongs to the main account (%s), whose keys cloudpw neither makes nor deletes; make a CAM user for the connection", name)
	default:
		return name, nil
	}
}
