package azure

import (
	"context"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// client sends the requests of one connection to ARM. It sends each once, and follows no redirect.
type client struct {
	http *http.Client
	// base is ARM's URL.
	base string
}

func newClient(cfg cloud.Config) *client {
	return &client{http: noRedirects(cfg.HTTPClient), base: baseURL(cfg, endpointARM)}
}

// noRedirects copies an HTTP client, so that it follows no redirect whatever the original does.
func noRedirects(original *http.Client) *http.Client {
	c := *original
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// call makes one request and reads its answer. Its error is an *apiError, an *answerError, or one of the HTTP layer.
func (c *client) call(ctx context.Context, a action, r request, bearer string, answer any) error {
	made, err := r.made(ctx, c.base, a)
	if err != nil {
		return err
	}
	made.Header.Set("Authorization", "Bearer "+bearer)
	response, err := c.http.Do(made)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return read(response, answer)
}
