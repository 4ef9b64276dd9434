package azure

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// anyGet is a request that reads.
var anyGet = request{method: http.MethodGet, path: inGroup("demo", "linux-1")}

func TestRequest(t *testing.T) {
	p, f := answering(t, func(asked) (int, any) { return http.StatusCreated, object{"name": "x"} })
	var answer struct{ Name string }
	r := request{method: http.MethodPut, path: inGroup("Ressourcen (ä)%", "web-1") + "/runCommands/c",
		query: url.Values{"$expand": {"instanceView"}},
		body:  object{"location": "westeurope"}}
	if err := p.ask(t.Context(), runCommandsUpdate, r, &answer); err != nil || answer.Name != "x" {
		t.Fatal(answer, err)
	}
	got := f.seen()[0]
	if got.method != http.MethodPut || got.path != r.path || got.query.Get("api-version") != "2023-03-01" ||
		got.query.Get("$expand") != "instanceView" || got.header.Get("Authorization") != "Bearer token-1" ||
		got.header.Get("Content-Type") != "application/json" || got.body != `{"location":"westeurope"}` {
		t.Errorf("%+v", got)
	}
	l := p.limiter.(*contract.CountLimiter)
	if l.Count("runCommandsUpdate") != 1 || l.Count("token") != 1 {
		t.Errorf("waited for %d and %d", l.Count("runCommandsUpdate"), l.Count("token"))
	}
	if err := p.exchange(t.Context(), runCommandsUpdate, r, nil); err != nil || l.Count("runCommandsUpdate") != 1 {
		t.Errorf("%v; exchange waits for the limiter", err)
	}
	form := f.tokens()[0]
	if len(f.tokens()) != 1 || form.Get("path") != "/"+testTenant+"/oauth2/v2.0/token" || form.Get("grant_type") != "client_credentials" ||
		form.Get("client_id") != testClient || form.Get("client_secret") != testSecret ||
		form.Get("scope") != "https://management.core.windows.net//.default" {
		t.Errorf("%d tokens, %v", len(f.tokens()), form)
	}
}

// The answers of the public recording of azure-cli (test_run_command_v2.yaml) have blanks and CRLF between their fields.
func TestAnswersWithBlanks(t *testing.T) {
	const recorded = "{\r\n  \"name\": \"vm1\",\r\n  \"id\": " +
		"\"/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/cli_test\",\r\n  \"properties\": {\r\n    \"vmId\": " +
		"\"5C0D8A3E-1B7F-4A52-9F0E-6D2B8C4A1E93\",\r\n    \"instanceView\": {\r\n      \"vmAgent\": {\r\n        \"statuses\": [\r\n          " +
		"{\r\n            \"code\": \"ProvisioningState/succeeded\",\r\n            \"displayStatus\": \"Ready\"\r\n          }\r\n        " +
		"]\r\n      }\r\n    }\r\n  }\r\n}\r\n"
	p, _ := answering(t, func(asked) (int, any) { return http.StatusOK, recorded })
	var m machine
	if err := p.ask(t.Context(), virtualMachinesGet, anyGet, &m); err != nil || m.id() != testVMID {
		t.Fatal(m, err)
	}
	if ready, word := m.Properties.InstanceView.agent(); !ready || word != "Ready" {
		t.Error(ready, word)
	}
	p, _ = answering(t, func(asked) (int, any) {
		return http.StatusConflict, "{\r\n  \"error\": {\r\n    \"code\": \"Conflict\",\r\n    \"message\": \"Busy.\"\r\n  }\r\n}"
	})
	if e := errorOfKind(t, p.ask(t.Context(), runCommandsUpdate, anyGet, nil), cloud.Refused); e.Code != "Conflict" ||
		e.RequestID != testRequestID {
		t.Error(e)
	}
}

func TestSuccesses(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		wanted bool // an answer
		ok     bool
	}{
		"an answer":              {200, `{"name":"x"}`, true, true},
		"a new one":              {201, `{"name":"x"}`, true, true},
		"an accepted deletion":   {202, "", false, true},
		"a deletion":             {204, "", false, true},
		"a deletion's body":      {200, "null", false, false},
		"nothing wanted":         {200, "", false, true},
		"nothing where asked":    {200, "", true, false},
		"a page":                 {200, "<html>", true, false},
		"a page for a deletion":  {200, "<html>", false, false},
		"a list":                 {200, "[]", true, false},
		"a text":                 {200, `"x"`, true, false},
		"another form":           {200, `{"name":{}}`, true, false},
		"an unexpected success":  {206, `{"name":"x"}`, true, false},
		"more than one document": {200, `{"name":"x"}{"name":"y"}`, true, false},
		"too large":              {200, `{"name":"` + strings.Repeat("x", maxAnswer) + `"}`, true, false},
	} {
		response := httptest.NewRecorder()
		response.WriteHeader(c.status)
		response.Body.WriteString(c.body)
		var into any
		if c.wanted {
			into = &struct{ Name string }{}
		}
		err := read(response.Result(), into)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if _, isAnswer := errors.AsType[*answerError](err); err != nil && !isAnswer {
			t.Errorf("%s: %T", name, err)
		}
	}
}

