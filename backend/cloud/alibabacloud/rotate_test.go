package alibabacloud

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// callerAnswer is that of GetCallerIdentity for a RAM user.
func callerAnswer() object {
	return object{"IdentityType": "RAMUser", "AccountId": testAccount, "UserId": "200000000000000001", "Arn": "acs:ram::" + testAccount +
		":user/vault"}
}

func keyList(ids ...string) object {
	list := []object{}
	for _, id := range ids {
		list = append(list, object{"AccessKeyId": id, "Status": "Active", "CreateDate": "2026-01-02T03:04:05Z"})
	}
	return object{"AccessKeys": object{"AccessKey": list}}
}

// rooted answers the calls of rotate-root; replace has what is to be answered instead.
func rooted(t *testing.T, replace map[string]func() (int, any)) (*provider, *fakeCloud) {
	t.Helper()
	return answering(t, func(r request) (int, any) {
		if other := replace[r.action]; other != nil {
			return other()
		}
		if r.header.Get("x-acs-version") == "2015-05-01" && r.params.Get("UserName") != "vault" {
			return failure(404, "EntityNotExist.User")
		}
		switch r.action {
		case "GetCallerIdentity":
			return 200, callerAnswer()
		case "ListAccessKeys":
			return 200, keyList(testAccessKey, "LTAIother")
		case "CreateAccessKey":
			return 200, object{"AccessKey": object{"AccessKeyId": "LTAInew", "AccessKeySecret": "new-secret", "Status": "Active"}}
		}
		return 200, object{}
	})
}

func TestOwnCredentials(t *testing.T) {
	p, _ := rooted(t, nil)
	own, err := p.OwnCredentials(t.Context())
	if err != nil || len(own) != 2 || own[0].ID != testAccessKey || !own[0].InUse || own[1].InUse || own[0].Created.IsZero() {
		t.Errorf("%+v, %v", own, err)
	}
	if got, err := p.Credential(t.Context()); err != nil || got.ID != testAccessKey || got.Created.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	p, _ = rooted(t, map[string]func() (int, any){"ListAccessKeys": func() (int, any) { return 200, object{} }})
	_, err = p.OwnCredentials(t.Context())
	_ = errorOfKind(t, err, cloud.Unknown)
}

func TestCreateCredential(t *testing.T) {
	p, f := rooted(t, nil)
	made, err := p.CreateCredential(t.Context())
	if err != nil || made["access_key"] != "LTAInew" || made["secret_key"] != "new-secret" ||
		f.actions() != "GetCallerIdentity CreateAccessKey" {
		t.Errorf("%v after %s", err, f.actions())
	}
	for name, c := range map[string]struct {
		answer func() (int, any)
		kind   cloud.Kind
		says   []string
	}{
		"limit": {func() (int, any) { return failure(409, "LimitExceeded.User.AccessKey") }, cloud.Refused,
			[]string{"vault has 2 access keys already", "does not use LTAIother (active, made 2026-01-02"}},
		"lost":     {func() (int, any) { return failure(500, "InternalError") }, cloud.Unknown, []string{"RAM may have made a key nevertheless"}},
		"no key":   {func() (int, any) { return 200, object{} }, cloud.Unknown, []string{"no usable key", "may have made a key"}},
		"no right": {func() (int, any) { return failure(403, "NoPermission") }, cloud.Denied, []string{"ram:CreateAccessKey"}},
		"other form": {func() (int, any) {
			return 200, object{"AccessKey": object{"AccessKeyId": "a b", "AccessKeySecret": "s"}}
		}, cloud.Unknown, nil},
	} {
		p, _ := rooted(t, map[string]func() (int, any){"CreateAccessKey": c.answer})
		_, err := p.CreateCredential(t.Context())
		e := errorOfKind(t, err, c.kind)
		for _, says := range c.says {
			if !strings.Contains(e.Message, says) {
				t.Errorf("%s: %v lacks %q", name, e, says)
			}
		}
		if strings.Contains(e.Message, testAccessKey+" (") {
			t.Errorf("%s: the error offers the key in use: %v", name, e)
		}
	}
}

func TestDeleteCredential(t *testing.T) {
	p, f := rooted(t, nil)
	if err := p.DeleteCredential(t.Context(), "LTAIother"); err != nil || f.actions() != "GetCallerIdentity UpdateAccessKey DeleteAccessKey" {
		t.Errorf("%v after %s", err, f.actions())
	}
	if r := f.seen()[1]; r.params.Get("Status") != "Inactive" || r.params.Get("UserAccessKeyId") != "LTAIother" || r.params.Has("RegionId") {
		t.Errorf("%+v", r.params)
	}
	_ = errorOfKind(t, p.DeleteCredential(t.Context(), testAccessKey), cloud.Refused)
	_ = errorOfKind(t, p.DeleteCredential(t.Context(), "a&b"), cloud.Refused)
	for name, c := range map[string]struct {
		action string
		code   string
		kind   cloud.Kind
	}{
		"gone already":        {"UpdateAccessKey", "EntityNotExist.User.AccessKey", ""},
		"gone meanwhile":      {"DeleteAccessKey", "EntityNotExist.User.AccessKey", ""},
		"not allowed":         {"UpdateAccessKey", "NoPermission", cloud.Denied},
		"deleting not":        {"DeleteAccessKey", "NoPermission", cloud.Denied},
		"no such user at all": {"UpdateAccessKey", "EntityNotExist.User", cloud.NotFound},
	} {
		p, _ := rooted(t, map[string]func() (int, any){c.action: func() (int, any) { return failure(403, c.code) }})
		if err := p.DeleteCredential(t.Context(), "LTAIother"); cloud.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whose key cannot be rotated is told without asking RAM.
func TestWhoseKeyCanBeRotated(t *testing.T) {
	for name, c := range map[string]struct {
		who  object
		says string
	}{
		"the account": {object{"IdentityType": "Account", "AccountId": testAccount, "UserId": testAccount, "Arn": "acs:ram::" + testAccount +
			":root"},
			"belongs to the account itself"},
		"a role": {object{"IdentityType": "AssumedRoleUser", "AccountId": testAccount, "Arn": "acs:ram::" + testAccount + ":assumed-role/x/y"},
			"no RAM user"},
		"a name with a line break": {object{"IdentityType": "RAMUser", "AccountId": testAccount, "UserId": "2", "Arn": "acs:ram::1:user/a\nb"},
			"no RAM user"},
	} {
		p, f := rooted(t, map[string]func() (int, any){"GetCallerIdentity": func() (int, any) { return 200, c.who }})
		_, err := p.OwnCredentials(t.Context())
		if e := errorOfKind(t, err, cloud.Refused); !strings.Contains(e.Message, c.says) || f.actions() != "GetCallerIdentity" {
			t.Errorf("%s: %v after %s", name, e, f.actions())
		}
	}
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		says   string
	}{
		"role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole}) }, "role_arn: "},
		"ambient": {func(c *cloud.Config) {
			c.Values = cloud.Values{"region": testRegion, "use_ambient_credentials": "true"}
		}, "use_ambient_credentials: "},
		"no sts": {func(c *cloud.Config) { delete(c.Endpoints, "sts") }, "endpoints.sts: "},
		"no ram": {func(c *cloud.Config) { delete(c.Endpoints, "ram") }, "https://ram.aliyuncs.com"},
	} {
		cfg := testConfig(t, "https://a.example")
		c.change(&cfg)
		e := errorOfKind(t, newTestProvider(t, cfg).CheckRotation(), cloud.Refused)
		if !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v", name, e)
		}
	}
}
