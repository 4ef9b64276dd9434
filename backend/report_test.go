package backend

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// inFleet runs a test in a bubble with four accounts: srv-1 has had its password for 10 hours; srv-2, 5 minutes younger than
// now, fails to get its next; srv-3 has none yet; srv-4 belongs to another connection.
func inFleet(t *testing.T, test func(*testing.T, *harness)) {
	t.Helper()
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.pass(t, 10*time.Hour)
		h.cloud.launch(cloud.Instance{ID: "srv-2", Name: "db-1", Platform: cloud.Linux, PrivateIP: "10.0.0.2", PublicIP: "192.0.2.2"})
		h.cloud.launch(cloud.Instance{ID: "srv-3", Name: "=web-3", Platform: cloud.Linux, PublicIP: "192.0.2.3"})
		h.cloud.launch(cloud.Instance{ID: "srv-4", Name: "batch", Platform: cloud.Linux})
		h.connection(t, "away", bothCloud)
		static := map[string]any{"connection": "prod", "mode": "static", "force_stop": true, "min_reset_interval": 0,
			"skip_import_rotation": false}
		h.write(t, "roles/db", merged(static, map[string]any{"instance_ids": "srv-2"}))
		h.write(t, "roles/later", map[string]any{"connection": "prod", "instance_ids": "srv-3", "force_stop": true})
		h.write(t, "roles/away", map[string]any{"connection": "away", "instance_ids": "srv-4", "source": "reset"})
		h.pass(t, time.Minute)
		h.lease(t, "creds/away")
		h.lease(t, "creds/away")
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "the server is moving house"))
		h.write(t, "rotate-role/db", nil)
		h.pass(t, 5*time.Minute)
		test(t, h)
	})
}

func rowsOf(t *testing.T, answer map[string]any) []map[string]any {
	t.Helper()
	rows, ok := answer["accounts"].([]map[string]any)
	if !ok {
		t.Fatalf("the report is %v", answer)
	}
	return rows
}

func instancesOf(rows []map[string]any) []string {
	ids := []string{}
	for _, row := range rows {
		ids = append(ids, row["instance_id"].(string))
	}
	return ids
}

func TestReportFilters(t *testing.T) {
	inFleet(t, func(t *testing.T, h *harness) {
		for _, c := range []struct {
			filters []any
			want    string
		}{
			{nil, "[srv-4 srv-1 srv-2 srv-3]"}, // by connection first
			{[]any{"connection", "prod"}, "[srv-1 srv-2 srv-3]"},
			{[]any{"connection", "away"}, "[srv-4]"},
			{[]any{"role", "web"}, "[srv-1]"},
			{[]any{"role", "web", "connection", "away"}, "[]"},
			{[]any{"state", "ready"}, "[srv-4 srv-1]"},
			{[]any{"state", "empty"}, "[srv-3]"},
			{[]any{"state", "rotating,empty"}, "[srv-2 srv-3]"},
			{[]any{"state", []any{"ready", "gone"}}, "[srv-4 srv-1]"},
			{[]any{"older_than", "10h"}, "[srv-1]"},
			{[]any{"older_than", 5 * 60}, "[srv-4 srv-1 srv-2]"},
			{[]any{"older_than", "0"}, "[srv-4 srv-1 srv-2 srv-3]"},
			{[]any{"older_than", "11h"}, "[]"},
			{[]any{"due_reason", "manual"}, "[srv-2]"},
			{[]any{"due_reason", "schedule,deadline"}, "[]"},
			{[]any{"name", "*web*"}, "[srv-1 srv-3]"},
			{[]any{"name", "db-1"}, "[srv-2]"},
			{[]any{"name", "db"}, "[]"},
			{[]any{"name", "b*"}, "[srv-4]"},
			{[]any{"server", "srv-2"}, "[srv-2]"},
			{[]any{"server", " db-1 "}, "[srv-2]"},
			{[]any{"server", "10.0.0.2"}, "[srv-2]"},
			{[]any{"server", "192.0.2.2"}, "[srv-2]"},
			{[]any{"server", "DB-1"}, "[]"},
			{[]any{"server", "db-*"}, "[]"},
			{[]any{"server", "10.0.0"}, "[]"},
			{[]any{"server", "srv-4", "connection", "prod"}, "[]"},
			{[]any{"server", ""}, "[srv-4 srv-1 srv-2 srv-3]"},
			{[]any{"failing", true}, "[srv-2]"},
			{[]any{"failing", "false"}, "[srv-4 srv-1 srv-3]"},
			{[]any{"failing", ""}, "[srv-4 srv-1 srv-2 srv-3]"},
			{[]any{"failing", true, "state", "ready"}, "[]"},
		} {
			got := h.read(t, "report", c.filters...)
			if ids := instancesOf(rowsOf(t, got)); fmt.Sprint(ids) != c.want || got["total"] != len(ids) || got["next"] != nil {
				t.Errorf("%v: %v of %v, next %v; want %s", c.filters, ids, got["total"], got["next"], c.want)
			}
		}
	})
}

