package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// request is one to ARM.
type request struct {
	method string
	// path begins with /subscriptions/, and is not escaped.
	path string
	// query is without the version of the API.
	query url.Values
	// body is sent as JSON; nil: none.
	body any
	// next is a link of the cloud's to a further page, in place of path and query. It is sent as it is, so it must be one that
	// follow has made.
	next *url.URL
}

// made makes the HTTP request.
func (r request) made(ctx context.Context, base string, a action) (*http.Request, error) {
	target, err := r.target(base, a)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("make the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	made, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	made.Header.Set("Accept", "application/json")
	made.Header.Set("User-Agent", userAgent)
	if body != nil {
		made.Header.Set("Content-Type", "application/json")
	}
	return made, nil
}

const userAgent = "vault-plugin-secrets-cloudpw"

// target is the URL of a request.
func (r request) target(base string, a action) (string, error) {
	if r.next != nil {
		return r.next.String(), nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("make the request: %w", err)
	}
	query := url.Values{"api-version": {a.version}}
	for name, values := range r.query {
		query[name] = values
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+r.path, ""
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// follow reads a link to a further page. One that leads to another host than the configured one is not followed: the token
// that goes with a request serves whoever gets it. The cloud itself writes its host with a port, as management.azure.com:443.
func follow(base, link string, a action) (request, error) {
	from, err := url.Parse(base)
	if err != nil {
		return request{}, cloud.Errorf(cloud.Unknown, "%s: endpoints.%s is no URL", a, endpointARM)
	}
	to, err := url.Parse(link)
	if err != nil || to.Scheme != from.Scheme || to.User != nil || !strings.EqualFold(to.Hostname(), from.Hostname()) ||
		portOf(to) != portOf(from) {
		return request{}, cloud.Errorf(cloud.Unknown, "%s: the answer's link to the next page leads to another host than that of "+
			"endpoints.%s, and is not followed", a, endpointARM)
	}
	to.Fragment, to.RawFragment = "", ""
	return request{method: http.MethodGet, next: to}, nil
}

// portOf is the port that a URL leads to.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
