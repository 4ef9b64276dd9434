package engine

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestReportAsksByItsFilter, and reads all fields of a row.
func TestReportAsksByItsFilter(t *testing.T) {
	row := `{"connection":"c","instance_id":"i-1","username":"u","name":"n","address":"10.0.0.1","role":"r","mode":"leased","state":"due",` +
		`"version":3,"created_time":"2026-11-25T09:37:42Z","age":90,"confirmed":true,"due_reason":"read","due_since":"2026-11-25T09:38:42Z",` +
		`"waiting_for":"backoff","next_try":"2026-11-25T09:39:42Z","failures":2,"last_error":"stopped","leases":1,"holders":["alice"],` +
		`"drifted":true,"check_result":"differs","check_user_state":"locked","checked_time":"2026-11-25T09:40:42Z",` +
		`"rebuilt_time":"2026-11-25T09:41:42Z"}`
	f, c := serve(t, func(asked) (int, any) {
		return 200, `{"data":{"accounts":[` + row + `],"total":7,"next":"c/i-1/u","loading":true},"warnings":["w"]}`
	})
	yes, no := true, false
	page, err := c.Report(t.Context(), Filter{Connection: "c", Role: "r", Name: "n*", Server: "s", Holder: "h",
		States:     []string{"due", "gone"},
		DueReasons: []string{"read"}, CheckResults: []string{"differs"}, OlderThan: 36 * time.Hour, Failing: &yes, Drifted: &no, Rebuilt: &yes},
		"c/i-0/u", 50)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"connection": {"c"}, "role": {"r"}, "name": {"n*"}, "server": {"s"}, "holder": {"h"}, "state": {"due,gone"},
		"due_reason": {"read"}, "check_result": {"differs"}, "older_than": {"129600s"}, "failing": {"true"}, "drifted": {"false"},
		"rebuilt": {"true"}, "after": {"c/i-0/u"}, "limit": {"50"}}
	if got := f.all()[0]; got.query != want.Encode() || got.path != "cloudpw/report" {
		t.Errorf("asked %s?%s, want %s", got.path, got.query, want.Encode())
	}
	if page.Total != 7 || page.Next != "c/i-1/u" || !page.Loading || len(page.Warnings) != 1 || len(page.Accounts) != 1 {
		t.Fatalf("the page: %+v", page)
	}
	a := page.Accounts[0]
	if a.Age != 90*time.Second || a.ID() != "c/i-1/u" || a.CheckedTime.Minute() != 40 {
		t.Errorf("the row: %+v", a)
	}
	// Written again it has the same fields: none was lost on the way.
	again, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]any
	if err := json.Unmarshal([]byte(row), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &after); err != nil {
		t.Fatal(err)
	}
	for field := range before {
		if x, y := text(t, before[field]), text(t, after[field]); x != y {
			t.Errorf("%s: %s became %s", field, x, y)
		}
	}
	if none, err := json.Marshal(Account{}); err != nil || strings.Contains(string(none), "age") || strings.Contains(string(none), "time") {
		t.Errorf("an account without a password: %s, %v", none, err)
	}
}

func text(t *testing.T, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAccountsReadsPageAfterPage, and no more of them than are wanted.
func TestAccountsReadsPageAfterPage(t *testing.T) {
	f, c := serve(t, func(r asked) (int, any) {
		q, _ := url.ParseQuery(r.query)
		switch q.Get("after") {
		case "":
			return 200, data(m{"accounts": []m{{"instance_id": "1"}, {"instance_id": "2"}}, "next": "x/2/u"})
		case "x/2/u":
			return 200, data(m{"accounts": []m{{"instance_id": "3"}}, "next": "x/3/u"})
		}
		return refusal(500, "broken")
	})
	var ids []string
	var last error
	for a, err := range c.Accounts(t.Context(), Filter{}) {
		ids, last = append(ids, a.InstanceID), err
	}
	if strings.Join(ids, "") != "123" || statusOf(last) != 500 {
		t.Errorf("accounts %v, %v", ids, last)
	}
	before := len(f.all())
	for _, err := range c.Accounts(t.Context(), Filter{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if n := len(f.all()) - before; n != 1 {
		t.Errorf("%d pages for one account", n)
	}
}
