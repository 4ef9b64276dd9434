//go:build console

package console

import (
	"net/http"
	"strings"
	"testing"
)

// testLink: a link opens the console once, for one browser.
func (s *scene) testLink(t *testing.T) {
	p, link := s.console(t, s.vault.Address, s.vault.Client.Token())
	origin, code, _ := strings.Cut(link, "/#")
	if len(code) < 20 || !strings.HasPrefix(origin, "http://127.0.0.1:") {
		t.Fatalf("the link is %s", link)
	}
	first := s.browser.open(t)
	first.visit(link)
	first.await(`document.querySelector("#view-fleet")`)
	if all := first.everything(); strings.Contains(all, code) {
		t.Error("the page still has the link's code")
	}
	second := s.browser.open(t)
	second.visit(link)
	second.shows("This link has been used")
	// The address of the page that is open is worth nothing without its cookie.
	var address string
	first.js(`location.href`, &address)
	second.visit(address)
	second.shows("This browser has not opened this console")
	second.visit(origin + "/")
	second.shows("Open this console by the link")

	// Enter shows another link, which opens the console beside the first.
	if _, err := p.stdin.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	second.visit(p.link())
	second.await(`document.querySelector("#view-fleet")`)
	first.js(`location.reload()`, nil)
	first.await(`document.querySelector("#view-fleet")`)

	// Nothing of the token or of the session is where another page or program could read it.
	for _, b := range []*tab{first, second} {
		var kept string
		b.js(`JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])`, &kept)
		if kept != `[{},{},""]` {
			t.Errorf("the browser keeps %s", kept)
		}
		var databases int
		b.js(`indexedDB.databases().then((all) => all.length)`, &databases)
		if databases != 0 {
			t.Errorf("the browser keeps %d databases", databases)
		}
		if strings.Contains(b.everything(), s.vault.Client.Token()) {
			t.Error("the page has the token")
		}
	}
	// The theme is remembered by the process.
	first.click("#theme", "")
	first.await(`document.documentElement.dataset.theme === "light"`)
	first.js(`location.reload()`, nil)
	first.await(`document.documentElement.dataset.theme === "light"`)
}

// testForeign: requests of other pages, and under other names of this computer, get nothing.
func (s *scene) testForeign(t *testing.T) {
	_, link := s.console(t, s.vault.Address, s.vault.Client.Token())
	origin, code, _ := strings.Cut(link, "/#")
	host := strings.TrimPrefix(origin, "http://")
	port := host[strings.LastIndex(host, ":"):]
	body := `{"code":"` + code + `"}`
	own := map[string]string{"Origin": origin, "Content-Type": "application/json"}
	with := func(name, value string) map[string]string {
		headers := map[string]string{name: value}
		for known, content := range own {
			if _, set := headers[known]; !set {
				headers[known] = content
			}
		}
		return headers
	}
	for what, headers := range map[string]map[string]string{
		"a name that leads here":    with("Host", "rebound.example"+port),
		"localhost":                 with("Host", "localhost"+port),
		"no port":                   with("Host", "127.0.0.1"),
		"another origin":            with("Origin", "http://evil.example"),
		"another port of this host": with("Origin", "http://127.0.0.1:1"),
		"https":                     with("Origin", "https://"+host),
		"a page without an origin":  with("Origin", "null"),
		"no origin":                 {"Content-Type": "application/json"},
		"another site":              with("Sec-Fetch-Site", "cross-site"),
		"another port, by fetch":    with("Sec-Fetch-Site", "same-site"),
	} {
		if code, answer, _ := status(t, http.MethodPost, origin+"/open", body, headers); code != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, code, answer)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		if code, answer, _ := status(t, http.MethodPost, origin+"/open", body, with("Content-Type", kind)); code != http.StatusBadRequest {
			t.Errorf("a body of type %q: %d %s", kind, code, answer)
		}
	}
	// None of these has used the link up.
	code1, answer, header := status(t, http.MethodPost, origin+"/open", body, own)
	cookie := header.Get("Set-Cookie")
	if code1 != http.StatusOK || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Fatalf("the console's own page: %d %s, cookie %s", code1, answer, cookie)
	}
	_, rest, _ := strings.Cut(answer, `"path":"`)
	path, _, _ := strings.Cut(rest, `"`)
	if !strings.Contains(cookie, "Path="+path+";") {
		t.Errorf("the cookie %s is not limited to %s", cookie, path)
	}
	pair, _, _ := strings.Cut(cookie, ";")
	api := origin + path + "api/"
	if code, answer, _ := status(t, http.MethodGet, api+"session", "", map[string]string{"Cookie": pair}); code != http.StatusOK {
		t.Fatalf("with the cookie: %d %s", code, answer)
	}
	for what, headers := range map[string]map[string]string{
		"no cookie":                       {},
		"another cookie":                  {"Cookie": pair + "x"},
		"with the cookie, another host":   {"Cookie": pair, "Host": "rebound.example" + port},
		"with the cookie, another site":   {"Cookie": pair, "Sec-Fetch-Site": "cross-site"},
		"with the cookie, another origin": {"Cookie": pair, "Origin": "http://evil.example"},
	} {
		if code, answer, _ := status(t, http.MethodGet, api+"held", "", headers); code != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, code, answer)
		}
	}
	// An order needs the key, which the page reads with its cookie.
	order := with("Cookie", pair)
	if code, answer, _ := status(t, http.MethodPost, api+"refresh", "{}", order); code != http.StatusForbidden {
		t.Errorf("an order without the key: %d %s", code, answer)
	}
	_, answer, _ = status(t, http.MethodGet, api+"session", "", map[string]string{"Cookie": pair})
	_, rest, _ = strings.Cut(answer, `"order":"`)
	key, _, _ := strings.Cut(rest, `"`)
	if strings.Contains(answer, s.vault.Client.Token()) {
		t.Error("the page is given the token")
	}
	order["X-Cloudpw-Order"] = key
	if code, answer, _ := status(t, http.MethodPost, api+"refresh", "{}", order); code != http.StatusOK {
		t.Errorf("an order with the key: %d %s", code, answer)
	}
	// An order about one server that does not name it is not one about all.
	for _, body := range []string{`{"role":"web"}`, `{"role":"web","instance_id":""}`, `{"instance_id":"x"}`,
		`{"role":"web","instance_id":"x","more":1}`} {
		if code, answer, _ := status(t, http.MethodPost, api+"rotate", body, order); code != http.StatusBadRequest {
			t.Errorf("rotate %s: %d %s", body, code, answer)
		}
	}

	// A page of another port of this computer, in a browser.
	other := startPage(t, `<!doctype html><title>other</title><iframe src="`+origin+`/"></iframe><img src="`+api+`session">`)
	b := s.browser.open(t)
	b.visit(other)
	var got []string
	b.js(`Promise.all(["`+api+`session", "`+origin+`/"].map((url) => 
		fetch(url, { credentials: "include" }).then((a) => "answer", () => "nothing")))`, &got)
	if len(got) != 2 || got[0] != "nothing" || got[1] != "nothing" {
		t.Errorf("another page reads %v", got)
	}
	var framed string
	b.js(`(() => { try {
		return document.querySelector("iframe").contentDocument?.body?.innerText ?? "nothing"; } catch { return "nothing"; } })()`, &framed)
	if framed != "nothing" {
		t.Errorf("another page shows the console in a frame: %q", framed)
	}
	b.foreign()
}
