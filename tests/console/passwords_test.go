//go:build console

package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// taken takes the password of a server in a tab, shows it, and returns it.
func (s *scene) taken(b *tab, server string) string {
	b.Helper()
	b.view(s.accountPage(server), server)
	b.click("button", "Take the password")
	b.await(`document.querySelector(".held")`)
	// It is taken, but nowhere in the page before it is asked for.
	b.await(`document.querySelector(".secret").textContent === ""`)
	b.click(".held button", "Show")
	b.await(`document.querySelector(".secret").textContent.length > 8`)
	var password string
	b.js(`document.querySelector(".secret").textContent`, &password)
	return password
}

// testTake: a password is taken, shown, hidden again by itself, and given back. It is a server's real one.
func (s *scene) testTake(t *testing.T) {
	before := s.leases(t, "web")
	token := s.token(t, "reader-of-web", operator(t), nil)
	_, link := s.console(t, s.vault.Address, token, "--ttl", "10m")
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	password := s.taken(b, "web-5")
	s.await(t, "web", before+1)
	record := s.vault.Read(t, "cloudpw/accounts/prod-tencent/"+s.ids["web-5"]+"/ubuntu").Data
	if !strings.Contains(fmt.Sprint(record["leases"]), "token-reader-of-web") {
		t.Errorf("the leases of web-5 are %v", record["leases"])
	}
	if !s.world.TryLogin(s.ids["web-5"], "ubuntu", password) {
		t.Error("the server does not take the password")
	}
	b.accessible(s.axe, "a password is shown")
	b.await(`/lease ends in (9m|10m)/.test(document.querySelector(".countdown").innerText)`)
	b.await(`document.querySelector("nav .badge").innerText.startsWith("1")`)
	gone := func(when string) {
		t.Helper()
		b.await(`document.querySelector(".secret")?.textContent !== ` + quoted(password))
		if all := b.everything(); strings.Contains(all, password) || strings.Contains(all, token) {
			t.Errorf("%s the page has the password or the token", when)
		}
		var kept string
		b.js(`JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state])`, &kept)
		if strings.Contains(kept, password) || kept != `[{},{},"",null]` {
			t.Errorf("%s the browser keeps %s", when, kept)
		}
	}
	b.click(".held button", "Hide")
	gone("after it was hidden")
	// Half a minute is passed by the page's clock.
	b.click(".held button", "Show")
	b.await(`document.querySelector(".secret").textContent.length > 8`)
	b.js(`(() => { const now = Date.now; Date.now = () => now() + 31000; })()`, nil)
	gone("after half a minute")
	b.click(".held button", "Show")
	b.await(`document.querySelector(".secret").textContent.length > 8`)
	b.view("#/health", "Health")
	gone("in another view")
	// It is still held, also after a reload, and is given back by its button.
	b.js(`location.reload()`, nil)
	b.await(`document.querySelector("h1")?.innerText === "Health"`)
	b.view("#/passwords", "Passwords")
	b.shows("ubuntu on web-5")
	b.click(".held button", "Give back")
	b.shows("The password is given back.")
	gone("after it was given back")
	s.await(t, "web", before)

	// By name, as on the command line.
	b.choose("#take-text", "web/web-6")
	b.click(".take button", "Take")
	b.shows("ubuntu on web-6")
	b.click(".take .held button", "Give back")
	s.await(t, "web", before)
	b.choose("#take-text", "web")
	b.click(".take button", "Take")
	b.shows("name one of them")
}

// testEnd: when the command ends, all that was taken is given back, and the page says that the console is gone.
func (s *scene) testEnd(t *testing.T) {
	before := s.leases(t, "web")
	gateway := s.through(t)
	token := s.token(t, "reader-at-the-end", operator(t), nil)
	p, link := s.console(t, gateway.address, token)
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	for _, server := range []string{"web-10", "web-11"} {
		s.taken(b, server)
	}
	s.await(t, "web", before+2)
	if err := p.stop(); err != nil {
		t.Errorf("the command has ended with %v: %s", err, p.errors())
	}
	s.await(t, "web", before)
	b.view("#/health", "Health")
	b.shows("The console does not answer")

	// If Vault does not answer then, the command says what is left, until when, and what to do.
	p, link = s.console(t, gateway.address, token)
	b = s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelector(".row a")`)
	password := s.taken(b, "web-10")
	gateway.set(true)
	if err := p.stop(); err == nil || p.cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("the command has ended with %v", err)
	}
	<-p.ended
	p.ended <- nil // it was right not to end well
	said := p.errors()
	if !strings.Contains(said, "cloudpw give cloudpw/creds/web/") || strings.Contains(said, password) || strings.Contains(said, token) {
		t.Errorf("the command has said:\n%s", said)
	}
	_, rest, _ := strings.Cut(said, "cloudpw give ")
	lease, _, _ := strings.Cut(rest, "\n")
	harness.Eventually(t, patience, "the lease is revoked", func() error {
		_, err := s.vault.Client.Logical().WriteWithContext(t.Context(), "sys/leases/revoke/"+lease, map[string]any{"sync": true})
		return err
	})
	s.await(t, "web", before)
}
