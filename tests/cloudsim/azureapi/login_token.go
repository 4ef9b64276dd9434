package azureapi

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// assertionType is the only kind of client assertion.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenAnswer is a token, as the endpoint gives it.
type tokenAnswer struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
}

// token judges a request for a token. Which of several faults Entra names first is unconfirmed.
func (l *Login) token(r *http.Request) (question, *failure) {
	r.Body = http.MaxBytesReader(nil, r.Body, wire.MaxBody)
	if err := r.ParseForm(); err != nil {
		return question{}, missingParameter("grant_type")
	}
	form := r.PostForm
	if grant := form.Get("grant_type"); grant != "client_credentials" {
		if grant == "" {
			return question{}, missingParameter("grant_type")
		}
		return question{}, refuse(http.StatusBadRequest, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '"+grant+"'.")
	}
	tenant, f := l.tenant(r.PathValue("tenant"))
	if f != nil {
		return question{}, f
	}
	key, f := l.application(form.Get("client_id"), tenant)
	if f != nil {
		return question{}, f
	}
	who := Principal{Key: key, TenantID: tenant, ObjectID: key.UserID}
	if who.Audience, f = resource(form, tenant); f != nil {
		return question{}, f
	}
	if f := l.proof(form, key); f != nil {
		return question{}, f
	}
	return question{who: who, answer: func() any {
		seconds := int(l.lifetime / time.Second)
		return tokenAnswer{TokenType: "Bearer", ExpiresIn: seconds, ExtExpiresIn: seconds, AccessToken: l.issue(who)}
	}}, nil
}

// application finds a tenant's application by its client id.
func (l *Login) application(client, tenant string) (model.AccessKey, *failure) {
	if client == "" {
		return model.AccessKey{}, missingParameter("client_id")
	}
	key, known := l.world.AccessKey(model.Azure, strings.ToLower(client))
	account, _ := l.world.Account(model.Azure, key.AccountID)
	switch {
	case !known || account.TenantID != tenant:
		return model.AccessKey{}, refuse(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+client+
			"' was not found in the directory '"+tenant+"'. This can happen if the application has not been installed by the "+
			"administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request "+
			"to the wrong tenant.")
	case key.Inactive:
		return model.AccessKey{}, refuse(http.StatusUnauthorized, "unauthorized_client", 7000112,
			"Application '"+client+"' is disabled.")
	}
	return key, nil
}

// resource reads whom the token is for. OpenID's own scopes may stand beside it; MSAL sends them.
func resource(form url.Values, tenant string) (string, *failure) {
	scope := form.Get("scope")
	if scope == "" {
		return "", missingParameter("scope")
	}
	wanted := slices.DeleteFunc(strings.Fields(scope), func(s string) bool {
		return slices.Contains([]string{"openid", "profile", "email", "offline_access"}, s)
	})
	if len(wanted) != 1 || !strings.HasSuffix(wanted[0], "/.default") {
		return "", refuse(http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope "+scope+" is not valid. "+
			"Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	name := strings.TrimSuffix(wanted[0], "/.default")
	if !slices.Contains(audiences, strings.TrimRight(name, "/")) {
		return "", refuse(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+name+
			" was not found in the tenant named "+tenant+". This can happen if the application has not been installed by the "+
			"administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication "+
			"request to the wrong tenant.")
	}
	return name, nil
}

// proof checks the secret or the assertion.
func (l *Login) proof(form url.Values, key model.AccessKey) *failure {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case secret != "" && subtle.ConstantTimeCompare([]byte(key.Secret), []byte(secret)) != 1:
		return refuse(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being "+
			"sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+key.ID+"'.")
	case secret != "" && !key.Expires.IsZero() && !l.world.Now().Before(key.Expires):
		return refuse(http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '"+key.ID+
			"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider "+
			"using certificate credentials for added security: https://aka.ms/certCreds.")
	case secret != "":
		return nil
	case assertion == "" || form.Get("client_assertion_type") != assertionType:
		return refuse(http.StatusUnauthorized, "invalid_client", 7000216,
			"'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	return l.asserted(assertion, key)
}

// asserted checks another issuer's token. The numbers are those that the messages about each claim have; status and
// error of 700211 to 700213 are unconfirmed, those of 700024 are from public reports.
func (l *Login) asserted(token string, key model.AccessKey) *failure {
	a, err := l.world.ReadAssertion(token)
	if errors.Is(err, model.ErrAssertion) {
		if strings.Count(token, ".") != 2 {
			return refuse(http.StatusBadRequest, "invalid_request", 50027, "JWT token is invalid or malformed.")
		}
		return refuse(http.StatusUnauthorized, "invalid_client", 50013, "Assertion failed signature validation.")
	}
	if err != nil {
		return refuse(http.StatusInternalServerError, "server_error", 50000, err.Error())
	}
	trusted := l.world.FederatedIdentities(key.ID)
	matches := func(what func(model.FederatedIdentity) bool) bool {
		trusted = slices.DeleteFunc(trusted, func(f model.FederatedIdentity) bool { return !what(f) })
		return len(trusted) > 0
	}
	unknown := func(number int, claim, value string) *failure {
		return refuse(http.StatusUnauthorized, "invalid_client", number,
			"No matching federated identity record found for presented assertion "+claim+" '"+value+"'.")
	}
	now := l.world.Now()
	switch {
	case !matches(func(f model.FederatedIdentity) bool { return f.Issuer == a.Issuer }):
		return unknown(700211, "issuer", a.Issuer)
	case !matches(func(f model.FederatedIdentity) bool { return f.Subject == a.Subject }):
		return unknown(700213, "subject", a.Subject)
	case !matches(func(f model.FederatedIdentity) bool { return f.Audience == a.Audience }):
		return unknown(700212, "audience", a.Audience)
	case now.Unix() < a.NotBefore || now.Unix() >= a.Expires:
		return refuse(http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range. "+
			"Current time: "+assertionTime(now)+", assertion valid from "+assertionTime(time.Unix(a.NotBefore, 0))+
			", expiry time of assertion "+assertionTime(time.Unix(a.Expires, 0))+".")
	}
	return nil
}

func assertionTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
