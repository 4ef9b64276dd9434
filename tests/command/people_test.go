//go:build e2e

package command

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestADayOfPeople: a reader reads a password; an operator sees who has it and why it was changed, and rotates; the reader gives the
// lease back; a security officer rotates all that somebody was given. Each has the policy of docs/vault-policies.md.
func TestADayOfPeople(t *testing.T) {
	t.Parallel()
	e := start(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	reader, operator, officer := e.token(t, "rita", "Reader"), e.token(t, "olivia", "Operator"), e.token(t, "sam", "Security officer")

	waited := map[string][]string{"wait": {"45s"}}
	secret, err := e.As(t, reader).Logical().ReadWithDataWithContext(t.Context(), "cloudpw/creds/web/"+ids[0], waited)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := secret.Data["password"].(string)

	who := e.done(t, operator, "who", "ubuntu-1")
	wants(t, "who", who, "Live leases of the password of ubuntu-1 ("+ids[0]+"), user ubuntu: 1.", "userpass-rita", "127.0.0.1")
	wants(t, "servers", e.done(t, operator, "servers", "--holder", "userpass-rita"), "ubuntu-1", "userpass-rita")
	wants(t, "show", e.done(t, operator, "show", "web/ubuntu-1"), "web (leased)", "tencentcloud", "HELD BY")
	wants(t, "show", e.done(t, operator, "show", "tencentcloud/"+ids[0]+"/ubuntu", "-o", "json"), `"instance_id": "`+ids[0]+`"`)
	why := e.done(t, operator, "why", ids[0])
	wants(t, "why", why, "no rotation is due", "since the account had no password yet", "allowed to shut the server down for it (force_stop)")

	// A reader sees nothing of that, and is told which right he lacks.
	if r := e.run(t, reader, "who", "web"); r.code != 2 || !strings.Contains(r.err, "try: vault token capabilities cloudpw/report") {
		t.Errorf("a reader asks who: %s", r)
	}

	// But he finds a server of his role by its name.
	mine := e.done(t, reader, "take", "web/linux-1", "-o", "json")
	wants(t, "take", mine, `"instance_id": "`+ids[1]+`"`)
	if r := e.run(t, reader, "take", "web/linux-9"); r.code != 1 || !strings.Contains(r.err, "role web has no server") {
		t.Errorf("a name that the role does not have: %s", r)
	}

	rotated := e.done(t, operator, "rotate", "ubuntu-1")
	wants(t, "rotate", rotated, "ubuntu-1: rotated, version 2")
	e.sim.Refuses(t, ids[0], "ubuntu", password)
	why = e.done(t, operator, "why", ids[0])
	wants(t, "why", why, "Version 2, the current one", "somebody ordered it")

	// The reader's own lease.
	wants(t, "give", e.done(t, reader, "give", secret.LeaseID), "given back: "+secret.LeaseID)
	wants(t, "who", e.done(t, operator, "who", "ubuntu-1"), "Nobody has a lease", "userpass-rita")
	if r := e.run(t, reader, "give", "cloudpw/creds/db/abc"); r.code != 2 {
		t.Errorf("a lease of another role: %s", r)
	}

	all := e.run(t, operator, "rotate", "--role", "web")
	if all.code != 0 {
		t.Fatalf("rotate --role: %s", all)
	}
	wants(t, "the progress", all.err, "rotating role web: 2 accounts, campaign ")
	wants(t, "the end", all.out, "2 done of 2")
	wants(t, "campaigns", e.done(t, operator, "campaigns"), "rotate-role", "role web", "userpass-olivia", "2 of 2")
	id := strings.TrimSpace(e.done(t, operator, "rotate", "--role", "web", "--no-wait"))
	wants(t, "the campaign", e.done(t, operator, "campaigns", id, "--follow"), "2 done of 2")
	wants(t, "the campaign", e.done(t, operator, "campaigns", id), "rotate-role of role web", "by userpass-olivia",
		"each account is done or skipped")

	// Somebody leaves: he has read one of the two.
	secret, err = e.As(t, reader).Logical().ReadWithDataWithContext(t.Context(), "cloudpw/creds/web/"+ids[1], waited)
	if err != nil {
		t.Fatal(err)
	}
	password, _ = secret.Data["password"].(string)
	if r := e.run(t, officer, "left", "userpass-rita"); r.code != 1 || !strings.Contains(r.err, "give --yes") {
		t.Errorf("without --yes, and nobody to ask: %s", r)
	}
	e.sim.Accepts(t, ids[1], secret.Data["username"].(string), password)
	dry := e.done(t, officer, "left", "userpass-rita", "--dry-run")
	wants(t, "the accounts", dry, "tencentcloud/"+ids[1]+"/", "linux-1", "web")
	if strings.Contains(dry, ids[0]) {
		t.Errorf("a server whose current password he was not given:\n%s", dry)
	}
	gone := e.run(t, officer, "left", "userpass-rita", "--yes")
	if gone.code != 0 {
		t.Fatalf("left: %s", gone)
	}
	wants(t, "the end", gone.out, "1 done of 1")
	e.sim.Refuses(t, ids[1], secret.Data["username"].(string), password)
	if r := e.run(t, operator, "left", "userpass-rita", "--yes"); r.code != 2 {
		t.Errorf("an operator: %s", r)
	}
}

// TestAFailingServerIsNotDone: the exit code is 1, and the cause is there, while the cloud refuses.
func TestAFailingServerIsNotDone(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.role(t, "web", nil, "ubuntu-1", "linux-1")
	operator := e.token(t, "olivia", "Operator")
	e.done(t, operator, "rotate", "--role", "web")
	fault := e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultRefuse, Status: 200,
		Code: "FailedOperation.InvalidInstanceApplicationRole", Message: "an operator of the cloud\x1b[31m says \u202eno"})
	if fault == 0 {
		t.Fatal("no fault")
	}
	r := e.run(t, operator, "rotate", "--role", "web", "--timeout", "8s")
	if r.code != 1 || strings.ContainsAny(r.out+r.err, "\x1b\u202e") {
		t.Errorf("a cloud that refuses: %s", r)
	}
	wants(t, "stdout", r.out, "0 done, ", "failing: ")
	wants(t, "stderr", r.err, "not all is done yet; Vault goes on", "try: cloudpw campaigns ")
	wants(t, "servers", e.done(t, operator, "servers", "--failing"), "TROUBLE", "failed")
	wants(t, "why", e.done(t, operator, "why", "ubuntu-1"), "a rotation is due since", "somebody ordered it", "The last error:")
	one := e.run(t, operator, "rotate", "ubuntu-1", "--timeout", "3s")
	if one.code != 1 {
		t.Errorf("one server: %s", one)
	}
	wants(t, "stdout", one.out, "ubuntu-1: not done yet")
}

