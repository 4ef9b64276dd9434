package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// set changes a server's password as its administrator would.
func (f *fakeCloud) set(id, password string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passwords[id] = password
}

func checkedRole(t *testing.T, changes map[string]any, test func(*testing.T, *harness)) {
	t.Helper()
	inBubble(t, merged(map[string]any{"check_method": "command"}, changes), test)
}

func TestVerifyTellsWhatTheServerHas(t *testing.T) {
	checkedRole(t, nil, func(t *testing.T, h *harness) {
		first := h.cloud.password("srv-1")
		h.by = rotation.Requester{DisplayName: "userpass-alice"}
		for _, c := range []struct {
			name   string
			given  func()
			data   map[string]any
			want   map[string]any
			absent []string
		}{
			{"right", func() {}, nil, map[string]any{"check_result": "matches", "check_version": 1, "drifted": false, "state": "ready"},
				[]string{"check_reason", "check_ordered_time"}},
			{"by hand", func() { h.cloud.set("srv-1", "By-Hand-2000-abc") }, nil,
				map[string]any{"check_result": "differs", "drifted": true}, []string{"check_version"}},
			{"rotated", func() {}, map[string]any{"drift_action": "rotate"}, map[string]any{"check_result": "differs"}, nil},
			{"new", func() { h.pass(t, time.Hour) }, nil, map[string]any{"check_result": "matches", "check_version": 2, "drifted": false}, nil},
			{"a snapshot", func() { h.cloud.set("srv-1", first) }, nil,
				map[string]any{"check_result": "matches_version", "check_version": 1, "drifted": true, "current_version": 2}, nil},
			{"restored", func() {}, map[string]any{"drift_action": "restore"},
				map[string]any{"check_result": "matches", "check_version": 3, "drifted": false, "current_version": 3}, nil},
			{"locked", func() { h.cloud.users = map[string]cloud.UserState{"srv-1": cloud.UserLocked} }, map[string]any{"drift_action": "rotate"},
				map[string]any{"check_result": "locked", "check_version": 3, "drifted": false, "state": "ready"}, nil},
			{"unknown", func() { h.cloud.fail("CheckPassword", cloud.Errorf(cloud.Refused, "the agent is offline")) }, nil,
				map[string]any{"check_result": "unknown", "drifted": false}, nil},
		} {
			h.pass(t, 2*time.Minute)
			c.given()
			got := h.write(t, "verify/web/srv-1", merged(map[string]any{"wait": "30s"}, c.data)).Data
			for field, want := range c.want {
				if got[field] != want {
					t.Errorf("%s: %s is %v, not %v", c.name, field, got[field], want)
				}
			}
			for _, field := range c.absent {
				if got[field] != nil {
					t.Errorf("%s: %s is %v", c.name, field, got[field])
				}
			}
			if at, err := time.Parse(time.RFC3339, fmt.Sprint(got["checked_time"])); err != nil || time.Since(at) > 5*time.Second {
				t.Errorf("%s: checked at %v", c.name, got["checked_time"])
			}
			shown := h.account(t, "srv-1")
			for field := range c.want {
				if field != "state" && shown[field] != got[field] {
					t.Errorf("%s: accounts/ says %s=%v, and verify/ %v", c.name, field, shown[field], got[field])
				}
			}
		}
		if reason := fmt.Sprint(h.account(t, "srv-1")["check_reason"]); !strings.Contains(reason, "the agent is offline") {
			t.Errorf("the reason is %s", reason)
		}
		_, info := h.infos(t, webVersions)
		if v, _ := info["2"].(map[string]any); v["reason"] != "drifted" || v["requested_by"] != "userpass-alice" {
			t.Errorf("the new version says %v", v)
		}
		if v, _ := info["3"].(map[string]any); v["reason"] != "restore" || v["confirmed_by_check"] != true {
			t.Errorf("the restored version says %v", v)
		}
	})
}

