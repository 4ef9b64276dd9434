package engine

import (
	"slices"
	"testing"
	"time"
)

func TestOrders(t *testing.T) {
	f, c := serve(t, func(r asked) (int, any) {
		switch r.path {
		case "cloudpw/rotate-role/web/i-1":
			return 200, data(m{"accounts": m{"i-1": m{"username": "root", "state": "due", "current_version": 2}}})
		case "cloudpw/verify/web/i-1":
			return 200, data(m{"check_result": "matches", "drifted": false, "state": "ready", "username": "root", "current_version": 2})
		case "cloudpw/verify/web", "cloudpw/verify-connection/prod":
			return 200, data(m{"accounts_to_check": 12, "not_checkable": 3, "campaign": "v"})
		case "cloudpw/rotate-reader":
			return 200, data(m{"accounts_due": 2, "accounts_possible": 1, "accounts_unable": 1, "unable": []string{"a/b/d"},
				"accounts": []string{"a/b/c"}})
		}
		return 200, m{"data": m{"accounts_due": 5, "campaign": "r"}, "warnings": []string{"w"}}
	})
	ctx := t.Context()
	last := func() asked { return f.all()[len(f.all())-1] }
	for path, o := range map[string]RotateOrder{
		"cloudpw/rotate-role/web": {Role: "web"}, "cloudpw/rotate-connection/prod": {Connection: "prod"},
	} {
		done, err := c.Rotate(ctx, o)
		if err != nil || done.Campaign != "r" || done.Accounts != 5 || len(done.Warnings) != 1 || last().path != path {
			t.Errorf("%+v: %+v, %v by %s", o, done, err, last().path)
		}
	}
	one, err := c.Rotate(ctx, RotateOrder{Role: "web", InstanceID: "i-1", Wait: 20 * time.Second})
	if err != nil || one.Accounts != 1 || one.States["i-1"].CurrentVersion != 2 || last().body["wait"] != "20s" {
		t.Errorf("one server: %+v, %v by %+v", one, err, last())
	}
	checked, err := c.Verify(ctx, VerifyOrder{Role: "web", InstanceID: "i-1", DriftAction: "rotate"})
	if err != nil || checked.Check.Result != "matches" || checked.States["i-1"].State != "ready" || last().body["drift_action"] != "rotate" {
		t.Errorf("a check: %+v, %v by %+v", checked, err, last())
	}
	for _, o := range []VerifyOrder{{Role: "web"}, {Connection: "prod"}} {
		if done, err := c.Verify(ctx, o); err != nil || done.Accounts != 12 || done.NotCheckable != 3 || done.Campaign != "v" {
			t.Errorf("%+v: %+v, %v", o, done, err)
		}
	}
	reader, err := c.RotateReader(ctx, ReaderOrder{DisplayName: "alice", DryRun: true})
	if err != nil || reader.Accounts != 2 || reader.Possible != 1 || reader.Unable != 1 ||
		!slices.Equal(reader.AccountNames, []string{"a/b/c"}) ||
		!slices.Equal(reader.UnableNames, []string{"a/b/d"}) || last().body["dry_run"] != true ||
		last().body["display_name"] != "alice" {
		t.Errorf("a reader: %+v, %v by %+v", reader, err, last())
	}
	if _, err := c.Rotate(ctx, RotateOrder{Role: "web", Connection: "prod"}); err == nil {
		t.Error("a role and a connection are taken")
	}
}

func TestCampaigns(t *testing.T) {
	f, c := serve(t, func(r asked) (int, any) {
		if r.path == "cloudpw/campaigns" {
			return 200, data(m{"keys": []string{"b", "a"}, "key_info": m{"a": m{"kind": "verify", "total": 3}, "b": m{"kind": "rotate-role"}}})
		}
		return 200, data(m{"kind": "rotate-role", "role": "web", "total": 6, "done": 2, "failed": 1, "waiting": 2, "skipped": 1,
			"skip_reasons": m{"gone": 1}, "causes": []m{{"cause": "stopped", "accounts": 1, "example_account": "a/b/c"}},
			"failing": []m{{"account": "a/b/c", "state": "due", "last_error": "stopped"}}, "estimated_seconds": 19})
	})
	one, err := c.Campaign(t.Context(), "b", 45*time.Second)
	if err != nil || one.ID != "b" || one.Subject() != "role web" || one.Total != 6 || one.SkipReasons["gone"] != 1 ||
		one.Causes[0].Accounts != 1 || one.Failing[0].Account != "a/b/c" || one.EstimatedSecs != 19 || !one.Ended.IsZero() {
		t.Errorf("the campaign: %+v, %v", one, err)
	}
	if got := f.all()[0]; got.path != "cloudpw/campaigns/b" || got.query != "wait=45s" {
		t.Errorf("asked %+v", got)
	}
	list, err := c.Campaigns(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != "b" || list[1].Kind != "verify" || list[1].Total != 3 {
		t.Errorf("the list: %+v, %v", list, err)
	}
	if got := f.all()[1]; got.query != "list=true" {
		t.Errorf("asked %+v", got)
	}
	_, c = serve(t, func(asked) (int, any) { return refusal(404) })
	if list, err := c.Campaigns(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("an empty list: %v, %v", list, err)
	}
}
