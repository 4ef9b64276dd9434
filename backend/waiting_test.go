package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// overwrites lets the cloud show a foreign operation at every look.
func (f *fakeCloud) overwrites() {
	f.mu.Lock()
	defer f.mu.Unlock()
	looks := 0
	f.during = map[string]func(context.Context) error{"ResetRecords": func(context.Context) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		looks++
		for id := range f.instances {
			f.records[id] = cloud.ResetRecord{OperationID: fmt.Sprintf("foreign\n-%d", looks), State: cloud.OperationSuccess}
		}
		return nil
	}}
}

func (f *fakeCloud) truthful() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.during = nil
}

// A cloud that never shows the outcome costs a few resets; people are told what it shows, and get the account going.
func TestBrakedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, nil)
		h.cloud.overwrites()
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable)
		h.pass(t, 30*time.Minute)
		if h.resets() != 3 {
			t.Errorf("%d resets in half an hour", h.resets())
		}
		account := h.read(t, "accounts/prod/srv-1/root")
		if account["state"] != "braked" || account["waiting_for"] != "brake" || account["unshown_attempts"] != 3 || account["next_try"] == nil {
			t.Errorf("accounts/ shows %v", account)
		}
		if shown := fmt.Sprint(account["shown_instead"]); !strings.Contains(shown, "operation foreign -") || strings.Contains(shown, "\n") {
			t.Errorf("shown instead: %q", shown)
		}
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "is braked", "foreign", "rotate-role/web/srv-1")
		status := h.read(t, "status", "detailed", true)
		details := status["details"].(map[string]any)
		failing := details["failing"].([]map[string]any)
		if len(failing) != 1 || failing[0]["waiting_for"] != "brake" || failing[0]["next_try"] != account["next_try"] ||
			failing[0]["state"] != "braked" {
			t.Errorf("failing %v", failing)
		}
		if fmt.Sprint(status["accounts"]) != "map[braked:1]" || status["oldest_due_account"] != "prod/srv-1/root" ||
			status["oldest_due_waiting_for"] != "brake" {
			t.Errorf("status %v", status)
		}
		if prod := details["connections"].(map[string]any)["prod"].(map[string]any); prod["braked_accounts"] != 1 || prod["braked"] != false {
			t.Errorf("connection %v", prod)
		}
		if secret := h.cloud.password("srv-1"); strings.Contains(fmt.Sprint(account, status), secret) {
			t.Error("a password is shown")
		}

		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		if h.resets() != 4 {
			t.Errorf("%d resets after an operator's word", h.resets())
		}
		h.cloud.truthful()
		h.pass(t, 3*time.Hour)
		if account := h.read(t, "accounts/prod/srv-1/root"); account["state"] != "ready" || account["unshown_attempts"] != 0 ||
			account["waiting_for"] != nil || account["shown_instead"] != nil {
			t.Errorf("after the pause accounts/ shows %v", account)
		}
		if got := h.lease(t, "creds/web").Data["password"]; got != h.cloud.password("srv-1") {
			t.Error("the password is not the server's")
		}
	})
}

// Several braked accounts keep a connection from beginning new rotations, which status says.
func TestBrakedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, map[string]any{"instance_ids": "srv-1"})
		for n := 2; n <= 4; n++ {
			id := fmt.Sprintf("srv-%d", n)
			h.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux})
		}
		h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2,srv-3,srv-4"})
		h.cloud.overwrites()
		for _, id := range []string{"srv-1", "srv-2", "srv-3"} {
			h.refused(t, logical.ReadOperation, "creds/web/"+id, nil, http.StatusServiceUnavailable)
		}
		h.pass(t, 10*time.Minute)
		before := h.resets()
		h.refused(t, logical.ReadOperation, "creds/web/srv-4", nil, http.StatusServiceUnavailable)
		h.pass(t, 10*time.Minute)
		if h.resets() != before {
			t.Error("a new rotation was begun")
		}
		prod := h.statusDetails(t)["connections"].(map[string]any)["prod"].(map[string]any)
		if prod["braked_accounts"] != 3 || prod["braked"] != true {
			t.Errorf("connection %v", prod)
		}
		h.refused(t, logical.ReadOperation, "creds/web/srv-4", nil, http.StatusServiceUnavailable, "several accounts of connection prod")
		h.cloud.truthful()
		h.write(t, "rotate-role/web/srv-2", nil)
		h.pass(t, time.Minute)
		if account := h.read(t, "accounts/prod/srv-4/root"); account["state"] != "ready" {
			t.Errorf("accounts/ shows %v", account)
		}
	})
}