// TestADriftedPasswordIsNotHandedOut, unless the role says so.
func TestADriftedPasswordIsNotHandedOut(t *testing.T) {
	checkedRole(t, map[string]any{"verify_period": "1h"}, func(t *testing.T, h *harness) {
		h.pass(t, 2*time.Minute)
		h.cloud.set("srv-1", "By-Hand-2000-abc")
		h.read(t, "creds/web")
		h.pass(t, 61*time.Minute)
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "had another password when it was checked at",
			"verify/web/srv-1", "rotate-role/web/srv-1")
		_, err := h.request(t, logical.ReadOperation, "creds/web", nil)
		if err == nil || strings.Contains(err.Error(), "wait=") {
			t.Errorf("a reader is told to wait for what nobody does: %v", err)
		}
		if got, want := h.account(t, "srv-1")["next_check"], request.Timestamp(time.Now().Add(time.Hour)); fmt.Sprint(got) > want {
			t.Errorf("the next check is at %v", got)
		}
		h.write(t, "roles/web", map[string]any{"read_drifted": true})
		h.read(t, "creds/web")
		h.write(t, "roles/web", map[string]any{"read_drifted": false, "drift_action": "rotate"})
		h.pass(t, 61*time.Minute)
		if got := h.read(t, "creds/web")["password"]; got != h.cloud.password("srv-1") {
			t.Error("it was not rotated")
		}
	})
}

func TestVerifyManyAtOnce(t *testing.T) {
	checkedRole(t, nil, func(t *testing.T, h *harness) {
		h.cloud.launch(cloud.Instance{ID: "srv-2"})
		h.cloud.launch(cloud.Instance{ID: "srv-3"})
		h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2"})
		h.write(t, "roles/plain", map[string]any{"connection": "prod", "instance_ids": "srv-3", "force_stop": true, "mode": "static"})
		h.pass(t, 2*time.Minute)
		h.cloud.set("srv-2", "By-Hand-2000-abc")
		resets := h.resets() // the checks may run before the order's answer is looked at
		got := h.write(t, "verify-connection/prod", map[string]any{"drift_action": "rotate"}).Data
		if got["accounts_to_check"] != 2 || got["not_checkable"] != 1 || got["campaign"] == nil {
			t.Errorf("%v", got)
		}
		h.pass(t, time.Hour)
		if got := h.resets() - resets; got != 1 {
			t.Errorf("%d resets", got)
		}
		got = h.write(t, "verify/web", nil).Data
		if got["accounts_to_check"] != 2 || got["not_checkable"] != 0 || got["campaign"] == nil {
			t.Errorf("%v", got)
		}
		h.refused(t, logical.UpdateOperation, "verify/plain/srv-3", nil, http.StatusConflict, "has no check_method", "check_method=command")
		h.refusedWrite(t, "verify/none", nil, "unknown role")
		h.refusedWrite(t, "verify/web", map[string]any{"drift_action": "reboot"}, "drift_action", "report, restore or rotate")
		h.refusedWrite(t, "verify-connection/none", nil, "none")
		h.pass(t, time.Hour) // the checks end
	})
}

