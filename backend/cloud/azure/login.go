package azure

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// login gets tokens from Microsoft Entra's token endpoint, for a client secret or a client assertion.
type login struct {
	http    *http.Client
	limiter cloud.Limiter
	timeout time.Duration
	// base is the URL of Entra, scope what a token is asked for.
	base, scope string
	origin      origin
}

func newLogin(cfg cloud.Config) *login {
	return &login{
		http: noRedirects(cfg.HTTPClient), limiter: cfg.Limiter, timeout: cfg.RequestTimeout, base: baseURL(cfg, endpointLogin),
		// The audience has a slash at its end, and so the scope two in a row: without the second one, Entra gives a token whose
		// audience lacks the slash (azcore v1.24.0, arm/runtime/runtime.go).
		scope: placeOf(cfg).audience + "/.default", origin: originOf(cfg),
	}
}

// grant is the answer to a request for a token, of Entra and of the metadata service alike.
type grant struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   number `json:"expires_in"`
	ExpiresOn   number `json:"expires_on"`
}

// number is one that JSON has as such, or as a text: Entra writes the former, the metadata service the latter.
type number int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		return errors.New("not a number")
	}
	*n = number(value)
	return nil
}

// good returns the token and its end; false if the answer has none that can be used. What ends first counts: the cloud's clock and
// ours may differ.
func (g grant) good(asked time.Time) (string, time.Time, bool) {
	if !bearerForm.MatchString(g.AccessToken) || !strings.EqualFold(g.TokenType, "Bearer") {
		return "", time.Time{}, false
	}
	end := asked.Add(longestToken)
	if in := time.Duration(min(int64(g.ExpiresIn), int64(longestToken/time.Second))) * time.Second; g.ExpiresIn != 0 {
		end = asked.Add(in)
	}
	if on := time.Unix(int64(g.ExpiresOn), 0); g.ExpiresOn != 0 && on.Before(end) {
		end = on
	}
	return g.AccessToken, end, (g.ExpiresIn != 0 || g.ExpiresOn != 0) && end.After(asked)
}

// get asks for a token once. form has what proves who asks. Whoever needs the token repeats the request, if it was throttled.
func (l *login) get(ctx context.Context, tenant string, form url.Values) (string, time.Time, error) {
	if err := l.limiter.Wait(ctx, getToken.name); err != nil {
		return "", time.Time{}, err
	}
	if l.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout)
		defer cancel()
	}
	form.Set("grant_type", "client_credentials")
	form.Set("scope", l.scope)
	asked := time.Now()
	got, err := l.post(ctx, l.base+"/"+url.PathEscape(tenant)+"/oauth2/v2.0/token", form)
	cloud.Measured(l.limiter, getToken.name, asked, err)
	if err != nil {
		return "", time.Time{}, err
	}
	bearer, end, ok := got.good(asked)
	if !ok {
		return "", time.Time{}, cloud.Errorf(cloud.Unavailable, "%s: the answer holds no token; check endpoints.login", getToken)
	}
	return bearer, end, nil
}

// post sends one request to the token endpoint.
func (l *login) post(ctx context.Context, target string, form url.Values) (grant, error) {
	made, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return grant{}, cloud.Errorf(cloud.Unavailable, "%s: endpoints.login is no URL", getToken)
	}
	made.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	made.Header.Set("Accept", "application/json")
	made.Header.Set("User-Agent", userAgent)
	response, err := l.http.Do(made)
	if err != nil {
		return grant{}, cloud.Transport(getToken.String(), err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return grant{}, cloud.Transport(getToken.String(), err)
	}
	var got grant
	switch {
	case response.StatusCode != http.StatusOK:
		return grant{}, l.origin.loginRefused(response, body)
	case len(body) > maxAnswer || json.Unmarshal(body, &got) != nil:
		return grant{}, cloud.Errorf(cloud.Unavailable, "%s: the answer is unreadable; check endpoints.login", getToken)
	}
	return got, nil
}
