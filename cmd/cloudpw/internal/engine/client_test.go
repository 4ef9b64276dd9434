package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSettings: those of the vault command, with flags before them.
func TestSettings(t *testing.T) {
	f, _ := serve(t, func(asked) (int, any) { return 200, data(m{"running": true}) })
	server := httptest.NewServer(f)
	defer server.Close()
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_NAMESPACE", "team")
	t.Setenv("CLOUDPW_MOUNT", "/servers/prod/")
	t.Setenv("VAULT_WRAP_TTL", "5m")
	status := func(o Options) asked {
		t.Helper()
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.Status(t.Context()); err != nil || !s.Running {
			t.Fatalf("status: %v, %v", s, err)
		}
		return f.all()[len(f.all())-1]
	}
	if got := status(Options{}); got.path != "servers/prod/status" || got.namespace != "team" || got.token != "hvs.test" {
		t.Errorf("environment: %+v", got)
	}
	if got := status(Options{Mount: "other", Namespace: "mine"}); got.path != "other/status" || got.namespace != "mine" {
		t.Errorf("flags: %+v", got)
	}

	t.Setenv("VAULT_TOKEN", "")
	// Vault's own helper finds the home folder once for the process, so a helper of the user's stands for it.
	dir := t.TempDir()
	helper, config := filepath.Join(dir, "helper"), filepath.Join(dir, "vault.hcl")
	if err := os.WriteFile(helper, []byte("#!/bin/sh\ntest \"$1\" = get && echo hvs.stored\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("token_helper = \""+helper+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_CONFIG_PATH", config)
	if got := status(Options{}); got.token != "hvs.stored" {
		t.Errorf("the stored token: %+v", got)
	}

	// An agent's address is for those who give no other.
	t.Setenv("VAULT_AGENT_ADDR", "http://127.0.0.1:1")
	if got := status(Options{Address: server.URL}); got.path == "" {
		t.Errorf("an address beside an agent's: %+v", got)
	}
	for _, mount := range []string{"a//b", "../sys", "a/../b", "a\nb"} {
		if _, err := New(Options{Mount: mount}); err == nil || !strings.Contains(err.Error(), "--mount") {
			t.Errorf("mount %q: %v", mount, err)
		}
	}
}

// TestNoWrapping: VAULT_WRAP_TTL does not have answers wrapped.
func TestNoWrapping(t *testing.T) {
	wrapped := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrapped += r.Header.Get("X-Vault-Wrap-TTL")
		_, _ = w.Write([]byte(`{"data":{}}`))
	}))
	defer server.Close()
	clean(t)
	t.Setenv("VAULT_WRAP_TTL", "5m")
	c, err := New(Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err != nil || wrapped != "" {
		t.Errorf("wrapped for %q, %v", wrapped, err)
	}
}

