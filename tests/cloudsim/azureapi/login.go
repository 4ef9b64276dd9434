package azureapi

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// DefaultTokenLifetime is how long a token lasts unless Options say otherwise, as Entra's answers have it: 3599 seconds.
const DefaultTokenLifetime = 3599 * time.Second

// forgottenAfter is how long after its end a token is still known as one that has expired.
const forgottenAfter = 24 * time.Hour

// Login is an http.Handler for Microsoft Entra's login service: the token endpoint for client credentials, and the two
// documents that clients ask for first.
type Login struct {
	world    *model.World
	lifetime time.Duration
	mux      *http.ServeMux

	mu     sync.Mutex
	tokens map[string]Principal
}

// NewLogin makes the handler over a world. Its tokens last that long; 0 is DefaultTokenLifetime.
func NewLogin(w *model.World, lifetime time.Duration) *Login {
	l := &Login{world: w, lifetime: cmp.Or(lifetime, DefaultTokenLifetime), tokens: map[string]Principal{}, mux: http.NewServeMux()}
	l.mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", l.serve("token", l.token))
	l.mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", l.serve("openid-configuration", l.openID))
	l.mux.HandleFunc("GET /common/discovery/instance", l.serve("discovery", l.discovery))
	return l
}

// Token says whom a token stands for.
func (l *Login) Token(token string) (Principal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.tokens[token]
	return p, ok
}

// RevokeTokens makes every issued token invalid before its time and returns their number.
func (l *Login) RevokeTokens() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.tokens)
	clear(l.tokens)
	return n
}

// issue stores a new token.
func (l *Login) issue(p Principal) string {
	token, now := l.world.NewHex(200), l.world.Now()
	p.Expires = now.Add(l.lifetime)
	l.mu.Lock()
	defer l.mu.Unlock()
	for old, was := range l.tokens {
		if now.Sub(was.Expires) > forgottenAfter {
			delete(l.tokens, old)
		}
	}
	l.tokens[token] = p
	return token
}

// ServeHTTP answers one request.
func (l *Login) ServeHTTP(rw http.ResponseWriter, r *http.Request) { l.mux.ServeHTTP(rw, r) }

// question is one request: judge says who asks, and answer is made when no fault has come between.
type question struct {
	who    Principal
	answer func() any
}

// serve takes a request through its faults.
func (l *Login) serve(action string, judge func(*http.Request) (question, *failure)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		out := l.answersFor(r)
		q, f := judge(r)
		x := l.world.Begin(model.Call{
			Cloud: model.Azure, Service: "login", Action: action, Source: wire.Source(r),
			Account: q.who.Key.AccountID, AccessKey: q.who.Key.ID, Unauthenticated: f != nil,
		})
		if f != nil {
			x.Done(f.status, f.code, out.trace)
			wire.Write(rw, out.failed(f))
			return
		}
		wire.Serve(rw, l.world, x,
			func(ref *model.Refusal) wire.Answer { return out.failed(loginRefusal(ref)) },
			func() wire.Answer { return out.write(http.StatusOK, "", q.answer()) })
	}
}

// openID is the document that says where a tenant's endpoints are. Tenants that stand for any, such as common, are
// written as a placeholder into its issuer.
func (l *Login) openID(r *http.Request) (question, *failure) {
	tenant := r.PathValue("tenant")
	issuer := "{tenantid}"
	if tenant != "common" && tenant != "organizations" {
		var f *failure
		if issuer, f = l.tenant(tenant); f != nil {
			f.code = "invalid_tenant" // which the token endpoint calls invalid_request
			return question{}, f
		}
		tenant = issuer
	}
	at := base(r) + "/" + tenant
	return question{answer: func() any {
		return map[string]any{
			"token_endpoint":                        at + "/oauth2/v2.0/token",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			"jwks_uri":                              at + "/discovery/v2.0/keys",
			"response_modes_supported":              []string{"query", "fragment", "form_post"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
			"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
			"issuer":                                base(r) + "/" + issuer + "/v2.0",
			"authorization_endpoint":                at + "/oauth2/v2.0/authorize",
			"device_authorization_endpoint":         at + "/oauth2/v2.0/devicecode",
			"end_session_endpoint":                  at + "/oauth2/v2.0/logout",
			"cloud_instance_name":                   "microsoftonline.com",
		}
	}}, nil
}

// discovery says where the document of an authority is that the client was told to trust. This service knows itself.
func (l *Login) discovery(r *http.Request) (question, *failure) {
	version, endpoint := r.URL.Query().Get("api-version"), r.URL.Query().Get("authorization_endpoint")
	authority, known := strings.CutPrefix(endpoint, base(r)+"/")
	tenant, _, whole := strings.Cut(authority, "/")
	if !known || !whole || tenant == "" {
		return question{}, refuse(http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance.")
	}
	return question{answer: func() any {
		return map[string]any{
			"tenant_discovery_endpoint": base(r) + "/" + tenant + "/v2.0/.well-known/openid-configuration",
			"api-version":               version,
			"metadata": []map[string]any{
				{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}},
			},
		}
	}}, nil
}

// domainSuffix makes the domain that every tenant has from its name.
const domainSuffix = ".onmicrosoft.com"

// tenant finds a tenant by its id or its domain, and returns the id.
func (l *Login) tenant(name string) (string, *failure) {
	for _, a := range l.world.Accounts(model.Azure) {
		if strings.EqualFold(name, a.TenantID) || strings.EqualFold(name, a.Name+domainSuffix) {
			return a.TenantID, nil
		}
	}
	if strings.ContainsAny(name, ".-") {
		return "", refuse(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+name+"' not found. Check to make sure you have "+
			"the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may "+
			"happen if there are no active subscriptions for the tenant.")
	}
	return "", refuse(http.StatusBadRequest, "invalid_request", 900023,
		"Specified tenant identifier '"+name+"' is neither a valid DNS name, nor a valid external domain.")
}

// base is the URL that a request came to.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
