package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// campaign answers campaigns/c1 with one state after the other; the last one stays. A state that is a number is a status.
func campaign(states ...any) func(r request) (int, any) {
	n := 0
	return func(r request) (int, any) {
		if r.path != "cloudpw/campaigns/c1" {
			return refusal(404)
		}
		now := states[min(n, len(states)-1)]
		n++
		if status, failed := now.(int); failed {
			return status, m{"errors": []string{"Vault is sealed"}}
		}
		return 200, data(now)
	}
}

// state is how a campaign of three accounts is.
func state(done, failed int, more m) m {
	s := m{"kind": "rotate-role", "role": "web", "total": 3, "done": done, "failed": failed, "waiting": 3 - done - failed, "skipped": 0,
		"not_yet_ordered": 0, "created_time": "2026-11-25T11:59:00Z"}
	for k, v := range more {
		s[k] = v
	}
	return s
}

var allDone = state(3, 0, m{"ended_time": "2026-11-25T12:00:00Z", "end_reason": "completed"})

// taking takes any order as campaign c1 of three accounts, and answers everything else with next.
func taking(next func(r request) (int, any)) func(r request) (int, any) {
	return func(r request) (int, any) {
		switch {
		case r.method == "PUT":
			return 200, m{"data": m{"campaign": "c1", "accounts_due": 3, "accounts_to_check": 3, "not_checkable": 1},
				"warnings": []string{"mind\x1b the gap"}}
		case r.path == "cloudpw/report":
			return 200, data(m{"accounts": []m{}, "total": 3})
		}
		return next(r)
	}
}

// TestRotateFollowsToTheEnd, through whatever Vault does meanwhile.
func TestRotateFollowsToTheEnd(t *testing.T) {
	p := at(t, taking(campaign(state(1, 1, m{"estimated_seconds": 19}), 503, 0, 500, 473, state(2, 0, nil), allDone)))
	r := p.run("rotate", "--role", "web")
	r.wants(t, 0, "rotating role web: 3 accounts, campaign c1", "1 done, 1 failing, 1 waiting of 3, about 19s left", "Vault is sealed",
		"2 done, 1 waiting of 3", "3 done of 3", "warning: mind\uFFFD the gap")
	if n := len(p.asked("PUT", "cloudpw/rotate-role/web")); n != 1 {
		t.Errorf("%d orders", n)
	}
	asked := p.asked("GET", "cloudpw/campaigns/c1")
	if len(asked) != 7 || asked[0].query.Get("wait") != "" || asked[1].query.Get("wait") != "45s" {
		t.Errorf("%d questions: %v", len(asked), asked)
	}
	p = at(t, taking(campaign(allDone)))
	p.run("rotate", "--connection", "prod").wants(t, 0)
	if n := len(p.asked("PUT", "cloudpw/rotate-connection/prod")); n != 1 {
		t.Errorf("%d orders", n)
	}
	r = p.run("rotate", "--role", "web", "-o", "json")
	var c m
	if err := json.Unmarshal([]byte(r.out), &c); err != nil || c["id"] != "c1" || c["done"] != 3.0 || r.code != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	r = p.run("rotate", "--role", "web", "--no-wait")
	if r.out != "c1\n" || r.code != 0 {
		t.Errorf("--no-wait: %+v", r)
	}
}

