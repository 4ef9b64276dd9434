package tencentapi

import (
	"regexp"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// keyDescription is the form of a key's description, maxDescribed its length in characters (models.go,
// CreateAccessKeyRequestParams). It has no blanks.
var keyDescription = regexp.MustCompile(`^[\w+=,.@:/-]+$`)

const maxDescribed = 1024

// maxAccessKeys is CAM's limit of access keys per user.
const maxAccessKeys = 2

func camService() *service {
	return &service{name: "cam", version: "2019-01-16", actions: map[string]action{
		"CreateAccessKey": {params: func() any { return new(createKeyParams) }, run: createAccessKey},
		"ListAccessKeys":  {params: func() any { return new(listKeysParams) }, run: listAccessKeys},
		"UpdateAccessKey": {params: func() any { return new(keyParams) }, run: updateAccessKey},
		"DeleteAccessKey": {params: func() any { return new(deleteKeyParams) }, run: deleteAccessKey},
	}}
}

type createKeyParams struct {
	TargetUin   *uint64
	Description *string
}

type listKeysParams struct{ TargetUin *uint64 }

type keyParams struct {
	AccessKeyId string
	Status      string
	TargetUin   *uint64
}

type deleteKeyParams struct {
	AccessKeyId string
	TargetUin   *uint64
}

// accessKey is a key as CAM shows it; the secret only once.
type accessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:"SecretAccessKey,omitempty"`
	Status          string
	CreateTime      string
	Description     *string
}

func keyView(k model.AccessKey) accessKey {
	status := "Active"
	if k.Inactive {
		status = "Inactive"
	}
	return accessKey{AccessKeyID: k.ID, Status: status, CreateTime: k.Created.UTC().Format(time.DateTime)}
}

// target is the user that a call is about: the given one or the caller.
func (r *request) target(uin *uint64) (string, *failure) {
	id := r.key.UserID // "" of a role's session, which is nobody who could have keys
	if uin != nil {
		id = strconv.FormatUint(*uin, 10)
	}
	switch u, ok := r.world.User(model.TencentCloud, id); {
	case id == r.key.AccountID && r.key.UserID == id: // the main account
	case id == r.key.AccountID:
		return "", fail("OperationDenied.SubUin", "A sub-user cannot operate the keys of the main account.")
	case !ok || u.AccountID != r.key.AccountID:
		return "", fail("InvalidParameter.UserNotExist", "The user does not exist.")
	}
	return id, nil
}

func createAccessKey(r *request, params any) (any, *failure) {
	p := params.(*createKeyParams)
	if p.Description != nil && (!keyDescription.MatchString(*p.Description) || len(*p.Description) > maxDescribed) {
		return nil, fail("InvalidParameter.ParamError", "Description must have 1 to 1024 of the allowed characters.")
	}
	user, f := r.target(p.TargetUin)
	if f != nil {
		return nil, f
	}
	k, ok := r.world.CreateAccessKey(model.TencentCloud, user, maxAccessKeys)
	if !ok {
		return nil, fail("OperationDenied.AccessKeyOverLimit", "Each account can have up to two access keys.")
	}
	view := keyView(k)
	view.SecretAccessKey, view.Description = k.Secret, p.Description
	return struct {
		AccessKey accessKey
		RequestID string `json:"RequestId"`
	}{view, r.id}, nil
}

func listAccessKeys(r *request, params any) (any, *failure) {
	user, f := r.target(params.(*listKeysParams).TargetUin)
	if f != nil {
		return nil, f
	}
	list := []accessKey{}
	for _, k := range r.world.AccessKeys(model.TencentCloud, user) {
		list = append(list, keyView(k))
	}
	return struct {
		AccessKeys []accessKey
		RequestID  string `json:"RequestId"`
	}{list, r.id}, nil
}

// ownKey finds a key among the target's.
func (r *request) ownKey(id string, uin *uint64) (model.AccessKey, *failure) {
	user, f := r.target(uin)
	if f != nil {
		return model.AccessKey{}, f
	}
	k, ok := r.world.AccessKey(model.TencentCloud, id)
	switch {
	case id == "":
		return model.AccessKey{}, missingParameter("AccessKeyId")
	case !ok || k.Token != "" || k.AccountID != r.key.AccountID:
		return model.AccessKey{}, fail("ResourceNotFound.SecretNotExist", "The access key does not exist.")
	case k.UserID != user:
		return model.AccessKey{}, fail("OperationDenied.UinNotMatch", "The access key belongs to another user.")
	}
	return k, nil
}

func updateAccessKey(r *request, params any) (any, *failure) {
	p := params.(*keyParams)
	switch p.Status {
	case "Active", "Inactive":
	case "":
		return nil, missingParameter("Status")
	default:
		return nil, fail("InvalidParameter.ParamError", "Status must be Active or Inactive.")
	}
	k, f := r.ownKey(p.AccessKeyId, p.TargetUin)
	if f != nil {
		return nil, f
	}
	r.world.SetAccessKeyInactive(model.TencentCloud, k.ID, p.Status == "Inactive")
	return accepted{r.id}, nil
}

func deleteAccessKey(r *request, params any) (any, *failure) {
	p := params.(*deleteKeyParams)
	k, f := r.ownKey(p.AccessKeyId, p.TargetUin)
	if f != nil {
		return nil, f
	}
	if !k.Inactive {
		// The console deletes only keys that were switched off before; whether
		// the API insists is unconfirmed, so the stricter is played.
		return nil, fail("FailedOperation.Accesskey", "Disable the access key before deleting it.")
	}
	r.world.DeleteAccessKey(model.TencentCloud, k.ID)
	return accepted{r.id}, nil
}
