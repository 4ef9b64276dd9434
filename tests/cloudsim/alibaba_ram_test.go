package cloudsim_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestAlibabaSTS(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	type identity struct{ IdentityType, AccountId, UserId, RoleId, Arn string }
	who := func(e *alibabaEnv) identity {
		t.Helper()
		var out identity
		e.other(t, stsVersion, "GetCallerIdentity").into(t, &out)
		return out
	}
	if got := who(e); got.IdentityType != "RAMUser" || got.AccountId != e.creds.AccountID ||
		got.Arn != "acs:ram::"+e.creds.AccountID+":user/cloudpw" {
		t.Errorf("%+v", got)
	}
	root := e.as(w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID}))
	if got := who(root); got.IdentityType != "Account" || got.UserId != e.creds.AccountID {
		t.Errorf("%+v", got)
	}
	good := map[string]string{
		"RoleArn": e.creds.RoleARN, "RoleSessionName": "cloudpw", "ExternalId": e.creds.ExternalID, "DurationSeconds": "900",
	}
	assume := func(e *alibabaEnv, change map[string]string) alibabaAnswer {
		t.Helper()
		v := url.Values{}
		for name, value := range good {
			v.Set(name, value)
		}
		for name, value := range change {
			v.Set(name, value)
			if value == "" {
				v.Del(name)
			}
		}
		return e.send(t, alibabaCall{version: stsVersion, action: "AssumeRole", params: v})
	}
	for name, c := range map[string]struct {
		change map[string]string
		status int
		code   string
	}{
		"no role":        {map[string]string{"RoleArn": ""}, 400, "MissingRoleArn"},
		"role's form":    {map[string]string{"RoleArn": "arn:aws:iam::1:role/x"}, 400, "InvalidParameter.RoleArn"},
		"unknown role":   {map[string]string{"RoleArn": "acs:ram::1:role/x"}, 404, "EntityNotExist.Role"},
		"no session":     {map[string]string{"RoleSessionName": ""}, 400, "MissingRoleSessionName"},
		"session":        {map[string]string{"RoleSessionName": "a b"}, 400, "InvalidParameter.RoleSessionName"},
		"too short":      {map[string]string{"DurationSeconds": "899"}, 400, "InvalidParameter.DurationSeconds"},
		"too long":       {map[string]string{"DurationSeconds": "3601"}, 400, "InvalidParameter.DurationSeconds"},
		"another id":     {map[string]string{"ExternalId": "wrong"}, 403, "NoPermission"},
		"no id":          {map[string]string{"ExternalId": ""}, 403, "NoPermission"},
		"id's form":      {map[string]string{"ExternalId": "a b"}, 400, "InvalidParameter.ExternalId"},
		"id's length":    {map[string]string{"ExternalId": strings.Repeat("x", 1225)}, 400, "InvalidParameter.ExternalId"},
		"policy, length": {map[string]string{"Policy": strings.Repeat("x", 2049)}, 400, "InvalidParameter.PolicySize"},
	} {
		if got := assume(e, c.change); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q, want %d %s", name, got.status, got.Code, c.status, c.code)
		}
	}
	if got := assume(root, nil); got.Code != "NoPermission" {
		t.Errorf("by the account itself: %q", got.Code)
	}
	var out struct {
		AssumedRoleUser struct{ Arn string }
		Credentials     struct{ AccessKeyId, AccessKeySecret, SecurityToken, Expiration string }
	}
	assume(e, nil).into(t, &out)
	until, err := time.Parse("2006-01-02T15:04:05Z", out.Credentials.Expiration)
	if err != nil || time.Until(until) > 15*time.Minute || time.Until(until) < 14*time.Minute ||
		!strings.HasPrefix(out.Credentials.AccessKeyId, "STS.") || out.AssumedRoleUser.Arn != e.creds.RoleARN+"/cloudpw" {
		t.Errorf("%+v, %v", out, err)
	}
	session := e.as(model.AccessKey{ID: out.Credentials.AccessKeyId, Secret: out.Credentials.AccessKeySecret,
		Token: out.Credentials.SecurityToken})
	if got := who(session); got.IdentityType != "AssumedRoleUser" || got.RoleId == "" || got.UserId != "" {
		t.Errorf("%+v", got)
	}
	var list instancesAnswer
	if session.ecs(t, "DescribeInstances").into(t, &list); len(list.Instances.Instance) != 2 {
		t.Errorf("%+v", list)
	}
	if got := session.other(t, ramVersion, "ListAccessKeys"); got.Code != "EntityNotExist.User" {
		t.Errorf("keys of a role: %q", got.Code)
	}
	if _, err := w.Deny(model.AlibabaCloud, e.creds.AccessKey, []string{"sts:*"}); err != nil {
		t.Fatal(err)
	}
	if got := assume(e, nil); got.status != 403 || got.Code != "NoPermission" {
		t.Errorf("without permission: %d %q", got.status, got.Code)
	}
	who(e) // needs none
}