// TestRotateEndsWithOneUntilAllIsDone.
func TestRotateEndsWithOneUntilAllIsDone(t *testing.T) {
	failing := state(2, 1, m{"causes": []m{{"cause": "the instance ... is stopped" + evil, "accounts": 1,
		"example_account": "prod/i-1/root"}}})
	for name, test := range map[string]struct {
		state m
		code  int
		want  []string
	}{
		"time over": {failing, 1, []string{"2 done, 1 failing of 3", "failing: 1, the instance ... is stopped=web\uFFFD[2J",
			"(for example prod/i-1/root)", "not all is done yet; Vault goes on", "try: cloudpw campaigns c1 --follow"}},
		"superseded": {state(1, 0, m{"ended_time": "2026-11-25T12:00:00Z", "end_reason": "superseded"}), 1, []string{"ordered again later"}},
		"skipped": {state(2, 0, m{"waiting": 0, "skipped": 1, "skip_reasons": m{"gone": 1}, "ended_time": "2026-11-25T12:00:00Z",
			"end_reason": "completed"}), 0, []string{"skipped: 1, the server is gone"}},
		"not all": {state(2, 1, m{"ended_time": "2026-11-25T12:00:00Z", "end_reason": "completed"}), 1, []string{"not all is done"}},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, taking(campaign(test.state))).run("rotate", "--role", "web", "--timeout", "2s").wants(t, test.code, test.want...)
		})
	}
	// What does not pass is not waited for.
	at(t, taking(campaign(state(1, 0, nil), 403))).run("rotate", "--role", "web").wants(t, 2, "Vault is sealed")
	at(t, taking(campaign(404))).run("rotate", "--role", "web").wants(t, 1, "there is no campaign")
	// An order whose answer is lost is not given again, and may have been taken.
	p := at(t, func(r request) (int, any) { return 0, nil })
	p.run("rotate", "--role", "web").wants(t, 2, "may have taken the order nevertheless", "try: cloudpw campaigns")
	if n := len(p.asked("PUT", "cloudpw/rotate-role/web")); n != 1 {
		t.Errorf("%d orders", n)
	}
	p = at(t, func(r request) (int, any) { return 200, data(m{"accounts_due": 0}) })
	p.run("rotate", "--role", "web").wants(t, 1, "there is no account")
}

func TestRotateAsksAtATerminal(t *testing.T) {
	p := at(t, taking(campaign(allDone)))
	p.terminal, p.types = true, "n\n"
	p.run("rotate", "--role", "web").wants(t, 1, "Rotate 3 accounts of role web?", "[y/N]", "nothing was done")
	p.types = ""
	p.run("rotate", "--connection", "prod").wants(t, 1, "nothing was done")
	if n := len(p.asked("PUT", "cloudpw/rotate-role/web")); n != 0 {
		t.Errorf("%d orders after a no", n)
	}
	p.types = "Yes\n"
	p.run("rotate", "--role", "web").wants(t, 0)
	p.types = ""
	p.run("rotate", "--role", "web", "--yes").wants(t, 0)
	for _, args := range [][]string{
		{"rotate"}, {"verify"}, {"rotate", "--role", "a", "--connection", "b"}, {"rotate", "--role", "a", "--user", "b"},
	} {
		p.run(args...).wants(t, 1, "SERVER", "--help")
	}
	p.run("rotate", "--role", "web", "--timeout", "-1s").wants(t, 1, "--timeout")
}

// oneServer answers orders about web-1, and its account with one state after the other.
func oneServer(ordered any, accounts ...any) func(r request) (int, any) {
	n := 0
	return report([]m{account("i-1", "web-1", nil)}, func(r request) (int, any) {
		if r.method == "PUT" {
			if status, refused := ordered.(int); refused {
				return refusal(status, "shares its password")
			}
			return 200, data(ordered)
		}
		now := accounts[min(n, len(accounts)-1)]
		n++
		if status, failed := now.(int); failed {
			return refusal(status, "Vault is sealed")
		}
		return 200, data(detail(now.(m)))
	})
}

func TestRotateOneServer(t *testing.T) {
	due := m{"accounts": m{"i-1": m{"username": "root", "state": "due", "due_reason": "manual", "current_version": 3}}}
	p := at(t, oneServer(due, m{"state": "rotating", "due_reason": "manual"}, 503, m{"state": "ready"},
		m{"state": "ready", "current_version": 4}))
	p.run("rotate", "web-1").wants(t, 0, "rotating 1 server", "web-1 is rotating", "web-1: rotated, version 4")
	if n := len(p.asked("PUT", "cloudpw/rotate-role/web/i-1")); n != 1 {
		t.Errorf("%d orders", n)
	}
	if n := len(p.asked("GET", "cloudpw/accounts/prod/i-1/root")); n != 4 {
		t.Errorf("the account was read %d times: version 3 was not the end", n)
	}
	p = at(t, oneServer(due, m{"state": "rotating", "due_reason": "manual", "last_error": "stopped" + evil, "waiting_for": "backoff"}))
	p.run("rotate", "web-1", "--timeout", "2s").wants(t, 1, "waits for the pause after a failure: stopped=web\uFFFD[2J",
		"web-1: not done yet, rotating",
		"1 of 1 server not as wanted", "try: cloudpw show prod/i-1/root")
	at(t, oneServer(409)).run("rotate", "web-1").wants(t, 2, "shares its password")
	at(t, oneServer(m{"accounts": m{"i-1": m{"error": "is gone"}}})).run("rotate", "web-1").wants(t, 1, "is gone")
	at(t, oneServer(due, 404)).run("rotate", "web-1").wants(t, 1, "deleted meanwhile")
	p = at(t, oneServer(due, m{"current_version": 4}))
	r := p.run("rotate", "web-1", "-o", "json")
	var list []ended
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 1 || !list[0].Good || list[0].Version != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	p.run("rotate", "web-1", "--no-wait").wants(t, 0, "ordered: 1 server")
	p.run("rotate", "web-1", "none").wants(t, 1, "there is no server")
	if n := len(p.asked("PUT", "cloudpw/rotate-role/web/i-1")); n != 2 {
		t.Errorf("%d orders: a wrong name beside a right one ordered something", n)
	}
	at(t, report([]m{account("i-1", "web-1", m{"role": ""})}, nil)).run("rotate", "web-1").wants(t, 1, "belongs to no role")
}

