package novaapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const keyPath = "/v3.0/OS-CREDENTIAL/securitytokens"

// assumeBody asks for a key of an agency.
func assumeBody(fields string) string {
	return `{"auth":{"identity":{"methods":["assume_role"],"assume_role":{` + fields + `}}}}`
}

// partner is a user of another account, with a signer of his key.
func (f *fixture) partner(dialect Dialect) (model.User, *signer) {
	account := f.world.AddAccount(model.Account{Cloud: f.account.Cloud, Name: "partner"})
	user := f.world.AddUser(model.User{Cloud: f.account.Cloud, AccountID: account.ID, Name: "operator"})
	key := f.world.AddAccessKey(model.AccessKey{Cloud: f.account.Cloud, AccountID: account.ID, UserID: user.ID})
	s := f.signer(dialect)
	s.access, s.secret, s.project = key.ID, key.Secret, ""
	return user, s
}

// temporary signs with the key of an answer, and returns its token.
func (f *fixture) temporary(dialect Dialect, r reply) (*signer, string) {
	s := f.signer(dialect)
	s.access, s.secret = fmt.Sprint(r.at("credential/access")), fmt.Sprint(r.at("credential/secret"))
	return s, fmt.Sprint(r.at("credential/securitytoken"))
}

// A user of another account gets keys of the agency, which reach its account until they end, and no longer than the agency is
// there.
func TestAgenciesGiveKeys(t *testing.T) {
	for name, dialect := range map[model.Cloud]Dialect{model.HuaweiCloud: DialectDirect, model.OpenTelekomCloud: DialectScoped} {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, nil)
			server := f.server(t, model.Server{})
			user, by := f.partner(dialect)
			agency := f.world.AddAgency(model.Agency{Cloud: name, Name: "vault", AccountID: f.account.ID, TrustedAccountID: user.AccountID})
			servers := f.compute + "/v2.1/" + f.project.ID + "/servers"
			get(t, by, "GET", servers, headerProjectID, f.project.ID).want(t, 403, "", "")

			made := send(t, by, "POST", f.identity+keyPath, assumeBody(`"agency_name":"vault","domain_name":"`+f.account.Name+`"`))
			made.want(t, 201, "", "")
			if end, err := time.Parse("2006-01-02T15:04:05Z", fmt.Sprint(made.at("credential/expires_at"))); err != nil ||
				end.Sub(f.now()).Round(time.Minute) != 15*time.Minute {
				t.Errorf("it ends at %v, %v", end, err)
			}
			key, token := f.temporary(dialect, made)
			get(t, key, "GET", servers, headerSecurityToken, token).want(t, 200, "servers/0/id", server.ID)
			get(t, key, "GET", servers).want(t, 401, "error_code", "APIGW.0301")
			get(t, key, "GET", servers, headerSecurityToken, token+"0").want(t, 401, "error_code", "APIGW.0301")
			f.pass(15 * time.Minute)
			get(t, key, "GET", servers, headerSecurityToken, token).want(t, 401, "error_code", "APIGW.0301")

			hour := assumeBody(`"agency_name":"vault","domain_id":"` + f.account.ID + `","duration_seconds":3600`)
			key, token = f.temporary(dialect, send(t, by, "POST", f.identity+keyPath, hour))
			f.pass(59 * time.Minute)
			get(t, key, "GET", servers, headerSecurityToken, token).want(t, 200, "", "")
			f.world.RemoveAgency(name, agency.ID)
			get(t, key, "GET", servers, headerSecurityToken, token).want(t, 401, "error_code", "APIGW.0301")
		})
	}
}

func TestAgenciesTrustSomeOnly(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	user, by := f.partner(DialectDirect)
	agency := f.world.AddAgency(model.Agency{Cloud: f.account.Cloud, Name: "vault", AccountID: f.account.ID, TrustedAccountID: user.AccountID,
		ProjectIDs: []string{f.project.ID}, Deny: []string{"ecs:ShowServer*"}})
	named := `"agency_name":"vault","domain_name":"` + f.account.Name + `"`
	ask := func(by *signer, fields string) reply {
		return send(t, by, "POST", f.identity+keyPath, assumeBody(fields))
	}

	own := f.signer(DialectDirect)
	own.project = ""
	ask(own, named).want(t, 403, "error_code", "IAM.0002") // the delegating account's own user
	ask(by, `"agency_name":"other","domain_name":"`+f.account.Name+`"`).want(t, 403, "error_code", "IAM.0002")
	ask(by, `"agency_name":"vault","domain_name":"nobody"`).want(t, 403, "error_code", "IAM.0002")
	for _, fields := range []string{
		`"agency_name":"vault"`, `"domain_name":"nobody"`, named + `,"duration_seconds":899`, named + `,"duration_seconds":86401`,
		named + `,"duration_seconds":"900"`,
	} {
		ask(by, fields).want(t, 400, "error_code", "IAM.0011")
	}
	send(t, by, "POST", f.identity+keyPath, `{"auth":{"identity":{"methods":["magic"]}}}`).want(t, 400, "error_code", "IAM.0011")

	key, token := f.temporary(DialectDirect, ask(by, named))
	get(t, key, "GET", f.compute+"/v2.1/"+f.project.ID+"/servers", headerSecurityToken, token).want(t, 200, "", "")
	get(t, key, "GET", f.compute+"/v2.1/"+f.project.ID+"/servers/any", headerSecurityToken, token).want(t, 403, "", "")
	key.project = f.other.ID
	get(t, key, "GET", f.compute+"/v2.1/"+f.other.ID+"/servers", headerSecurityToken, token).want(t, 403, "", "")

	agency.Trusted = []string{"somebody"}
	f.world.AddAgency(agency)
	ask(by, named).want(t, 403, "error_code", "IAM.0002")
	agency.Trusted, agency.Expires = []string{user.ID}, f.now().Add(time.Hour)
	f.world.AddAgency(agency)
	ask(by, named).want(t, 201, "", "")
	f.pass(2 * time.Hour)
	ask(by, named).want(t, 403, "error_code", "IAM.0002")

	user.Deny = []string{"iam:CreateTemporaryAccessKeyByAgency"}
	f.world.AddUser(user)
	r := ask(by, named)
	r.want(t, 403, "", "")
	if !strings.Contains(r.text, "iam:agencies:assume") {
		t.Errorf("it does not name the permission: %s", r.text)
	}
}

