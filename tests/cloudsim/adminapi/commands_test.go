package adminapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// TestCommands changes a server's inside from outside, and logs in with a password of which the simulator
// has nothing but a hash.
func TestCommands(t *testing.T) {
	sim, creds, c := start(t)
	ctx := t.Context()
	s, err := c.AddServer(ctx, model.Server{Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region})
	if err != nil {
		t.Fatal(err)
	}
	script, err := guest.Linux(guest.Change{Username: "root", Secret: "by command", Order: 1, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	run := func(id string) {
		t.Helper()
		err := sim.World().StartCommand(nil, model.Command{ID: id, ServerIDs: []string{s.ID}, Interpreter: "shell", Text: script.Text})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Advance(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetGuest(ctx, s.ID, model.Guest{Conditions: guestos.Conditions{ChpasswdFails: true}}); err != nil {
		t.Fatal(err)
	}
	run("first")
	if err := c.SetGuest(ctx, s.ID, model.Guest{}); err != nil {
		t.Fatal(err)
	}
	run("second")
	history, err := c.Commands(ctx, s.ID)
	if err != nil || len(history) != 2 || history[0].State != model.CommandFailed || history[1].State != model.CommandSucceeded ||
		history[1].Text != script.Text {
		t.Errorf("%+v, %v", history, err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", "by command"); err != nil {
		t.Errorf("log in: %v", err)
	}
	if n, err := c.RunAgain(ctx, s.ID); err != nil || n != 2 {
		t.Errorf("%d commands were run again, want both; %v", n, err)
	}
	if history, err = c.Commands(ctx, s.ID); err != nil || len(history[1].Unreported) != 1 {
		t.Errorf("the record of runs is %+v, %v", history, err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", s.InitialPassword); err == nil {
		t.Error("the old password still works")
	}
	// Once more, and the records say what came of it: the first was refused at its time.
	var again struct{ Commands int }
	if err := c.Do(ctx, http.MethodPost, "/v1/servers/"+s.ID+"/run-again?report=true", nil, &again); err != nil || again.Commands != 2 {
		t.Errorf("%d commands again, %v", again.Commands, err)
	}
	if err := c.Advance(ctx, time.Minute); err != nil {
		t.Fatal(err)
	}
	history, err = c.Commands(ctx, s.ID)
	if err != nil || len(history) != 2 || len(history[0].Unreported) != 1 || history[0].State != model.CommandSucceeded {
		t.Errorf("%+v, %v", history, err)
	}
	// A clock that is wrong, seen from outside.
	if err := c.SetGuest(ctx, s.ID, model.Guest{Conditions: guestos.Conditions{Clock: 24 * time.Hour}}); err != nil {
		t.Fatal(err)
	}
	run("third")
	history, err = c.Commands(ctx, s.ID)
	if err != nil || len(history) != 3 || !strings.HasPrefix(history[2].Output, "cloudpw: exit 85 too late now=") {
		t.Errorf("%+v, %v", history, err)
	}
}
