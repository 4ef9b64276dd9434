package alibabaapi

import (
	"net/http"
	"regexp"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxAccessKeys is RAM's limit of access keys per user.
const maxAccessKeys = 2

// userName is the form of a RAM user's name, maxUserNameLength its length in characters.
var userName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

const maxUserNameLength = 64

func ramService() *service {
	return &service{name: "ram", version: "2015-05-01", denied: nobody(), actions: map[string]action{
		"CreateAccessKey": {params: func() any { return new(userParams) }, run: createAccessKey},
		"ListAccessKeys":  {params: func() any { return new(userParams) }, run: listAccessKeys},
		"UpdateAccessKey": {params: func() any { return new(updateKeyParams) }, run: updateAccessKey},
		"DeleteAccessKey": {params: func() any { return new(keyParams) }, run: deleteAccessKey},
	}}
}

type userParams struct{ UserName *string }

type keyParams struct{ UserName, UserAccessKeyId *string }

type updateKeyParams struct{ UserName, UserAccessKeyId, Status *string }

// accessKey is a key as RAM shows it; the secret only once.
type accessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	AccessKeySecret string `json:",omitempty"`
	Status          string
	CreateDate      string
}

func keyView(k model.AccessKey) accessKey {
	v := accessKey{AccessKeyID: k.ID, Status: "Active", CreateDate: inText(k.Created)}
	if k.Inactive {
		v.Status = "Inactive"
	}
	return v
}

// target is the user that a call is about: the named one or the caller.
func (r *request) target(name *string) (string, *failure) {
	noUser := fail(http.StatusNotFound, "EntityNotExist.User", "The user does not exist.")
	if name == nil {
		if r.key.UserID == "" { // a role's session is nobody who could have keys
			return "", noUser
		}
		return r.key.UserID, nil
	}
	switch {
	case utf8.RuneCountInString(*name) > maxUserNameLength:
		return "", fail(http.StatusBadRequest, "InvalidParameter.UserName.Length", `The parameter - "UserName" beyond the length limit.`)
	case !userName.MatchString(*name):
		return "", fail(http.StatusBadRequest, "InvalidParameter.UserName.InvalidChars", `The parameter - "UserName" contains invalid chars.`)
	}
	u, ok := r.world.UserByName(model.AlibabaCloud, r.key.AccountID, *name)
	if !ok {
		return "", noUser
	}
	return u.ID, nil
}

func createAccessKey(r *request, params any) (any, *failure) {
	user, f := r.target(params.(*userParams).UserName)
	if f != nil {
		return nil, f
	}
	k, ok := r.world.CreateAccessKey(model.AlibabaCloud, user, maxAccessKeys)
	if !ok {
		return nil, fail(http.StatusConflict, "LimitExceeded.User.AccessKey",
			"The access key count of the user access keys beyond the current limits.")
	}
	view := keyView(k)
	view.AccessKeySecret = k.Secret
	return struct {
		RequestID string `json:"RequestId"`
		AccessKey accessKey
	}{r.id, view}, nil
}

func listAccessKeys(r *request, params any) (any, *failure) {
	user, f := r.target(params.(*userParams).UserName)
	if f != nil {
		return nil, f
	}
	list := []accessKey{}
	for _, k := range r.world.AccessKeys(model.AlibabaCloud, user) {
		list = append(list, keyView(k))
	}
	return struct {
		RequestID  string `json:"RequestId"`
		AccessKeys struct{ AccessKey []accessKey }
	}{r.id, struct{ AccessKey []accessKey }{list}}, nil
}

// ownKey finds a key among the target's.
func (r *request) ownKey(name, id *string) (string, *failure) {
	user, f := r.target(name)
	if f != nil {
		return "", f
	}
	if or(id, "") == "" {
		return "", missing("UserAccessKeyId")
	}
	k, ok := r.world.AccessKey(model.AlibabaCloud, *id)
	if !ok || k.Token != "" || k.AccountID != r.key.AccountID || k.UserID != user {
		return "", fail(http.StatusNotFound, "EntityNotExist.User.AccessKey", "The user access key does not exist.")
	}
	return k.ID, nil
}

func updateAccessKey(r *request, params any) (any, *failure) {
	p := params.(*updateKeyParams)
	state := or(p.Status, "")
	switch state {
	case "Active", "Inactive":
	case "":
		return nil, missing("Status")
	default:
		return nil, invalid("Status")
	}
	id, f := r.ownKey(p.UserName, p.UserAccessKeyId)
	if f != nil {
		return nil, f
	}
	r.world.SetAccessKeyInactive(model.AlibabaCloud, id, state == "Inactive")
	return result{r.id}, nil
}

// deleteAccessKey deletes a key, switched off or not: RAM's page names no error for the second.
func deleteAccessKey(r *request, params any) (any, *failure) {
	p := params.(*keyParams)
	id, f := r.ownKey(p.UserName, p.UserAccessKeyId)
	if f != nil {
		return nil, f
	}
	r.world.DeleteAccessKey(model.AlibabaCloud, id)
	return result{r.id}, nil
}
