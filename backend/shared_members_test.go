package backend

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// given lists the different passwords that an instance was sent, in order.
func (f *fakeCloud) given(id string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Compact(slices.Clone(f.sent[id]))
}

// refuse has guests refuse every password, or not any more.
func (f *fakeCloud) refuse(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = map[string]bool{}
	for _, id := range ids {
		f.refuses[id] = true
	}
}

// TestJoinerIsSentNoPasswordThatOthersHave: however an instance comes to a role with a shared password, and
// comes back to it.
func TestJoinerIsSentNoPasswordThatOthersHave(t *testing.T) {
	t.Parallel()
	web := func(h *harness, ids string) { h.write(t, "roles/web", map[string]any{"instance_ids": ids}) }
	for name, join := range map[string]func(t *testing.T, h *harness){
		"by its id": func(_ *testing.T, h *harness) { web(h, "srv-1,srv-2,srv-3,srv-4") },
		"after a role of its own": func(t *testing.T, h *harness) {
			h.write(t, "roles/own", map[string]any{"connection": "prod", "instance_ids": "srv-4", "force_stop": true, "min_reset_interval": 0})
			h.lease(t, "creds/own")
			h.delete(t, "roles/own")
			h.write(t, "accounts/prod/srv-4/root/move", map[string]any{"role": "web"})
			web(h, "srv-1,srv-2,srv-3,srv-4")
		},
		"after a forced delete of its record": func(t *testing.T, h *harness) {
			h.ok(t, logical.DeleteOperation, "accounts/prod/srv-3/root", map[string]any{"force": true})
			h.write(t, "roles/web", map[string]any{"custom_metadata": "owner=ops"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := sharedRole(t, nil)
			old := h.lease(t, "creds/web").Data["password"].(string)
			before := map[string]int{}
			for _, id := range []string{"srv-3", "srv-4"} {
				before[id] = len(h.cloud.given(id))
			}
			join(t, h)
			h.hasVersion(t, "srv-1", 2)
			now := h.lease(t, "creds/web").Data
			ids := now["instance_ids"].([]string)
			if now["password"] == old || len(ids) < 3 {
				t.Fatalf("after the joining %v have version %v", ids, now["version"])
			}
			for _, id := range ids {
				if h.cloud.password(id) != now["password"] {
					t.Errorf("%s has another password than the answer says", id)
				}
			}
			for id, n := range before {
				if id == "srv-3" && slices.Contains(ids, "srv-4") {
					continue // it was a member already
				}
				if given := h.cloud.given(id)[n:]; slices.Contains(given, old) {
					t.Errorf("%s was sent the password that the others had", id)
				}
			}
		})
	}
}

// TestJoinerWaitsForItsPassword: the joiner's read says what it waits for, and the others can be read.
func TestJoinerWaitsForItsPassword(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role map[string]any
		says string
	}{
		"the least interval":   {map[string]any{"min_reset_interval": "1h"}, "min_reset_interval"},
		"a window":             {map[string]any{"rotation_schedule": "0 0 29 2 *", "rotation_window": "1h"}, "rotation window"},
		"somebody's check-out": {map[string]any{"checkout": "exclusive"}, "exclusive lease"},
		"a static role's window": {map[string]any{"mode": "static", "rotation_schedule": "0 0 29 2 *", "rotation_window": "1h"},
			"rotation window"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := sharedRole(t, nil)
			role := c.role
			if role["mode"] == "static" {
				h = sharedRole(t, role)
			} else {
				h.write(t, "roles/web", role)
			}
			h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
			read := func(path string) map[string]any { return h.ok(t, logical.ReadOperation, path, nil).Data }
			old := read("creds/web")["password"]
			h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2,srv-3,srv-4"})
			account := h.waitFor(t, "accounts/prod/srv-4/root", func(a map[string]any) bool {
				group, _ := a["group"].(map[string]any)
				return group["due_reason"] == "joiner"
			})
			if account["joining"] != true {
				t.Errorf("the joiner's account shows %v", account)
			}
			if got := fmt.Sprint(h.read(t, "roles/web")["joining"]); got != "[srv-4]" {
				t.Errorf("the role shows %s as joining", got)
			}
			h.refused(t, logical.ReadOperation, "creds/web/srv-4", nil, http.StatusServiceUnavailable, "joined", c.says)
			if role["checkout"] != "exclusive" {
				answer := read("creds/web")
				if answer["password"] != old || fmt.Sprint(answer["instance_ids"]) != "[srv-1 srv-2 srv-3]" {
					t.Errorf("meanwhile the role answers for %v", answer["instance_ids"])
				}
			}
			if len(h.cloud.given("srv-4")) != 0 {
				t.Error("the joiner was sent a password")
			}
			h.write(t, "roles/web", map[string]any{"min_reset_interval": 0})
			h.write(t, "rotate-role/web", map[string]any{"wait": "45s"}) // overrides what else it waits for
			h.hasVersion(t, "srv-1", 2)
			if h.cloud.password("srv-4") == old || h.cloud.password("srv-4") != h.cloud.password("srv-1") {
				t.Error("the joiner does not have the others' new password")
			}
		})
	}
}

