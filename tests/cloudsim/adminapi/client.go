package adminapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Client speaks to the control API from another process.
type Client struct {
	// URL is the API's base URL, without a final slash.
	URL string
	// HTTP is the client to use; default http.DefaultClient.
	HTTP *http.Client
}

// Do sends one request; in and out may be nil. Errors carry the API's text.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	resp, err := cmp.Or(c.HTTP, http.DefaultClient).Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// AddServer adds a server and returns it with its SSH address.
func (c *Client) AddServer(ctx context.Context, s model.Server) (Server, error) {
	var out Server
	err := c.Do(ctx, http.MethodPost, "/v1/servers", Server{Server: s, ReadyAfter: Duration(s.ReadyAfter)}, &out)
	return out, err
}

// Server returns a server with its SSH address.
func (c *Client) Server(ctx context.Context, id string) (Server, error) {
	var out Server
	err := c.Do(ctx, http.MethodGet, "/v1/servers/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Delete terminates a server as its cloud does.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, "/v1/servers/"+url.PathEscape(id), nil, nil)
}

// Snapshot copies a server's disk and returns the copy's id.
func (c *Client) Snapshot(ctx context.Context, id string) (string, error) {
	var out model.Snapshot
	err := c.Do(ctx, http.MethodPost, "/v1/servers/"+url.PathEscape(id)+"/snapshots", nil, &out)
	return out.ID, err
}

// RestoreSnapshot puts a server's disk, and so its passwords, back to a snapshot.
func (c *Client) RestoreSnapshot(ctx context.Context, id, snapshot string) error {
	return c.Do(ctx, http.MethodPost, "/v1/servers/"+url.PathEscape(id)+"/snapshots/"+url.PathEscape(snapshot)+"/restore", nil, nil)
}

// Rebuild gives a server a new system disk under its old id and returns it.
func (c *Client) Rebuild(ctx context.Context, id string, o model.RebuildOptions) (Server, error) {
	var out Server
	in := Rebuild{RebuildOptions: o, ReadyAfter: Duration(o.ReadyAfter)}
	err := c.Do(ctx, http.MethodPost, "/v1/servers/"+url.PathEscape(id)+"/rebuild", in, &out)
	return out, err
}

// Attempts lists the attempts to set a server's password.
func (c *Client) Attempts(ctx context.Context, id string) ([]model.Attempt, error) {
	var out []model.Attempt
	err := c.Do(ctx, http.MethodGet, "/v1/servers/"+url.PathEscape(id)+"/attempts", nil, &out)
	return out, err
}

// SetGuest changes the inside of a server.
func (c *Client) SetGuest(ctx context.Context, id string, g model.Guest) error {
	return c.Do(ctx, http.MethodPut, "/v1/servers/"+url.PathEscape(id)+"/guest", g, nil)
}

// Commands lists the commands on a server, oldest first.
func (c *Client) Commands(ctx context.Context, id string) ([]model.Invocation, error) {
	var out []model.Invocation
	err := c.Do(ctx, http.MethodGet, "/v1/servers/"+url.PathEscape(id)+"/commands", nil, &out)
	return out, err
}

// AddFederatedIdentity makes an application of Azure trust an issuer's tokens for a subject.
func (c *Client) AddFederatedIdentity(ctx context.Context, f model.FederatedIdentity) error {
	return c.Do(ctx, http.MethodPost, "/v1/federated-identities", f, nil)
}

// Assert returns a token that its issuer has signed.
func (c *Client) Assert(ctx context.Context, a model.Assertion) (string, error) {
	var out struct {
		Assertion string `json:"assertion"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/assertions", a, &out)
	return out.Assertion, err
}

// RevokeTokens makes a Keystone cloud or Azure forget its tokens and returns their number.
func (c *Client) RevokeTokens(ctx context.Context, cloud model.Cloud) (int, error) {
	var out struct {
		Revoked int `json:"revoked"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/tokens/revoke", map[string]model.Cloud{"cloud": cloud}, &out)
	return out.Revoked, err
}

// RunAgain lets a server's agent run all commands again that have ended and whose records were not deleted, and returns their number.
func (c *Client) RunAgain(ctx context.Context, id string) (int, error) {
	var out struct {
		Commands int `json:"commands"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/servers/"+url.PathEscape(id)+"/run-again", nil, &out)
	return out.Commands, err
}

// AddFault adds a fault and returns its id.
func (c *Client) AddFault(ctx context.Context, f model.Fault) (int, error) {
	var out struct {
		ID int `json:"id"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/faults", Fault{Fault: f, Delay: Duration(f.Delay)}, &out)
	return out.ID, err
}

// ClearFaults removes all faults and releases what they hold.
func (c *Client) ClearFaults(ctx context.Context) error {
	return c.Do(ctx, http.MethodDelete, "/v1/faults", nil, nil)
}

// ReleaseHolds lets held requests and answers go on and returns their number.
func (c *Client) ReleaseHolds(ctx context.Context) (int, error) {
	var out struct {
		Released int `json:"released"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/holds/release", nil, &out)
	return out.Released, err
}

// Advance moves the operation clock.
func (c *Client) Advance(ctx context.Context, d time.Duration) error {
	return c.Do(ctx, http.MethodPost, "/v1/advance", map[string]Duration{"duration": Duration(d)}, nil)
}

// Log returns the request log after an entry's number.
func (c *Client) Log(ctx context.Context, after int) ([]model.Entry, error) {
	var out []model.Entry
	err := c.Do(ctx, http.MethodGet, "/v1/log?after="+strconv.Itoa(after), nil, &out)
	return out, err
}

// Stats returns the figures of the world.
func (c *Client) Stats(ctx context.Context) (model.Stats, error) {
	var out model.Stats
	err := c.Do(ctx, http.MethodGet, "/v1/stats", nil, &out)
	return out, err
}

// Mark counts a kill and says whether it met a rotation in flight.
func (c *Client) Mark(ctx context.Context) (bool, error) {
	var out struct {
		InFlight bool `json:"in_flight"`
	}
	err := c.Do(ctx, http.MethodPost, "/v1/mark", nil, &out)
	return out.InFlight, err
}