func TestReportRows(t *testing.T) {
	inFleet(t, func(t *testing.T, h *harness) {
		rows := rowsOf(t, h.read(t, "report"))
		byID := map[string]map[string]any{}
		for _, row := range rows {
			byID[row["instance_id"].(string)] = row
		}
		for id, want := range map[string]map[string]any{
			"srv-1": {"connection": "prod", "username": "root", "name": "web-1", "address": "10.0.0.1", "role": "web", "mode": "static",
				"state": "ready", "version": 1, "confirmed": true, "failures": 0, "leases": 0},
			"srv-2": {"name": "db-1", "address": "10.0.0.2", "state": "rotating", "due_reason": "manual", "waiting_for": "backoff"},
			"srv-3": {"address": "192.0.2.3", "state": "empty", "version": nil, "created_time": nil, "age": nil},
			"srv-4": {"connection": "away", "address": "", "mode": "leased", "leases": 2},
		} {
			for field, value := range want {
				if byID[id][field] != value {
					t.Errorf("%s: %s is %v, not %v", id, field, byID[id][field], value)
				}
			}
		}
		age, _ := byID["srv-1"]["age"].(int64)
		if age < 10*3600 || age > 10*3600+600 || byID["srv-2"]["failures"].(int) < 1 || byID["srv-2"]["next_try"] == nil ||
			!strings.Contains(fmt.Sprint(byID["srv-2"]["last_error"]), "moving house") {
			t.Errorf("srv-1 %v, srv-2 %v", byID["srv-1"], byID["srv-2"])
		}
		shown := fmt.Sprint(rows)
		for _, id := range []string{"srv-1", "srv-2", "srv-4"} {
			if password := h.cloud.password(id); password == "" || strings.Contains(shown, password) {
				t.Errorf("the report has the password of %s", id)
			}
		}
	})
}

func TestReportPages(t *testing.T) {
	inFleet(t, func(t *testing.T, h *harness) {
		var seen []string
		after := ""
		for range 10 {
			got := h.read(t, "report", "limit", 3, "after", after)
			if got["total"] != 4 {
				t.Errorf("total %v", got["total"])
			}
			seen = append(seen, instancesOf(rowsOf(t, got))...)
			if after, _ = got["next"].(string); after == "" {
				break
			}
		}
		if fmt.Sprint(seen) != "[srv-4 srv-1 srv-2 srv-3]" {
			t.Errorf("the pages have %v", seen)
		}
		if got := h.read(t, "report", "limit", 4); got["next"] != nil {
			t.Errorf("after the last account comes %v", got["next"])
		}
	})
}

func TestReportAsCSV(t *testing.T) {
	inFleet(t, func(t *testing.T, h *harness) {
		got := h.read(t, "report", "format", "csv", "connection", "prod")
		lines, err := csv.NewReader(strings.NewReader(got["csv"].(string))).ReadAll()
		if err != nil || len(lines) != 4 || got["accounts"] != nil {
			t.Fatalf("%v, %v", got, err)
		}
		cell := func(line int, field string) string { return lines[line][slices.Index(rowFields, field)] }
		if !slices.Equal(lines[0], rowFields) || cell(1, "instance_id") != "srv-1" || cell(1, "version") != "1" ||
			!strings.Contains(cell(2, "last_error"), "moving house") || cell(3, "age") != "" || cell(3, "name") != "'=web-3" {
			t.Errorf("the lines are %q", lines)
		}
		for _, row := range rowsOf(t, h.read(t, "report")) {
			for field := range row {
				if !slices.Contains(rowFields, field) {
					t.Errorf("there is no column for %s", field)
				}
			}
		}
	})
}

