//go:build console

package console

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// many is how many accounts the fleet has besides the few whose passwords are used.
const many = 2000

// Hostile names, as a cloud's customer could give them to a server.
var hostileNames = []string{
	`<script>globalThis.ran = "name"</script>`, `<img src=x onerror="globalThis.ran='img'">`, "\x1b[31mred\x1b[0m", "abc\u202eexe.gpj",
	`"><a href="javascript:globalThis.ran='href'">x</a>`, strings.Repeat("long ", 12),
}

// TestConsole shows one fleet in a browser, in many ways.
func TestConsole(t *testing.T) {
	s := newScene(t)
	s.browser, s.axe = startBrowser(t), installAxe(t)
	for i := range many {
		name := fmt.Sprintf("node-%04d", i)
		if i < len(hostileNames) {
			name = hostileNames[i]
		}
		s.server(t, name, "nodes")
	}
	s.role(t, "nodes", map[string]any{"mode": "static", "rotation_period": "720h"})
	for _, role := range []string{"web", "database"} {
		for i := range 12 {
			s.server(t, fmt.Sprintf("%s-%d", role, i+1), role)
		}
	}
	s.role(t, "web", nil)
	s.role(t, "database", map[string]any{"mode": "static", "rotation_period": "720h"})
	s.vault.Write(t, "sys/auth/userpass", map[string]any{"type": "userpass"})
	s.vault.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	s.vault.Write(t, "cloudpw/rotate-role/database", map[string]any{"wait": "45s"})
	for i, name := range []string{"alice", "bob"} {
		person := s.person(t, name, strings.ReplaceAll(policy(t, "Reader"), "/web", "/database")+policy(t, "Reader"))
		for _, server := range []string{"web-1", fmt.Sprintf("web-%d", 3+i), "database-2"} {
			role, _, _ := strings.Cut(server, "-")
			path := "cloudpw/creds/" + role + "/" + s.ids[server]
			secret, err := person.Logical().ReadWithDataWithContext(t.Context(), path, map[string][]string{"wait": {"45s"}})
			if err != nil || secret == nil {
				t.Fatalf("%s reads %s: %v", name, path, err)
			}
		}
	}
	// A server whose password cannot be set, and what its cloud says about it.
	if _, err := s.world.AddFault(model.Fault{Cloud: cloud, Instance: s.ids["web-7"], Action: "ResetInstancesPassword",
		Kind: model.FaultRefuse,
		Code: "ResourceInUse", Status: 200, Message: `<script>globalThis.ran = "error"</script> the disk is attached elsewhere`}); err != nil {
		t.Fatal(err)
	}
	s.vault.Write(t, "cloudpw/rotate-role/web/"+s.ids["web-7"], nil)

	if os.Getenv("PICTURES") != "" {
		t.Run("pictures", s.testPictures)
		return
	}
	t.Run("link", s.testLink)
	t.Run("foreign", s.testForeign)
	t.Run("fleet", s.testFleet)
	t.Run("keyboard", s.testKeyboard)
	t.Run("accessible", s.testAccessible)
	t.Run("server", s.testServer)
	t.Run("take", s.testTake)
	t.Run("end", s.testEnd)
	t.Run("campaign", s.testCampaign)
	t.Run("denied", s.testDenied)
	t.Run("away", s.testAway)
	t.Run("token", s.testToken)
	t.Run("hostile", s.testHostile)
}

// root opens the console with the root's token in a tab.
func (s *scene) root(t *testing.T) *tab {
	t.Helper()
	_, link := s.console(t, s.vault.Address, s.vault.Client.Token())
	b := s.browser.open(t)
	b.visit(link)
	b.await(`document.querySelectorAll(".row a").length > 5`)
	return b
}

// operator is the policy of those who see all and order everything but read no password, and may take those of web.
func operator(t *testing.T) string {
	t.Helper()
	return policy(t, "Operator") + policy(t, "Reader")
}