// TestRotateWithoutTheRightToLook: the answer to the order is all that such a token learns.
func TestRotateWithoutTheRightToLook(t *testing.T) {
	answer := m{"state": "ready", "current_version": 4}
	p := at(t, func(r request) (int, any) {
		if r.method == "PUT" {
			return 200, data(m{"accounts": m{"i-1": answer}})
		}
		return refusal(403, "permission denied")
	})
	p.run("rotate", "web/i-1", "--timeout", "20s").wants(t, 0, "web/i-1: rotated")
	if got := p.asked("PUT", "cloudpw/rotate-role/web/i-1"); len(got) != 1 || got[0].body["wait"] != "20s" {
		t.Errorf("ordered %v", got)
	}
	answer["state"], answer["due_reason"] = "rotating", "manual"
	p.run("rotate", "web/i-1").wants(t, 1, "web/i-1: not done yet")
}

func TestVerify(t *testing.T) {
	results := func(r m) m {
		return state(3, 0, m{"kind": "verify", "ended_time": "2026-11-25T12:00:00Z", "end_reason": "completed", "results": r})
	}
	p := at(t, taking(campaign(results(m{"matches": 3}))))
	p.run("verify", "--role", "web", "--drift-action", "rotate").wants(t, 0, "matches: 3, the server has the current password",
		"1 account cannot be checked")
	if got := p.asked("PUT", "cloudpw/verify/web"); len(got) != 1 || got[0].body["drift_action"] != "rotate" {
		t.Errorf("ordered %v", got)
	}
	p = at(t, taking(campaign(results(m{"matches": 1, "differs": 1, "unknown": 1}))))
	p.run("verify", "--connection", "prod").wants(t, 1, "differs: 1", "2 servers without the current password", "cloudpw servers --drifted")

	ordered := m{"check_ordered_time": "2026-11-25T12:00:00Z", "state": "ready", "current_version": 3}
	p = at(t, oneServer(ordered, m{"check_ordered_time": "2026-11-25T12:00:00Z"},
		m{"checked_time": "2026-11-25T11:00:00Z", "check_result": "differs"},
		m{"checked_time": "2026-11-25T12:00:00Z", "check_result": "matches"}))
	p.run("verify", "web-1").wants(t, 0, "web-1: the server has the current password")
	p = at(t, oneServer(ordered, m{"checked_time": "2026-11-25T12:00:01Z", "check_result": "differs", "check_reason": "since" + evil}))
	p.run("verify", "web-1").wants(t, 1, "web-1: the server has a password that Vault does not know; since=web\uFFFD",
		"try: cloudpw show prod/i-1/root")
}

// leaver answers for alice, who was given two passwords of which one cannot be rotated.
func leaver(next func(r request) (int, any)) func(r request) (int, any) {
	return func(r request) (int, any) {
		switch {
		case r.method == "PUT" && r.body["dry_run"] == true:
			return 200, data(m{"accounts_due": 2, "accounts_possible": 1, "accounts_unable": 1, "unable": []string{"prod/i-9/root"},
				"accounts": []string{"prod/i-1/root", "prod/*/fleet"}})
		case r.method == "PUT":
			return 200, data(m{"accounts_due": 2, "campaign": "c1"})
		case r.path == "cloudpw/accounts/prod/i-1/root":
			return 200, data(detail(nil))
		}
		return next(r)
	}
}

