package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// linkLife is how long a link can be opened.
	linkLife = 60 * time.Second
	// cookieName is that of a session's cookie. A browser sends cookies to all ports of a host, so the cookie is limited to
	// the session's own path, which a page of another port does not know.
	cookieName = "cloudpw_console"
	// orderHeader must be in each request that changes something, with the session's order key. A page of another origin
	// cannot set it without a preflight, which is never answered.
	orderHeader = "X-Cloudpw-Order"
	// sessionRoot is where the paths of sessions begin.
	sessionRoot = "/c/"
)

// session is a browser that has opened a link.
type session struct {
	id     string   // in its path
	cookie [32]byte // the SHA-256 of its cookie's value
	order  string   // the value of orderHeader

	mu    sync.Mutex
	theme string // "", "light" or "dark"
}

// path is where the session's pages are.
func (s *session) path() string { return sessionRoot + s.id + "/" }

func (s *session) setTheme(theme string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.theme = theme
}

func (s *session) getTheme() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.theme
}

// gate decides who may call.
type gate struct {
	host string // the host:port under which the page is reached, and no other
	now  func() time.Time

	mu       sync.Mutex
	links    map[[32]byte]time.Time // until when a link's code can be used, by its SHA-256
	sessions map[string]*session    // by id
}

func newGate(host string, now func() time.Time) *gate {
	return &gate{host: host, now: now, links: map[[32]byte]time.Time{}, sessions: map[string]*session{}}
}

// link makes a link that opens the page once. Its code is in the fragment, which a browser sends to nobody.
func (g *gate) link() string {
	code := rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.links[sha256.Sum256([]byte(code))] = g.now().Add(linkLife)
	return "http://" + g.host + "/#" + code
}

// redeem uses up a link's code. It returns a new session and the value of its cookie, or nil if there is no such link, or it
// was opened before, or too late.
func (g *gate) redeem(code string) (opened *session, cookie string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key, now := sha256.Sum256([]byte(code)), g.now()
	until, found := g.links[key]
	delete(g.links, key)
	if !found || now.After(until) {
		return nil, ""
	}
	cookie = rand.Text()
	opened = &session{id: rand.Text(), cookie: sha256.Sum256([]byte(cookie)), order: rand.Text()}
	g.sessions[opened.id] = opened
	return opened, cookie
}

// open answers to the code of a link with a cookie and the session's path.
func (g *gate) open(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Code string `json:"code"`
	}
	if !readBody(w, r, &body) {
		return
	}
	opened, cookie := g.redeem(body.Code)
	if opened == nil {
		answerProblem(w, &problem{Kind: kindClosed, Status: http.StatusForbidden, Title: "This link has been used, or is older than a minute.",
			Advice: "Press Enter in the terminal in which cloudpw console runs: it shows a new link."})
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure: this is http on a loopback address
		Name: cookieName, Value: cookie, Path: opened.path(), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	answer(w, map[string]string{"path": opened.path()})
}

// sessionOf is the session whose path and cookie the request has, or nil.
func (g *gate) sessionOf(r *http.Request) *session {
	g.mu.Lock()
	found := g.sessions[r.PathValue("session")]
	g.mu.Unlock()
	if found == nil {
		return nil
	}
	for _, cookie := range r.CookiesNamed(cookieName) {
		sum := sha256.Sum256([]byte(cookie.Value))
		if subtle.ConstantTimeCompare(sum[:], found.cookie[:]) == 1 {
			return found
		}
	}
	return nil
}

// guard lets requests through that come from this console's own page. A name of somebody's domain that leads to a loopback
// address (DNS rebinding) shows in Host; a page of another origin shows in Origin or Sec-Fetch-Site.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if why := g.foreign(r); why != "" {
			answerProblem(w, &problem{Kind: kindForeign, Status: http.StatusForbidden,
				Title: "This console answers only its own page: " + why + "."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// foreign says why a request is not one of this console's page, "" if it is.
func (g *gate) foreign(r *http.Request) string {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	origin := r.Header.Values("Origin")
	switch {
	case r.Host != g.host:
		return "the request names another host"
	case len(origin) > 1 || len(origin) == 1 && origin[0] != "http://"+g.host:
		return "the request comes from another origin"
	case !read && len(origin) == 0:
		return "the request does not say from which origin it comes"
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return ""
	}
	// A link on another page may lead to the first page, which shows nothing.
	if read && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
		return ""
	}
	return "another site asks"
}

// inSession lets requests through that have a session, and hands it on. A request that is not a read needs the order key.
func (g *gate) inSession(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := g.sessionOf(r)
		if s == nil {
			answerProblem(w, &problem{Kind: kindClosed, Status: http.StatusForbidden, Title: "This browser has not opened this console.",
				Advice: "Press Enter in the terminal in which cloudpw console runs: it shows a new link."})
			return
		}
		if r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(r.Header.Get(orderHeader)), []byte(s.order)) != 1 {
			answerProblem(w, &problem{Kind: kindForeign, Status: http.StatusForbidden,
				Title: "An order needs the header " + orderHeader + ", which only this console's page knows."})
			return
		}
		next(w, r, s)
	}
}

// isJSON tells whether a request's body is said to be JSON, which a form of another page cannot send.
func isJSON(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}
