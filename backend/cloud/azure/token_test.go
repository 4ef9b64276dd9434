package azure

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func empty(asked) (int, any) { return http.StatusOK, paged("") }

func TestTokenIsReused(t *testing.T) {
	p, f := answering(t, empty)
	for range 3 {
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.tokens()); n != 1 || len(f.seen()) != 3 {
		t.Errorf("%d tokens for %d calls", n, len(f.seen()))
	}
}

// Many calls at once wait for one token.
func TestTokenIsFetchedOnce(t *testing.T) {
	p, f := answering(t, empty)
	begin := make(chan struct{})
	f.login = func(url.Values) (int, any) { <-begin; return http.StatusOK, tokenAnswer("token-1", 3599) }
	var all sync.WaitGroup
	errs := make(chan error, 20)
	for range cap(errs) {
		all.Go(func() { errs <- p.Verify(t.Context()) })
	}
	close(begin)
	all.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(f.tokens()); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// A token is not used in its last half minute.
func TestTokenIsRenewed(t *testing.T) {
	p, f := answering(t, empty)
	f.login = func(url.Values) (int, any) {
		return http.StatusOK, tokenAnswer(fmt.Sprintf("token-%d", len(f.tokens())), 20)
	}
	for range 2 {
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.tokens()); n != 2 || f.seen()[1].header.Get("Authorization") != "Bearer token-2" {
		t.Errorf("%d tokens", n)
	}
}

// A token that ARM does not take is not used again. The call that found out fails: it was refused.
func TestTokenIsDropped(t *testing.T) {
	p, f := answering(t, empty)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.refuseToken("token-1")
	_ = errorOfKind(t, p.Verify(t.Context()), cloud.Denied)
	if err := p.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(f.tokens()); n != 2 || len(f.seen()) != 3 {
		t.Errorf("%d tokens, %d calls", n, len(f.seen()))
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	entra := func(word string, number int) object {
		return object{"error": word, "error_codes": []int{number}, "trace_id": testRequestID,
			"error_description": fmt.Sprintf("AADSTS%d: something about %s and %s.\r\nTrace ID: x", number, testSecret, testClient)}
	}
	for name, c := range map[string]struct {
		status int
		body   any
		kind   cloud.Kind
		code   string
		says   string
	}{
		"a wrong secret":    {401, entra("invalid_client", 7000215), cloud.Denied, "AADSTS7000215", "the secret's value, not its id"},
		"an old secret":     {401, entra("invalid_client", 7000222), cloud.Denied, "AADSTS7000222", "has expired"},
		"no application":    {400, entra("unauthorized_client", 700016), cloud.Denied, "AADSTS700016", "check client_id"},
		"no tenant":         {400, entra("invalid_request", 90002), cloud.Denied, "AADSTS90002", "check tenant_id"},
		"an unknown number": {400, entra("invalid_request", 12345), cloud.Denied, "AADSTS12345", "tenant_id, client_id and client_secret"},
		"the number in words": {400, object{"error": "invalid_client", "error_description": "AADSTS7000222: Expired."}, cloud.Denied,
			"AADSTS7000222", "has expired"},
		"no number":      {400, object{"error": "invalid_client"}, cloud.Denied, "invalid_client", "tenant_id"},
		"for a while":    {400, entra("temporarily_unavailable", 90033), cloud.Unavailable, "AADSTS90033", "internal failure"},
		"throttled":      {429, entra("invalid_request", 90055), cloud.Throttled, "AADSTS90055", "too many requests for tokens"},
		"a server error": {500, "<html>", cloud.Unavailable, "", "internal failure"},
		"a proxy's page": {403, "<html>" + testSecret, cloud.Unavailable, "", "proxies"},
		"an odd word":    {400, object{"error": testSecret}, cloud.Unavailable, "", "proxies"},
		"no JSON":        {200, "token", cloud.Unavailable, "", "unreadable"},
		"no token":       {200, object{"token_type": "Bearer", "expires_in": 3599}, cloud.Unavailable, "", "no token"},
		"another type":   {200, object{"token_type": "mac", "expires_in": 3599, "access_token": "x"}, cloud.Unavailable, "", "no token"},
		"a token with a break": {200, object{"token_type": "Bearer", "expires_in": 3599, "access_token": "x\r\ny: z"}, cloud.Unavailable, "",
			"no token"},
		"a token without end": {200, object{"token_type": "Bearer", "access_token": "x"}, cloud.Unavailable, "", "no token"},
		"a token of the past": {200, object{"token_type": "Bearer", "access_token": "x", "expires_in": -5}, cloud.Unavailable, "", "no token"},
	} {
		p, f := answering(t, empty)
		f.login = func(url.Values) (int, any) { return c.status, c.body }
		err := p.exchange(t.Context(), runCommandsUpdate, anyGet, nil)
		if cloud.KindOf(err) != c.kind || cloud.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s %q: %v", name, cloud.KindOf(err), cloud.CodeOf(err), err)
			continue
		}
		e := errorOfKind(t, err, c.kind)
		if strings.Contains(e.Error(), "something about") || strings.Contains(e.Error(), testClient) {
			t.Errorf("%s: repeats the description: %v", name, e)
		}
		if want := strings.Contains(name, "secret") || strings.Contains(name, "no tenant"); (e.RequestID == testRequestID) != want && want {
			t.Errorf("%s: request id %q", name, e.RequestID)
		}
		if len(f.seen()) != 0 {
			t.Errorf("%s: the call was sent nevertheless", name)
		}
	}
}

// A login that cannot be reached proves that the call was not sent.
func TestTokenWithoutAnAnswer(t *testing.T) {
	p, f := answering(t, empty)
	f.login = func(url.Values) (int, any) { panic(http.ErrAbortHandler) }
	_ = errorOfKind(t, p.exchange(t.Context(), runCommandsUpdate, anyGet, nil), cloud.Unavailable)
	if len(f.seen()) != 0 {
		t.Error("the call was sent")
	}
}

func TestEndOfAToken(t *testing.T) {
	asked := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		in, on number
		want   time.Duration // 0: no good token
	}{
		"in":                  {3599, 0, 3599 * time.Second},
		"on":                  {0, 1_800_003_600, time.Hour},
		"what ends first":     {3599, 1_800_000_600, 10 * time.Minute},
		"longer than any":     {1 << 40, 0, longestToken},
		"far in the future":   {0, 1 << 40, longestToken},
		"neither":             {},
		"before it was asked": {0, 1_700_000_000, 0},
		"negative":            {-1, 0, 0},
	} {
		token, end, ok := grant{AccessToken: "x.y-z", TokenType: "bearer", ExpiresIn: c.in, ExpiresOn: c.on}.good(asked)
		if ok != (c.want != 0) || ok && (token != "x.y-z" || end.Sub(asked) != c.want) {
			t.Errorf("%s: %q %s %t", name, token, end.Sub(asked), ok)
		}
	}
	for raw, good := range map[string]bool{`"3599"`: true, `3599`: true, `"x"`: false, `{}`: false, `1.5`: false} {
		if err := new(number).UnmarshalJSON([]byte(raw)); (err == nil) != good {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// Each cloud has its own login and audience.
func TestPlaces(t *testing.T) {
	for name, want := range map[string][3]string{
		"":       {"https://management.azure.com", "https://login.microsoftonline.com", "https://management.core.windows.net//.default"},
		"public": {"https://management.azure.com", "https://login.microsoftonline.com", "https://management.core.windows.net//.default"},
		"usgovernment": {"https://management.usgovcloudapi.net", "https://login.microsoftonline.us",
			"https://management.core.usgovcloudapi.net//.default"},
		"china": {"https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn",
			"https://management.core.chinacloudapi.cn//.default"},
	} {
		cfg := testConfig(t, "")
		if name != "" {
			cfg.Values["cloud"] = name
		}
		p := newTestProvider(t, cfg)
		l := newLogin(cfg)
		if got := [3]string{p.client.base, l.base, l.scope}; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	cfg := testConfig(t, "http://127.0.0.1:1/azure/")
	if got := newLogin(cfg).base; got != "http://127.0.0.1:1/azure" {
		t.Error(got)
	}
	if target, err := anyGet.target(newClient(cfg).base, virtualMachinesGet); err != nil ||
		target != "http://127.0.0.1:1/azure"+anyGet.path+"?api-version=2023-03-01" {
		t.Error(target, err)
	}
}