func TestAlibabaAccessKeys(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	type key struct{ AccessKeyId, AccessKeySecret, Status, CreateDate string }
	keys := func(e *alibabaEnv, params ...string) []key {
		t.Helper()
		var out struct{ AccessKeys struct{ AccessKey []key } }
		e.other(t, ramVersion, "ListAccessKeys", params...).into(t, &out)
		return out.AccessKeys.AccessKey
	}
	if list := keys(e); len(list) != 1 || list[0].AccessKeyId != e.creds.AccessKey || list[0].AccessKeySecret != "" ||
		list[0].Status != "Active" {
		t.Errorf("%+v", list)
	}
	var made struct{ AccessKey key }
	e.other(t, ramVersion, "CreateAccessKey").into(t, &made)
	second := e.as(model.AccessKey{ID: made.AccessKey.AccessKeyId, Secret: made.AccessKey.AccessKeySecret})
	if list := keys(second, "UserName", "cloudpw"); len(list) != 2 {
		t.Errorf("%+v", list)
	}
	w.AddUser(model.User{Cloud: model.AlibabaCloud, Name: "somebody", AccountID: e.creds.AccountID})
	old := e.creds.AccessKey
	for name, c := range map[string]struct {
		action string
		params []string
		status int
		code   string
	}{
		"a third":           {"CreateAccessKey", nil, 409, "LimitExceeded.User.AccessKey"},
		"of nobody":         {"CreateAccessKey", []string{"UserName", "nobody"}, 404, "EntityNotExist.User"},
		"a name's form":     {"CreateAccessKey", []string{"UserName", "a b"}, 400, "InvalidParameter.UserName.InvalidChars"},
		"a name's length":   {"CreateAccessKey", []string{"UserName", strings.Repeat("a", 65)}, 400, "InvalidParameter.UserName.Length"},
		"which":             {"DeleteAccessKey", nil, 400, "MissingUserAccessKeyId"},
		"unknown":           {"DeleteAccessKey", []string{"UserAccessKeyId", "LTAI5tx"}, 404, "EntityNotExist.User.AccessKey"},
		"another's":         {"DeleteAccessKey", []string{"UserAccessKeyId", old, "UserName", "somebody"}, 404, "EntityNotExist.User.AccessKey"},
		"to what":           {"UpdateAccessKey", []string{"UserAccessKeyId", old}, 400, "MissingStatus"},
		"to something else": {"UpdateAccessKey", []string{"UserAccessKeyId", old, "Status", "Off"}, 400, "InvalidParameter"},
	} {
		if got := second.other(t, ramVersion, c.action, c.params...); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q, want %d %s", name, got.status, got.Code, c.status, c.code)
		}
	}
	second.other(t, ramVersion, "UpdateAccessKey", "UserAccessKeyId", old, "Status", "Inactive").into(t, &struct{}{})
	if got := e.ecs(t, "DescribeInstances"); got.Code != "InvalidAccessKeyId.Inactive" {
		t.Errorf("switched off: %q", got.Code)
	}
	second.other(t, ramVersion, "DeleteAccessKey", "UserAccessKeyId", old).into(t, &struct{}{})
	if got := e.ecs(t, "DescribeInstances"); got.status != 404 || got.Code != "InvalidAccessKeyId.NotFound" {
		t.Errorf("deleted: %d %q", got.status, got.Code)
	}
	if list := keys(second); len(list) != 1 || list[0].AccessKeyId != made.AccessKey.AccessKeyId {
		t.Errorf("%+v", list)
	}
	if _, err := w.Deny(model.AlibabaCloud, made.AccessKey.AccessKeyId, []string{"ram:*"}); err != nil {
		t.Fatal(err)
	}
	if got := second.other(t, ramVersion, "ListAccessKeys"); got.status != 403 || got.Code != "NoPermission" {
		t.Errorf("without permission: %d %q", got.status, got.Code)
	}
}
