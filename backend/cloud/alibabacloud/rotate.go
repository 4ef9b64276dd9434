package alibabacloud

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxKeys is how many access keys a RAM user can have (alibabacloud.com/help/en/ram, api-ram-2015-05-01-createaccesskey).
const maxKeys = 2

var _ cloud.CredentialTeller = (*provider)(nil)

// accessKey is a key as RAM shows it (alibaba-cloud-sdk-go v1.63.107, ram/struct_access_key.go). Only a new one has a secret.
type accessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	AccessKeySecret string
	Status          string
	CreateDate      string
}

// OwnCredentials implements cloud.CredentialRotator by ram ListAccessKeys of the user who signs.
func (p *provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	user, err := p.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	list, err := p.ownKeys(ctx, user)
	if err != nil {
		return nil, err
	}
	own := make([]cloud.OwnCredential, 0, len(list))
	for _, k := range list {
		own = append(own, cloud.OwnCredential{ID: k.AccessKeyID, Created: moment(k.CreateDate), InUse: k.AccessKeyID == p.source.static})
	}
	return own, nil
}

// CreateCredential implements cloud.CredentialRotator by ram CreateAccessKey.
func (p *provider) CreateCredential(ctx context.Context) (cloud.Values, error) {
	user, err := p.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct{ AccessKey accessKey }
	err = p.ask(ctx, createAccessKey, url.Values{"UserName": {user}}, &answer)
	made := keys{id: answer.AccessKey.AccessKeyID, secret: answer.AccessKey.AccessKeySecret}
	if err == nil && !made.usable() {
		err = cloud.Errorf(cloud.Unknown, "%s: the answer holds no usable key; check endpoints.ram", createAccessKey)
	}
	switch failure := cloud.AsError(err); {
	case err == nil:
		return cloud.Values{cloud.AccessKey.Name: made.id, cloud.SecretKey.Name: made.secret}, nil
	case failure != nil && failure.Code == codeKeyLimit:
		return nil, p.tooManyKeys(ctx, user, failure)
	case failure != nil && failure.Kind == cloud.Unknown:
		out := *failure
		out.Message += fmt.Sprintf("; RAM may have made a key nevertheless: look at the AccessKey pairs of %s in the RAM console, "+
			"and delete one that is not in use", user)
		return nil, &out
	}
	return nil, err
}

// tooManyKeys makes the error about RAM's limit name the key that can go.
func (p *provider) tooManyKeys(ctx context.Context, user string, limit *cloud.Error) error {
	return p.ownKey().TooMany(cloud.KeyLimit{
		User: user, Most: maxKeys, Service: "RAM", Shown: "RAM console, Users",
		Remove: func(string) string { return "disable and delete it (RAM console, Users)" },
	}, limit, func() ([]cloud.UserKey, error) {
		list, err := p.ownKeys(ctx, user)
		keys := make([]cloud.UserKey, len(list))
		for i, k := range list {
			keys[i] = cloud.UserKey{ID: k.AccessKeyID, Status: k.Status, Made: k.CreateDate}
		}
		return keys, err
	})
}

// DeleteCredential implements cloud.CredentialRotator by ram UpdateAccessKey and DeleteAccessKey: the key is switched off first,
// as the console does, so that a key whose deletion fails is of no use any more. The key that signs the requests is not
// deleted: it could not finish the work.
func (p *provider) DeleteCredential(ctx context.Context, id string) error {
	if !accessKeyForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "%.40q is not an AccessKey ID", id)
	}
	if id == p.source.static {
		return cloud.Errorf(cloud.Refused, "access key %s is the one that this connection uses; write the connection with another one first", id)
	}
	user, err := p.ownUser(ctx)
	if err != nil {
		return err
	}
	err = p.switchOff(ctx, user, id)
	if err == nil {
		err = p.deleteKey(ctx, user, id)
	}
	if cloud.CodeOf(err) == codeNoKey {
		return nil
	}
	return err
}

// switchOff makes one UpdateAccessKey call.
func (p *provider) switchOff(ctx context.Context, user, id string) error {
	return p.ask(ctx, updateAccessKey, url.Values{"UserName": {user}, "UserAccessKeyId": {id}, "Status": {"Inactive"}}, &struct{}{})
}

// deleteKey makes one DeleteAccessKey call.
func (p *provider) deleteKey(ctx context.Context, user, id string) error {
	return p.ask(ctx, deleteAccessKey, url.Values{"UserName": {user}, "UserAccessKeyId": {id}}, &struct{}{})
}

// ownKeys lists the access keys of the user who signs.
func (p *provider) ownKeys(ctx context.Context, user string) ([]accessKey, error) {
	var answer struct {
		AccessKeys *struct{ AccessKey []accessKey }
	}
	if err := p.ask(ctx, listAccessKeys, url.Values{"UserName": {user}}, &answer); err != nil {
		return nil, err
	}
	if answer.AccessKeys == nil {
		return nil, cloud.Errorf(cloud.Unknown, "%s: the answer holds no list; check endpoints.ram", listAccessKeys)
	}
	return answer.AccessKeys.AccessKey, nil
}

// Credential implements cloud.CredentialTeller by ram ListAccessKeys, which tells when a key was made; access keys do not end by
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
		return cloud.Errorf(cloud.Refused, "endpoints.sts: required next to endpoints.ecs to find out whose access key this is")
	case p.mayNotAsk(endpointRAM):
		return cloud.Errorf(cloud.Refused, "endpoints.ram: required next to endpoints.ecs to rotate the access key; for Alibaba Cloud's "+
			"own RAM it is %s", defaultURL(endpointRAM, ""))
	}
	return nil
}

// ownUser returns the name of the RAM user whose key the connection has, or says why there is none whose keys could be
// rotated. A user's ARN is acs:ram::ACCOUNT:user/NAME.
func (p *provider) ownUser(ctx context.Context) (string, error) {
	if err := p.CheckRotation(); err != nil {
		return "", err
	}
	who, err := p.identity(ctx)
	if err != nil {
		return "", err
	}
	_, user, isUser := strings.Cut(who.Arn, ":user/")
	switch arn := text.Line(who.Arn, 128); {
	case who.IdentityType == "Account" || who.UserID == who.AccountID:
		return "", cloud.Errorf(cloud.Refused,
			"access_key: belongs to the account itself (%s), whose keys cloudpw neither makes nor deletes; make a RAM user for the connection", arn)
	case !isUser || !userForm(user):
		return "", cloud.Errorf(cloud.Refused, "access_key: belongs to %s, which is no RAM user, so it has no access keys to rotate", arn)
	}
	return user, nil
}

// userForm reports whether a word can be the name of a RAM user.
func userForm(name string) bool { return name != "" && text.Line(name, 128) == name }
