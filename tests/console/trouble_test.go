//go:build console

package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// testDenied: where a policy is missing, each view says which rule, and what is allowed can be done.
func (s *scene) testDenied(t *testing.T) {
	before := s.leases(t, "web")
	token := s.token(t, "only-a-reader", policy(t, "Reader"), nil)
	_, link := s.console(t, s.vault.Address, token)
	b := s.browser.open(t)
	b.visit(link)
	for hash, want := range map[string][]string{
		"#/fleet":                {"Fleet", `path "cloudpw/report"`, `"read"`},
		"#/campaigns":            {"Campaigns", `path "cloudpw/campaigns/*"`, `"list"`},
		"#/health":               {"Health", `path "cloudpw/status"`, `"read"`},
		"#/charts":               {"Charts", `path "cloudpw/report"`, `"read"`},
		s.accountPage("web-2"):   {s.ids["web-2"], `path "cloudpw/accounts/*"`, `"read"`},
		"#/campaign/aaaaaaaaaaa": {"Campaign", `path "cloudpw/campaigns/*"`, `"read"`},
	} {
		b.view(hash, want[0])
		b.shows("Your token's policies do not allow this")
		b.shows(want[1])
		b.shows(want[2])
		b.accessible(s.axe, hash+" is denied")
	}
	// What this token may do, it can do from here.
	b.view("#/fleet", "Fleet")
	b.choose("#take-text", "web/"+s.ids["web-2"])
	b.click(".take button", "Take")
	b.shows("ubuntu on web-2")
	b.click(".take .held button", "Give back")
	s.await(t, "web", before)
	b.choose("#take-text", "database/"+s.ids["database-2"])
	b.click(".take button", "Take")
	b.shows(`path "cloudpw/creds/database`)

	// A right that is taken away while the page is open empties the table.
	token = s.token(t, "for-a-while", policy(t, "Operator"), nil)
	_, link = s.console(t, s.vault.Address, token)
	b = s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	s.vault.Write(t, "sys/policies/acl/for-a-while", map[string]any{"policy": policy(t, "Reader")})
	b.click("#again", "")
	b.shows(`path "cloudpw/report"`)
	b.await(`document.querySelectorAll(".row").length === 0 || document.querySelector("#scroller").hidden`)
}

// testAway: when Vault goes away, the page says so and shows what it knew; when it is back, all goes on by itself.
func (s *scene) testAway(t *testing.T) {
	gateway := s.through(t)
	token := s.token(t, "operator-far-away", policy(t, "Operator"), nil)
	_, link := s.console(t, gateway.address, token)
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	gateway.set(true)
	b.click("#again", "")
	b.shows("Vault does not answer")
	b.shows("What you see is as of")
	b.await(`document.querySelectorAll(".row a").length > 5`)
	b.accessible(s.axe, "Vault is away")
	b.view("#/health", "Health")
	b.shows("Vault does not answer")
	b.view("#/campaigns", "Campaigns")
	b.shows("Vault does not answer")
	gateway.set(false)
	b.await(`document.querySelector("progress") && !document.querySelector(".problem")`)
	b.view("#/fleet", "Fleet")
	b.await(`!document.querySelector(".problem") && document.querySelectorAll(".row a").length > 5`)
}

// testToken: when the token has ended, the page says so and shows nothing more of the fleet.
func (s *scene) testToken(t *testing.T) {
	token := s.token(t, "soon-ended", policy(t, "Operator"), nil)
	_, link := s.console(t, s.vault.Address, token)
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	s.vault.Write(t, "auth/token/revoke", map[string]any{"token": token})
	b.click("#again", "")
	b.shows("Your Vault token has ended")
	b.await(`document.querySelectorAll(".row").length === 0 || document.querySelector("#scroller").hidden`)
	b.view("#/health", "Health")
	b.shows("Your Vault token has ended")
	b.accessible(s.axe, "the token has ended")
}

