package novaapi

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Each cloud, through the real gophercloud with a token: the whole way from
// the password login over the catalogue to the decrypted initial password.
func TestInitialPasswordThroughGophercloudWithAToken(t *testing.T) {
	for _, name := range []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud, model.OpenStack} {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, nil)
			win := f.windows(t)
			linux := f.server(t, model.Server{KeyName: "ops"})
			client, err := f.byToken(t, f.login())
			if err != nil {
				t.Fatal(err)
			}
			shown, err := servers.Get(t.Context(), client, win.ID).Extract()
			if err != nil {
				t.Fatal(err)
			}
			if shown.Status != "ACTIVE" || shown.KeyName != "ops" || shown.TenantID != f.project.ID || shown.LaunchedAt.IsZero() {
				t.Errorf("server shown as %+v", shown)
			}
			for id, want := range map[string]string{win.ID: win.InitialPassword, linux.ID: ""} {
				got, err := servers.GetPassword(t.Context(), client, id).ExtractPassword(f.private)
				if err != nil || got != want {
					t.Errorf("password of %s: %q, %v; want %q", id, got, err, want)
				}
			}
			pair, err := keypairs.Get(t.Context(), client, "ops", nil).Extract()
			if err != nil || !strings.HasPrefix(pair.PublicKey, "ssh-rsa ") {
				t.Errorf("key pair: %+v, %v", pair, err)
			}
			if err := clearPassword(t, client, win.ID); err != nil {
				t.Fatalf("delete: %v", err)
			}
			if got, err := servers.GetPassword(t.Context(), client, win.ID).ExtractPassword(nil); err != nil || got != "" {
				t.Errorf("after the delete: %q, %v; want an empty password", got, err)
			}
			_, err = servers.GetPassword(t.Context(), client, "00000000-0000-4000-8000-000000000000").ExtractPassword(nil)
			if !gophercloud.ResponseCodeIs(err, http.StatusNotFound) || !strings.Contains(err.Error(), "itemNotFound") {
				t.Errorf("unknown server: %v; want Nova's 404", err)
			}
		})
	}
}

func TestPasswordAppearsWhenTheGuestIsReady(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.server(t, model.Server{Platform: model.Windows, KeyName: "ops", ReadyAfter: 7 * time.Minute})
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := servers.GetPassword(t.Context(), client, s.ID).ExtractPassword(nil); err != nil || got != "" {
		t.Errorf("early: %q, %v; want an empty password", got, err)
	}
	f.world.Advance(7 * time.Minute)
	if got, err := servers.GetPassword(t.Context(), client, s.ID).ExtractPassword(f.private); err != nil || got != s.InitialPassword {
		t.Errorf("ready: %q, %v; want %q", got, err, s.InitialPassword)
	}
}

func TestExpiredAndRevokedTokensAreRefusedAndRenewed(t *testing.T) {
	for _, name := range []model.Cloud{model.OpenTelekomCloud, model.OpenStack} {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, func(o *Options) { o.TokenLifetime = time.Hour })
			s := f.windows(t)
			login := f.login()
			login.AllowReauth = true
			client, err := f.byToken(t, login)
			if err != nil {
				t.Fatal(err)
			}
			for what, end := range map[string]func(){
				"expired": func() { f.pass(time.Hour) },
				"revoked": func() {
					if n := f.cloud.RevokeTokens(); n != 1 {
						t.Errorf("%d tokens revoked, want 1", n)
					}
				},
			} {
				old := client.Token()
				end()
				r := get(t, nil, "GET", client.ServiceURL("servers", s.ID), headerToken, old)
				if name == model.OpenStack {
					r.want(t, http.StatusUnauthorized, "error/title", "Unauthorized")
				} else {
					r.want(t, http.StatusUnauthorized, "error_code", "APIGW.0301")
				}
				if _, err := servers.Get(t.Context(), client, s.ID).Extract(); err != nil {
					t.Errorf("%s: gophercloud did not get a new token: %v", what, err)
				}
				if client.Token() == old {
					t.Errorf("%s: the token is still the old one", what)
				}
			}
		})
	}
}

