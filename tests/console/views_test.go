//go:build console

package console

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// startPage serves a page of somebody else on another port.
func startPage(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(text))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String() + "/"
}

// accountPage is the address of an account's page.
func (s *scene) accountPage(server string) string {
	return "#/server/prod-tencent/" + s.ids[server] + "/ubuntu"
}

// testAccessible: no view breaks a rule of axe-core, in light and dark, on a wide window and one of 360 pixels.
func (s *scene) testAccessible(t *testing.T) {
	b := s.root(t)
	views := map[string]func(){
		"fleet": func() { b.view("#/fleet", "Fleet"); b.await(`document.querySelector(".row a")`) },
		"server": func() {
			b.view(s.accountPage("web-1"), "web-1")
			b.await(`document.querySelectorAll(".timeline li").length > 2`)
		},
		"failing": func() {
			b.view(s.accountPage("web-7"), "web-7")
			b.await(`document.querySelector(".timeline .on-error")`)
		},
		"campaigns": func() { b.view("#/campaigns", "Campaigns"); b.await(`document.querySelector("progress")`) },
		"campaign": func() {
			b.view("#/campaigns", "Campaigns")
			b.click(".card a", "rotate-role of role web")
			b.await(`document.querySelector("h1").innerText === "rotate-role of role web" && document.querySelector("progress")`)
		},
		"health": func() { b.view("#/health", "Health"); b.await(`document.querySelectorAll("table").length === 2`) },
		"charts": func() {
			b.view("#/charts", "Charts")
			b.await(`document.querySelectorAll("canvas").length === 2`)
			b.js(`document.querySelectorAll("details").forEach((one) => one.open = true)`, nil)
		},
		"passwords": func() { b.view("#/passwords", "Passwords"); b.shows("No password is taken") },
		"question": func() {
			b.view(s.accountPage("web-1"), "web-1")
			b.click("button", "Rotate")
			b.await(`document.querySelector("dialog")`)
		},
	}
	for _, theme := range []string{"light", "dark"} {
		b.media("prefers-color-scheme", theme)
		for _, width := range []int64{1280, 360} {
			b.size(width, 800)
			for name, show := range views {
				show()
				b.accessible(s.axe, name+", "+theme+", "+map[int64]string{1280: "wide", 360: "360 pixels"}[width])
				b.js(`document.querySelector("dialog")?.close()`, nil)
			}
		}
	}
	// The switch wins over the system.
	b.size(1280, 800)
	b.click("#theme", "")
	b.await(`getComputedStyle(document.body).color === "rgb(20, 32, 43)"`)
	b.view("#/health", "Health")
	b.accessible(s.axe, "health, light by the switch")
	// Who wants no motion gets none.
	b.media("prefers-reduced-motion", "reduce")
	var moving int
	b.js(`[...document.querySelectorAll("*")].filter((one) => { const style = getComputedStyle(one);
		return style.animationName !== "none" || style.transitionDuration.split(",").some((time) => parseFloat(time) > 0); }).length`, &moving)
	if moving != 0 {
		t.Errorf("%d elements move although the user wants no motion", moving)
	}
}

// testServer: one account's page tells what happened to it, and by whom.
func (s *scene) testServer(t *testing.T) {
	b := s.root(t)
	b.click("[data-sort=name] button", "Server")
	b.choose("#filter-role", "web")
	b.await(names + `[0] === "web-1"`)
	b.click(".row a", "web-1")
	b.await(`document.querySelector("h1").innerText === "web-1"`)
	for _, text := range []string{"Version 1", "first password", ", by token", "userpass-alice", "userpass-bob", "read version 1",
		"A lease of version 1", "live",
		s.ids["web-1"], "Ubuntu Server 22.04"} {
		b.shows(text)
	}
	b.view(s.accountPage("web-7"), "web-7")
	b.shows("the disk is attached elsewhere")
	b.shows(`<script>globalThis.ran`)

	b.view("#/charts", "Charts")
	b.await(`document.querySelectorAll("canvas").length === 2`)
	var rows [][]string
	b.js(`[...document.querySelectorAll("section:nth-of-type(1) tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent))`,
		&rows)
	if len(rows) != 9 || rows[0][0] != "under 1 d" || rows[0][1] != "24" {
		t.Errorf("the table of ages is %v", rows)
	}
	b.view("#/health", "Health")
	for _, text := range []string{"prod-tencent", "● yes", "database", "nodes", "Why accounts fail", "the disk is attached elsewhere"} {
		b.shows(text)
	}
	b.view("#/server/prod-tencent/ins-none/ubuntu", "ins-none")
	b.await(`document.querySelector(".problem")`)
}

// testCampaign: a rotation is ordered after a question, and followed to its end without a reload.
func (s *scene) testCampaign(t *testing.T) {
	token := s.token(t, "operator-of-web", operator(t), nil)
	_, link := s.console(t, s.vault.Address, token)
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	before := s.vault.Read(t, "cloudpw/accounts/prod-tencent/"+s.ids["web-9"]+"/ubuntu").Data["current_version"]
	b.view(s.accountPage("web-9"), "web-9")
	b.click("main button", "Rotate")
	b.click("dialog button", "Cancel")
	b.await(`!document.querySelector("dialog")`)
	if now := s.vault.Read(t, "cloudpw/accounts/prod-tencent/"+s.ids["web-9"]+"/ubuntu").Data["current_version"]; now != before {
		t.Errorf("version %v became %v although the question was answered no", before, now)
	}
	b.click("main button", "Rotate")
	b.click("dialog button", "Rotate")
	b.shows("Rotate: ordered for 1 account")
	b.await(`[...document.querySelectorAll(".timeline b")].some((one) => one.innerText === "Version 2")`)
	b.shows("by token-operator-of-web")
	if b.tryHas("a", "Follow the campaign") {
		b.click("main a", "Follow the campaign")
		b.await(`document.querySelector(".tag")?.innerText === "completed"`)
		b.shows("1 of 1")
	}
	// Orders about what cannot be checked are refused, with Vault's words.
	b.view(s.accountPage("web-9"), "web-9")
	b.click("main button", "Verify")
	b.click("dialog button", "Verify")
	b.shows("has no check_method")
	// One about many accounts moves on while it is looked at.
	order := s.vault.Write(t, "cloudpw/rotate-role/database", nil)
	id, _ := order.Data["campaign"].(string)
	b.view("#/campaign/"+id, "rotate-role of role database")
	b.await(`document.querySelector("progress").value === 12 && document.querySelector(".tag").innerText === "completed"`)
	b.view("#/campaigns", "Campaigns")
	b.shows("rotate-role of role database")
}

// tryHas tells whether an element with a text is there now.
func (b *tab) tryHas(selector, text string) (has bool) {
	b.Helper()
	b.js(`[...document.querySelectorAll(`+quoted(selector)+`)].some((one) => one.innerText.startsWith(`+quoted(text)+`))`, &has)
	return has
}

// foreign forgets that the page has asked another host and was refused, which this tab was to try.
func (b *tab) foreign() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.hosts)
	var kept []string
	for _, fault := range b.faults {
		if !strings.Contains(fault, "blocked") && !strings.Contains(fault, "Refused") && !strings.Contains(fault, "CORS") &&
			!strings.Contains(fault, "frame") {
			kept = append(kept, fault)
		}
	}
	b.faults = kept
}
