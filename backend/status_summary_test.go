package backend

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestSummaryIsShort: with 500 accounts of which 50 fail, the status fits a terminal, and names what is the matter.
func TestSummaryIsShort(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		ids := map[string][]string{}
		for i := range 500 {
			id, role := fmt.Sprintf("srv-%04d", i), fmt.Sprintf("role-%02d", i%25)
			h.cloud.launch(cloud.Instance{ID: id, Name: "name-of-" + id, Platform: cloud.Linux, PrivateIP: fmt.Sprintf("10.1.%d.%d", i/200, i%200)})
			ids[role] = append(ids[role], id)
		}
		h.connection(t, "many", resetCloud)
		for role, of := range ids {
			h.write(t, "roles/"+role, map[string]any{"connection": "many", "instance_ids": of, "mode": "static", "force_stop": true,
				"skip_import_rotation": false, "min_reset_interval": 0})
		}
		h.pass(t, time.Hour)
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "the server is moving house"))
		h.write(t, "rotate-role/role-03", nil)
		h.write(t, "rotate-role/role-07", nil)
		h.pass(t, 10*time.Minute)
		got := h.read(t, "status")
		summary := got["summary"].(string)
		for _, line := range []string{
			`(?m)^connections:$`,
			`(?m)^  many: .*500 accounts, 40 due, oldest due 1\dm \(srv-\d{4}/root\), 40 failing`,
			`(?m)^  prod: ok, 1 account$`,
			`(?m)^failing: 40$`,
			`(?m)^  40 x .*moving house.* \(for example many/srv-0003/root\)$`,
			`(?m)^roles:\n  role-0[37] \(connection many\), 20 accounts, 20 due, oldest due 1\dm \(srv-\d{4}/root\), 20 failing$`,
			`(?m)^  role-00 \(connection many\), 20 accounts$`,
			`(?m)^  and 6 more$`,
		} {
			if !regexp.MustCompile(line).MatchString(summary) {
				t.Errorf("no line %s in:\n%s", line, summary)
			}
		}
		if n := strings.Count(summary, "\n"); n > 40 {
			t.Errorf("%d lines:\n%s", n, summary)
		}
		if got["details"] != nil || len(fmt.Sprint(got)) > 6000 {
			t.Errorf("the status has %d characters: %v", len(fmt.Sprint(got)), got)
		}
		details := h.statusDetails(t)
		causes := details["causes"].([]map[string]any)
		role := details["roles"].(map[string]any)["role-03"].(map[string]any)
		if len(causes) != 1 || causes[0]["accounts"] != 40 || causes[0]["example_account"] != "many/srv-0003/root" || role["failing"] != 20 ||
			role["due"] != 20 || role["accounts"] != 20 || len(details["failing"].([]map[string]any)) != 40 {
			t.Errorf("causes %v, role %v", causes, role)
		}
		for id := range 500 {
			if password := h.cloud.password(fmt.Sprintf("srv-%04d", id)); strings.Contains(fmt.Sprint(got, details), password) {
				t.Fatal("the status has a password")
			}
		}
	})
}

func TestSummaryNamesRolesAndConflicts(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/older", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-2"}))
	h.write(t, "roles/tags", map[string]any{"connection": resetCloud, "instance_tags": "env=prod", "force_stop": true})
	got := h.read(t, "status")["summary"].(string)
	if !strings.Contains(got, "instances that roles match, but do not have:\n  tags: "+resetCloud+"/srv-2/Administrator: ") {
		t.Errorf("the summary is\n%s", got)
	}
}

func TestSummaryOfABrokenConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Unavailable, "the cloud is down"))
		h.cloud.fail("ResetRecords", cloud.Errorf(cloud.Unavailable, "the cloud is down"))
		h.write(t, "rotate-role/web", nil)
		h.pass(t, 10*time.Minute)
		got := h.read(t, "status")["summary"].(string)
		if !regexp.MustCompile(
			`(?m)^  prod: (trouble|its cloud does not answer \(asked again in \d+s\)), 1 account, 1 due, oldest due 10m .*last error: .*is down`).
			MatchString(got) {
			t.Errorf("the summary is\n%s", got)
		}
	})
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", -time.Hour: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m",
		26*time.Hour + 5*time.Minute: "26h5m", 30*24*time.Hour + 90*time.Minute: "30d1h", time.Hour: "1h"} {
		if got := age(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestLinesOfTheSummaryAreShort(t *testing.T) {
	if got := shortened("ä\nb  c", 3); got != "ä b..." {
		t.Errorf("%q", got)
	}
	var s summary
	s.section("none:", nil, 3, 0)
	s.section("some:", []string{"a", "b", "c"}, 2, 10)
	s.section("others:", []string{"d"}, 2, 1)
	if got := s.String(); got != "some:\n  a\n  b\n  and 8 more\nothers:\n  d" {
		t.Errorf("%q", got)
	}
}