func TestFieldsOfChecks(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "prod", resetCloud)
	h.connection(t, "plain", bothCloud)
	h.cloud.launch(cloud.Instance{ID: "srv-1"})
	h.cloud.launch(cloud.Instance{ID: "srv-2", Name: "appliance-2"})
	base := map[string]any{"connection": "prod", "instance_ids": "srv-1", "mode": "static", "force_stop": true}
	for _, c := range []struct {
		data map[string]any
		says []string
	}{
		{map[string]any{"check_method": "telnet"}, []string{"check_method", "use command or ssh"}},
		{map[string]any{"check_method": "command", "check_port": 2222}, []string{"check_port", "belongs to check_method=ssh"}},
		{map[string]any{"check_method": "ssh", "check_port": 70000}, []string{"check_port", "1 to 65535"}},
		{map[string]any{"verify_period": "1h"}, []string{"verify_period", "belongs to check_method"}},
		{map[string]any{"read_drifted": true}, []string{"read_drifted", "belongs to check_method"}},
		{map[string]any{"check_method": "command", "verify_period": "1m"}, []string{"verify_period", "at least 10m"}},
		{map[string]any{"check_method": "command", "drift_action": "reboot"}, []string{"drift_action", "report, restore or rotate"}},
		{map[string]any{"check_method": "command", "drift_action": "rotate", "shared_password": true, "mode": "leased"},
			[]string{"drift_action", "shared_password"}},
		{map[string]any{"check_method": "command", "instance_ids": "srv-2"}, []string{"srv-2", "check_method", "appliance"}},
	} {
		h.refusedWrite(t, "roles/web", merged(base, c.data), c.says...)
	}
	h.refusedWrite(t, "roles/web", map[string]any{"connection": "plain", "instance_ids": "srv-1", "source": "reset",
		"check_method": "command"}, "check_method", "cannot look at a server's password")
	h.write(t, "roles/web", base)
	if got := h.read(t, "roles/web"); got["check_method"] != "" || got["verify_period"] != nil {
		t.Errorf("%v", got)
	}
	h.write(t, "roles/web", map[string]any{"check_method": "command", "verify_period": "1h"})
	if got := h.read(t, "roles/web"); got["check_method"] != "command" || got["verify_period"] != int64(3600) ||
		got["drift_action"] != "report" ||
		got["read_drifted"] != false {
		t.Errorf("%v", got)
	}
	h.write(t, "roles/web", map[string]any{"check_method": ""})
	if got := h.read(t, "roles/web"); got["check_method"] != "" || got["drift_action"] != nil {
		t.Errorf("%v", got)
	}
}

// TestTheFleetsViewsShowWhatChecksFound: report, the details of lists and status.
func TestTheFleetsViewsShowWhatChecksFound(t *testing.T) {
	checkedRole(t, nil, func(t *testing.T, h *harness) {
		for _, id := range []string{"srv-2", "srv-3", "srv-4"} {
			h.cloud.launch(cloud.Instance{ID: id})
		}
		h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2,srv-3"})
		h.write(t, "roles/plain", map[string]any{"connection": "prod", "instance_ids": "srv-4", "force_stop": true, "mode": "static"})
		h.pass(t, 2*time.Minute)
		if got := h.read(t, "status"); got["drifted"] != 0 || strings.Contains(got["summary"].(string), "drifted") {
			t.Errorf("before any check: %v", got)
		}
		h.cloud.set("srv-2", "By-Hand-2000-abc")
		h.cloud.users = map[string]cloud.UserState{"srv-3": cloud.UserLocked}
		h.write(t, "verify/web", nil)
		h.pass(t, 5*time.Minute)
		for _, c := range []struct {
			filters []any
			want    string
		}{
			{[]any{"drifted", true}, "[srv-2]"},
			{[]any{"drifted", false}, "[srv-1 srv-3 srv-4]"},
			{[]any{"drifted", ""}, "[srv-1 srv-2 srv-3 srv-4]"},
			{[]any{"check_result", "differs"}, "[srv-2]"},
			{[]any{"check_result", "locked,matches"}, "[srv-1 srv-3]"},
			{[]any{"check_result", "unknown"}, "[]"},
			{[]any{"drifted", true, "check_result", "matches"}, "[]"},
		} {
			if ids := instancesOf(rowsOf(t, h.read(t, "report", c.filters...))); fmt.Sprint(ids) != c.want {
				t.Errorf("%v: %v, not %s", c.filters, ids, c.want)
			}
		}
		want := map[string][3]any{"srv-1": {false, "matches", nil}, "srv-2": {true, "differs", nil}, "srv-3": {false, "locked", "locked"},
			"srv-4": {false, nil, nil}}
		rows := rowsOf(t, h.read(t, "report"))
		for id := range want {
			_, info := h.infos(t, "accounts/prod/"+id)
			for _, row := range info {
				rows = append(rows, row.(map[string]any))
			}
		}
		if len(rows) != 8 {
			t.Errorf("%d rows", len(rows))
		}
		for _, row := range rows {
			of := want[row["instance_id"].(string)]
			if got := [3]any{row["drifted"], row["check_result"], row["check_user_state"]}; got != of ||
				(row["checked_time"] == nil) != (of[1] == nil) {
				t.Errorf("the row is %v", row)
			}
		}
		got := h.read(t, "status", "detailed", true)
		role := got["details"].(map[string]any)["roles"].(map[string]any)["web"].(map[string]any)
		if got["drifted"] != 1 || role["drifted"] != 1 || !strings.Contains(got["summary"].(string), "\ndrifted: 1; which: vault read ") ||
			!strings.Contains(got["summary"].(string), "web (connection prod), 3 accounts, 1 drifted") {
			t.Errorf("status %v", got)
		}
		hasLines(t, metricsOf(t, h.backend, h.storage),
			`cloudpw_drifted_accounts{connection="prod"} 1.0`,
			`cloudpw_checks_total{connection="prod",result="differs"} 1.0`,
			`cloudpw_checks_total{connection="prod",result="locked"} 1.0`,
			`cloudpw_checks_total{connection="prod",result="matches"} 1.0`)
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "the server is moving house"))
		h.write(t, "verify/web/srv-2", map[string]any{"drift_action": "rotate"})
		h.pass(t, time.Minute)
		if ids := instancesOf(rowsOf(t, h.read(t, "report", "due_reason", "drifted,reader"))); fmt.Sprint(ids) != "[srv-2]" {
			t.Errorf("due since they have drifted: %v", ids)
		}
	})
}