// setLogin does what passwd does inside a server.
func (e *env) setLogin(t *testing.T, id, user, password string) {
	t.Helper()
	err := e.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+id+"/login", map[string]string{"user": user, "password": password}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.sim.Accepts(t, id, user, password)
}

// TestVerify: servers with the current password give 0, one that was changed by hand gives 1.
func TestVerify(t *testing.T) {
	t.Parallel()
	e := start(t)
	account := e.sim.Info.Seeded[model.TencentCloud]
	added, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID, Region: account.Region,
		Name: "checked-1", Platform: model.Linux})
	if err != nil {
		t.Fatal(err)
	}
	server := added.ID
	e.Write(t, "cloudpw/roles/checked", map[string]any{"connection": "tencentcloud", "instance_ids": server, "mode": "static",
		"reset_method": "command", "min_reset_interval": 0, "check_method": "command", "drift_action": "report"})
	operator := e.token(t, "olivia", "Operator")
	e.done(t, operator, "rotate", "--role", "checked")
	if r := e.run(t, operator, "verify", server); r.code != 0 {
		t.Fatalf("verify: %s", r)
	} else {
		wants(t, "stdout", r.out, "the server has the current password")
	}
	e.setLogin(t, server, "root", "Set-Inside-The-Server-1")
	r := e.run(t, operator, "verify", "--role", "checked")
	if r.code != 1 {
		t.Errorf("a server that was changed by hand: %s", r)
	}
	wants(t, "stdout", r.out, "differs: 1")
	wants(t, "servers", e.done(t, operator, "servers", "--drifted"), server, "drifted")
	wants(t, "why", e.done(t, operator, "why", server), "found that the server has a password that Vault does not know")
}
