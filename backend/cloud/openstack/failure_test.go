package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

func TestFaultsOfACall(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault model.Fault
		kind  cloud.Kind
		text  string
	}{
		{"throttled", model.Fault{Kind: model.FaultThrottle}, cloud.Throttled, "max_requests_per_second"},
		{"server error", model.Fault{Kind: model.FaultServerError}, cloud.Unknown, "request id"},
		{"answer lost, nothing done", model.Fault{Kind: model.FaultDropBefore}, cloud.Unknown, "no answer"},
		{"answer lost, done", model.Fault{Kind: model.FaultDropAfter}, cloud.Unknown, "no answer"},
		{"wrong state", model.Fault{Kind: model.FaultRefuse, Status: 409, Code: "conflictingRequest", Message: "building"}, cloud.Refused,
			"state"},
		{"gone on the way", model.Fault{Kind: model.FaultRefuse, Status: 404, Code: "itemNotFound", Message: "no"}, cloud.NotFound,
			"no such instance"},
	} {
		for _, name := range []string{"huawei signed", "otc token by project id"} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				s := simulate(t, accessNamed(t, name), novaapi.Options{})
				server := s.server(t, nil)
				p := s.provider(t, nil)
				fault := test.fault
				fault.Action = actionClear
				s.fault(t, fault)
				s.checkError(t, p.ClearInitialPassword(context.Background(), server.ID), test.kind, test.text)
				// net/http never repeats a DELETE, and neither does the provider.
				if sent, waits := s.requests(actionClear), s.limiter.counts()[actionClear]; sent != 1 || waits != 1 {
					t.Errorf("%d requests and %d waits, want 1 and 1", sent, waits)
				}
			})
		}
	}
}

// TestFaultsOfTheTokenRequest: whatever happens to the token request, the call that needed the token
// was not sent, so its outcome is known.
func TestFaultsOfTheTokenRequest(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault model.Fault
		kind  cloud.Kind
	}{
		{"throttled", model.Fault{Kind: model.FaultThrottle}, cloud.Throttled},
		{"server error", model.Fault{Kind: model.FaultServerError}, cloud.Unavailable},
		{"answer lost", model.Fault{Kind: model.FaultDropAfter}, cloud.Unavailable},
		{"not found", model.Fault{Kind: model.FaultRefuse, Status: 404, Code: "404", Message: "no"}, cloud.Refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, "otc token by project id"), novaapi.Options{})
			server := s.server(t, nil)
			p := s.provider(t, nil)
			fault := test.fault
			fault.Action, fault.Count = actionToken, 1
			s.fault(t, fault)
			s.checkError(t, p.ClearInitialPassword(context.Background(), server.ID), test.kind, actionToken)
			if s.requests(actionClear) != 0 {
				t.Error("the call was sent without a token")
			}
			if err := p.ClearInitialPassword(context.Background(), server.ID); err != nil {
				t.Errorf("the next call failed: %v", err)
			}
		})
	}
}

func TestNothingSent(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	server := s.server(t, nil)
	p := s.provider(t, nil)

	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	s.checkError(t, p.ClearInitialPassword(canceled, server.ID), cloud.Unavailable, "abandoned")

	s.limiter.err = &cloud.Error{Kind: cloud.Unavailable, Message: "the limiter is closed"}
	s.checkError(t, p.ClearInitialPassword(context.Background(), server.ID), cloud.Unavailable, "the limiter is closed")
	s.limiter.err = nil

	s.compute.Close()
	s.checkError(t, p.ClearInitialPassword(context.Background(), server.ID), cloud.Unavailable, "cannot be reached")
	if len(s.Log(0)) != 0 {
		t.Errorf("the cloud saw %v", s.Log(0))
	}
}

func TestRequestTimeout(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	server := s.server(t, nil)
	s.fault(t, model.Fault{Kind: model.FaultHoldAfter, Action: actionClear})
	p := s.provider(t, func(c *cloud.Config) { c.RequestTimeout = 2 * time.Second }) // in which it arrives
	s.checkError(t, p.ClearInitialPassword(context.Background(), server.ID), cloud.Unknown, "request_timeout")
	s.ReleaseHolds()
}

// serve makes a provider, with signed requests, for answers that the simulator does not give.
func serve(t *testing.T, handler http.HandlerFunc) *provider {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return providerFor(t, keysConfig(func(c *cloud.Config) { c.Endpoints = map[string]string{endpointECS: server.URL} }))
}

