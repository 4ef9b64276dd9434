package openstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// reasonKeyLimit is what IAM answers, with status 400, to a user who has as many access keys as he may
// (OTC: "Identity and Access Management API Reference", Creating a Permanent Access Key).
const reasonKeyLimit = "akSkNumExceed"

// accessKeys rotates the access key of Huawei Cloud and OTC. Both let every user list, make and delete
// his own keys without a permission, at /v3.0/OS-CREDENTIAL/credentials. A request to make one names
// the user's id, which a connection does not know; the list of the caller's own keys tells it.
type accessKeys struct {
	sender *sender
	used   string
	home   *homeDomain
	// temporary is set for a key with a security token.
	temporary bool
}

// accessKey is a key as IAM lists it.
type accessKey struct {
	Access  string    `json:"access"`
	Secret  string    `json:"secret"` // only in the answer that made it
	UserID  string    `json:"user_id"`
	Status  string    `json:"status"`
	Created time.Time `json:"create_time"`
}

func (a *accessKeys) own(ctx context.Context) ([]cloud.OwnCredential, error) {
	keys, _, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	var out []cloud.OwnCredential
	for _, k := range keys {
		out = append(out, cloud.OwnCredential{ID: k.Access, Created: k.Created, InUse: k.Access == a.used})
	}
	return out, nil
}

// list returns the keys of the connection's user, and his id.
func (a *accessKeys) list(ctx context.Context) ([]accessKey, string, error) {
	if a.temporary {
		return nil, "", errTemporary
	}
	var answer struct {
		Credentials *[]accessKey `json:"credentials"`
	}
	err := a.do(ctx, call{action: actionListKeys}, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		err := getJSON(ctx, client, credentialURL(client, "credentials"), &answer)
		if err == nil && answer.Credentials == nil {
			err = fmt.Errorf("%w: no list of access keys", errAnswerForm)
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	keys := *answer.Credentials
	i := slices.IndexFunc(keys, func(k accessKey) bool { return k.Access == a.used })
	if i < 0 || !userForm.MatchString(keys[i].UserID) {
		return nil, "", cloud.Errorf(cloud.Refused, "%s: IAM does not list the connection's access_key among the caller's permanent ones, so "+
			"it cannot be replaced; neither can temporary keys", actionListKeys)
	}
	user := keys[i].UserID
	// An administrator may see others' keys; those are none of this connection's business.
	keys = slices.DeleteFunc(keys, func(k accessKey) bool { return k.UserID != user || !accessKeyForm.MatchString(k.Access) })
	return keys, user, nil
}

func (a *accessKeys) create(ctx context.Context) (cloud.Values, error) {
	keys, user, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Credential accessKey `json:"credential"`
	}
	body := map[string]any{"credential": map[string]string{"user_id": user, "description": accessKeyDescription}}
	err = a.do(ctx, call{action: actionCreateKey}, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		err := postJSON(ctx, client, credentialURL(client, "credentials"), body, &answer)
		if err == nil && (!accessKeyForm.MatchString(answer.Credential.Access) || answer.Credential.Secret == "") {
			err = incomplete("access key")
		}
		return err
	})
	if refused, answered := answerOf(err); answered && refused.reason == reasonKeyLimit {
		return nil, a.limitReached(keys, err)
	}
	if err != nil {
		return nil, err
	}
	return cloud.Values{cloud.AccessKey.Name: answer.Credential.Access, cloud.SecretKey.Name: answer.Credential.Secret}, nil
}

// limitReached names the keys of which one must go.
func (a *accessKeys) limitReached(keys []accessKey, cause error) error {
	var others []string
	for _, k := range keys {
		if k.Access != a.used {
			others = append(others, text.Name(k.Access, cloud.MaxCode))
		}
	}
	e := cloud.Errorf(cloud.Refused, "%s: the user has as many access keys as the cloud allows; delete one that nobody uses, in the "+
		"console under My Credentials, Access Keys: %s",
		actionCreateKey, strings.Join(others, ", "))
	e.Code = reasonKeyLimit
	var translated *cloud.Error
	if errors.As(cause, &translated) {
		e.RequestID = translated.RequestID
	}
	return e
}

// errTemporary is for what has no successor. IAM gives temporary keys to who has permanent ones, or a password.
var errTemporary = cloud.Errorf(cloud.Refused, "security_token: the connection uses a temporary access key, which ends by itself and "+
	"cannot be replaced by another; write the permanent access_key and secret_key of a user, with security_token empty, or write a new "+
	"access_key, secret_key and security_token before these end")

func (a *accessKeys) check() error {
	if a.temporary {
		return errTemporary
	}
	return nil
}

// tell says when the access key was made. A permanent one does not end by itself; of a temporary one IAM tells nothing.
func (a *accessKeys) tell(ctx context.Context) (cloud.Credential, error) {
	if a.temporary {
		return cloud.Credential{ID: a.used}, nil
	}
	own, err := a.own(ctx)
	if err != nil {
		return cloud.Credential{ID: a.used}, err
	}
	return cloud.CredentialOf(a.used, own)
}

func (a *accessKeys) remove(ctx context.Context, id string) error {
	return a.do(ctx, call{action: actionDeleteKey}, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return deleteAt(ctx, client, credentialURL(client, "credentials")+"/"+id)
	})
}

// do sends a request to IAM under the user's domain.
func (a *accessKeys) do(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	domain, err := a.home.id(ctx)
	if err != nil {
		return err
	}
	c.identity = true
	return a.sender.do(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return send(ctx, inDomain(client, domain))
	})
}

func (a *accessKeys) permissions(ctx context.Context) []cloud.Permission {
	if a.temporary {
		return nil
	}
	_, _, err := a.list(ctx)
	listed := verdictOf(err)
	listed.Action = "GET /v3.0/OS-CREDENTIAL/credentials"
	listed.Purpose = "tell the age of the user's own access key, and list them for rotate-root"
	return []cloud.Permission{listed, {
		Action:  "POST, DELETE /v3.0/OS-CREDENTIAL/credentials",
		Purpose: "make and delete the user's own access keys, for rotate-root",
		Verdict: cloud.PermissionUnknown,
		Message: "the cloud asks no permission for this and has no way to try it; the account's administrator may have forbidden it in the " +
			"console under IAM, Security Settings, Access Key Management",
	}}
}
