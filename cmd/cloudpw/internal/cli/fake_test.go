package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// m is a JSON object.
type m = map[string]any

// request is one that the fake Vault was sent.
type request struct {
	method, path string
	query        url.Values
	body         m
}

// person is somebody at a fake Vault, whose answers a test chooses. A status of 0 breaks the connection instead.
type person struct {
	answer func(r request) (int, any)

	mu       sync.Mutex
	requests []request
	server   *httptest.Server
	// terminal: somebody sits there, and types this.
	terminal bool
	types    string
	// pause is that between two questions whether something has ended.
	pause time.Duration
}

// clock is what the command takes for now.
var clock = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func at(t *testing.T, answer func(r request) (int, any)) *person {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CLIENT_TIMEOUT",
		"VAULT_SKIP_VERIFY", "VAULT_HEADERS", "CLOUDPW_MOUNT"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_MAX_RETRIES", "0")
	t.Setenv("VAULT_TOKEN", "hvs.test")
	p := &person{answer: answer, pause: time.Millisecond}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	t.Setenv("VAULT_ADDR", p.server.URL)
	return p
}

func (p *person) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := request{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/v1/"), query: r.URL.Query()}
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		_ = json.Unmarshal(body, &got.body)
	}
	p.mu.Lock()
	p.requests = append(p.requests, got)
	status, body := p.answer(got)
	p.mu.Unlock()
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

// asked are the requests with a method and a path.
func (p *person) asked(method, path string) []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []request
	for _, r := range p.requests {
		if r.method == method && r.path == path {
			found = append(found, r)
		}
	}
	return found
}

// ran is how a run of the command ended.
type ran struct {
	out, err string
	code     int
}

func (p *person) run(args ...string) ran {
	var out, errs bytes.Buffer
	a := newApp(Stdio{In: strings.NewReader(p.types), Out: &out, Err: &errs})
	a.now = func() time.Time { return clock }
	a.interactive = func() bool { return p.terminal }
	a.pause = p.pause
	code := a.main(args)
	return ran{out.String(), errs.String(), code}
}

// wants fails the test unless a run ended with a code, and printed some parts.
func (r ran) wants(t *testing.T, code int, parts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, part := range parts {
		if !strings.Contains(r.out+r.err, part) {
			t.Errorf("there is no %q", part)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%sstderr:\n%s", r.out, r.err)
	}
}

func data(d any) m { return m{"data": d} }

func refusal(status int, messages ...string) (int, any) { return status, m{"errors": messages} }

// account is a row of the report; more adds to it.
func account(id, name string, more m) m {
	row := m{"connection": "prod", "instance_id": id, "username": "root", "name": name, "address": "10.0.0.1", "role": "web", "mode": "leased",
		"state": "ready", "version": 2, "created_time": "2026-11-25T11:00:00Z", "age": 3600, "confirmed": true, "failures": 0, "last_error": "",
		"leases": 0, "drifted": false}
	for k, v := range more {
		row[k] = v
	}
	return row
}

// report answers the path report with rows, and accounts/ with what they are; everything else with next.
func report(rows []m, next func(r request) (int, any)) func(r request) (int, any) {
	return func(r request) (int, any) {
		if r.path == "cloudpw/report" {
			found := []m{}
			for _, row := range rows {
				server, role := r.query.Get("server"), r.query.Get("role")
				if (server == "" || row["instance_id"] == server || row["name"] == server) && (role == "" || row["role"] == role) {
					found = append(found, row)
				}
			}
			return 200, data(m{"accounts": found, "total": len(found), "loading": false})
		}
		if next == nil {
			return refusal(404)
		}
		return next(r)
	}
}