func TestLeft(t *testing.T) {
	p := at(t, leaver(campaign(allDone)))
	r := p.run("left", "userpass-alice", "--dry-run")
	r.wants(t, 0, "prod/i-1/root", "web-1", "2026-11-25 11:30:00 UTC", "2026-11-25 12:30:00 UTC (in 30m)", "prod/*/fleet",
		"(all servers of the role)", "prod/i-9/root", "cannot be rotated", "1 of them only perhaps")
	real := func() (n int) {
		for _, r := range p.asked("PUT", "cloudpw/rotate-reader") {
			if r.body["dry_run"] != true {
				n++
			}
		}
		return n
	}
	p.run("left", "userpass-alice").wants(t, 1, "give --yes")
	p.terminal, p.types = true, "no\n"
	p.run("left", "userpass-alice").wants(t, 1, "prod/i-1/root", "Rotate 2 accounts?", "nothing was done")
	if real() != 0 {
		t.Fatal("it was ordered without a yes")
	}
	p.types = "y\n"
	p.run("left", "userpass-alice").wants(t, 1, "3 done of 3", "1 account cannot be rotated")
	if real() != 1 {
		t.Errorf("%d orders", real())
	}
	got := p.asked("PUT", "cloudpw/rotate-reader")
	if got[0].body["display_name"] != "userpass-alice" || got[0].body["entity_id"] != nil {
		t.Errorf("asked %v", got[0])
	}
	p.run("left", "7d2e3179-f69b-450c-7179-ac8ee8bd8ca9", "--dry-run", "-o", "csv").wants(t, 0, "account,server,role")
	got = p.asked("PUT", "cloudpw/rotate-reader")
	if last := got[len(got)-1]; last.body["entity_id"] != "7d2e3179-f69b-450c-7179-ac8ee8bd8ca9" || last.body["display_name"] != nil {
		t.Errorf("asked %v", last)
	}
	p = at(t, func(request) (int, any) { return 200, data(m{"accounts_due": 0, "accounts": []string{}}) })
	p.run("left", "userpass-bob").wants(t, 0, "was given no password that is still in use")
}

func TestCampaigns(t *testing.T) {
	p := at(t, func(r request) (int, any) {
		if r.path == "cloudpw/campaigns" {
			return 200, data(m{"keys": []string{"c1"}, "key_info": m{"c1": state(1, 0, m{"requested_by": "olivia" + evil})}})
		}
		return campaign(state(1, 1, m{"requested_by": "olivia", "failing": []m{{"account": "prod/i-1/root", "state": "due",
			"last_error": "stopped\x1b", "waiting_for": "backoff"}}}))(r)
	})
	p.run("campaigns").wants(t, 0, "c1", "rotate-role", "role web", "olivia=web\uFFFD[2J", "1 of 3")
	p.run("campaigns", "-o", "csv").wants(t, 0, "c1,rotate-role,web,,olivia")
	p.run("campaigns", "c1").wants(t, 0, "rotate-role of role web, ordered 2026-11-25 11:59:00 UTC (1m ago) by olivia",
		"1 done, 1 failing, 1 waiting of 3", "prod/i-1/root", "stopped\uFFFD")
	if got := p.asked("GET", "cloudpw/campaigns/c1"); got[0].query.Get("limit") != "50" {
		t.Errorf("asked %v", got)
	}
	p.run("campaigns", "none").wants(t, 1, "there is no campaign", "try: cloudpw campaigns")
	p.run("campaigns", "c1", "--follow", "--timeout", "2s").wants(t, 1, "not all is done yet")
	p.run("campaigns", "--follow").wants(t, 1, "name the ID")
	at(t, taking(campaign(allDone))).run("campaigns", "c1", "--follow").wants(t, 0, "3 done of 3")
}

// TestFollowingWithoutAVault: it is said once, and asked less and less often.
func TestFollowingWithoutAVault(t *testing.T) {
	p := at(t, taking(campaign(503)))
	p.pause = 10 * time.Millisecond
	r := p.run("rotate", "--role", "web", "--timeout", "2s")
	r.wants(t, 1, "Vault cannot be asked now, trying again: Vault is sealed", "try: cloudpw campaigns c1 --follow")
	if n := strings.Count(r.err, "Vault is sealed"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	// Less and less often, so never 200 times in two seconds.
	if n := len(p.asked("GET", "cloudpw/campaigns/c1")); n > 60 {
		t.Errorf("%d questions in two seconds", n)
	}
}
