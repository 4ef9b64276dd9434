package engine

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// asked is a request that the fake Vault was sent.
type asked struct {
	method, path, query string
	body                map[string]any
	token, namespace    string
}

// fake is a Vault of answers that a test chooses.
type fake struct {
	mu       sync.Mutex
	requests []asked
	answer   func(r asked) (int, any)
}

// serve starts a fake Vault, and a client of its mount cloudpw/ with the token `hvs.test`.
func serve(t *testing.T, answer func(r asked) (int, any)) (*fake, *Client) {
	t.Helper()
	f := &fake{answer: answer}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	clean(t)
	t.Setenv("VAULT_TOKEN", "hvs.test")
	c, err := New(Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

// clean takes the developer's own settings away.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_WRAP_TTL", "VAULT_CACERT",
		"VAULT_CLIENT_TIMEOUT", "VAULT_SKIP_VERIFY", "VAULT_HEADERS", "VAULT_CONFIG_PATH", "CLOUDPW_MOUNT"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_MAX_RETRIES", "0")
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := asked{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/v1/"), query: r.URL.RawQuery, token: r.Header.Get("X-Vault-Token"),
		namespace: r.Header.Get("X-Vault-Namespace")}
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		_ = json.Unmarshal(body, &got.body)
	}
	f.mu.Lock()
	f.requests = append(f.requests, got)
	f.mu.Unlock()
	status, body := f.answer(got)
	w.WriteHeader(status)
	switch text := body.(type) {
	case nil:
	case string:
		_, _ = w.Write([]byte(text))
	default:
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (f *fake) all() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.requests...)
}

// m is a JSON object.
type m = map[string]any

// data wraps an answer's data.
func data(d any) m { return m{"data": d} }

// refusal is Vault's answer to what it refuses.
func refusal(status int, messages ...string) (int, any) { return status, m{"errors": messages} }
