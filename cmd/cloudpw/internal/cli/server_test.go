package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// detail is what accounts/ shows of web-1; more adds to it.
func detail(more m) m {
	d := m{"connection": "prod", "instance_id": "i-1", "username": "root", "provider": "tencentcloud", "role": "web", "mode": "leased",
		"state": "ready", "instance_name": "web-1", "platform": "linux", "private_ip": "10.0.0.1", "current_version": 3,
		"last_vault_rotation": "2026-11-25T11:00:00Z", "last_error": "", "leases": []m{
			{"version": 3, "issue_time": "2026-11-25T11:30:00Z", "expire_time": "2026-11-25T12:30:00Z", "display_name": "userpass-alice",
				"entity_id": "e-1", "remote_address": "192.0.2.1"}},
		"versions": []m{
			{"version": 1, "source": "reset", "created_time": "2026-11-24T11:00:00Z", "confirmed": true, "reason": "first"},
			{"version": 2, "source": "import", "created_time": "2026-11-24T12:00:00Z", "confirmed": false, "reason": "import",
				"requested_by": "olivia", "more_readers": true},
			{"version": 3, "source": "reset", "created_time": "2026-11-25T11:00:00Z", "confirmed": true, "current": true, "reason": "revoked",
				"due_since": "2026-11-25T10:50:00Z", "attempts": 3, "request_id": "req-7", "force_stop": true,
				"readers": []m{{"display_name": "userpass-alice", "entity_id": "e-1", "other_names": true, "first_time": "2026-11-25T11:30:00Z",
					"last_time": "2026-11-25T11:30:00Z"},
					{"display_name": "userpass-bob" + evil, "first_time": "2026-11-25T11:10:00Z", "last_time": "2026-11-25T11:20:00Z"}}},
		}}
	for k, v := range more {
		d[k] = v
	}
	return d
}

// server answers for web-1.
func server(more m) func(r request) (int, any) {
	return report([]m{account("i-1", "web-1", nil)}, func(r request) (int, any) {
		if r.path == "cloudpw/accounts/prod/i-1/root" {
			return 200, data(detail(more))
		}
		return refusal(404)
	})
}

