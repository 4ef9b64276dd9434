package backend

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// commandHarness is a mount of the real engine, provider and SDK with a connection to a simulated cloud, named like
// that. services are those that it calls.
func commandHarness(t *testing.T, name model.Cloud, services ...string) (*harness, *model.World, cloudsim.Credentials) {
	t.Helper()
	sim := cloudsim.Start(t, cloudsim.Options{Options: model.Options{OperationTime: time.Millisecond}})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	account := seeded[name]
	endpoints := map[string]any{}
	for _, service := range services {
		endpoints[service] = sim.URL(name, service)
	}
	h := newRealHarness(t)
	h.write(t, "config/"+string(name), map[string]any{
		"provider": string(name), "region": account.Region, "access_key": account.AccessKey, "secret_key": account.SecretKey,
		"endpoints":               endpoints,
		"max_requests_per_second": 1000,
	})
	return h, sim.World(), account
}

// The password that a Windows server made at its first boot is handed out under a lease, whose end replaces it by a
// command. In between the agent is away.
func TestInitialPasswordUnderALeaseOnAWS(t *testing.T) {
	t.Parallel()
	h, w, aws := commandHarness(t, model.AWS, "ec2", "sts", "ssm")
	id := aws.Servers["windows-1"]
	h.write(t, "keys/"+aws.KeyName, map[string]any{"private_key": aws.PrivateKey})
	h.write(t, "roles/web", map[string]any{"connection": "aws", "instance_ids": id, "source": "initial", "mode": "leased"})

	first := h.lease(t, "creds/web")
	if first.Data["source"] != "initial" || first.Data["username"] != "Administrator" || len(w.Invocations(nil)) != 0 {
		t.Fatalf("version of source %v for %v after %d commands", first.Data["source"], first.Data["username"], len(w.Invocations(nil)))
	}
	if err := w.SetGuest(id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	h.revoke(t, first)
	account := "accounts/aws/" + id + "/Administrator"
	h.waitFor(t, account, func(a map[string]any) bool {
		text, _ := a["last_error"].(string)
		return strings.Contains(text, "is not online (ConnectionLost")
	})
	if n := len(w.Invocations(nil)); n != 0 {
		t.Errorf("%d commands were sent to an agent that is away", n)
	}
	if err := w.SetGuest(id, model.Guest{}); err != nil {
		t.Fatal(err)
	}
	h.waitFor(t, account, func(a map[string]any) bool { return a["current_version"] == 2 && a["state"] == "ready" })
	second := h.lease(t, "creds/web")
	if second.Data["source"] != "reset" || second.Data["password"] == first.Data["password"] {
		t.Errorf("after the lease: %v", second.Data["source"])
	}
	if server, _ := w.Server(id); !server.HasPassword("Administrator", second.Data["password"].(string)) {
		t.Error("the server does not have the new password")
	}
	if n := len(w.Invocations(nil)); n != 2 { // the server's key is asked for first
		t.Errorf("%d commands for one reset, want 2", n)
	}
}

// Linux servers need nothing of their own in a command, so one command is for all of them where the cloud takes it.
func TestSharedPasswordByOneCommandOnTencentCloud(t *testing.T) {
	t.Parallel()
	h, w, account := commandHarness(t, model.TencentCloud, "cvm", "sts", "tat")
	var ids []string
	for range 3 {
		server, err := w.AddServer(model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID, Region: account.Region,
			Platform: model.Linux,
			Logins:   map[string]string{"admin": "what the image has"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	h.write(t, "roles/shared", map[string]any{
		"connection": "tencentcloud", "instance_ids": ids, "reset_method": "command", "shared_password": true, "username": "admin",
	})
	answer := h.lease(t, "creds/shared")
	commands := map[string]bool{}
	for _, i := range w.Invocations(nil) {
		commands[i.CommandID] = true
	}
	if len(commands) != 1 {
		t.Errorf("%d commands for three servers, want one", len(commands))
	}
	for _, id := range ids {
		if server, _ := w.Server(id); !server.HasPassword("admin", answer.Data["password"].(string)) {
			t.Errorf("server %s has another password", id)
		}
	}
}

// Servers of two platforms share a password, though each Windows server needs a command of its own.
func TestSharedPasswordByCommandsOnAWS(t *testing.T) {
	t.Parallel()
	h, w, aws := commandHarness(t, model.AWS, "ec2", "sts", "ssm")
	var ids []string
	for _, platform := range []string{model.Linux, model.Windows} {
		server, err := w.AddServer(model.Server{Cloud: model.AWS, AccountID: aws.AccountID, Region: aws.Region, Platform: platform,
			Logins: map[string]string{"admin": "what the image has"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	h.write(t, "roles/shared", map[string]any{
		"connection": "aws", "instance_ids": ids, "source": "reset", "shared_password": true, "username": "admin",
	})
	answer := h.lease(t, "creds/shared")
	secret := answer.Data["password"].(string)
	for _, id := range ids {
		if server, _ := w.Server(id); !server.HasPassword("admin", secret) {
			t.Errorf("server %s has another password", id)
		}
	}
	history := w.Invocations(nil)
	if text, err := json.Marshal(history); err != nil || len(history) != 3 || strings.Contains(string(text), secret) {
		t.Errorf("%d commands for two servers, want 3 without the password; %v", len(history), err)
	}
}
