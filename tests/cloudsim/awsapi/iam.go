package awsapi

import (
	"encoding/xml"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// maxAccessKeys is IAM's limit of access keys per user.
const maxAccessKeys = 2

func iamService() *service {
	user := text(1, 128, `[\w+=,.@-]+`)
	named := map[string]constraint{"UserName": user}
	key := map[string]constraint{"UserName": user, "AccessKeyId": text(16, 128, `[\w]+`)}
	return &service{name: "iam", namespace: iamNamespace, actions: map[string]action{
		"GetUser":         {params: []string{"UserName"}, texts: named, run: getUser},
		"CreateAccessKey": {params: []string{"UserName"}, texts: named, run: createAccessKey},
		"ListAccessKeys": {
			params: []string{"UserName", "MaxItems", "Marker"}, run: listAccessKeys,
			texts: map[string]constraint{"UserName": user, "Marker": text(1, 320, "[\\x{20}-\\x{FF}]+")},
		},
		"UpdateAccessKey": {
			params: []string{"UserName", "AccessKeyId", "Status"}, required: []string{"AccessKeyId", "Status"}, texts: key, run: updateAccessKey,
		},
		"DeleteAccessKey": {
			params: []string{"UserName", "AccessKeyId"}, required: []string{"AccessKeyId"}, texts: key, run: deleteAccessKey,
		},
	}}
}

// user is the user a call is about: the named one or the caller.
func (r *request) user() (model.User, *failure) {
	account := r.caller.key.AccountID
	name := r.get("UserName")
	if name == "" {
		if u, ok := r.world.User(model.AWS, r.caller.key.UserID); ok {
			return u, nil
		}
		return model.User{}, fail("ValidationError", "Must specify userName when calling with non-User credentials")
	}
	u, ok := r.world.UserByName(model.AWS, account, name)
	if !ok {
		return model.User{}, noEntity("The user with name " + name + " cannot be found.")
	}
	return u, nil
}

func noEntity(text string) *failure { return &failure{http.StatusNotFound, "NoSuchEntity", text} }

type iamUser struct {
	Path string `xml:"Path"`
	Name string `xml:"UserName"`
	ID   string `xml:"UserId"`
	ARN  string `xml:"Arn"`
	Date string `xml:"CreateDate"`
}

type getUserResponse struct {
	XMLName   xml.Name `xml:"GetUserResponse"`
	Namespace string   `xml:"xmlns,attr"`
	User      iamUser  `xml:"GetUserResult>User"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

func getUser(r *request) (any, *failure) {
	u, f := r.user()
	if f != nil {
		return nil, f
	}
	return getUserResponse{Namespace: iamNamespace, RequestID: r.id, User: iamUser{
		Path: "/", Name: u.Name, ID: u.ID, ARN: "arn:aws:iam::" + u.AccountID + ":user/" + u.Name, Date: "2024-01-01T00:00:00Z",
	}}, nil
}

type iamKey struct {
	User   string `xml:"UserName"`
	ID     string `xml:"AccessKeyId"`
	Status string `xml:"Status"`
	Secret string `xml:"SecretAccessKey,omitempty"`
	Date   string `xml:"CreateDate"`
}

func keyView(k model.AccessKey, user string) iamKey {
	status := "Active"
	if k.Inactive {
		status = "Inactive"
	}
	return iamKey{User: user, ID: k.ID, Status: status, Date: k.Created.UTC().Format("2006-01-02T15:04:05Z")}
}

type createAccessKeyResponse struct {
	XMLName   xml.Name `xml:"CreateAccessKeyResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Key       iamKey   `xml:"CreateAccessKeyResult>AccessKey"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

func createAccessKey(r *request) (any, *failure) {
	u, f := r.user()
	if f != nil {
		return nil, f
	}
	k, ok := r.world.CreateAccessKey(model.AWS, u.ID, maxAccessKeys)
	if !ok {
		return nil, &failure{http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"}
	}
	view := keyView(k, u.Name)
	view.Secret = k.Secret
	return createAccessKeyResponse{Namespace: iamNamespace, Key: view, RequestID: r.id}, nil
}

type members struct {
	Members []iamKey `xml:"member"`
}

type listAccessKeysResponse struct {
	XMLName   xml.Name `xml:"ListAccessKeysResponse"`
	Namespace string   `xml:"xmlns,attr"`
	User      string   `xml:"ListAccessKeysResult>UserName"`
	Keys      members  `xml:"ListAccessKeysResult>AccessKeyMetadata"`
	Truncated bool     `xml:"ListAccessKeysResult>IsTruncated"`
	Marker    string   `xml:"ListAccessKeysResult>Marker,omitempty"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

func listAccessKeys(r *request) (any, *failure) {
	u, f := r.user()
	if f != nil {
		return nil, f
	}
	size, f := r.number("MaxItems", 1, 1000, 100)
	if f != nil {
		return nil, f
	}
	part, next, ok := cut(r.world.AccessKeys(model.AWS, u.ID), r.get("Marker"), size)
	if !ok {
		return nil, fail("ValidationError", "Invalid Marker.")
	}
	out := listAccessKeysResponse{Namespace: iamNamespace, User: u.Name, Truncated: next != "", Marker: next, RequestID: r.id}
	for _, k := range part {
		out.Keys.Members = append(out.Keys.Members, keyView(k, u.Name))
	}
	return out, nil
}

// emptyResponse is an answer that says only that it was done.
type emptyResponse struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns,attr"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// ownKey finds the access key a call names among the user's.
func (r *request) ownKey() (model.AccessKey, *failure) {
	u, f := r.user()
	if f != nil {
		return model.AccessKey{}, f
	}
	id := r.get("AccessKeyId")
	k, ok := r.world.AccessKey(model.AWS, id)
	if !ok || k.UserID != u.ID || k.Token != "" {
		return model.AccessKey{}, noEntity("The Access Key with id " + id + " cannot be found.")
	}
	return k, nil
}

func updateAccessKey(r *request) (any, *failure) {
	k, f := r.ownKey()
	if f != nil {
		return nil, f
	}
	status := r.get("Status")
	if broken := oneOf(status, "Active", "Inactive"); broken != "" {
		return nil, fail("ValidationError", violation(status, "status", broken))
	}
	r.world.SetAccessKeyInactive(model.AWS, k.ID, status == "Inactive")
	return emptyResponse{XMLName: xml.Name{Local: "UpdateAccessKeyResponse"}, Namespace: iamNamespace, RequestID: r.id}, nil
}

func deleteAccessKey(r *request) (any, *failure) {
	k, f := r.ownKey()
	if f != nil {
		return nil, f
	}
	r.world.DeleteAccessKey(model.AWS, k.ID)
	return emptyResponse{XMLName: xml.Name{Local: "DeleteAccessKeyResponse"}, Namespace: iamNamespace, RequestID: r.id}, nil
}
