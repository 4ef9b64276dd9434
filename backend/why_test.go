package backend

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// TestAChangeIsExplained: long after a password was changed, the mount says why and for whom.
func TestAChangeIsExplained(t *testing.T) {
	alice := rotation.Requester{EntityID: "4f1a-alice", DisplayName: "userpass-alice"}
	bob := rotation.Requester{EntityID: "4f1a-bob", DisplayName: "userpass-bob\x1b[2J\n"}
	inBubble(t, map[string]any{"rotation_period": "240h"}, func(t *testing.T, h *harness) {
		start := time.Now()
		h.by = alice
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		h.by = bob
		h.write(t, webImport, map[string]any{"password": "By-Hand-2000-abc", "skip_import_rotation": true})
		h.write(t, webVersions+"/1/restore", map[string]any{"skip_import_rotation": true})
		h.by = rotation.Requester{}
		h.pass(t, 250*time.Hour)

		_, info := h.infos(t, webVersions)
		for number, want := range map[string]map[string]any{
			"1": {"reason": "first", "attempts": 1, "force_stop": true},
			"2": {"reason": "manual", "due_since": request.Timestamp(start), "requested_by": alice.DisplayName,
				"requested_by_entity_id": alice.EntityID, "attempts": 1,
				"force_stop": true},
			"3": {"reason": "import", "requested_by": "userpass-bob\ufffd[2J\ufffd", "requested_by_entity_id": bob.EntityID},
			"4": {"reason": "restore", "requested_by": "userpass-bob\ufffd[2J\ufffd", "requested_by_entity_id": bob.EntityID},
			"5": {"reason": "schedule", "attempts": 1, "force_stop": true},
		} {
			got, _ := info[number].(map[string]any)
			for _, field := range []string{"reason", "requested_by", "requested_by_entity_id", "attempts", "force_stop"} {
				if got[field] != want[field] {
					t.Errorf("version %s: %s is %v, not %v", number, field, got[field], want[field])
				}
			}
			if since := want["due_since"]; since != nil && got["due_since"] != since {
				t.Errorf("version %s was due since %v, not %v", number, got["due_since"], since)
			}
			recorded := got["reason"] == "import" || got["reason"] == "restore"
			if (got["begun_time"] == nil) != recorded || (got["request_id"] == nil) != recorded || got["due_since"] == nil {
				t.Errorf("version %s is %v", number, got)
			}
			shown, _ := h.account(t, "srv-1")["versions"].([]map[string]any)
			read := h.read(t, webVersions+"/"+number)
			for field, value := range got {
				if field != "place" && field != "roles" && field != "readers" && read[field] != value {
					t.Errorf("a read of version %s says %s=%v, and the list %v", number, field, read[field], value)
				}
			}
			if len(shown) != 5 || fmt.Sprint(shown[number[0]-'1']["reason"]) != fmt.Sprint(want["reason"]) {
				t.Errorf("accounts/ shows %v", shown)
			}
		}
	})
}

// TestARotationThatIsDueSaysWhoAsked: also while the cloud keeps it from being made.
func TestARotationThatIsDueSaysWhoAsked(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Throttled, "later"))
		h.by = rotation.Requester{DisplayName: "userpass-alice"}
		h.write(t, "rotate-role/web", nil)
		h.by = rotation.Requester{}
		h.pass(t, time.Hour)
		if got := h.account(t, "srv-1"); got["due_requested_by"] != "userpass-alice" || got["due_reason"] != "manual" {
			t.Errorf("the account is due %v, asked for by %v", got["due_reason"], got["due_requested_by"])
		}
	})
}

// TestARotationLeavesOneLineInTheLog, which says what an operator searches for, and no password.
func TestARotationLeavesOneLineInTheLog(t *testing.T) {
	inBubble(t, map[string]any{"force_stop": true}, func(t *testing.T, h *harness) {
		log := new(bytes.Buffer)
		h.Logger().(hclog.InterceptLogger).RegisterSink(hclog.NewSinkAdapter(&hclog.LoggerOptions{Output: log, Level: hclog.Info}))
		h.by = rotation.Requester{DisplayName: "userpass-alice"}
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		var lines []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "account rotated") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 {
			t.Fatalf("the log has %d lines about the rotation:\n%s", len(lines), log)
		}
		for _, part := range []string{"account=prod/srv-1/root", "version=2", "reason=manual", "requested_by=userpass-alice", "attempts=1",
			"request_id=", "force_stop=true", "due_since="} {
			if !strings.Contains(lines[0], part) {
				t.Errorf("%q is not in the line: %s", part, lines[0])
			}
		}
		if strings.Contains(log.String(), h.cloud.password("srv-1")) {
			t.Error("the log has the password")
		}
	})
}
