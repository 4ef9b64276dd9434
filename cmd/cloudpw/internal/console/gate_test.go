package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const testHost = "127.0.0.1:4711"

func codeOf(t *testing.T, link string) string {
	t.Helper()
	code, found := strings.CutPrefix(link, "http://"+testHost+"/#")
	if !found || len(code) < 20 {
		t.Fatalf("the link is %s", link)
	}
	return code
}

func TestALinkOpensOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := newGate(testHost, c.now)
	first, second := codeOf(t, g.link()), codeOf(t, g.link())
	if s, cookie := g.redeem(first); s == nil || cookie == "" {
		t.Error("a new link does not open")
	}
	if s, _ := g.redeem(first); s != nil {
		t.Error("a link opens twice")
	}
	c.move(linkLife)
	if s, _ := g.redeem(second); s == nil {
		t.Error("a link does not open within its life")
	}
	late := codeOf(t, g.link())
	c.move(linkLife + 1)
	if s, _ := g.redeem(late); s != nil {
		t.Error("a link opens after its life")
	}
	for _, code := range []string{"", "x", first + "x"} {
		if s, _ := g.redeem(code); s != nil {
			t.Errorf("the code %q opens", code)
		}
	}
}

// TestTheCookieIsOfOnePath: a browser sends cookies to all ports of a host, and another page of the host could read one by script.
func TestTheCookieIsOfOnePath(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	code := strings.NewReader(`{"code":"` + codeOf(t, c.Link()) + `"}`)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+testHost+"/open", code)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "http://"+testHost)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	result := w.Result()
	defer result.Body.Close()
	cookies := result.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d: %d cookies", result.StatusCode, len(cookies))
	}
	if k := cookies[0]; k.SameSite != http.SameSiteStrictMode || !k.HttpOnly || k.Domain != "" || !strings.HasPrefix(k.Path, sessionRoot) ||
		len(k.Path) < len(sessionRoot)+20 || len(k.Value) < 20 || strings.Contains(k.Path, k.Value) {
		t.Errorf("the cookie is %v", k)
	}
}

