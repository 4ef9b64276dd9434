package alibabacloud

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// client sends the requests of one connection. It sends each once, and follows no redirect.
type client struct {
	http *http.Client
	// base are the URLs of the services.
	base map[string]string
	// inQuery is set when the cloud has shown that it does not read parameters in the body.
	inQuery atomic.Bool
	now     func() time.Time
}

// newClient copies the connection's HTTP client, so that it follows no redirect whatever the original does.
func newClient(cfg cloud.Config) *client {
	c := *cfg.HTTPClient
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base := map[string]string{}
	for _, service := range endpointKeys {
		base[service] = baseURL(cfg, service)
	}
	return &client{http: &c, base: base, now: time.Now}
}

const formType = "application/x-www-form-urlencoded"

// call makes one request and reads its answer. Its error is an *apiError, an *answerError, or one of the HTTP layer.
func (c *client) call(ctx context.Context, a action, k keys, parameters url.Values, answer any) error {
	inQuery := c.inQuery.Load()
	request, err := c.request(ctx, a, k, parameters, inQuery)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = read(response, answer)
	if refusal, ok := asAPIError(err); ok && !inQuery && refusal.misses(parameters) {
		c.inQuery.Store(true)
		refusal.bodyUnread = true
	}
	return err
}

// request makes a signed request. Parameters stand in the body, as a form, since URLs are what logs keep; all SDKs write
// them into the query, which the cloud reads for certain.
func (c *client) request(ctx context.Context, a action, k keys, parameters url.Values, inQuery bool) (*http.Request, error) {
	target, body := c.base[a.service], canonicalQuery(parameters)
	if inQuery && body != "" {
		target, body = target+"?"+body, ""
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	h := request.Header
	h.Set("Accept", "application/json")
	h.Set("User-Agent", "vault-plugin-secrets-cloudpw")
	if body != "" {
		h.Set("Content-Type", formType)
	}
	h.Set(headerAction, a.name)
	h.Set(headerVersion, versions[a.service])
	h.Set(headerDate, c.now().UTC().Format(signatureDate))
	h.Set(headerNonce, hex.EncodeToString(nonce))
	h.Set(headerHash, hashOf(body))
	if k.token != "" {
		h.Set(headerKeyID, k.id)
		h.Set(headerToken, k.token)
	}
	h.Set("Authorization", authorization(request, k))
	return request, nil
}
