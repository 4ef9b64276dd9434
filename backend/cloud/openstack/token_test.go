package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
)

// identity is a Keystone without a network, so that its time can be virtual.
type identity struct {
	mu       sync.Mutex
	requests int
	status   int           // 0 for success
	life     time.Duration // of the tokens
	ahead    time.Duration // of the cloud's clock
	think    time.Duration
	project  string
	header   bool // leave the token out if false
	bodies   []string
}

func (i *identity) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	i.requests++
	number := i.requests
	i.bodies = append(i.bodies, string(body))
	status, think := i.status, i.think
	i.mu.Unlock()
	select {
	case <-time.After(think):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	response := &http.Response{StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	answer := fmt.Sprintf(`{"token":{"issued_at":%q,"expires_at":%q,"project":{"id":%q}}}`,
		stamp(time.Now().Add(i.ahead)), stamp(time.Now().Add(i.ahead+i.life)), i.project)
	if status != 0 {
		response.StatusCode = status
		answer = fmt.Sprintf(`{"error":{"code":%d,"message":"no","title":"no"}}`, status)
	} else if i.header {
		response.Header.Set("X-Subject-Token", fmt.Sprintf("token-%d", number))
	}
	response.Body = io.NopCloser(strings.NewReader(answer))
	return response, nil
}

func (i *identity) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests
}

func (i *identity) answer(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status = status
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (i *identity) sessions(t *testing.T, change func(*cloud.Config)) sessions {
	t.Helper()
	return i.sessionsOf(t, telekom(), change)
}

func (i *identity) sessionsOf(t *testing.T, f family, change func(*cloud.Config)) sessions {
	t.Helper()
	cfg := userConfig(change)
	cfg.HTTPClient, cfg.Limiter, cfg.RequestTimeout = &http.Client{Transport: i}, cloud.Unlimited{}, requestTimeout
	p, err := newProvider(f, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p.sessions
}

func mustGet(t *testing.T, s sessions, want string) session {
	t.Helper()
	got, err := s.get(context.Background())
	if err != nil || got.token != want {
		t.Fatalf("token is %q, %v; want %q", got.token, err, want)
	}
	return got
}

func TestTokenLife(t *testing.T) {
	for _, test := range []struct {
		name        string
		life, ahead time.Duration
		lasts       time.Duration // how long the token is used
	}{
		{"a day", 24 * time.Hour, 0, 24*time.Hour - keystone.Margin},
		{"short", 8 * time.Minute, 0, 6 * time.Minute},
		{"the cloud's clock is ahead", time.Hour, 3 * time.Hour, time.Hour - keystone.Margin},
		{"the cloud's clock is behind", time.Hour, -3 * time.Hour, time.Hour - keystone.Margin},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &identity{life: test.life, ahead: test.ahead, project: "p1", header: true}
				s := i.sessions(t, nil)
				mustGet(t, s, "token-1")
				time.Sleep(test.lasts - time.Second)
				mustGet(t, s, "token-1")
				time.Sleep(time.Second)
				mustGet(t, s, "token-2")
				if i.count() != 2 {
					t.Errorf("%d requests, want 2", i.count())
				}
			})
		})
	}
}

func TestRenewable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{life: time.Hour, project: "p1", header: true}
		s := i.sessions(t, nil)
		old := mustGet(t, s, "token-1")
		if !s.renewable(old) {
			t.Error("a token must be renewable")
		}
		mustGet(t, s, "token-2")
		// A late 401 about the old token does not cost the new one.
		s.renewable(old)
		mustGet(t, s, "token-2")
	})
	if (&signedSessions{own: true}).renewable(session{}) {
		t.Error("there is nothing to renew about an access key")
	}
}

func TestDenialIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{status: http.StatusUnauthorized, life: time.Hour, project: "p1", header: true, think: time.Second}
		s := i.sessions(t, nil)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := s.get(context.Background()); cloud.KindOf(err) != cloud.Denied {
					t.Errorf("got %q: %v", cloud.KindOf(err), err)
				}
			})
		}
		all.Wait()
		if i.count() != 1 {
			t.Errorf("a wrong password was tried %d times by 20 calls, want once", i.count())
		}
		i.answer(0)
		time.Sleep(keystone.DenialMemory)
		mustGet(t, s, "token-2")
	})
}

func TestOutageIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{status: http.StatusServiceUnavailable, life: time.Hour, project: "p1", header: true}
		s := i.sessions(t, nil)
		if _, err := s.get(context.Background()); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("got %q: %v", cloud.KindOf(err), err)
		}
		i.answer(0)
		mustGet(t, s, "token-2")
	})
}

func TestWaitingForATokenCanBeAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{life: time.Hour, project: "p1", header: true, think: 5 * time.Second}
		s := i.sessions(t, nil)
		go func() { _, _ = s.get(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.get(ctx)
		if cloud.KindOf(err) != cloud.Unavailable || time.Since(start) != time.Second {
			t.Errorf("after %s got %q: %v", time.Since(start), cloud.KindOf(err), err)
		}
		time.Sleep(5 * time.Second)
		mustGet(t, s, "token-1")
	})
}

func TestTokenRequestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identity{life: time.Hour, project: "p1", header: true, think: time.Hour}
		start := time.Now()
		_, err := i.sessions(t, nil).get(context.Background())
		if cloud.KindOf(err) != cloud.Unavailable || time.Since(start) != requestTimeout {
			t.Errorf("after %s got %q: %v", time.Since(start), cloud.KindOf(err), err)
		}
	})
}

func TestTokenScope(t *testing.T) {
	type project struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Domain struct {
			Name string `json:"name"`
		} `json:"domain"`
	}
	for _, test := range []struct {
		name             string
		change           func(*cloud.Config)
		id, byName, ofIt string
		session          string
	}{
		{"by name in the user's domain", nil, "", "eu-de_prod", "OTC-EU-DE-1", "from-token"},
		{"by name in another domain", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_domain_name": "other"}) }, "", "eu-de_prod",
			"other", "from-token"},
		{"by id", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "abc", "project_name": ""}) }, "abc", "", "", "abc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := &identity{life: time.Hour, project: "from-token", header: true}
			if got := mustGet(t, i.sessions(t, test.change), "token-1"); got.projectID != test.session {
				t.Errorf("project is %q, want %q", got.projectID, test.session)
			}
			var body struct {
				Auth struct {
					Identity struct {
						Methods  []string `json:"methods"`
						Password struct {
							User struct {
								Name, Password string
								Domain         struct{ Name string }
							} `json:"user"`
						} `json:"password"`
					} `json:"identity"`
					Scope struct {
						Project project `json:"project"`
					} `json:"scope"`
				} `json:"auth"`
			}
			if err := json.Unmarshal([]byte(i.bodies[0]), &body); err != nil {
				t.Fatal(err)
			}
			user, scope := body.Auth.Identity.Password.User, body.Auth.Scope.Project
			if user.Name != "cloudpw" || user.Password != "pw-secret-example" || user.Domain.Name != "OTC-EU-DE-1" {
				t.Errorf("user is %+v", user)
			}
			if scope.ID != test.id || scope.Name != test.byName || scope.Domain.Name != test.ofIt {
				t.Errorf("scope is %+v", scope)
			}
		})
	}
}

func TestUnusableTokenAnswers(t *testing.T) {
	for _, test := range []struct {
		name string
		i    *identity
		kind cloud.Kind
		text string
	}{
		{"no token", &identity{life: time.Hour, project: "p1"}, cloud.Unavailable, "auth_url"},
		{"no project", &identity{life: time.Hour, header: true}, cloud.Refused, "project_name"},
		{"project that is none", &identity{life: time.Hour, project: "../x", header: true}, cloud.Refused, "project_name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.i.sessions(t, nil).get(context.Background())
			if cloud.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %q: %v", cloud.KindOf(err), err)
			}
		})
	}
}