func providerFor(t *testing.T, cfg cloud.Config) *provider {
	t.Helper()
	// A client that follows redirects, to show that the provider does not leave that to it.
	cfg.HTTPClient, cfg.Limiter, cfg.RequestTimeout = &http.Client{}, cloud.Unlimited{}, requestTimeout
	p, err := newProvider(telekom(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestForeignAnswers(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"HTML", "text/html", "<html>login</html>", 200},
		{"nothing", "application/json", "", 200},
		{"half an answer", "application/json", `{"password": "abc`, 200},
		{"another object", "application/json", `{"x": 1}`, 200},
		{"a list", "application/json", `[]`, 200},
		{"wrong types", "application/json", `{"password": 1, "servers": 2, "server": {"id": 3}}`, 200},
		{"servers without ids", "application/json", `{"password": [], "servers": [{}], "server": {}}`, 200},
		{"no content", "application/json", "", 204},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, errPassword := p.InitialPassword(ctx, unknownID)
			_, errDescribe := p.DescribeInstances(ctx, []string{unknownID})
			_, errFind := p.FindInstances(ctx, nil)
			for what, err := range map[string]error{
				"InitialPassword": errPassword, "DescribeInstances": errDescribe, "FindInstances": errFind, "Verify": p.Verify(ctx),
			} {
				if cloud.KindOf(err) != cloud.Unknown {
					t.Errorf("%s: %q %v, want unknown outcome", what, cloud.KindOf(err), err)
				}
			}
		})
	}
}

// TestWrongAddressIsNoMissingInstance: an instance that does not exist is retired, so an endpoint
// that answers 404 to everything must not look like that.
func TestWrongAddressIsNoMissingInstance(t *testing.T) {
	p := serve(t, http.NotFound)
	_, err := p.DescribeInstances(context.Background(), []string{unknownID})
	if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "endpoints.ecs") {
		t.Errorf("got %q: %v", cloud.KindOf(err), err)
	}
}

// TestServerOfACellThatIsDown: what Nova shows then says neither that the server is gone nor what it is like.
func TestServerOfACellThatIsDown(t *testing.T) {
	p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, `{"server":{"id":"`+unknownID+`","status":"UNKNOWN","tenant_id":"p","created":"2026-01-01T00:00:00Z",`+
			`"image":"","flavor":{},"OS-EXT-AZ:availability_zone":"UNKNOWN","OS-EXT-STS:power_state":0,"user_id":"u","links":[]}}`)
	})
	_, err := p.DescribeInstances(t.Context(), []string{unknownID})
	if cloud.KindOf(err) != cloud.Unknown || !strings.Contains(err.Error(), "try again later") {
		t.Errorf("got %q: %v", cloud.KindOf(err), err)
	}
}

func TestThrottledClearIsNoSuccess(t *testing.T) {
	p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusAccepted, `{"error":{"code":"Common.0024","message":"Flow limit exceeded."}}`)
	})
	if err := p.ClearInitialPassword(context.Background(), unknownID); cloud.KindOf(err) != cloud.Throttled {
		t.Errorf("got %q: %v", cloud.KindOf(err), err)
	}
}

func TestCredentialsStayWithTheEndpoint(t *testing.T) {
	var elsewhere atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		answerJSON(w, http.StatusOK, `{"servers":[],"password":"stolen"}`)
	}))
	defer foreign.Close()
	ctx := context.Background()

	redirecting := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, foreign.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	for what, err := range map[string]error{
		"Verify": redirecting.Verify(ctx),
		"Check":  redirecting.CheckInitialPassword(ctx, unknownID),
		"Clear":  redirecting.ClearInitialPassword(ctx, unknownID),
	} {
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "redirects") {
			t.Errorf("%s: %q %v", what, cloud.KindOf(err), err)
		}
	}

	var markers []string
	linking := serve(t, func(w http.ResponseWriter, r *http.Request) {
		markers = append(markers, r.URL.Query().Get("marker"))
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", min(len(markers), 3))
		answerJSON(w, http.StatusOK, fmt.Sprintf(`{"servers":[{"id":%q}],"servers_links":[{"rel":"next","href":%q}]}`, id, foreign.URL))
	})
	found, err := linking.FindInstances(ctx, nil)
	if err != nil || len(found) != 3 {
		t.Errorf("found %d, %v", len(found), err)
	}
	// The fourth page repeats the third: that ends the list, although it links to a fifth.
	if want := []string{"", found[0].ID, found[1].ID, found[2].ID}; !slices.Equal(markers, want) {
		t.Errorf("markers are %v, want %v", markers, want)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

// TestFullPageWithoutLinks: a full page may be followed by another even if the cloud does not say so.
func TestFullPageWithoutLinks(t *testing.T) {
	const total = pageSize + 1
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		first := 0
		if marker := r.URL.Query().Get("marker"); marker != "" {
			_, _ = fmt.Sscanf(marker, "00000000-0000-4000-8000-%d", &first)
			first++
		}
		var list []map[string]string
		for n := first; n < min(first+pageSize, total); n++ {
			list = append(list, map[string]string{"id": fmt.Sprintf("00000000-0000-4000-8000-%012d", n)})
		}
		reply, _ := json.Marshal(map[string]any{"servers": list})
		answerJSON(w, http.StatusOK, string(reply))
	})
	if found, err := p.FindInstances(context.Background(), nil); err != nil || len(found) != total {
		t.Errorf("found %d, want %d: %v", len(found), total, err)
	}
}