// A redirect would carry the token elsewhere.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newFakeCloud(t, func(asked) (int, any) { return http.StatusOK, object{} })
	p, f := answering(t, func(asked) (int, any) { return http.StatusTemporaryRedirect, nil })
	f.header = http.Header{"Location": {elsewhere.URL + "/subscriptions/x"}}
	e := errorOfKind(t, p.ask(t.Context(), virtualMachinesGet, anyGet, &machine{}), cloud.Unknown)
	if !strings.Contains(e.Message, "redirects are not followed") || len(elsewhere.seen()) != 0 {
		t.Errorf("%v; the other host saw %v", e, elsewhere.seen())
	}
	login := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/x/oauth2/v2.0/token", http.StatusTemporaryRedirect))
	t.Cleanup(login.Close)
	cfg := testConfig(t, f.URL)
	cfg.Endpoints["login"] = login.URL
	e = errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Unavailable)
	if !strings.Contains(e.Message, "redirects are not followed") || len(elsewhere.tokens()) != 0 {
		t.Errorf("%v; the other host was given %v", e, elsewhere.tokens())
	}
}

// A link to a further page is followed on the same host only, whatever port it writes.
func TestFollow(t *testing.T) {
	for link, want := range map[string]string{
		"https://management.azure.com/x?api-version=1&$skiptoken=a%2Fb": "https://management.azure.com/x?api-version=1&$skiptoken=a%2Fb",
		"https://management.azure.com:443/x?$skiptoken=x#part":          "https://management.azure.com:443/x?$skiptoken=x",
		"https://Management.Azure.com/x":                                "https://Management.Azure.com/x",
		"https://management.azure.com.evil.io/x":                        "",
		"https://evil.io/x":                                             "",
		"https://management.azure.com:8443/x":                           "",
		"https://u:p@management.azure.com/x":                            "",
		"http://management.azure.com/x":                                 "",
		"//management.azure.com/x":                                      "",
		"/subscriptions/s":                                              "",
		"https://management.azure.com@evil.io/x":                        "",
		"https://management.azure.com\\@evil/x":                         "",
		":":                                                             "",
	} {
		r, err := follow("https://management.azure.com", link, virtualMachinesList)
		if want == "" {
			if e := errorOfKind(t, err, cloud.Unknown); !strings.Contains(e.Message, "is not followed") {
				t.Errorf("%s: %v", link, e)
			}
			continue
		}
		if target, _ := r.target("https://management.azure.com", virtualMachinesList); err != nil || target != want ||
			r.method != http.MethodGet {
			t.Errorf("%s: %s, %v", link, target, err)
		}
	}
}

func TestNextPageOfAnotherHost(t *testing.T) {
	elsewhere := newFakeCloud(t, func(asked) (int, any) { return http.StatusOK, paged("") })
	p, f := answering(t, func(asked) (int, any) { return http.StatusOK, paged(elsewhere.URL + "/subscriptions/x") })
	_, err := p.FindInstances(t.Context(), nil)
	_ = errorOfKind(t, err, cloud.Unknown)
	if len(elsewhere.seen()) != 0 || len(f.seen()) != 1 {
		t.Errorf("the other host saw %v", elsewhere.seen())
	}
}

func TestListWithoutAnEnd(t *testing.T) {
	var f *fakeCloud
	p, f := answering(t, func(asked) (int, any) { return http.StatusOK, paged(f.URL + "/subscriptions/again") })
	_, err := p.FindInstances(t.Context(), nil)
	if e := errorOfKind(t, err, cloud.Unknown); !strings.Contains(e.Message, "does not end") || len(f.seen()) != 2 {
		t.Errorf("%v after %d requests", e, len(f.seen()))
	}
}

// A call that was abandoned, or waits too long for its answer, says which of both.
func TestCallsThatEndEarly(t *testing.T) {
	p, f := answering(t, func(asked) (int, any) { return http.StatusOK, object{} })
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = errorOfKind(t, p.exchange(ctx, runCommandsUpdate, anyGet, nil), cloud.Unavailable)
	if len(f.seen()) != 1 {
		t.Error("an abandoned call was sent")
	}
	release := make(chan struct{})
	slow, _ := answering(t, func(asked) (int, any) { <-release; return http.StatusOK, object{} })
	t.Cleanup(func() { close(release) })
	if _, err := slow.tokens.get(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow.timeout = 20 * time.Millisecond
	e := errorOfKind(t, slow.exchange(t.Context(), runCommandsUpdate, anyGet, nil), cloud.Unknown)
	if !strings.Contains(e.Message, "in time") {
		t.Error(e)
	}
}