func TestWhy(t *testing.T) {
	p := at(t, server(nil))
	r := p.run("why", "web-1")
	r.wants(t, 0, "web-1 (i-1), user root: no rotation is due.",
		"Version 3, the current one, was set 2026-11-25 11:00:00 UTC (1h ago), since a lease of the password before had ended",
		"It had been due for 10m. It took 3 tries.",
		"allowed to shut the server down for it (force_stop): if web-1 (i-1) rebooted around 2026-11-25 11:00:00 UTC, this was why",
		"The cloud's id of the request: req-7.",
		"Version 2, was recorded by hand", "It was asked for by olivia.", "The cloud has not confirmed it.",
		"since the account had no password yet. The server was not shut down for it.")
	if strings.Index(r.out, "Version 3") > strings.Index(r.out, "Version 2") {
		t.Error("the newest version does not come first")
	}
	for name, test := range map[string]struct {
		more m
		want string
	}{
		"due": {m{"due_reason": "schedule", "due_since": "2026-11-25T11:59:00Z", "waiting_for": "backoff", "next_try": "2026-11-25T12:01:00Z",
			"last_error": "stopped", "last_error_time": "2026-11-25T11:59:30Z", "failures": 2},
			"a rotation is due since 2026-11-25 11:59:00 UTC (1m ago), since the role's schedule asked for it; it waits for the pause after a " +
				"failure, until 2026-11-25 12:01:00 UTC (in 1m). The last error: stopped, 2026-11-25 11:59:30 UTC (30s ago), 2 failures in a row."},
		"gone": {m{"gone_time": "2026-11-25T11:00:00Z"}, "the server is gone since"},
		"drifted": {m{"drifted": true, "check_result": "differs", "checked_time": "2026-11-25T11:00:00Z"},
			"found that the server has a password"},
		"next": {m{"next_vault_rotation": "2026-11-26T12:00:00Z"}, "scheduled for 2026-11-26 12:00:00 UTC (in 24h)"},
		"none": {m{"versions": []m{}, "current_version": 0}, "there is no password yet"},
		"shared": {m{"group": m{"state": "due", "due_reason": "joiner", "due_since": "2026-11-25T11:59:00Z", "versions": []m{
			{"version": 9, "source": "reset", "reason": "new_reason", "confirmed": true, "created_time": "2026-11-25T11:00:00Z"}}}},
			"a server joined the role"},
		"unknown": {m{"due_reason": "new_reason", "due_since": "2026-11-25T11:59:00Z"}, "since of new_reason"},
	} {
		t.Run(name, func(t *testing.T) { at(t, server(test.more)).run("why", "web-1").wants(t, 0, test.want) })
	}
	versions := []m{}
	for i := range 8 {
		versions = append(versions, m{"version": i + 1, "source": "reset", "created_time": "2026-11-25T11:00:00Z", "confirmed": true})
	}
	p = at(t, server(m{"versions": versions}))
	if r := p.run("why", "web-1"); strings.Count(r.out, "Version ") != 5 || !strings.Contains(r.err, "3 older versions") {
		t.Errorf("eight versions: %+v", r)
	}
	if r := p.run("why", "web-1", "--all"); strings.Count(r.out, "Version ") != 8 {
		t.Errorf("--all: %+v", r)
	}
	r = p.run("why", "web-1", "-o", "json")
	r.wants(t, 0)
	var s story
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || s.Account != "prod/i-1/root" || len(s.Sentences) != 5 || len(s.Versions) != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWho(t *testing.T) {
	p := at(t, server(nil))
	r := p.run("who", "web-1")
	r.wants(t, 0, "Live leases of the password of web-1 (i-1), user root: 1.", "userpass-alice (and under other names)",
		"until 2026-11-25 12:30:00 UTC (in 30m)",
		"3 (current)", "userpass-bob=web\uFFFD[2J\uFFFD<script>", "192.0.2.1", "version 2 was also given to others")
	if strings.Count(r.out, "userpass-alice") != 1 {
		t.Error("who holds a lease is there twice")
	}
	r = p.run("who", "web-1", "-o", "csv")
	r.wants(t, 0, "display_name,entity_id,", "userpass-alice,e-1,192.0.2.1,3,true,true,2026-11-25T12:30:00Z,")
	r = p.run("who", "web-1", "-o", "json")
	var list []having
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 2 || !list[0].Holds || list[1].Holds {
		t.Errorf("%+v, %v", list, err)
	}
	at(t, server(m{"leases": []m{}, "versions": []m{}})).run("who", "web-1").wants(t, 0, "Nobody has a lease")
}

func TestShow(t *testing.T) {
	p := at(t, server(m{"check_result": "matches_version", "check_version": 2, "checked_time": "2026-11-25T11:00:00Z", "move_to": "db",
		"rebuilt_time": "2026-11-25T11:00:00Z", "rebuilt_reason": "a new disk" + evil}))
	r := p.run("show", "web-1")
	r.wants(t, 0, "web-1 (i-1)", "root", "10.0.0.1", "web, may move to db (leased)", "prod (tencentcloud)", "ready",
		"the server has another version of the password (version 2)", "a new disk=web\uFFFD", "HELD BY", "userpass-alice",
		"shutdown allowed", "current")
	r = p.run("show", "web-1", "-o", "json")
	var d m
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || d["instance_name"] != "web-1" || d["check_result"] != "matches_version" {
		t.Errorf("%v, %v", d, err)
	}
	p.run("show", "none").wants(t, 1, "there is no server", "try: cloudpw servers")
	p = at(t, report([]m{account("i-1", "web-1", nil), account("i-2", "web-1", nil)}, nil))
	p.run("show", "web-1").wants(t, 1, "more than one account", "\n  prod/i-1/root  (web-1, 10.0.0.1, role web)\n  prod/i-2/root")
	// A token that may only read creds/ learns why it sees nothing.
	p = at(t, func(request) (int, any) { return refusal(403, "permission denied") })
	p.run("show", "web").wants(t, 2, "permission denied", "try: vault token capabilities cloudpw/report")
	// A reader who types a name is told what to type instead.
	p.run("take", "web-1").wants(t, 2, "permission denied", "try: cloudpw take ROLE/SERVER: this token may not look up servers")
	if r := p.run("take", "web/i-1"); strings.Contains(r.err, "ROLE/SERVER") {
		t.Errorf("an id behind a role is taken for a name: %s", r.err)
	}
}

func TestGive(t *testing.T) {
	p := at(t, func(r request) (int, any) {
		switch lease, _ := r.body["lease_id"].(string); {
		case r.path == "sys/leases/lookup" && strings.HasSuffix(lease, "gone"):
			return refusal(400, "invalid lease")
		case r.path == "sys/leases/lookup" && strings.HasSuffix(lease, "hidden"):
			return refusal(403, "permission denied")
		case strings.HasSuffix(r.path, "bad"):
			return refusal(403, "permission denied")
		}
		return 204, nil
	})
	p.run("give", "cloudpw/creds/web/abc").wants(t, 0, "given back: cloudpw/creds/web/abc")
	if n := len(p.asked("PUT", "sys/leases/revoke/cloudpw/creds/web/abc")); n != 1 {
		t.Errorf("%d requests", n)
	}
	p.run("give", "cloudpw/creds/web/def", "cloudpw/creds/web/bad", "cloudpw/creds/web/ghi").wants(t, 2,
		"cloudpw/creds/web/bad: permission denied", "given back: cloudpw/creds/web/def", "given back: cloudpw/creds/web/ghi",
		"try: vault lease revoke cloudpw/creds/web/bad\n")
	p.run("give", "web-1").wants(t, 1, "is no id of a lease")
	// A lease that Vault does not know was given back before, or the id is mistyped. A token that may not look may give back.
	r := p.run("give", "cloudpw/creds/web/gone")
	r.wants(t, 0, "no such lease: cloudpw/creds/web/gone")
	if strings.Contains(r.out, "given back") || len(p.asked("PUT", "sys/leases/revoke/cloudpw/creds/web/gone")) != 1 {
		t.Errorf("it says %q", r.out)
	}
	p.run("give", "cloudpw/creds/web/hidden").wants(t, 0, "given back: cloudpw/creds/web/hidden")
}