// Who may not read creds/ sees what a due account waits for and until when, and no alarm is raised for what its role asks for.
func TestWhatADueAccountWaitsFor(t *testing.T) {
	for name, c := range map[string]struct {
		role       map[string]any
		next       time.Duration // from the first reset, or from midnight
		waitingFor string
	}{
		"interval": {map[string]any{"min_reset_interval": "2h"}, 2 * time.Hour, "min_reset_interval"},
		"window":   {map[string]any{"rotation_schedule": "0 0,3 * * *", "rotation_window": "10m"}, 3 * time.Hour, "rotation_window"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := leasedRole(t, c.role)
				begun := time.Now()
				lease := h.lease(t, "creds/web")
				h.pass(t, 15*time.Minute)
				h.revoke(t, lease)
				h.pass(t, 45*time.Minute)
				account, status := h.read(t, "accounts/prod/srv-1/root"), h.read(t, "status")
				next, err := time.Parse(time.RFC3339, fmt.Sprint(account["next_try"]))
				if err != nil || next.Sub(begun.Add(c.next)).Abs() > time.Minute || account["waiting_for"] != c.waitingFor {
					t.Errorf("it waits for %v until %v, %v", account["waiting_for"], account["next_try"], err)
				}
				if status["oldest_due_account"] != "prod/srv-1/root" || status["oldest_due_waiting_for"] != c.waitingFor ||
					status["oldest_due_next_try"] != account["next_try"] ||
					status["oldest_due_seconds"].(int64) < 2600 || status["late_seconds"] != int64(0) {
					t.Errorf("status %v", status)
				}
				h.cloud.fail("ResetRecords", cloud.Errorf(cloud.Unavailable, "the cloud is down"))
				h.pass(t, 2*time.Hour+5*time.Minute)
				status = h.read(t, "status")
				late := status["late_seconds"].(int64)
				if fmt.Sprint(status["failing_count"]) != "1" || late < 200 || late > 2*3600 {
					t.Errorf("an outage after that: status %v", status)
				}
			})
		})
	}
}

// During an outage an answer tells the time of the next try, so that consumers do not read it every second.
func TestAnswersDuringAnOutageTellTheNextTry(t *testing.T) {
	for _, method := range []string{"ResetRecords", "StartReset"} {
		t.Run(method, func(t *testing.T) {
			inBubble(t, map[string]any{"rotation_period": "1h"}, func(t *testing.T, h *harness) {
				h.cloud.fail(method, cloud.Errorf(cloud.Unavailable, "the cloud is down"))
				h.pass(t, time.Hour)
				reads, quick := 0, 0
				for end := time.Now().Add(30 * time.Minute); time.Now().Before(end); reads++ {
					wait := 10 * time.Second // as consumers do after an error
					resp, err := h.request(t, logical.ReadOperation, "creds/web", nil)
					if err == nil && !resp.IsError() {
						seconds := resp.Data["ttl"].(int64)
						wait = time.Second * time.Duration(seconds)
						if seconds < 2 {
							quick++
						}
					}
					h.pass(t, wait)
				}
				if method == "ResetRecords" && (reads > 60 || quick > 0) {
					t.Errorf("%d reads in half an hour, %d of them told to come back at once", reads, quick)
				}
			})
		})
	}
}