// TestMemberThatRefusesIsLeftOutAndShown: the others agree without it, after three passwords at most.
func TestMemberThatRefusesIsLeftOutAndShown(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.cloud.refuse("srv-2")
	sharedRoleOn(t, h, nil)
	answer := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s"}).Data
	if fmt.Sprint(answer["instance_ids"]) != "[srv-1 srv-3]" || answer["password"] != h.cloud.password("srv-3") {
		t.Errorf("the password is that of %v", answer["instance_ids"])
	}
	if given := h.cloud.given("srv-1"); len(given) > 3 {
		t.Errorf("another member was sent %d passwords", len(given))
	}
	account := h.account(t, "srv-2")
	if account["left_out_time"] == nil || !strings.Contains(fmt.Sprint(account["left_out_reason"]), "refused 3 passwords") {
		t.Errorf("the account shows %v", account)
	}
	if h.account(t, "srv-1")["left_out_time"] != nil {
		t.Error("another member is shown as left out")
	}
	out := h.read(t, "roles/web")["left_out"].(map[string]string)
	if got := slices.Collect(maps.Keys(out)); !slices.Equal(got, []string{"srv-2"}) {
		t.Errorf("the role shows %v", out)
	}
	failing := h.statusDetails(t)["failing"].([]map[string]any)
	if len(failing) != 1 || failing[0]["account"] != "prod/srv-2/root" ||
		!strings.Contains(failing[0]["last_error"].(string), "left out of role web") {
		t.Errorf("status shows %v", failing)
	}
	h.refused(t, logical.ReadOperation, "creds/web/srv-2", nil, http.StatusServiceUnavailable, "left out", "rotate-role")
	h.cloud.refuse()
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	h.waitFor(t, "accounts/prod/srv-2/root", func(a map[string]any) bool { return a["left_out_time"] == nil && a["state"] == "ready" })
	if now := h.lease(t, "creds/web").Data; fmt.Sprint(now["instance_ids"]) != "[srv-1 srv-2 srv-3]" ||
		h.cloud.password("srv-2") != now["password"] {
		t.Errorf("after an operator's word the password is that of %v", now["instance_ids"])
	}
}

// TestJoinByTagsRotatesAll: a newly tagged server, as of somebody who may tag servers.
func TestJoinByTagsRotatesAll(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, map[string]any{"instance_ids": nil, "instance_tags": "app=web"})
	old := h.lease(t, "creds/web").Data["password"].(string)
	h.cloud.launch(cloud.Instance{ID: "srv-9", Platform: cloud.Linux, Tags: map[string]string{"app": "web"}})
	h.list(t, "instances/web")
	h.hasVersion(t, "srv-9", 1)
	if given := h.cloud.given("srv-9"); slices.Contains(given, old) || len(given) != 1 {
		t.Error("the newcomer was sent the password that the others had")
	}
	h.hasVersion(t, "srv-1", 2)
}
