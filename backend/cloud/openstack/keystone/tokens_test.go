package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// login asks a Keystone that numbers its tokens, and answers with a status of the caller's choice.
func login(t *testing.T, status *atomic.Int32) (Login, *atomic.Int32) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", asked.Add(1)))
		w.WriteHeader(int(status.Load()))
		now := time.Now().UTC()
		fmt.Fprintf(w, `{"token":{"issued_at":%q,"expires_at":%q,"project":{"id":"p"},"user":{"id":"u"}}}`,
			now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	return Login{
		Client:  &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{}, Endpoint: server.URL + "/v3/"},
		Options: tokens.AuthOptions{UserID: "u", Password: "secret"},
		Limiter: cloud.Unlimited{},
		Failed:  func(err error) *cloud.Error { return &cloud.Error{Kind: cloud.Denied, Message: "refused", Err: err} },
	}, &asked
}

// TestTokensAreKept: one token serves until it is dropped, and only it can be dropped.
func TestTokensAreKept(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusCreated)
	l, asked := login(t, &status)
	kept := NewTokens(l, func(token Token) (string, error) { return token.ID + " of " + token.ProjectID, nil })
	for _, step := range []struct{ drop, want string }{
		{"", "token-1 of p"}, {"", "token-1 of p"}, {"token-0", "token-1 of p"}, {"token-1", "token-2 of p"}, {"token-1", "token-2 of p"},
	} {
		kept.Drop(step.drop)
		if got, err := kept.Get(t.Context()); got != step.want || err != nil {
			t.Errorf("after dropping %q: %q, %v; want %q", step.drop, got, err, step.want)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
}

// TestWhatIsRemembered: a refusal of the credentials answers the calls that follow; a token that opens nothing does not.
func TestWhatIsRemembered(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusUnauthorized)
	l, asked := login(t, &status)
	kept := NewTokens(l, func(Token) (string, error) { return "", errors.New("no project") })
	for range 3 {
		if _, err := kept.Get(t.Context()); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("got %v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests with credentials that are refused, want 1", n)
	}
	status.Store(http.StatusCreated)
	kept = NewTokens(l, func(Token) (string, error) { return "", errors.New("no project") })
	for range 2 {
		if _, err := kept.Get(t.Context()); err == nil || err.Error() != "no project" {
			t.Errorf("got %v", err)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("%d requests, want 3: nothing is kept of a token that opens nothing", n)
	}
}
