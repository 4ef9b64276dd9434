package backend

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// The real engine, provider and SDK hand out the password that a Windows server made at its first boot under a lease, and
// the lease's end replaces it by a command. In between the agent is away.
func TestInitialPasswordUnderALeaseOnAWS(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{Options: model.Options{OperationTime: time.Millisecond}})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	aws, w := seeded[model.AWS], sim.World()
	id := aws.Servers["windows-1"]
	endpoints := map[string]any{}
	for _, service := range []string{"ec2", "sts", "ssm"} {
		endpoints[service] = sim.URL(model.AWS, service)
	}
	h := newRealHarness(t)
	h.write(t, "config/aws", map[string]any{
		"provider": "aws", "region": aws.Region, "access_key": aws.AccessKey, "secret_key": aws.SecretKey, "endpoints": endpoints,
		"max_requests_per_second": 1000,
	})
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
