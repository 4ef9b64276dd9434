package openstack

import (
	"context"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// getJSON reads an answer that gophercloud has no function for.
func getJSON(ctx context.Context, client *gophercloud.ServiceClient, url string, answer any) error {
	resp, err := client.Get(ctx, url, answer, nil)
	return done(resp, err)
}

// postJSON makes something; success is 201 alone.
func postJSON(ctx context.Context, client *gophercloud.ServiceClient, url string, body, answer any) error {
	resp, err := client.Post(ctx, url, body, answer, &gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
	return done(resp, err)
}

// deleteAt deletes something. Success is 204 alone: the vendors' clouds also answer 202 when they
// throttle.
func deleteAt(ctx context.Context, client *gophercloud.ServiceClient, url string) error {
	resp, err := client.Delete(ctx, url, &gophercloud.RequestOpts{OkCodes: []int{http.StatusNoContent}})
	return done(resp, err)
}

// done closes the body of an answer, which gophercloud has read.
func done(resp *http.Response, err error) error {
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	return err
}

const userAgent = "vault-plugin-secrets-cloudpw"

// apiClient makes a gophercloud client that sends each request once: without RetryFunc,
// RetryBackoffFunc and ReauthFunc it never repeats one.
func apiClient(shared *http.Client) *gophercloud.ProviderClient {
	client := &gophercloud.ProviderClient{HTTPClient: *shared}
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.UserAgent.Prepend(userAgent)
	return client
}

func transportOf(client *http.Client) http.RoundTripper {
	if client.Transport != nil {
		return client.Transport
	}
	return http.DefaultTransport
}

func withTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