// A user's token gives temporary keys, in the header or in the body.
func TestTokensGiveKeys(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	body := func(token string) string { return `{"auth":{"identity":{"methods":["token"]` + token + `}}}` }
	servers := f.compute + "/v2.1/" + f.project.ID + "/servers"
	for _, made := range []reply{
		send(t, nil, "POST", f.identity+keyPath, body(""), headerToken, client.Token()),
		send(t, nil, "POST", f.identity+keyPath, body(`,"token":{"id":"`+client.Token()+`","duration_seconds":900}`)),
	} {
		made.want(t, 201, "", "")
		key, token := f.temporary(DialectDirect, made)
		get(t, key, "GET", servers, headerSecurityToken, token).want(t, 200, "", "")
	}
	send(t, nil, "POST", f.identity+keyPath, body("")).want(t, 401, "error_code", "APIGW.0301")
	send(t, nil, "POST", f.identity+keyPath, body(`,"token":{"id":"rubbish"}`)).want(t, 401, "error_code", "APIGW.0301")
	r := get(t, f.signer(DialectDirect), "GET", f.identity+"/v3.0/OS-CREDENTIAL/credentials", headerProjectID, "")
	if list, _ := r.at("credentials").([]any); len(list) != 1 {
		t.Errorf("temporary keys are listed: %s", r.text)
	}
}

// A server's metadata shows the same key until ten minutes before its end, and then the next.
func TestMetadataRenewsKeys(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	agency := f.world.AddAgency(model.Agency{Cloud: f.account.Cloud, Name: "servers", AccountID: f.account.ID})
	metadata := httptest.NewServer(Metadata(MetadataOptions{World: f.world, Agency: &agency}))
	t.Cleanup(metadata.Close)
	read := func() reply { return get(t, nil, "GET", metadata.URL+MetadataKeyPath) }
	servers := f.compute + "/v2.1/" + f.project.ID + "/servers"

	first := read()
	key, token := f.temporary(DialectScoped, first)
	get(t, key, "GET", servers, headerSecurityToken, token).want(t, 200, "", "")
	f.pass(49 * time.Minute)
	read().want(t, 200, "credential/access", key.access)
	f.pass(2 * time.Minute)
	next, nextToken := f.temporary(DialectScoped, read())
	if next.access == key.access {
		t.Error("the key is not renewed ten minutes before its end")
	}
	get(t, key, "GET", servers, headerSecurityToken, token).want(t, 200, "", "")
	f.pass(10 * time.Minute)
	get(t, key, "GET", servers, headerSecurityToken, token).want(t, 401, "error_code", "APIGW.0301")
	get(t, next, "GET", servers, headerSecurityToken, nextToken).want(t, 200, "", "")
}

// A server without an agency has no key, and one may ask for a token first.
func TestMetadataRefuses(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	agency := f.world.AddAgency(model.Agency{Cloud: f.account.Cloud, Name: "servers", AccountID: f.account.ID})
	none := httptest.NewServer(Metadata(MetadataOptions{World: f.world}))
	t.Cleanup(none.Close)
	if r := get(t, nil, "GET", none.URL+MetadataKeyPath); r.status != http.StatusUnauthorized ||
		!strings.Contains(r.text, "Please configure Cloud Service Agency first") {
		t.Errorf("without an agency: %d %s", r.status, r.text)
	}
	strict := httptest.NewServer(Metadata(MetadataOptions{World: f.world, Agency: &agency, RequireToken: true}))
	t.Cleanup(strict.Close)
	get(t, nil, "GET", strict.URL+MetadataKeyPath).want(t, 401, "", "")
	get(t, nil, "PUT", strict.URL+MetadataTokenPath).want(t, 400, "", "")
	token := get(t, nil, "PUT", strict.URL+MetadataTokenPath, headerMetadataLifetime, "60").text
	get(t, nil, "GET", strict.URL+MetadataKeyPath, headerMetadataToken, token).want(t, 200, "", "")
	f.pass(time.Minute)
	get(t, nil, "GET", strict.URL+MetadataKeyPath, headerMetadataToken, token).want(t, 401, "", "")
}