func TestReportRefusals(t *testing.T) {
	h := leasedRole(t, nil)
	for _, c := range []struct {
		field string
		value any
		says  string
	}{
		{"state", "broken", "ready, due, rotating, braked, settling, empty, gone"},
		{"state", "ready,broken", `"broken"`},
		{"due_reason", "age", "first, revoked, deadline, leaver, joiner, moved, schedule, manual, import, read, reader, place, drifted"},
		{"older_than", "a month", "90s, 15m or 24h"},
		{"older_than", "1h30", "90s, 15m or 24h"},
		{"failing", "maybe", "true or false"},
		{"drifted", "perhaps", "true or false"},
		{"check_result", "matches,same", `"same"`},
		{"limit", -1, "at most 10000"},
		{"limit", 10001, "at most 10000"},
		{"after", "prod/srv-1", "connection/instance_id/username"},
		{"connection", "pr*", "no name of a connection"},
		{"role", "a/b", "no name of a role"},
		{"format", "xml", "must be csv"},
		{"server", strings.Repeat("x", maxNameFilter+1), "at most 1024 bytes"},
		{"server", "web\x1b[2J", "must be printable text"},
		{"holder", strings.Repeat("x", maxReaderText+1), "at most 1024 bytes"},
		{"holder", "alice\n", "must be printable text"},
	} {
		h.refused(t, logical.ReadOperation, "report", map[string]any{c.field: c.value}, http.StatusBadRequest, c.field+": ", c.says)
	}
}

// TestReportTakesTheWordsOfAccounts: what accounts/ says that an account may be, a report can be asked for.
func TestReportTakesTheWordsOfAccounts(t *testing.T) {
	words := regexp.MustCompile(`[a-z_]+`)
	for field, allowed := range map[string][]string{"state": rotation.States(), "due_reason": rotation.DueReasons(),
		"check_result": rotation.CheckResults()} {
		documented := words.FindAllString(accountResponse()[field].Description, -1)
		for _, word := range allowed {
			if !slices.Contains(documented, word) {
				t.Errorf("accounts/ does not say that %s may be %s", field, word)
			}
		}
	}
}

// A misspelt name must not look like a fleet without old passwords.
func TestReportWarnsOfNamesWithoutAccounts(t *testing.T) {
	h := leasedRole(t, nil)
	h.waitFor(t, "report", func(r map[string]any) bool { return r["loading"] == false })
	for _, c := range []struct {
		filters map[string]any
		says    string
	}{
		{map[string]any{"connection": "pord"}, "no account of connection pord at all"},
		{map[string]any{"connection": "prod", "role": "wbe"}, "no account of connection prod and role wbe at all"},
		{map[string]any{"connection": "prod", "role": "web", "older_than": "1h"}, ""},
		{map[string]any{"state": "gone"}, ""},
		{map[string]any{"server": "web-2"}, "no account of server web-2 at all"},
		{map[string]any{"role": "web", "server": "srv-9"}, "no account of role web and server srv-9 at all"},
		{map[string]any{"server": "web-1", "state": "gone"}, ""},
		{map[string]any{"holder": "nobody"}, ""},
	} {
		resp := h.ok(t, logical.ReadOperation, "report", c.filters)
		if warned := strings.Join(resp.Warnings, "\n"); (c.says == "") != (warned == "") || !strings.Contains(warned, c.says) {
			t.Errorf("%v: warnings %q", c.filters, warned)
		}
	}
}

// TestReportTellsWhoHoldsAPassword, by name and by entity, until the lease ends.
func TestReportTellsWhoHoldsAPassword(t *testing.T) {
	h := leasedRole(t, nil)
	long := strings.Repeat("long", 40)
	h.by = rotation.Requester{EntityID: "e-zoe", DisplayName: "userpass-zoe"}
	h.lease(t, "creds/web")
	h.by = rotation.Requester{DisplayName: long}
	h.lease(t, "creds/web")
	h.by = rotation.Requester{EntityID: "e-robot"}
	h.lease(t, "creds/web")
	h.by = rotation.Requester{EntityID: "e-alice", DisplayName: "userpass-alice"}
	alices := h.lease(t, "creds/web")
	h.lease(t, "creds/web")
	h.by = rotation.Requester{}
	h.lease(t, "creds/web")
	holds := func(holder string) int { return h.read(t, "report", "holder", holder)["total"].(int) }
	for holder, want := range map[string]int{"userpass-zoe": 1, "e-zoe": 1, "e-robot": 1, " userpass-alice ": 1, long: 1, "": 1, "userpass": 0,
		"zoe": 0, "userpass-bob": 0} {
		if got := holds(holder); got != want {
			t.Errorf("%q holds %d accounts, not %d", holder, got, want)
		}
	}
	row := rowsOf(t, h.read(t, "report"))[0]
	want := []string{"e-robot", clientText(long), "userpass-alice", "userpass-zoe"}
	if row["leases"] != 6 || !reflect.DeepEqual(row["holders"], want) {
		t.Errorf("%v leases of %v; want those of %v", row["leases"], row["holders"], want)
	}
	if cells := h.read(t, "report", "format", "csv")["csv"].(string); !strings.Contains(cells, `, userpass-alice, userpass-zoe",`) {
		t.Errorf("the report as CSV is %s", cells)
	}
	h.revoke(t, alices)
	if holds("e-alice") != 1 {
		t.Error("a reader with two leases holds nothing after one has ended")
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		h.by = rotation.Requester{DisplayName: name}
		h.lease(t, "creds/web")
	}
	if row := rowsOf(t, h.read(t, "report"))[0]; fmt.Sprint(row["holders"]) != "[a b c d e]" || row["leases"] != 11 {
		t.Errorf("of %v leases the row names %v", row["leases"], row["holders"])
	}
}

