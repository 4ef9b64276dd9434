package azureapi

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// tokenLifetime is how long a token lasts, as recorded: 3599 seconds.
const tokenLifetime = 3599 * time.Second

// Login is an http.Handler for Microsoft Entra's token endpoint.
type Login struct {
	world *model.World

	mu     sync.Mutex
	tokens map[string]Principal
}

// NewLogin makes the handler over a world.
func NewLogin(w *model.World) *Login { return &Login{world: w, tokens: map[string]Principal{}} }

// Token says whom a token stands for.
func (l *Login) Token(token string) (Principal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.tokens[token]
	return p, ok
}

// ServeHTTP answers one request for a token.
func (l *Login) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	id := l.world.NewUUID()
	who, f := l.judge(r)
	x := l.world.Begin(model.Call{
		Cloud: model.Azure, Service: "login", Action: "token", Source: wire.Source(r), Account: who.Key.AccountID, AccessKey: who.Key.ID,
		Unauthenticated: f != nil,
	})
	answer := func(status int, code string, body any) wire.Answer {
		text, err := json.Marshal(body)
		if err != nil {
			return wire.Answer{Status: http.StatusInternalServerError, Code: "server_error", Body: []byte(err.Error())}
		}
		return wire.Answer{Status: status, Code: code, RequestID: id, Body: text, Header: map[string]string{
			"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache", "X-Ms-Request-Id": id,
		}}
	}
	refuse := func(status int, code, message string) wire.Answer {
		return answer(status, code, map[string]string{"error": code, "error_description": message})
	}
	if f != nil {
		x.Done(f.status, f.code, id)
		wire.Write(rw, refuse(f.status, f.code, f.message))
		return
	}
	wire.Serve(rw, l.world, x,
		func(ref *model.Refusal) wire.Answer {
			f := refusal(ref)
			return refuse(f.status, f.code, f.message)
		},
		func() wire.Answer {
			token := l.world.NewHex(200)
			who.Expires = l.world.Now().Add(tokenLifetime)
			l.mu.Lock()
			l.tokens[token] = who
			l.mu.Unlock()
			return answer(http.StatusOK, "", map[string]any{
				"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token,
			})
		})
}

// judge says who asks for a token.
func (l *Login) judge(r *http.Request) (Principal, *failure) {
	tenant, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/oauth2/v2.0/token")
	if !ok || r.Method != http.MethodPost {
		return Principal{}, fail(http.StatusNotFound, "not_found", "There is nothing here.")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, wire.MaxBody)
	if err := r.ParseForm(); err != nil {
		return Principal{}, fail(http.StatusBadRequest, "invalid_request", "AADSTS900144: The request body is no form.")
	}
	key, known := l.world.AccessKey(model.Azure, r.PostForm.Get("client_id"))
	account, _ := l.world.Account(model.Azure, key.AccountID)
	scope, isDefault := strings.CutSuffix(strings.Fields(r.PostForm.Get("scope") + " -")[0], "/.default")
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials" || !isDefault:
		return Principal{}, fail(http.StatusBadRequest, "invalid_request", "AADSTS900144: The request is not understood.")
	case !known || !strings.EqualFold(account.TenantID, tenant):
		return Principal{}, fail(http.StatusBadRequest, "unauthorized_client", "AADSTS700016: The application was not found in the directory.")
	case subtle.ConstantTimeCompare([]byte(key.Secret), []byte(r.PostForm.Get("client_secret"))) != 1:
		return Principal{}, fail(http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
	}
	return Principal{Key: key, TenantID: account.TenantID, ObjectID: key.UserID, Audience: scope}, nil
}