func TestForeignRequests(t *testing.T) {
	t.Parallel()
	g := newGate(testHost, newClock().now)
	const own = "http://" + testHost
	for _, c := range []struct {
		what, method, path, host string
		headers                  map[string]string
		fine                     bool
	}{
		{"a typed address", http.MethodGet, "/", testHost, map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"an old browser", http.MethodGet, "/assets/main.js", testHost, nil, true},
		{"the page's own read", http.MethodGet, "/c/x/api/fleet", testHost, map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"the page's own order", http.MethodPost, "/open", testHost, map[string]string{"Origin": own, "Sec-Fetch-Site": "same-origin"}, true},
		{"a link elsewhere", http.MethodGet, "/", testHost,
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		{"a frame elsewhere", http.MethodGet, "/", testHost,
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, false},
		{"a link elsewhere to a session", http.MethodGet, "/c/x/", testHost,
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, false},
		{"a script elsewhere", http.MethodGet, "/assets/main.js", testHost, map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"another port", http.MethodGet, "/", testHost, map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"a rebound name", http.MethodGet, "/", "rebound.example:4711", nil, false},
		{"localhost", http.MethodGet, "/", "localhost:4711", nil, false},
		{"no host", http.MethodGet, "/", "", nil, false},
		{"a foreign origin", http.MethodGet, "/", testHost, map[string]string{"Origin": "http://evil.example"}, false},
		{"a page without origin", http.MethodGet, "/", testHost, map[string]string{"Origin": "null"}, false},
		{"an order without origin", http.MethodPost, "/open", testHost, nil, false},
		{"an order of another origin", http.MethodPost, "/open", testHost, map[string]string{"Origin": own + "1"}, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://"+testHost+c.path, nil)
		r.Host = c.host
		for name, value := range c.headers {
			r.Header.Set(name, value)
		}
		if why := g.foreign(r); (why == "") != c.fine {
			t.Errorf("%s: %q", c.what, why)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, own+"/", nil)
	r.Header["Origin"] = []string{own, own}
	if g.foreign(r) == "" {
		t.Error("two origins are fine")
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	for _, path := range []string{"/", "/assets/main.js", "/assets/none.js", "/none", "/c/x/api/fleet"} {
		for _, host := range []string{c.gate.host, "rebound.example"} {
			answer := c.ask(http.MethodGet, path, "", map[string]string{"Host": host})
			if got := answer.header.Get("Content-Security-Policy"); got != policy {
				t.Errorf("%s at %s: the policy is %q", path, host, got)
			}
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer",
				"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
				if got := answer.header.Get(name); got != want {
					t.Errorf("%s at %s: %s is %q", path, host, name, got)
				}
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	for path, kind := range map[string]string{"/": "text/html", "/assets/main.js": "text/javascript", "/assets/console.css": "text/css",
		"/assets/vendor/virtual-core/index.js": "text/javascript", "/assets/vendor/uplot/LICENSE": "text/plain",
		"/assets/icon.svg": "image/svg+xml"} {
		answer := c.ask(http.MethodGet, path, "", nil)
		if answer.status != http.StatusOK || !strings.HasPrefix(answer.header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d, %s", path, answer.status, answer.header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/assets/", "/assets/vendor/", "/assets/vendor", "/assets/none.js", "/assets/..%2fconsole.go",
		"/assets/%2e%2e/gate.go",
		"/assets/vendor/uplot/none.css.map"} {
		if answer := c.ask(http.MethodGet, path, "", nil); answer.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.status)
		}
	}
}

// asked is a console whose requests need no network.
type asked struct {
	*Console
	t       *testing.T
	handler http.Handler
	clock   *clock
	path    string // of an open session
	cookie  string
	order   string
}

func newConsole(t *testing.T, v vault) *asked {
	t.Helper()
	c := newClock()
	console := &Console{vault: v, address: "https://vault.example:8200", now: c.now, gate: newGate(testHost, c.now), fleet: newFleet(v, c.now),
		held: newHeld(v, 10*time.Minute, c.now)}
	a := &asked{Console: console, t: t, handler: console.routes(), clock: c}
	s, cookie := a.gate.redeem(codeOf(t, a.Link()))
	a.path, a.cookie, a.order = s.path(), cookieName+"="+cookie, s.order
	return a
}

// reply is what the console has answered.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a *asked) ask(method, path, body string, headers map[string]string) reply {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), method, "http://"+testHost+path, strings.NewReader(body))
	for name, value := range headers {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// get and post ask the API as the page does.
func (a *asked) get(path string) (int, string) {
	a.t.Helper()
	return text(a.ask(http.MethodGet, a.path+"api/"+path, "", map[string]string{"Cookie": a.cookie, "Sec-Fetch-Site": "same-origin"}))
}

func (a *asked) post(path, body string) (int, string) {
	a.t.Helper()
	return text(a.ask(http.MethodPost, a.path+"api/"+path, body, map[string]string{"Cookie": a.cookie, "Origin": "http://" + testHost,
		"Content-Type": "application/json", orderHeader: a.order}))
}

func text(answer reply) (int, string) { return answer.status, answer.body }

func TestSessions(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	if status, body := c.get("session"); status != http.StatusOK || !strings.Contains(body, c.order) {
		t.Errorf("the session: %d %s", status, body)
	}
	other, cookie := c.gate.redeem(codeOf(t, c.Link()))
	for what, headers := range map[string]map[string]string{
		"no cookie": nil, "an empty cookie": {"Cookie": cookieName + "="}, "another session's cookie": {"Cookie": cookieName + "=" + cookie},
	} {
		if status, body := text(c.ask(http.MethodGet, c.path+"api/held", "", headers)); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	// A page of another port may have set a cookie of this name too.
	both := map[string]string{"Cookie": cookieName + "=other; " + c.cookie}
	if status, body := text(c.ask(http.MethodGet, c.path+"api/held", "", both)); status != http.StatusOK {
		t.Errorf("two cookies: %d %s", status, body)
	}
	if status, _ := text(c.ask(http.MethodGet, sessionRoot+"none/api/held", "",
		map[string]string{"Cookie": c.cookie})); status != http.StatusForbidden {
		t.Errorf("no such session: %d", status)
	}
	order := c.order
	for _, key := range []string{"", order + "x", other.order} {
		c.order = key
		for _, path := range []string{"refresh", "take", "held/show", "held/give", "held/renew", "rotate", "verify", "rotate-role",
			"verify-role", "theme"} {
			if status, body := c.post(path, "{}"); status != http.StatusForbidden {
				t.Errorf("%s with the key %q: %d %s", path, key, status, body)
			}
		}
	}
	c.order = order
	if status, body := c.post("theme", `{"theme":"dark"}`); status != http.StatusOK {
		t.Errorf("theme: %d %s", status, body)
	}
	if status, body := c.post("theme", `{"theme":"pink"}`); status != http.StatusBadRequest || !strings.Contains(body, "theme") {
		t.Errorf("no such theme: %d %s", status, body)
	}
	if _, body := c.get("session"); !strings.Contains(body, `"theme":"dark"`) {
		t.Errorf("the theme is not kept: %s", body)
	}
	if status, _ := text(c.ask(http.MethodDelete, c.path+"api/held", "", map[string]string{"Cookie": c.cookie,
		"Origin": "http://" + testHost})); status != http.StatusMethodNotAllowed {
		t.Errorf("a method that is none: %d", status)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	for _, body := range []string{"", "x", "[]", `{"theme":1}`, `{"theme":"","more":1}`, `{"theme":""}{}`, `{"theme":""` + strings.Repeat(" ",
		longestBody) + `}`} {
		if status, answer := c.post("theme", body); status != http.StatusBadRequest {
			t.Errorf("%.40s: %d %s", body, status, answer)
		}
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		status, answer := text(c.ask(http.MethodPost, c.path+"api/theme", `{"theme":""}`, map[string]string{"Cookie": c.cookie,
			"Origin": "http://" + testHost, "Content-Type": kind, orderHeader: c.order}))
		if status != http.StatusBadRequest {
			t.Errorf("a body of type %q: %d %s", kind, status, answer)
		}
	}
}
