package novaapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// vendors are the clouds with AK/SK, each with the dialect that it takes.
var vendors = map[model.Cloud]Dialect{
	model.HuaweiCloud:      DialectDirect,
	model.OpenTelekomCloud: DialectScoped,
}

func TestInitialPasswordThroughGophercloudWithASignature(t *testing.T) {
	for name, dialect := range vendors {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, nil)
			s := f.windows(t)
			client := f.bySignature(f.signer(dialect))
			got, err := servers.GetPassword(t.Context(), client, s.ID).ExtractPassword(f.private)
			if err != nil || got != s.InitialPassword {
				t.Errorf("got %q, %v; want %q", got, err, s.InitialPassword)
			}
			pages, err := servers.List(client, servers.ListOpts{Name: "a b", Limit: 3}).AllPages(t.Context())
			if err != nil {
				t.Fatalf("signed query: %v", err)
			}
			if list, err := servers.ExtractServers(pages); err != nil || len(list) != 0 {
				t.Errorf("list by a name that nobody has: %d servers, %v", len(list), err)
			}
		})
	}
}

func TestGatewayRefusesBadSignatures(t *testing.T) {
	for name, dialect := range vendors {
		f := newFixture(t, name, nil)
		s := f.windows(t)
		inactive := f.world.AddAccessKey(model.AccessKey{Cloud: name, AccountID: f.account.ID, UserID: f.user.ID, Inactive: true})
		temporary := f.world.AddAccessKey(model.AccessKey{Cloud: name, AccountID: f.account.ID, UserID: f.user.ID, Token: "st",
			Expires: f.now().Add(-time.Second)})
		otherDialect := map[Dialect]Dialect{DialectDirect: DialectScoped, DialectScoped: DialectDirect}[dialect]
		for _, c := range []struct {
			name   string
			change func(*signer)
			detail string
		}{
			{"wrong secret key", func(s *signer) { s.secret = "wrong" }, "verify aksk signature fail"},
			{"unknown access key", func(s *signer) { s.access = "NOBODY" }, "Get secretKey failed,ak:NOBODY,err:ak not exist"},
			{"inactive key", func(s *signer) { s.access, s.secret = inactive.ID, inactive.Secret }, "inactive"},
			{"temporary key without its token", func(s *signer) { s.access, s.secret = temporary.ID, temporary.Secret }, "securitytoken"},
			{"the other dialect", func(s *signer) { s.dialect = otherDialect }, "not accepted"},
			{"clock 16 minutes slow", func(s *signer) { s.now = func() time.Time { return f.now().Add(-16 * time.Minute) } },
				"signature expired, signature time:"},
			{"clock 16 minutes fast", func(s *signer) { s.now = func() time.Time { return f.now().Add(16 * time.Minute) } },
				"signature expired, signature time:"},
		} {
			t.Run(string(name)+"/"+c.name, func(t *testing.T) {
				by := f.signer(dialect)
				c.change(by)
				_, err := servers.GetPassword(t.Context(), f.bySignature(by), s.ID).ExtractPassword(nil)
				if !gophercloud.ResponseCodeIs(err, http.StatusUnauthorized) || !strings.Contains(err.Error(), `"APIGW.0301"`) ||
					!strings.Contains(err.Error(), c.detail) {
					t.Errorf("got %v; want 401, APIGW.0301, %q", err, c.detail)
				}
			})
		}
	}
}

func TestTemporaryKeysNeedTheirToken(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	key := f.world.AddAccessKey(model.AccessKey{Cloud: model.HuaweiCloud, AccountID: f.account.ID, UserID: f.user.ID, Token: "st",
		Expires: f.now().Add(time.Hour)})
	by := f.signer(DialectDirect)
	by.access, by.secret = key.ID, key.Secret
	url := f.compute + "/v2.1/" + f.project.ID + "/servers"
	get(t, by, "GET", url, headerSecurityToken, "st").want(t, 200, "", "")
	get(t, by, "GET", url, headerSecurityToken, "other").want(t, 401, "error_code", "APIGW.0301")
	f.pass(time.Hour)
	get(t, by, "GET", url, headerSecurityToken, "st").want(t, 401, "error_code", "APIGW.0301")
}

func TestDialectsCanBeSwitched(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, func(o *Options) { o.Dialects = []Dialect{DialectDirect, DialectScoped} })
	for _, dialect := range []Dialect{DialectDirect, DialectScoped} {
		get(t, f.signer(dialect), "GET", f.compute+"/v2.1/"+f.project.ID+"/servers").want(t, 200, "", "")
	}
}

func TestScopedRegionMustBeTheProjects(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	url := f.compute + "/v2.1/" + f.project.ID + "/servers"
	by := f.signer(DialectScoped)
	by.region = "eu-nl"
	get(t, by, "GET", url).want(t, 401, "error_code", "APIGW.0301")
	by.region, by.service = "", ""
	get(t, by, "GET", url).want(t, 200, "", "")
}