func TestReportTellsWhoHoldsASharedPassword(t *testing.T) {
	h := sharedRole(t, nil)
	h.cloud.launch(cloud.Instance{ID: "srv-9", Name: "other", Platform: cloud.Linux})
	h.write(t, "roles/other", map[string]any{"connection": "prod", "instance_ids": "srv-9", "force_stop": true})
	h.by = rotation.Requester{EntityID: "e-alice", DisplayName: "userpass-alice"}
	lease := h.lease(t, "creds/web")
	if got := h.read(t, "report", "holder", "e-alice"); fmt.Sprint(instancesOf(rowsOf(t, got))) != "[srv-1 srv-2 srv-3]" {
		t.Errorf("alice holds %v", got)
	}
	for _, row := range rowsOf(t, h.read(t, "report")) {
		if held := row["role"] == "web"; held != (fmt.Sprint(row["holders"]) == "[userpass-alice]") {
			t.Errorf("the row is %v", row)
		}
	}
	h.revoke(t, lease)
	if got := h.read(t, "report", "holder", "e-alice"); got["total"] != 0 {
		t.Errorf("after the end of her lease alice holds %v", got)
	}
	for _, row := range rowsOf(t, h.read(t, "report")) {
		if row["holders"] != nil {
			t.Errorf("the row is %v", row)
		}
	}
}

func TestReportCountsLeasesOfASharedPassword(t *testing.T) {
	h := sharedRole(t, nil)
	h.lease(t, "creds/web")
	for _, row := range rowsOf(t, h.read(t, "report", "role", "web")) {
		if row["leases"] != 1 {
			t.Errorf("the row is %v", row)
		}
	}
	if ids := instancesOf(rowsOf(t, h.read(t, "report"))); fmt.Sprint(ids) != "[srv-1 srv-2 srv-3]" {
		t.Errorf("the report has %v", ids)
	}
}

func TestListsOfAccountsHaveDetails(t *testing.T) {
	inFleet(t, func(t *testing.T, h *harness) {
		keys, info := h.infos(t, "accounts/")
		if fmt.Sprint(keys) != "[away prod]" || fmt.Sprint(info["prod"]) !=
			"map[accounts:3 provider:"+resetCloud+" states:map[empty:1 ready:1 rotating:1]]" {
			t.Errorf("%v: %v", keys, info)
		}
		keys, info = h.infos(t, "accounts/prod/")
		if fmt.Sprint(keys) != "[srv-1 srv-2 srv-3]" || len(info) != 3 ||
			fmt.Sprint(info["srv-2"]) != "map[accounts:1 address:10.0.0.2 name:db-1 roles:[db] states:map[rotating:1]]" {
			t.Errorf("%v: %v", keys, info)
		}
		keys, info = h.infos(t, "accounts/prod/srv-2/")
		if row := rowsOf(t, h.read(t, "report", "name", "db-1"))[0]; fmt.Sprint(keys) != "[root]" || fmt.Sprint(info["root"]) != fmt.Sprint(row) {
			t.Errorf("%v: %v, and the report has %v", keys, info, row)
		}
		resp := h.ok(t, logical.ListOperation, "accounts/prod", map[string]any{"limit": 1, "after": "srv-1"})
		if info, _ := resp.Data["key_info"].(map[string]any); len(info) != 1 || info["srv-2"] == nil {
			t.Errorf("a page has the details %v", info)
		}
	})
}

// A node that has not read an account yet, as after a start, reads what the page needs.
func TestListsReadAccountsThatAreNotInMemory(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	h.Invalidate(t.Context(), rotation.AccountPrefix+"prod/srv-1/root")
	_, info := h.infos(t, "accounts/prod/srv-1")
	if row, _ := info["root"].(map[string]any); row["leases"] != 1 || row["state"] != "ready" {
		t.Errorf("the details are %v", info)
	}
}