// hostileText is what a cloud, or somebody who names things there, could put into any text.
const hostileText = `<script>globalThis.ran="text"</script><img src=x onerror="globalThis.ran='img'">` +
	"\x1b[2J\x1b]8;;http://evil.example\x07" +
	"\u202eabc\u2066\u200b\x00\u009b31m" + `"><svg onload="globalThis.ran='svg'">javascript:globalThis.ran='href'`

// testHostile: texts from clouds are shown as texts, whatever they hold, also where Vault does not clean them.
func (s *scene) testHostile(t *testing.T) {
	// Real servers with such names, through the real Vault.
	b := s.root(t)
	b.choose("#filter-role", "nodes")
	b.click("[data-sort=name] button", "Server")
	for _, name := range []string{`<script>globalThis.ran = "name"</script>`, `<img src=x`, `"><a href="javascript:`} {
		b.choose("#filter-text", name)
		b.await(names + `.length === 1 && ` + names + `[0].startsWith(` + quoted(name) + `)`)
		b.click(".row a", "")
		b.await(`document.querySelector("h1").innerText.startsWith(` + quoted(name) + `)`)
		b.harmless()
		b.view("#/fleet", "Fleet")
	}
	b.choose("#filter-text", "gpj")
	b.await(names + `.length === 1`)
	b.harmless()

	// A Vault that answers with such texts everywhere.
	long := hostileText + strings.Repeat("0123456789", 1000)
	part := strings.NewReplacer("/", "", "\x00", "").Replace(hostileText) // what can be a part of a path in Vault
	account := func(i int) map[string]any {
		return map[string]any{"connection": part, "instance_id": fmt.Sprintf("i-%d%s", i, part), "username": part,
			"name": long, "address": hostileText, "role": part, "mode": hostileText, "state": hostileText, "version": 1,
			"created_time": "2026-11-25T09:37:42Z", "age": 5, "due_reason": hostileText, "due_since": "2026-11-25T09:37:42Z",
			"waiting_for": hostileText,
			"failures":    3, "last_error": long, "leases": 2, "holders": []string{hostileText, "constructor"}, "check_result": hostileText}
	}
	version := map[string]any{"version": 1, "source": hostileText, "created_time": "2026-11-25T09:37:42Z", "reason": "__proto__",
		"requested_by": long,
		"request_id":   long, "roles": []string{hostileText}, "readers": []any{map[string]any{"display_name": long, "entity_id": hostileText,
			"remote_address": hostileText, "first_time": "2026-11-25T09:37:42Z", "last_time": "2026-11-26T09:37:42Z", "other_names": true}}}
	detail := map[string]any{"connection": part, "instance_id": part, "username": part, "role": part, "mode": hostileText,
		"state": hostileText, "instance_name": long, "os_name": long, "private_ip": hostileText, "due_reason": hostileText,
		"due_since":   "2026-11-25T09:37:42Z",
		"waiting_for": hostileText, "last_error": long, "last_error_time": "2026-11-25T09:37:42Z", "check_result": hostileText,
		"check_reason": long,
		"checked_time": "2026-11-25T09:37:42Z", "rebuilt_time": "2026-11-25T09:37:42Z", "rebuilt_reason": long, "versions": []any{version},
		"leases": []any{map[string]any{"version": 1, "display_name": long, "issue_time": "2026-11-25T09:37:42Z", "remote_address": hostileText}}}
	failing := []any{map[string]any{"account": hostileText + "/" + hostileText + "/" + long, "state": hostileText, "last_error": long}}
	causes := []any{map[string]any{"cause": long, "accounts": 1, "example_account": hostileText, "example_role": hostileText}}
	campaign := map[string]any{"kind": hostileText, "role": long, "requested_by": hostileText, "created_time": "2026-11-25T09:37:42Z",
		"total": 2, "failed": 1,
		"end_reason": hostileText, "causes": causes, "failing": failing, "skip_reasons": map[string]int{hostileText: 1},
		"results": map[string]int{hostileText: 1}}
	answers := map[string]any{
		"/report": map[string]any{"accounts": []any{account(1), account(2)}, "total": 2}, "/campaigns": map[string]any{"keys": []string{part},
			"key_info": map[string]any{part: campaign}}, "/campaigns/": campaign, "/accounts/": detail,
		"/status": map[string]any{"running": true, "accounts": map[string]int{hostileText: 1}, "warnings": []string{long},
			"details": map[string]any{
				"connections": map[string]any{hostileText: map[string]any{"last_error": long, "root_rotation_error": long, "breaker_open": true}},
				"roles":       map[string]any{hostileText: map[string]any{"connection": hostileText, "failing": 1}}, "failing": failing,
				"causes":        causes,
				"failing_roles": []any{map[string]any{"role": hostileText, "last_error": long}}}},
	}
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/v1/cloudpw")
		for _, part := range []string{"/report", "/status", "/campaigns/", "/campaigns", "/accounts/"} {
			if strings.HasPrefix(path, part) {
				_ = json.NewEncoder(w).Encode(map[string]any{"data": answers[part]})
				return
			}
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{long}})
	}))
	t.Cleanup(fake.Close)
	_, link := s.console(t, fake.URL, "any")
	b = s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelectorAll(".row a").length === 2`)
	for _, width := range []int64{1280, 360} {
		b.size(width, 800)
		b.view("#/fleet", "Fleet")
		b.await(`document.querySelectorAll(".row a").length === 2`)
		b.harmless()
		b.accessible(s.axe, "a hostile fleet")
		b.js(`document.querySelector(".row a").click()`, nil)
		b.await(`document.querySelectorAll(".timeline li").length > 4`)
		b.js(`document.querySelectorAll("details").forEach((one) => one.open = true)`, nil)
		b.harmless()
		b.accessible(s.axe, "a hostile server")
		b.click("main button", "Take the password")
		b.await(`document.querySelector(".problem")`)
		b.harmless()
		b.click("main button", "Rotate")
		b.await(`document.querySelector("dialog")`)
		b.accessible(s.axe, "a hostile question")
		b.click("dialog button", "Rotate")
		b.await(`document.querySelectorAll(".problem").length > 1`)
		b.view("#/campaigns", "Campaigns")
		b.await(`document.querySelector("progress")`)
		b.harmless()
		b.js(`document.querySelector(".card a").click()`, nil)
		b.await(`document.querySelector("#view-campaign .facts")`)
		b.harmless()
		b.accessible(s.axe, "a hostile campaign")
		b.view("#/health", "Health")
		b.await(`document.querySelectorAll("table").length === 2`)
		b.harmless()
		b.accessible(s.axe, "a hostile state")
	}
	b.visit(strings.SplitN(link, "#", 2)[0] + "#<img src=x onerror=globalThis.ran=1>")
	b.harmless()
}

// harmless fails the test if a text became more than a text, or is shown with characters that a terminal or the writing direction
// obeys. The values of choices have them: they are sent, not shown.
func (b *tab) harmless() {
	b.Helper()
	var found struct {
		Ran                       any
		Scripts, Images, Handlers int
		Links                     []string
		Raw                       bool
	}
	b.js(`({ ran: globalThis.ran ?? null, scripts: document.scripts.length,
		images: document.querySelectorAll("img:not(.brand img), svg, iframe, object, embed").length,
		handlers: [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((a) => a.name.startsWith("on"))).length,
		links: [...document.links].map((one) => one.getAttribute("href")).filter((href) => !href.startsWith("#")),
		raw: /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText + document.title +
			[...document.querySelectorAll("*")].flatMap((one) => [...one.attributes].filter((a) => a.name !== "data-key" &&
				a.name !== "value").map((a) => a.value)).join("")) })`, &found)
	if found.Ran != nil || found.Scripts != 1 || found.Images != 0 || found.Handlers != 0 || len(found.Links) != 0 || found.Raw {
		b.Errorf("a text became more than a text: %+v", found)
	}
	b.noFaults()
}