func TestUnauthenticatedRequests(t *testing.T) {
	for _, name := range []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud} {
		f := newFixture(t, name, nil)
		url := f.compute + "/v2.1/" + f.project.ID + "/servers"
		r := get(t, nil, "GET", url)
		r.want(t, 401, "error_code", "APIGW.0301")
		if r.at("request_id") == "" || r.at("request_id") != r.header.Get("X-Openstack-Request-Id") {
			t.Errorf("request id %v, header %q", r.at("request_id"), r.header.Get("X-Openstack-Request-Id"))
		}
		get(t, nil, "GET", url, headerToken, "forged").
			want(t, 401, "error_msg", "Incorrect IAM authentication information: decrypt token fail")
	}
	f := newFixture(t, model.OpenStack, nil)
	for _, headers := range [][]string{nil, {headerToken, "forged"}} {
		get(t, nil, "GET", f.compute+"/v2.1/servers", headers...).want(t, 401, "error/title", "Unauthorized")
	}
	by := &signer{dialect: DialectDirect, access: f.key.ID, secret: f.key.Secret}
	get(t, by, "GET", f.compute+"/v2.1/servers").want(t, 401, "error/title", "Unauthorized")
}

func TestOtherProjectsAreOutOfReach(t *testing.T) {
	for name, dialect := range vendors {
		f := newFixture(t, name, nil)
		s := f.server(t, model.Server{ProjectID: f.other.ID})
		url := f.compute + "/v2.1/" + f.other.ID + "/servers"
		get(t, f.signer(dialect), "GET", url).want(t, 403, "forbidden/code", "403")
		asOther := f.signer(dialect)
		asOther.project = f.other.ID
		get(t, asOther, "GET", url).want(t, 403, "forbidden/code", "403")
		get(t, f.signer(dialect), "GET", f.compute+"/v1/"+f.other.ID+"/cloudservers/detail").want(t, 403, "error/code", "Ecs.0110")
		get(t, f.signer(dialect), "GET", f.compute+"/v2.1/"+f.project.ID+"/servers/"+s.ID).want(t, 404, "itemNotFound/code", "404")
		none := f.signer(dialect)
		none.project = ""
		get(t, none, "GET", f.compute+"/v2.1/"+f.project.ID+"/servers").want(t, 200, "servers", "[]")
	}
	f := newFixture(t, model.OpenStack, nil)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	get(t, nil, "GET", f.compute+"/v2.1/"+f.other.ID+"/servers", headerToken, client.Token()).want(t, 400, "badRequest/code", "400")
	get(t, nil, "GET", f.compute+"/v2.1/"+f.project.ID+"/servers", headerToken, client.Token()).want(t, 200, "servers", "[]")
}

func TestDeniedActions(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	s := f.windows(t)
	base := f.compute + "/v2.1/" + f.project.ID + "/servers/" + s.ID
	if _, err := f.world.Deny(model.HuaweiCloud, f.key.ID, []string{"ecs:*Password"}); err != nil {
		t.Fatal(err)
	}
	by := f.signer(DialectDirect)
	get(t, by, "GET", base).want(t, 200, "server/id", s.ID)
	get(t, by, "GET", base+"/os-server-password").
		want(t, 403, "forbidden/message", "Policy doesn't allow ecs:serverPasswords:manage to be performed.")
	get(t, by, "DELETE", base+"/os-server-password").want(t, 403, "forbidden/code", "403")
	get(t, by, "GET", f.compute+"/v1/"+f.project.ID+"/cloudservers/"+s.ID+"/os-server-password").want(t, 403, "error/code", "Ecs.0110")
	if s, _ = f.world.Server(s.ID); s.Cleared {
		t.Error("a denied DELETE erased the password")
	}
}

func TestKeysAreLockedAfterTooManyWrongSignatures(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, func(o *Options) { o.LockAfter = 5 })
	url := f.compute + "/v2.1/" + f.project.ID + "/servers"
	wrong, right := f.signer(DialectDirect), f.signer(DialectDirect)
	wrong.secret = "wrong"
	for range 5 {
		get(t, wrong, "GET", url).want(t, 401, "error_code", "APIGW.0301")
	}
	get(t, right, "GET", url).want(t, 200, "", "")
	for range 6 {
		get(t, wrong, "GET", url).want(t, 401, "error_code", "APIGW.0301")
	}
	get(t, right, "GET", url).want(t, 401, "error_msg",
		"Incorrect IAM authentication information: AK access failed to reach the limit,forbidden.")
	f.pass(5 * time.Minute)
	get(t, right, "GET", url).want(t, 200, "", "")
}

func TestNewRefusesWhatItCannotSimulate(t *testing.T) {
	w := model.NewWorld(model.Options{})
	defer w.Close()
	for name, o := range map[string]Options{
		"cloud of another family": {Cloud: model.AWS},
		"AK/SK on OpenStack":      {Cloud: model.OpenStack, Dialects: []Dialect{DialectDirect}},
		"unknown dialect":         {Cloud: model.HuaweiCloud, Dialects: []Dialect{"v4"}},
	} {
		if _, err := New(w, o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