func TestCloudWithoutTheMicroversion(t *testing.T) {
	var versions []string
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		version := r.Header.Get("X-Openstack-Nova-Api-Version")
		versions = append(versions, version)
		if version != "" {
			answerJSON(w, http.StatusNotAcceptable, `{"computeFault":{"code":406,"message":"Version 2.26 is not supported by the API."}}`)
			return
		}
		answerJSON(w, http.StatusOK, `{"servers":[{"id":"`+unknownID+`","metadata":{"env":"prod"}}]}`)
	})
	for range 2 {
		found, err := p.FindInstances(context.Background(), map[string]string{"env": "prod"})
		if err != nil || len(found) != 1 {
			t.Errorf("found %v, %v", found, err)
		}
	}
	if want := []string{"2.26", "", ""}; !slices.Equal(versions, want) {
		t.Errorf("versions are %q, want %q", versions, want)
	}
}

// TestEchoedSecrets lets the cloud repeat everything it was sent, which no error may pass on.
func TestEchoedSecrets(t *testing.T) {
	const token = "token-that-is-a-secret"
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		// Secrets of the signature never travel, so they are added to what is repeated.
		text := fmt.Sprintf("SK-secret-example %v %s", r.Header, body)
		reply, _ := json.Marshal(map[string]any{"error": map[string]any{"code": "Ecs.0000", "message": text}})
		answerJSON(w, http.StatusBadRequest, string(reply))
	}
	ctx := context.Background()
	check := func(t *testing.T, err error, secret string) {
		t.Helper()
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("got %v", err)
		}
	}

	t.Run("secret key", func(t *testing.T) {
		check(t, serve(t, echo).Verify(ctx), "SK-secret-example")
	})
	t.Run("token", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				reply, _ := json.Marshal(map[string]any{"badRequest": map[string]any{"code": 400, "message": r.Header.Get("X-Auth-Token")}})
				answerJSON(w, http.StatusBadRequest, string(reply))
				return
			}
			w.Header().Set("X-Subject-Token", token)
			answerJSON(w, http.StatusCreated,
				`{"token":{"issued_at":"2026-01-01T00:00:00.000000Z","expires_at":"2026-01-02T00:00:00.000000Z","project":{"id":"p1"}}}`)
		}))
		defer server.Close()
		check(t, providerFor(t, userConfig(func(c *cloud.Config) {
			c.Endpoints = map[string]string{endpointECS: server.URL, endpointIAM: server.URL}
		})).Verify(ctx), token)
	})
	t.Run("password", func(t *testing.T) {
		var sent atomic.Pointer[string]
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			text := string(body)
			sent.Store(&text)
			reply, _ := json.Marshal(map[string]any{"error": map[string]any{"code": 400, "message": "pw-secret-example " + text}})
			answerJSON(w, http.StatusBadRequest, string(reply))
		}))
		defer server.Close()
		err := providerFor(t, userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": server.URL}) })).Verify(ctx)
		check(t, err, "pw-secret-example")
		if text := sent.Load(); text == nil || !strings.Contains(*text, "pw-secret-example") {
			t.Error("the password was not sent, so the test proves nothing")
		}
	})
}

// TestThrottledPageIsAskedForAgain: a client's listing outlives a page that came a moment too early.
func TestThrottledPageIsAskedForAgain(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc token by project id"} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			server := s.server(t, nil)
			p := s.provider(t, nil)
			s.fault(t, model.Fault{Action: actionList, Kind: model.FaultThrottle, Count: 1})
			found, err := p.FindInstances(cloud.WithInteractive(t.Context()), nil)
			if err != nil || len(found) != 1 || found[0].ID != server.ID {
				t.Errorf("%v, %v; want the one server", found, err)
			}
			if sent, waits := s.requests(actionList), s.limiter.counts()[actionList]; sent != 2 || waits != 2 {
				t.Errorf("%d requests and %d waits, want 2 and 2: the second try waits for its turn, too", sent, waits)
			}
		})
	}
}
