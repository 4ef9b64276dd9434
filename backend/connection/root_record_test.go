package connection

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A rotation that an operator's write ends is not forgotten: what may be left at the cloud is said, and remembered where its
// id is known.
func TestAbandonRotation(t *testing.T) {
	for step, want := range map[RootStep]struct{ says, left string }{
		RootCreating: {"may have made a credential next to old", "[]"},
		RootCreated:  {"delete credential new", "[new]"},
		RootStored:   {"delete credential old", "[old]"},
	} {
		c := &Record{Own: cloud.Values{"access_key": "other"}, RootRotation: &RootRotation{Step: step, Started: now, OldID: "old", NewID: "new"}}
		says := c.AbandonRotation("prod", cloud.Descriptor{}, now)
		if !strings.Contains(says, want.says) || !strings.Contains(says, "rotate-root/prod") || c.RootRotation != nil {
			t.Errorf("%s: %q, %v", step, says, c.RootRotation)
		}
		if got := fmt.Sprint(c.LeftoverIDs()); got != want.left {
			t.Errorf("%s leaves %s, want %s", step, got, want.left)
		}
	}
}

// What the connection uses, or what is known already, is not left behind.
func TestLeave(t *testing.T) {
	c := &Record{Own: cloud.Values{"access_key": "used"}}
	for _, id := range []string{"", "used", "left", "left", "other"} {
		c.Leave(id, hint.Plain("a reason"), now)
	}
	if got := fmt.Sprint(c.LeftoverIDs()); got != "[left other]" {
		t.Errorf("left behind: %s", got)
	}
	if n := len(c.WithCredential(cloud.Values{"access_key": "new"}).Leftovers); n != 2 || c.Own["access_key"] != "used" {
		t.Errorf("with another credential: %d left behind, and the old record has %s", n, c.Own["access_key"])
	}
}
