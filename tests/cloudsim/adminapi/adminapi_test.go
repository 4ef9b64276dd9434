package adminapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// start runs a simulator with one seeded account per cloud and a client.
func start(t *testing.T) (*cloudsim.Sim, cloudsim.Credentials, *adminapi.Client) {
	t.Helper()
	sim := cloudsim.Start(t, cloudsim.Options{})
	seeded, err := sim.Seed(cloudsim.SeedOptions{NoServers: true})
	if err != nil {
		t.Fatal(err)
	}
	return sim, seeded[model.TencentCloud], &adminapi.Client{URL: sim.AdminURL()}
}

func TestLifeOfAServer(t *testing.T) {
	_, creds, c := start(t)
	ctx := t.Context()
	s, err := c.AddServer(ctx, model.Server{
		Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region, Name: "a", ReadyAfter: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if time.Duration(s.ReadyAfter) != time.Minute || s.State != model.StateRunning {
		t.Errorf("got %+v", s)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", s.InitialPassword); err != nil {
		t.Errorf("log in: %v", err)
	}
	do := func(method, path string, in any) {
		t.Helper()
		if err := c.Do(ctx, method, "/v1/servers/"+s.ID+path, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	do(http.MethodPut, "/login", map[string]string{"user": "root", "password": "by hand"})
	if err := sshd.Login(ctx, s.SSHAddr, "root", "by hand"); err != nil {
		t.Errorf("log in after a change by hand: %v", err)
	}
	do(http.MethodPost, "/stop", nil)
	if err := c.Advance(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if s, err = c.Server(ctx, s.ID); err != nil || s.State != model.StateStopped || s.Latest.Name != "StopInstances" {
		t.Errorf("after a stop: %+v, %v", s, err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", "by hand"); err == nil {
		t.Error("a stopped server lets people in")
	}
	if err := c.Do(ctx, http.MethodPost, "/v1/servers/"+s.ID+"/stop", nil, nil); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("a stop of a stopped server: %v", err)
	}
	do(http.MethodPut, "/tags", map[string]string{"app": "x"})
	do(http.MethodPut, "/state", map[string]string{"state": "rescue_mode"})
	if s, err = c.Server(ctx, s.ID); err != nil || s.State != "rescue_mode" || s.Tags["app"] != "x" {
		t.Errorf("after the changes: %+v, %v", s, err)
	}
	if err := c.Delete(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Server(ctx, s.ID); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a deleted server: %v", err)
	}
}

func TestFaultsAndFigures(t *testing.T) {
	sim, creds, c := start(t)
	ctx := t.Context()
	id, err := c.AddFault(ctx, model.Fault{Kind: model.FaultDelay, Delay: 1500 * time.Millisecond, Action: "X"})
	if err != nil {
		t.Fatal(err)
	}
	if f := sim.World().Faults(); len(f) != 1 || f[0].ID != id || f[0].Delay != 1500*time.Millisecond {
		t.Errorf("faults %+v", f)
	}
	for kind, accepted := range map[model.FaultKind]bool{"nonsense": false, model.FaultLate: false, model.FaultAgain: false,
		model.FaultAgentSilent: true, model.FaultRecordLost: true} {
		if _, err := c.AddFault(ctx, model.Fault{Kind: kind}); (err == nil) != accepted {
			t.Errorf("a fault of kind %q without more: %v", kind, err)
		}
	}
	if _, err := c.AddFault(ctx, model.Fault{Kind: model.FaultOutputCut, Bytes: 12}); err != nil || sim.World().Faults()[3].Bytes != 12 {
		t.Errorf("%v, %+v", err, sim.World().Faults())
	}
	if err := c.ClearFaults(ctx); err != nil || len(sim.World().Faults()) != 0 {
		t.Errorf("clear: %v, left %d", err, len(sim.World().Faults()))
	}
	sim.World().Begin(model.Call{Cloud: model.TencentCloud, Service: "cvm", Action: "A", Account: "1", Instances: []string{"ins-1"},
		Password: "p"})
	log, err := c.Log(ctx, 0)
	if err != nil || len(log) != 1 || log[0].Password != "p" {
		t.Errorf("log %+v, %v", log, err)
	}
	attempts, err := c.Attempts(ctx, "ins-1")
	if err != nil || len(attempts) != 1 {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
	stats, err := c.Stats(ctx)
	if err != nil || stats.PasswordValues["ins-1"] != 1 || stats.Rates["tencentcloud:cvm:A@1"].Requests != 1 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	if hit, err := c.Mark(ctx); hit || err != nil {
		t.Errorf("mark: %v, %v", hit, err)
	}
	path := "/v1/access-keys/tencentcloud/" + creds.AccessKey
	if err := c.Do(ctx, http.MethodPut, path, map[string]any{"deny": []string{"cvm:*"}, "inactive": true}, nil); err != nil {
		t.Fatal(err)
	}
	if k, _ := sim.World().AccessKey(model.TencentCloud, creds.AccessKey); !k.Inactive || sim.World().Allowed(k, "cvm", "X") {
		t.Errorf("key %+v", k)
	}
	if err := c.Do(ctx, http.MethodDelete, path, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(ctx, http.MethodDelete, path, nil, nil); err == nil {
		t.Error("a key is deleted twice")
	}
}

func TestInfoAndKeyPairs(t *testing.T) {
	sim, creds, c := start(t)
	ctx := context.Background()
	var info cloudsim.Info
	if err := c.Do(ctx, http.MethodGet, "/v1/info", nil, &info); err != nil {
		t.Fatal(err)
	}
	if info.Endpoints[model.TencentCloud]["cvm"] != sim.URL(model.TencentCloud, "cvm") ||
		info.Seeded[model.TencentCloud].AccessKey != creds.AccessKey {
		t.Errorf("info %+v", info)
	}
	var made struct {
		Name       string `json:"name"`
		PrivateKey string `json:"private_key"`
	}
	in := map[string]any{"cloud": "tencentcloud", "account_id": creds.AccountID, "name": "k", "bits": 1024}
	if err := c.Do(ctx, http.MethodPost, "/v1/key-pairs", in, &made); err != nil {
		t.Fatal(err)
	}
	in["pem"] = made.PrivateKey
	if err := c.Do(ctx, http.MethodPost, "/v1/key-pairs", in, nil); err != nil {
		t.Errorf("import of the made key: %v", err)
	}
	in["pem"] = "rubbish"
	if err := c.Do(ctx, http.MethodPost, "/v1/key-pairs", in, nil); err == nil {
		t.Error("rubbish is imported")
	}
}

func TestSnapshots(t *testing.T) {
	sim, creds, c := start(t)
	ctx := t.Context()
	s, err := c.AddServer(ctx, model.Server{Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := c.Snapshot(ctx, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.World().SetLogin(s.ID, "root", "by hand"); err != nil {
		t.Fatal(err)
	}
	if err := sim.World().SetLogin(s.ID, "added", "later"); err != nil {
		t.Fatal(err)
	}
	if err := c.RestoreSnapshot(ctx, s.ID, snapshot); err != nil {
		t.Fatal(err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", s.InitialPassword); err != nil {
		t.Errorf("the password of the snapshot's time: %v", err)
	}
	for user, password := range map[string]string{"root": "by hand", "added": "later"} {
		if err := sshd.Login(ctx, s.SSHAddr, user, password); !errors.Is(err, sshd.ErrRefused) {
			t.Errorf("%s has a password from after the snapshot: %v", user, err)
		}
	}
	// A restored snapshot can be restored again.
	if err := sim.World().SetLogin(s.ID, "root", "by hand"); err != nil {
		t.Fatal(err)
	}
	if err := c.RestoreSnapshot(ctx, s.ID, snapshot); err != nil {
		t.Fatal(err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", s.InitialPassword); err != nil {
		t.Errorf("after the second restore: %v", err)
	}
	if err := c.RestoreSnapshot(ctx, s.ID, "none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an unknown snapshot: %v", err)
	}
	if _, err := c.Snapshot(ctx, "none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a snapshot of no server: %v", err)
	}
	if err := sim.World().Stop(s.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.RestoreSnapshot(ctx, s.ID, snapshot); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("a restore while the server stops: %v", err)
	}
}

// TestLogins shuts users out in the ways that a check tells apart.
func TestLogins(t *testing.T) {
	sim, creds, c := start(t)
	ctx := t.Context()
	s, err := c.AddServer(ctx, model.Server{Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region})
	if err != nil {
		t.Fatal(err)
	}
	login := map[string]string{"user": "root", "password": "by hand"}
	path := "/v1/servers/" + s.ID + "/login"
	for name, conditions := range map[string]guestos.Conditions{
		"locked": {Locked: []string{"root"}}, "expired": {Expired: []string{"root"}}, "no passwords": {NoPasswordLogin: true}, "usable": {},
	} {
		if err := c.Do(ctx, http.MethodPut, path, login, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.SetGuest(ctx, s.ID, model.Guest{Conditions: conditions}); err != nil {
			t.Fatal(err)
		}
		if err := sshd.Login(ctx, s.SSHAddr, "root", "by hand"); errors.Is(err, sshd.ErrRefused) != (name != "usable") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whoever sets a password unlocks it.
	if err := c.SetGuest(ctx, s.ID, model.Guest{Conditions: guestos.Conditions{Locked: []string{"root", "else"}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(ctx, http.MethodPut, path, login, nil); err != nil {
		t.Fatal(err)
	}
	if err := sshd.Login(ctx, s.SSHAddr, "root", "by hand"); err != nil {
		t.Error(err)
	}
	if err := c.Do(ctx, http.MethodDelete, path+"/root", nil, nil); err != nil {
		t.Fatal(err)
	}
	if server, _ := sim.World().Server(s.ID); server.HasPassword("root", "by hand") || len(server.Guest.Locked) != 1 {
		t.Errorf("the user is still there: %+v", server.Guest)
	}
}