// TestAVerifyThatLogsInIsRefusedUntilTheNextOneMayBe: on Windows a wrong password counts towards the user's lockout.
func TestAVerifyThatLogsInIsRefusedUntilTheNextOneMayBe(t *testing.T) {
	checkedRole(t, nil, func(t *testing.T, h *harness) {
		h.cloud.checkBy(cloud.CheckTraits{Interval: 10 * time.Minute, Tries: true, LongestTry: 5 * time.Minute, Experimental: true})
		h.pass(t, 2*time.Minute)
		h.cloud.set("srv-1", "By-Hand-2000-abc")
		current := h.read(t, "creds/web")["password"]
		got := h.write(t, "verify/web/srv-1", map[string]any{"wait": "30s"}).Data
		checked, err := time.Parse(time.RFC3339, fmt.Sprint(got["checked_time"]))
		if err != nil {
			t.Fatal(err)
		}
		for field, want := range map[string]any{"check_result": "differs", "drifted": true, "check_version": nil, "check_experimental": true,
			"check_reason": "only the current version was tried, so whether the server has an earlier one is not known"} {
			if fmt.Sprint(got[field]) != fmt.Sprint(want) {
				t.Errorf("%s is %v, not %v", field, got[field], want)
			}
		}
		until, err := time.Parse(time.RFC3339, fmt.Sprint(got["check_not_before"]))
		if held := until.Sub(checked); err != nil || held < 9*time.Minute || held > 10*time.Minute+time.Second {
			t.Errorf("it is held for %s, %v", held, err)
		}
		h.refused(t, logical.UpdateOperation, "verify/web/srv-1", nil, http.StatusConflict, "counts towards the user's lockout",
			"is left alone until "+until.Format("2006-01-02T15:04"), "verify/web/srv-1")
		h.pass(t, time.Minute)
		if got := h.write(t, "verify/web", nil).Data; got["accounts_to_check"] != 1 {
			t.Errorf("for the role: %v", got)
		}
		h.pass(t, 7*time.Minute)
		if tried := h.cloud.tried(); len(tried) != 1 || tried[0] != current {
			t.Errorf("%d passwords were tried", len(tried))
		}
		h.pass(t, 3*time.Minute) // what was asked for the role is done then
		if tried := h.cloud.tried(); len(tried) != 2 {
			t.Errorf("%d passwords were tried", len(tried))
		}
		if shown := h.account(t, "srv-1"); shown["check_experimental"] != true || shown["check_not_before"] == nil {
			t.Errorf("accounts/ says %v", shown)
		}
	})
}
