package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// evil is a name of a server whose owner wishes the reader ill.
const evil = "=web\x1b[2J\u202e<script>"

func TestServersInEachFormat(t *testing.T) {
	p := at(t, report([]m{
		account("i-1", evil, m{"holders": []string{"alice"}, "leases": 3, "due_reason": "revoked", "state": "due"}),
		account("i-2", "", m{"version": nil, "age": nil, "drifted": true, "last_error": "stopped\x1b", "failures": 2, "leases": 1}),
	}, nil))
	r := p.run("servers")
	r.wants(t, 0, "SERVER", "=web\uFFFD[2J\uFFFD<script>", "due (revoked)", "alice (3 leases)", "1h", "drifted; stopped\uFFFD (failed 2x)",
		"1 lease", "i-2")
	if strings.ContainsAny(r.out, "\x1b\u202e") {
		t.Errorf("a terminal gets %q", r.out)
	}
	// What is wrong comes before the ids: a terminal cuts the end of a line.
	if head, _, _ := strings.Cut(r.out, "\n"); strings.Index(head, "TROUBLE") > strings.Index(head, "CONNECTION") {
		t.Errorf("a narrow terminal does not see what is wrong: %s", head)
	}
	r = p.run("servers", "-o", "csv")
	r.wants(t, 0, "connection,instance_id,username,name,", "prod,i-1,root,'=web\uFFFD[2J\uFFFD<script>,", ",alice\n")
	r = p.run("servers", "-o", "json")
	r.wants(t, 0)
	var list []m
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 2 || list[0]["name"] != evil || list[0]["age"] != 3600.0 {
		t.Errorf("%v, %v", list, err)
	}
	if strings.ContainsAny(r.out, "\x1b\u202e") {
		t.Errorf("a terminal gets %q", r.out)
	}
	long := strings.Repeat("x", errorShown)
	p = at(t, report([]m{account("i-1", "web-1", m{"last_error": long + "y", "failures": 1}), account("i-2", "web-2", m{"last_error": long})},
		nil))
	r = p.run("servers")
	r.wants(t, 0, "  "+long[3:]+"... (failed 1x)", "  "+long+" (failed")
	p.run("servers", "-o", "csv").wants(t, 0, long+"y")
	p = at(t, report(nil, nil))
	p.run("servers").wants(t, 0, "no account matches")
	if r := p.run("servers", "-o", "json"); r.out != "[]\n" {
		t.Errorf("an empty list is %q", r.out)
	}
}

func TestServersAskByFlags(t *testing.T) {
	p := at(t, report(nil, nil))
	p.run("servers", "--role", "web", "--connection", "prod", "--state", "due,gone", "--older-than", "30d", "--failing=false", "--drifted",
		"--name", "web-*", "--holder", "alice", "--server", "10.0.0.1", "--due-reason", "read", "--limit", "7").wants(t, 0)
	got := p.requests[0].query.Encode()
	if want := "connection=prod&drifted=true&due_reason=read&failing=false&holder=alice&limit=7&name=web-%2A&older_than=2592000s&role=web&" +
		"server=10.0.0.1&state=due%2Cgone"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	before := len(p.requests)
	for flag, says := range map[string]string{
		"--older-than=x": "--older-than", "--older-than=0": "--older-than", "--older-than=-3d": "--older-than", "--sort=colour": "--sort",
		"--reverse": "--sort", "--limit=0": "--limit", "--limit=-1": "--limit", "--output=xml": "-o, --output", "--colour": "unknown flag",
	} {
		p.run("servers", flag).wants(t, 1, says, "try: cloudpw servers --help")
	}
	if len(p.requests) != before {
		t.Errorf("wrong flags were asked of Vault: %v", p.requests[before:])
	}
}

// pages is a report of n accounts, in pages as Vault makes them.
func pages(n int) func(r request) (int, any) {
	return func(r request) (int, any) {
		limit, first := 1000, 0
		_, _ = fmt.Sscan(r.query.Get("limit"), &limit)
		_, _ = fmt.Sscanf(r.query.Get("after"), "prod/i-%d/root", &first)
		rows := []m{}
		for i := first + 1; i <= min(first+limit, n); i++ {
			rows = append(rows, account(fmt.Sprintf("i-%d", i), fmt.Sprintf("web-%d", i%7), m{"age": i % 100}))
		}
		answer := m{"accounts": rows, "total": n}
		if first+limit < n {
			answer["next"] = fmt.Sprintf("prod/i-%d/root", first+limit)
		}
		return 200, data(answer)
	}
}