// TestErrors: Vault's messages without their frame, and what kind of error it is.
func TestErrors(t *testing.T) {
	status, body := 0, any(nil)
	_, c := serve(t, func(asked) (int, any) { return status, body })
	for _, test := range []struct {
		status int
		body   any
		text   string
		is     func(error) bool
	}{
		{403, m{"errors": []string{"1 error occurred:\n\t* permission denied\n\n"}}, "permission denied", IsDenied},
		{400, m{"errors": []string{"2 errors occurred:\n\t* unknown role web\n\t* and more\n\n"}}, "unknown role web; and more", IsInvalid},
		{409, m{"errors": []string{"is checked out"}}, "is checked out", IsConflict},
		{503, m{"errors": []string{"Vault is sealed"}}, "Vault is sealed", IsUnavailable},
		{503, m{"errors": []string{"Vault is sealed"}}, "Vault is sealed", IsPassing},
		{404, m{"errors": []string{}}, "Vault answers cloudpw/status with status 404 (Not Found)", IsGone},
		{502, "<html>a proxy's page</html>", "Vault answers cloudpw/status with status 502 (Bad Gateway)", IsPassing},
		{473, m{"errors": []string{"standby"}}, "standby", IsPassing},
	} {
		status, body = test.status, test.body
		_, err := c.Status(t.Context())
		if err == nil || err.Error() != test.text || !test.is(err) || !IsFailure(err) {
			t.Errorf("%d: %v", test.status, err)
		}
		if test.status < 500 && test.status != 473 && IsPassing(err) {
			t.Errorf("%d passes by itself", test.status)
		}
	}

	// Nobody listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	_ = listener.Close()
	gone, err := New(Options{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	_, err = gone.Status(t.Context())
	if !IsPassing(err) || !IsFailure(err) || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	// Who ends the request himself does not want it to be repeated.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gone.Status(ctx); IsPassing(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was ended: %v", err)
	}
}

// TestAWrongCertificateDoesNotPass: it is an error to be read, not one to wait for.
func TestAWrongCertificateDoesNotPass(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"data":{}}`)) }))
	defer server.Close()
	clean(t)
	c, err := New(Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err == nil || IsPassing(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	c, err = New(Options{Address: server.URL, SkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("without a check: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	if _, err := New(Options{Address: server.URL, CACert: none}); err == nil || !strings.Contains(err.Error(), "--ca-cert") {
		t.Errorf("no such file: %v", err)
	}
}

// TestPathsStayBelowTheMount: a name with a slash or dots leads nowhere else.
func TestPathsStayBelowTheMount(t *testing.T) {
	f, c := serve(t, func(asked) (int, any) { return 200, data(m{}) })
	for _, name := range []string{"", "..", ".", "a/b", "../../sys/seal", "a\nb"} {
		if _, err := c.Account(t.Context(), "prod", name, "root"); err == nil {
			t.Errorf("instance %q is taken", name)
		}
	}
	if len(f.all()) != 0 {
		t.Errorf("requests: %v", f.all())
	}
	if _, err := c.Account(t.Context(), "prod", "i-1", "Build User?x=1"); err != nil {
		t.Fatal(err)
	}
	if got := f.all()[0]; got.path != "cloudpw/accounts/prod/i-1/Build User?x=1" || got.query != "" {
		t.Errorf("the path of a user with blanks: %+v", got)
	}
}

// TestOrdersAreSentOnce, and reads that make no lease again.
func TestOrdersAreSentOnce(t *testing.T) {
	f, _ := serve(t, func(asked) (int, any) { return refusal(502, "the cloud failed") })
	server := httptest.NewServer(f)
	defer server.Close()
	t.Setenv("VAULT_MAX_RETRIES", "1")
	c, err := New(Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	c.Vault().SetMinRetryWait(time.Millisecond)
	c.Vault().SetMaxRetryWait(time.Millisecond)
	count := func(call func() error) int {
		t.Helper()
		before := len(f.all())
		if err := call(); statusOf(err) != 502 {
			t.Errorf("error %v", err)
		}
		return len(f.all()) - before
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"rotate":    func() error { _, err := c.Rotate(ctx, RotateOrder{Role: "web"}); return err },
		"verify":    func() error { _, err := c.Verify(ctx, VerifyOrder{Role: "web"}); return err },
		"reader":    func() error { _, err := c.RotateReader(ctx, ReaderOrder{DisplayName: "a"}); return err },
		"read":      func() error { _, err := c.Read(ctx, Place{Role: "web"}, ReadOptions{}); return err },
		"give back": func() error { return c.GiveBack(ctx, "cloudpw/creds/web/abc") },
	} {
		if n := count(call); n != 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
	if n := count(func() error { _, err := c.Campaigns(ctx); return err }); n != 2 {
		t.Errorf("a read was sent %d times", n)
	}
}

// TestAClientTimeoutBoundsTheWait: VAULT_CLIENT_TIMEOUT is the user's word.
func TestAClientTimeoutBoundsTheWait(t *testing.T) {
	f, _ := serve(t, func(asked) (int, any) { return 200, data(m{"kind": "verify"}) })
	server := httptest.NewServer(f)
	defer server.Close()
	for timeout, query := range map[string]string{"": "wait=45s", "12s": "wait=10s", "1s": ""} {
		t.Setenv("VAULT_CLIENT_TIMEOUT", timeout)
		c, err := New(Options{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Campaign(t.Context(), "abc", time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := f.all()[len(f.all())-1]; got.query != query {
			t.Errorf("VAULT_CLIENT_TIMEOUT=%q: query %q, want %q", timeout, got.query, query)
		}
	}
}

// TestNoAnswerOfAnotherEngine: the mount of another engine gives an error, and no half answer.
func TestNoAnswerOfAnotherEngine(t *testing.T) {
	body := any(nil)
	_, c := serve(t, func(asked) (int, any) { return 200, body })
	for _, body = range []any{"<html>", data(m{"accounts": "none"}), data([]string{"a"})} {
		if _, err := c.Report(t.Context(), Filter{}, "", 0); !IsFailure(err) {
			t.Errorf("%v: %v", body, err)
		}
	}
	body = data(m{"password": m{"x": "sw0rdfish"}})
	_, err := c.Read(t.Context(), Place{Role: "web"}, ReadOptions{})
	if !IsFailure(err) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "sw0rdfish") {
		t.Errorf("a password of another form: %#v", err)
	}
}