// tokenRequest logs in with a raw body, so that each field can be wrong.
func tokenRequest(t *testing.T, f *fixture, identity, scope string) reply {
	t.Helper()
	body := `{"auth":{"identity":` + identity
	if scope != "" {
		body += `,"scope":` + scope
	}
	return send(t, nil, "POST", f.identity+"/v3/auth/tokens", body+"}}", "Content-Type", "application/json")
}

func password(user string) string {
	return `{"methods":["password"],"password":{"user":{` + user + `}}}`
}

// malformedEnd ends Keystone's messages about a request's form.
const malformedEnd = " The server could not comply with the request since it is either malformed or otherwise incorrect. The client is " +
	"assumed to be in error."

// TestTokenRequests holds what the Keystone 22 of Debian answered to the same requests.
func TestTokenRequests(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	f.world.AddUser(model.User{Cloud: model.OpenStack, Name: "administrator", AccountID: f.account.ID, Password: "user-Secret.1",
		DomainRole: true})
	stranger := f.world.AddAccount(model.Account{Cloud: model.OpenStack, Name: "stranger", Regions: []string{"eu-de"}})
	theirs := f.world.AddProject(model.Project{Cloud: model.OpenStack, Name: "theirs", AccountID: stranger.ID, Region: "eu-de"})
	domain := fmt.Sprintf(`"domain":{"name":%q}`, f.account.Name)
	right := password(`"name":"vault","password":"user-Secret.1",` + domain)
	byID := password(fmt.Sprintf(`"id":%q,"password":"user-Secret.1"`, f.user.ID))
	cases := []struct {
		name, identity, scope string
		status                int
		path, want            string
	}{
		{"by names", right, `{"project":{"name":"eu-de",` + domain + `}}`, 201, "token/project/id", f.project.ID},
		{"by ids", byID, fmt.Sprintf(`{"project":{"id":%q}}`, f.project.ID), 201, "token/project/name", "eu-de"},
		{"domain by id", password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"id":%q}`, f.account.ID)), "", 201,
			"token/user/id", f.user.ID},
		{"without a scope there is no catalogue", right, "", 201, "token/catalog", "<nil>"},
		{"unscoped on purpose", right, `"unscoped"`, 201, "token/project", "<nil>"},
		{"unscoped in an older form", right, `{"unscoped":{}}`, 201, "token/project", "<nil>"},
		{"domain scope without a role", right, `{` + domain + `}`, 401, "error/code", "401"},
		{"domain scope", password(`"name":"administrator","password":"user-Secret.1",` + domain), `{` + domain + `}`, 201, "token/domain/name",
			f.account.Name},
		{"system scope", right, `{"system":{"all":true}}`, 401, "error/code", "401"},
		{"a trust", right, `{"OS-TRUST:trust":{"id":"x"}}`, 401, "error/code", "401"},
		{"no scope that there is", right, `"everything"`, 400, "error/message",
			"Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope." + malformedEnd},
		{"empty scope", right, `{}`, 400, "error/code", "400"},
		{"null scope", right, `null`, 400, "error/message", "Invalid input for field 'scope': None is not of type 'object', 'string'"},
		{"nameless project", right, `{"project":{}}`, 400, "error/message", "Invalid input for field scope/project: id or name must be present."},
		{"project id and name without domain", right, fmt.Sprintf(`{"project":{"id":%q,"name":"eu-de"}}`, f.project.ID), 400, "error/message",
			"Expecting to find domain in project." + malformedEnd},
		{"a number for a password", password(`"name":"vault","password":5,` + domain), "", 400, "error/message",
			"Invalid input for field 'identity/password/user/password': 5 is not of type 'string'"},
		{"nobody", `{"methods":["password"],"password":{}}`, "", 400, "error/code", "400"},
		{"unsupported method", `{"methods":["totp"],"totp":{}}`, "", 401, "error/identity/methods/0", "password"},
		{"a token that is none", `{"methods":["token"],"token":{"id":"x"}}`, "", 404, "error/message", "Could not recognize Fernet token"},
		{"a token without an id", `{"methods":["token"],"token":{}}`, "", 400, "error/message",
			"Invalid input for field 'identity/token': 'id' is a required property"},
		{"wrong password", password(`"name":"vault","password":"wrong",` + domain), "", 401, "error/title", "Unauthorized"},
		{"unknown user", password(`"name":"nobody","password":"user-Secret.1",` + domain), "", 401, "error/code", "401"},
		{"unknown domain", password(`"name":"vault","password":"user-Secret.1","domain":{"name":"none"}`), "", 401, "error/code", "401"},
		{"name without domain", password(`"name":"vault","password":"user-Secret.1"`), "", 400, "error/title", "Bad Request"},
		{"no user", password(`"password":"x"`), "", 400, "error/code", "400"},
		{"unknown project", right, `{"project":{"id":"none"}}`, 401, "error/code", "401"},
		{"project of another user", right, fmt.Sprintf(`{"project":{"id":%q}}`, f.other.ID), 401, "error/code", "401"},
		{"project of another domain", right, fmt.Sprintf(`{"project":{"id":%q}}`, theirs.ID), 401, "error/code", "401"},
		{"project name without domain", right, `{"project":{"name":"eu-de"}}`, 400, "error/code", "400"},
		{"foreign domain scope", right, `{"domain":{"name":"stranger"}}`, 401, "error/code", "401"},
		{"project and domain", right, `{"project":{"id":"x"},` + domain + `}`, 400, "error/code", "400"},
		{"unknown method", `{"methods":["totp"]}`, "", 400, "error/message", "Expecting to find totp in identity." + malformedEnd},
		{"no method", `{"methods":[]}`, "", 401, "error/code", "401"},
		{"method without its part", `{"methods":["password"]}`, "", 400, "error/code", "400"},
		{"no JSON", `}`, "", 400, "error/code", "400"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := tokenRequest(t, f, c.identity, c.scope)
			r.want(t, c.status, c.path, c.want)
			if has := r.header.Get(headerSubjectToken) != ""; has != (c.status == 201) {
				t.Errorf("status %d with X-Subject-Token: %v", r.status, has)
			}
			if c.status == 401 && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Keystone uri=") {
				t.Errorf("WWW-Authenticate is %q", r.header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestVendorsTakeTheUsersDomainForTheProject(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	user := password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name))
	tokenRequest(t, f, user, `{"project":{"name":"eu-de"}}`).want(t, 201, "token/project/id", f.project.ID)
	tokenRequest(t, f, `{"methods":["application_credential"],"application_credential":{"id":"x","secret":"y"}}`, "").
		want(t, 401, "error/code", "401")
}

func TestApplicationCredentials(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	good := f.world.AddAppCredential(model.AppCredential{Name: "vault", Secret: "app-Secret", UserID: f.user.ID, ProjectID: f.project.ID})
	ended := f.world.AddAppCredential(model.AppCredential{Secret: "app-Secret", UserID: f.user.ID, ProjectID: f.project.ID,
		Expires: f.now().Add(-time.Second)})
	for _, c := range []struct {
		name string
		opts gophercloud.AuthOptions
		code int // 0: accepted
	}{
		{"by id", gophercloud.AuthOptions{ApplicationCredentialID: good.ID, ApplicationCredentialSecret: "app-Secret"}, 0},
		{"by name and user", gophercloud.AuthOptions{ApplicationCredentialName: "vault", ApplicationCredentialSecret: "app-Secret",
			Username: "vault", DomainName: f.account.Name}, 0},
		{"wrong secret", gophercloud.AuthOptions{ApplicationCredentialID: good.ID, ApplicationCredentialSecret: "wrong"}, 401},
		{"unknown id", gophercloud.AuthOptions{ApplicationCredentialID: "none", ApplicationCredentialSecret: "app-Secret"}, 404},
		{"expired", gophercloud.AuthOptions{ApplicationCredentialID: ended.ID, ApplicationCredentialSecret: "app-Secret"}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.IdentityEndpoint = f.identity + "/v3"
			client, err := f.byToken(t, c.opts)
			if c.code != 0 {
				if !gophercloud.ResponseCodeIs(err, c.code) {
					t.Errorf("got %v, want %d", err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := servers.Get(t.Context(), client, s.ID).Extract(); err != nil {
				t.Error(err)
			}
		})
	}
	identity := fmt.Sprintf(`{"methods":["application_credential"],"application_credential":{"id":%q,"secret":"app-Secret"}}`, good.ID)
	tokenRequest(t, f, identity, `{"project":{"id":"x"}}`).want(t, 401, "error/message",
		"Error authenticating with application credential: Application credentials cannot request a scope.")
}

func TestTokensAreShownAndRevoked(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	user := password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name))
	id := tokenRequest(t, f, user, fmt.Sprintf(`{"project":{"id":%q}}`, f.project.ID)).header.Get(headerSubjectToken)
	url := f.identity + "/v3/auth/tokens"
	r := get(t, nil, "GET", url, headerToken, id, headerSubjectToken, id)
	r.want(t, 200, "token/user/name", "vault")
	r.want(t, 200, "token/catalog/2/endpoints/0/url", f.compute+"/v2.1")
	get(t, nil, "GET", url, headerToken, "forged", headerSubjectToken, id).want(t, 401, "error/code", "401")
	get(t, nil, "GET", url, headerToken, id, headerSubjectToken, "none").want(t, 404, "error/code", "404")
	get(t, nil, "GET", url, headerToken, id).want(t, 403, "error/code", "403")
	get(t, nil, "GET", f.identity+"/v3/auth/projects", headerToken, id).want(t, 200, "projects/0/id", f.project.ID)
	get(t, nil, "GET", f.identity+"/v3/projects?name=none", headerToken, id).want(t, 403, "error/message", notAuthorized+
		"identity:list_projects.")
	get(t, nil, "GET", f.identity+"/v3/projects/"+f.other.ID, headerToken, id).want(t, 403, "error/message", notAuthorized+
		"identity:get_project.")
	get(t, nil, "GET", f.identity+"/v3/users/"+f.user.ID+"/projects", headerToken, id).want(t, 200, "projects/0/tags", "[]")
	get(t, nil, "GET", f.identity+"/v3/auth/domains", headerToken, id).want(t, 200, "domains", "[]")
	get(t, nil, "GET", f.identity+"/v3/regions/eu-de", headerToken, id).want(t, 200, "region/id", "eu-de")
	get(t, nil, "GET", f.identity+"/v3/users/"+f.user.ID, headerToken, id).want(t, 200, "user/name", "vault")
	get(t, nil, "GET", f.identity+"/v3/users/none", headerToken, id).want(t, 403, "error/code", "403")
	other := tokenRequest(t, f, user, `"unscoped"`).header.Get(headerSubjectToken)
	get(t, nil, "GET", f.identity+"/v3/auth/catalog", headerToken, other).want(t, 403, "error/code", "403")
	get(t, nil, "DELETE", url, headerToken, id).want(t, 403, "error/message", notAuthorized+"identity:revoke_token.")
	get(t, nil, "DELETE", url, headerToken, id, headerSubjectToken, other).want(t, 204, "", "")
	get(t, nil, "GET", url, headerToken, id, headerSubjectToken, other).want(t, 404, "error/message", "Failed to validate token")
	tokenRequest(t, f, fmt.Sprintf(`{"methods":["token"],"token":{"id":%q}}`, other), "").want(t, 404, "error/message",
		"Failed to validate token")
	get(t, nil, "DELETE", url, headerToken, id, headerSubjectToken, id).want(t, 204, "", "")
	get(t, nil, "GET", url, headerToken, id, headerSubjectToken, id).want(t, 401, "error/code", "401")
}

// TestKeystoneReadsJSON: any other type of content is refused unread.
func TestKeystoneReadsJSON(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	body := `{"auth":{"identity":` + password(fmt.Sprintf(`"id":%q,"password":"user-Secret.1"`, f.user.ID)) + `}}`
	for media, status := range map[string]int{
		"application/json": 201, "application/json; charset=utf-8": 201, "application/x+json": 201, "": 201, "text/plain": 400,
		"application/x-www-form-urlencoded": 400,
	} {
		r := send(t, nil, "POST", f.identity+"/v3/auth/tokens", body, "Content-Type", media)
		if r.status != status {
			t.Errorf("%q: %v, want %d", media, r, status)
		}
	}
	send(t, nil, "POST", f.identity+"/v3/auth/tokens", "", "Content-Type", "").want(t, 400, "error/message",
		"Expecting to find auth in request body."+malformedEnd)
}

// TestApplicationCredentialRequests holds what the Keystone 22 of Debian answered to the same requests.
func TestApplicationCredentialRequests(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	user := password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name))
	id := tokenRequest(t, f, user, fmt.Sprintf(`{"project":{"id":%q}}`, f.project.ID)).header.Get(headerSubjectToken)
	url := f.identity + "/v3/users/" + f.user.ID + "/application_credentials"
	create := func(body string) reply {
		t.Helper()
		return send(t, nil, "POST", url, `{"application_credential":`+body+`}`, headerToken, id, "Content-Type", "application/json")
	}
	for body, want := range map[string]string{
		`{}`:                        "'name' is a required property",
		`{"name":" "}`:              `Invalid input for field 'name': ' ' does not match '[\\S]+'`,
		`{"name":"x","unknown":1}`:  "'unknown' is an invalid keyword argument for ApplicationCredentialModel",
		`{"name":"x","roles":"x"}`:  "Invalid input for field 'roles': 'x' is not of type 'array'",
		`{"name":"x","roles":[{}]}`: "Invalid input for field 'roles/0': {} does not have enough properties",
		`{"name":"x","roles":[{"name":"admin"}]}`: "Invalid application credential: Cannot create " +
			"an application credential with unassigned role",
		`{"name":"x","expires_at":"soon"}`: "Timestamp not in expected format." + malformedEnd,
		`{"name":"x","expires_at":"2020-01-01T00:00:00"}`: "The 'expires_at' must not be before now." +
			malformedEnd,
		`{"name":"x","access_rules":[{"path":"x","method":"GET","service":"compute"}]}`: `Invalid input for field 'access_rules/0/path': 'x' does not match '^\\/.*'`,
		`{"name":"x","access_rules":[{"path":"/x","method":"TRACE","service":"compute"}]}`: "Invalid input for field " +
			"'access_rules/0/method': 'TRACE' does not match '^(POST|GET|HEAD|PATCH|PUT|DELETE)$'",
		`{"name":"x","access_rules":[{"path":"/x","method":"GET","service":"x","other":1}]}`: "Invalid input for field 'access_rules/0': " +
			"Additional properties are not allowed ('other' was unexpected)",
	} {
		create(body).want(t, 400, "error/message", want)
	}
	create(`{"name":"x","roles":[{"name":"none"}]}`).want(t, 404, "error/message", "Role none is not defined")
	rule := `[{"path":"/v2.1/servers","method":"GET","service":"compute"}]`
	first, second := create(`{"name":"first","access_rules":`+rule+`}`), create(`{"name":"second","access_rules":`+rule+`}`)
	first.want(t, 201, "application_credential/roles/1/name", "member")
	ruleID := fmt.Sprint(first.at("application_credential/access_rules/0/id"))
	second.want(t, 201, "application_credential/access_rules/0/id", ruleID) // an equal rule is the same
	create(`{"name":"first"}`).want(t, 409, "error/title", "Conflict")
	rules := f.identity + "/v3/users/" + f.user.ID + "/access_rules"
	get(t, nil, "GET", rules, headerToken, id).want(t, 200, "access_rules/0/path", "/v2.1/servers")
	get(t, nil, "GET", rules+"/none", headerToken, id).want(t, 404, "error/message", "Could not find Access Rule: none.")
	get(t, nil, "DELETE", rules+"/"+ruleID, headerToken, id).want(t, 403, "error/message", "May not delete access rule in use")
	get(t, nil, "GET", f.identity+"/v3/users/other/access_rules", headerToken, id).want(t, 403, "error/code", "403")

	login := func(given string) reply {
		t.Helper()
		return tokenRequest(t, f, `{"methods":["application_credential"],"application_credential":{`+given+`}}`, "")
	}
	login(`"secret":"x"`).want(t, 400, "error/message", "Expecting to find name or ID in application credential."+malformedEnd)
	login(`"name":"first","secret":"x"`).want(t, 400, "error/message", "Expecting to find user in application credential."+malformedEnd)
	login(fmt.Sprintf(`"name":"none","secret":"x","user":{"id":%q}`, f.user.ID)).want(t, 401, "error/code", "401")
	login(fmt.Sprintf(`"name":"first","secret":"x","user":{"name":"none","domain":{"name":%q}}`, f.account.Name)).want(t, 404, "error/message",
		"Could not find user: none.")
	login(`"id":"none","secret":"x"`).want(t, 404, "error/message", "Could not find Application Credential: none.")
	got := login(fmt.Sprintf(`"id":%q,"secret":%q`, first.at("application_credential/id"), first.at("application_credential/secret")))
	got.want(t, 201, "token/application_credential/restricted", "true")
	applied := got.header.Get(headerSubjectToken)
	tokenRequest(t, f, fmt.Sprintf(`{"methods":["token"],"token":{"id":%q}}`, applied), "").want(t, 403, "error/message",
		notAuthorized+"Using a delegated token to create another token is not allowed..")
	shown := f.identity + "/v3/auth/tokens"
	get(t, nil, "GET", shown, headerToken, id, headerSubjectToken, applied).want(t, 404, "error/message", "Failed to validate token")
	get(t, nil, "GET", shown, headerToken, id, headerSubjectToken, applied, headerAccessRules, "1.0").want(t, 200, "token/user/name", "vault")

	// Without a project there are neither roles nor, in its tokens, a scope.
	unscoped := tokenRequest(t, f, user, `"unscoped"`).header.Get(headerSubjectToken)
	bare := send(t, nil, "POST", url, `{"application_credential":{"name":"bare"}}`, headerToken, unscoped, "Content-Type", "application/json")
	bare.want(t, 201, "application_credential/project_id", "<nil>")
	login(fmt.Sprintf(`"id":%q,"secret":%q`, bare.at("application_credential/id"), bare.at("application_credential/secret"))).
		want(t, 201, "token/project", "<nil>")
}

// TestRolesOfApplicationCredentials holds what the Keystone and the Nova of Debian answered: a member is a reader, too,
// but not an application credential that was made with the role member alone.
func TestRolesOfApplicationCredentials(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	password := "servers/" + s.ID + "/os-server-password"
	for _, test := range []struct {
		roles              []string
		list, show, delete int
	}{
		{nil, 200, 200, 204},
		{[]string{"member"}, 403, 403, 204},
		{[]string{"reader"}, 200, 200, 403},
		{[]string{"reader", "member"}, 200, 200, 204},
	} {
		made := f.world.AddAppCredential(model.AppCredential{Secret: "app-Secret", UserID: f.user.ID, ProjectID: f.project.ID, Roles: test.roles})
		r := tokenRequest(t, f, fmt.Sprintf(`{"methods":["application_credential"],"application_credential":{"id":%q,"secret":"app-Secret"}}`,
			made.ID), "")
		roles, _ := r.at("token/roles").([]any)
		if want := cmp.Or(len(test.roles), 2); len(roles) != want {
			t.Errorf("%v: the token has %v", test.roles, roles)
		}
		for _, call := range []struct {
			method, path string
			status       int
		}{{"GET", "servers", test.list}, {"GET", password, test.show}, {"DELETE", password, test.delete}, {"GET", "os-keypairs", 200}} {
			got := get(t, nil, call.method, f.compute+"/v2.1/"+call.path, headerToken, r.header.Get(headerSubjectToken))
			if got.status != call.status {
				t.Errorf("%v: %s %s: %v, want %d", test.roles, call.method, call.path, got, call.status)
			}
		}
	}
}