// TestServersReadsNoMoreThanIsShown: a table has the first thousand, unless it is sorted; programs get all.
func TestServersReadsNoMoreThanIsShown(t *testing.T) {
	p := at(t, pages(12500))
	requests := func(args ...string) (int, ran) {
		before := len(p.requests)
		r := p.run(args...)
		r.wants(t, 0)
		return len(p.requests) - before, r
	}
	n, r := requests("servers")
	if lines := strings.Count(r.out, "\n"); n != 1 || lines != 1001 {
		t.Errorf("%d requests, %d lines", n, lines)
	}
	r.wants(t, 0, "1000 of 12500 accounts")
	n, r = requests("servers", "--limit", "1500")
	if lines := strings.Count(r.out, "\n"); n != 2 || lines != 1501 || p.requests[len(p.requests)-1].query.Get("limit") != "500" {
		t.Errorf("--limit 1500: %d requests, %d lines", n, lines)
	}
	n, r = requests("servers", "-o", "csv")
	if lines := strings.Count(r.out, "\n"); n != 2 || lines != 12501 {
		t.Errorf("CSV: %d requests, %d lines", n, lines)
	}
	n, r = requests("servers", "--sort", "age", "--limit", "1")
	if n != 2 || !strings.Contains(r.out, "1m39s") {
		t.Errorf("--sort: %d requests:\n%s", n, r.out)
	}
	if _, r = requests("servers", "--sort", "age", "--reverse", "--limit", "1"); !strings.Contains(r.out, " 0s ") {
		t.Errorf("--reverse:\n%s", r.out)
	}
}

// TestServersOfAnOlderPlugin: a filter that the plugin ignores must not look like a fleet.
func TestServersOfAnOlderPlugin(t *testing.T) {
	p := at(t, func(request) (int, any) {
		return 200, m{"data": m{"accounts": []m{account("i-1", "web-1", nil)}, "total": 1},
			"warnings": []string{`ignored: "holder": unknown field; a read of this path takes after.`}}
	})
	p.run("servers", "--holder", "alice").wants(t, 1, "--holder: the plugin in Vault is older")
}

func TestExitCodes(t *testing.T) {
	p := at(t, func(request) (int, any) { return refusal(403, "1 error occurred:\n\t* permission denied\x1b\n\n") })
	p.run("servers").wants(t, 2, "cloudpw: permission denied\uFFFD\n", "  try: vault token capabilities cloudpw/report\n")
	p.run("serverz").wants(t, 1, `there is no command "serverz"; did you mean servers?`, "try: cloudpw --help")
	p.run("show").wants(t, 1, "SERVER is missing", "try: cloudpw show --help")
	p.run("left", "John", "Doe").wants(t, 1, "2 arguments are given, and ENTITY alone is wanted", "try: cloudpw left --help")
	p.run("show", "x", "-o", "csv").wants(t, 1, "this command has no csv")
	p.run("servers", "--mount", "a//b").wants(t, 1, "--mount")
	p.run("version").wants(t, 0, "cloudpw "+Version)
	p.run("--version").wants(t, 0, "cloudpw "+Version)
	p.run().wants(t, 0, "Usage:", "servers")
	t.Setenv("VAULT_TOKEN", "")
	p.run("servers").wants(t, 2, "permission denied", "try: vault login")
	t.Setenv("VAULT_TOKEN", "hvs.test")
	p = at(t, func(request) (int, any) { return refusal(403, "permission denied", "invalid token") })
	p.run("servers").wants(t, 2, "invalid token", "try: vault login\n")
	p = at(t, func(request) (int, any) {
		return refusal(404, `no handler for route "cloudpw/report". route entry not found.`)
	})
	p.run("servers").wants(t, 2, "no handler", "--mount PATH")
	p.server.Close()
	p.run("servers").wants(t, 2, "Vault at http://127.0.0.1", "connection refused", "try: export VAULT_ADDR")
}
