package backend

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// peoplesRole runs a test in a bubble with a role whose passwords people set.
func peoplesRole(t *testing.T, changes map[string]any, test func(*testing.T, *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.cloud.launch(cloud.Instance{ID: "srv-1", Name: "web-1", Platform: cloud.Linux})
		h.connection(t, "prod", resetCloud)
		h.write(t, "roles/web", merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "source": "import"}, changes))
		test(t, h)
	})
}

// TestLifeOfAPasswordThatPeopleSet: nothing but what a person records is ever handed out, and nothing is ever set.
func TestLifeOfAPasswordThatPeopleSet(t *testing.T) {
	peoplesRole(t, map[string]any{"check_method": "command"}, func(t *testing.T, h *harness) {
		if role := h.read(t, "roles/web"); role["mode"] != "static" || role["source"] != "import" || role["reset_method"] != "" {
			t.Errorf("%v", role)
		}
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "has no password yet", "import/prod/srv-1/root")
		h.refused(t, logical.UpdateOperation, "rotate-role/web", nil, http.StatusConflict, "people set", "import/prod/srv-1/root")

		h.cloud.set("srv-1", "First-2000-abc")
		h.write(t, "import/prod/srv-1/root", map[string]any{"password": "First-2000-abc"})
		if got := h.read(t, "creds/web"); got["password"] != "First-2000-abc" || got["source"] != "import" || got["version"] != 1 {
			t.Errorf("%v", got)
		}
		h.pass(t, 2*time.Minute)
		if got := h.write(t, "verify/web/srv-1", map[string]any{"wait": "30s"}).Data; got["check_result"] != "matches" {
			t.Errorf("%v", got)
		}

		h.cloud.set("srv-1", "Second-2000-abc") // by hand
		h.pass(t, 2*time.Minute)
		if got := h.write(t, "verify/web/srv-1", map[string]any{"wait": "30s"}).Data; got["check_result"] != "differs" || got["drifted"] != true {
			t.Errorf("%v", got)
		}
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "had another password", "import/prod/srv-1/root")
		h.write(t, "import/prod/srv-1/root", map[string]any{"password": "Second-2000-abc"})
		if got := h.read(t, "creds/web"); got["password"] != "Second-2000-abc" || got["version"] != 2 {
			t.Errorf("%v", got)
		}

		h.cloud.set("srv-1", "First-2000-abc") // an older disk
		h.write(t, "versions/prod/srv-1/root/1/restore", nil)
		if got := h.read(t, "creds/web"); got["password"] != "First-2000-abc" || got["version"] != 3 {
			t.Errorf("%v", got)
		}
		h.pass(t, 48*time.Hour)
		if got := h.resets(); got != 0 {
			t.Errorf("%d resets", got)
		}
	})
}

// TestWhatHelpsWhereOnlyPeopleSetPasswords: no message names a rotation, which would be refused.
func TestWhatHelpsWhereOnlyPeopleSetPasswords(t *testing.T) {
	peoplesRole(t, map[string]any{"check_method": "command"}, func(t *testing.T, h *harness) {
		h.refused(t, logical.UpdateOperation, "verify/web/srv-1", nil, http.StatusConflict, "nothing to check", "import/prod/srv-1/root")
		h.refusedWrite(t, "roles/web", map[string]any{"drift_action": "rotate"}, "set by people", "report or restore")
		h.write(t, "import/prod/srv-1/root", map[string]any{"password": "First-2000-abc"})
		h.cloud.terminate("srv-1")
		h.look(t)
		h.look(t)
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusBadRequest, "does not exist", "finds it again", "import/prod/srv-1/root")
		h.cloud.launch(cloud.Instance{ID: "srv-1", Name: "web-1", Platform: cloud.Linux})
		h.look(t)
		if got := h.read(t, "creds/web"); got["password"] != "First-2000-abc" {
			t.Errorf("%v", got)
		}
	})
}

// TestARoleBecomesOneWhosePasswordsPeopleSet, and sets them again: versions stay, and nothing is set meanwhile.
func TestARoleBecomesOneWhosePasswordsPeopleSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := roleMount(t)
		h.rebuild(t, "First-2000-abc", "win-2022")
		h.write(t, "roles/win", map[string]any{"connection": bothCloud, "instance_ids": "srv-1", "mode": "static", "source": "initial"})
		if got := h.read(t, "creds/win"); got["password"] != "First-2000-abc" {
			t.Fatalf("%v", got)
		}
		h.write(t, "roles/win", map[string]any{"source": "import"})
		if got := h.read(t, "creds/win"); got["password"] != "First-2000-abc" || got["source"] != "initial" {
			t.Errorf("%v", got)
		}
		reread := "reread/" + bothCloud + "/srv-1/Administrator"
		h.refused(t, logical.UpdateOperation, reread, nil, http.StatusConflict, "source=initial")
		h.write(t, "roles/win", map[string]any{"source": "initial"})
		if got := h.write(t, reread, nil).Data; got["changed"] != false {
			t.Errorf("%v", got)
		}
		h.write(t, "roles/win", map[string]any{"reset_method": "command"})
		h.pass(t, time.Hour)
		h.refusedWrite(t, "roles/win", map[string]any{"source": "import"}, "reset_method", "empty")
		h.write(t, "roles/win", map[string]any{"source": "import", "reset_method": ""})
		before := h.resets()
		h.pass(t, 48*time.Hour)
		got := h.read(t, "creds/win")
		if h.resets() != before || got["password"] != "First-2000-abc" && got["password"] != h.cloud.password("srv-1") {
			t.Errorf("%v after %d resets", got, h.resets()-before)
		}
		h.write(t, "roles/lent", map[string]any{"connection": bothCloud, "instance_ids": "srv-1", "username": "ops", "mode": "leased"})
		h.refusedWrite(t, "roles/lent", map[string]any{"source": "import"}, "delete the role", "delete cloudpw/roles/lent")
	})
}

// TestFieldsOfRolesWhosePasswordsPeopleSet: what has to do with setting passwords is refused, on every provider.
func TestFieldsOfRolesWhosePasswordsPeopleSet(t *testing.T) {
	h := roleMount(t)
	for connection, id := range map[string]string{resetCloud: "srv-1", initialCloud: "srv-1", bothCloud: "srv-1"} {
		base := map[string]any{"connection": connection, "instance_ids": id, "source": "import", "username": "people"}
		for field, c := range map[string]struct {
			value any
			says  string
		}{
			"mode":             {"leased", "set by people"},
			"reset_method":     {"command", "set by people"},
			"rotation_period":  {"24h", "set by people"},
			"rotate_on_read":   {true, "set by people"},
			"password_policy":  {"strong", "set by people"},
			"force_stop":       {true, "set by people"},
			"shared_password":  {true, "set by people"},
			"key":              {"pair", "source=initial"},
			"clear_initial":    {true, "source=initial"},
			"rotate_on_revoke": {"any", "leased roles"},
		} {
			h.refusedWrite(t, "roles/people-"+connection, merged(base, map[string]any{field: c.value}), field, c.says)
		}
		h.write(t, "roles/people-"+connection, base)
		if got := h.read(t, "roles/people-"+connection); got["mode"] != "static" || got["source"] != "import" {
			t.Errorf("%s: %v", connection, got)
		}
	}
}
