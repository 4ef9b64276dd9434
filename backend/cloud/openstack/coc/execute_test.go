package coc

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// A reset is one request, at once, with the values as parameters and none of them anywhere else.
func TestAResetIsOneExecution(t *testing.T) {
	f, center := newFake(t, newKeeper().answer)
	reset := testReset()
	reset.Prepared = "SC2026"
	started, err := center.Resetter().StartReset(t.Context(), reset)
	if err != nil || started != (cloud.ResetStarted{RequestID: testOrder}) || f.said() != ActionExecute {
		t.Fatalf("%+v, %v after %s", started, err, f.said())
	}
	call := f.calls[0]
	raw, err := json.Marshal(call.Body)
	if err != nil {
		t.Fatal(err)
	}
	var hash string
	for _, p := range call.Body.(execution).Param.Params {
		if p.Name == "cloudpw_hash" {
			hash = p.Value
		}
	}
	want := `{"execute_param":{"timeout":120,"success_rate":100,"execute_user":"root","script_params":[` +
		`{"param_name":"cloudpw_user","param_value":"cm9vdDo="},{"param_name":"cloudpw_hash","param_value":"` + hash + `"},` +
		`{"param_name":"cloudpw_order","param_value":"1764000000"},{"param_name":"cloudpw_notafter","param_value":"` +
		unix(reset.NotAfter) + `"}]},"execute_batches":[{"batch_index":1,"rotation_strategy":"CONTINUE",` +
		`"target_instances":[{"resource_id":"srv-1","region_id":"eu-west-101","provider":"ECS","type":"CLOUDSERVER"}]}]}`
	if string(raw) != want {
		t.Errorf("sent %s\nwant %s", raw, want)
	}
	if call.Path != "scripts/SC2026" || call.Method != "POST" || !call.AtOnce || call.Permission != "coc:instance:executeDocument" {
		t.Errorf("%+v", call)
	}
	if hash == "" || !slices.Contains(call.Secrets, hash) || !slices.Contains(call.Secrets, reset.Password) ||
		!slices.ContainsFunc(call.Secrets, func(s string) bool { return strings.HasPrefix(s, "$6$") }) {
		t.Errorf("%d secrets", len(call.Secrets))
	}
	if strings.Contains(string(raw), reset.Password) || strings.Contains(string(raw), "$") {
		t.Errorf("sent %s", raw)
	}
}

func unix(at time.Time) string {
	raw, err := json.Marshal(at.Unix())
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// What cannot be sent is refused before anything is.
func TestSendRefuses(t *testing.T) {
	script, err := guest.Linux(guest.Change{Username: "root", Secret: "x", Order: 1, NotAfter: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	f, center := newFake(t, newKeeper().answer)
	for name, c := range map[string]guest.Command{
		"unprepared":       {Script: script, Purpose: guest.SetPassword},
		"prepared oddly":   {Script: script, Purpose: guest.SetPassword, Prepared: "../scripts"},
		"no stored script": {Script: guest.WindowsPrepare(), Purpose: guest.ShowKey},
	} {
		c.InstanceIDs = []string{"srv-1"}
		id, err := center.Send(t.Context(), c)
		if wantKind(t, name, err, cloud.Refused, ActionExecute); id != "" || len(f.calls) != 0 {
			t.Errorf("%s: %q after %s", name, id, f.said())
		}
	}
	// An answer that names no order is no refusal: it runs, perhaps.
	for _, answer := range []string{"", "../x", "a b"} {
		f.answers = func(Request) (int, any, error) { return 200, answer, nil }
		id, err := center.Send(t.Context(), guest.Command{InstanceIDs: []string{"srv-1"}, Script: script, Purpose: guest.SetPassword,
			Prepared: "SC1"})
		if wantKind(t, answer, err, cloud.Unknown, "names no order"); id != "" {
			t.Errorf("%q", id)
		}
	}
}

// A look finds its script by itself, waits for the limiter, and has no secrets.
func TestALookIsAnExecution(t *testing.T) {
	f, center := newFake(t, nil)
	k := newKeeper()
	f.answers = func(r Request) (int, any, error) {
		if r.Action == ActionBatch {
			return 200, object{"execute_instances": []object{{"target_instance": object{"resource_id": "srv-1"}, "status": "FINISHED",
				"message": "cloudpw: user=none\ncloudpw: exit 0 checked\n"}}}, nil
		}
		return k.answer(r)
	}
	center.PollInterval = time.Millisecond
	check := cloud.PasswordCheck{InstanceID: "srv-1", Username: "web", Platform: cloud.Linux, Values: []string{"x"}}
	for _, want := range []string{"ListScripts CreateScript GetScript ExecuteScript GetScriptJobBatch", "ExecuteScript GetScriptJobBatch"} {
		f.calls = nil
		found, err := center.Checker().CheckPassword(t.Context(), check)
		if err != nil || found.State != cloud.UserMissing || f.said() != want {
			t.Errorf("%+v, %v after %s", found, err, f.said())
		}
	}
	for _, call := range f.calls {
		if call.AtOnce || len(call.Secrets) > 0 {
			t.Errorf("%+v", call)
		}
	}
	for name, s := range k.scripts {
		if !strings.HasPrefix(name, lookPrefix) || s["properties"].(map[string]any)["risk_level"] != "LOW" {
			t.Errorf("%s: %v", name, s["properties"])
		}
	}
	if err := center.Checker().CanCheck(cloud.Instance{Platform: cloud.Windows}, "Administrator"); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("Windows: %v", err)
	}
}

// The settle window rests on these figures (rule 10).
func TestTraits(t *testing.T) {
	_, center := newFake(t, nil)
	limits := center.Limits()
	// A signature is taken for 15 minutes, by a clock that may differ by 15.
	if limits.SignatureLifetime < 30*time.Minute || limits.LongestOperation < cloud.ClockTolerance || limits.PollInterval < time.Second {
		t.Errorf("%+v", limits.ResetTraits)
	}
	if !limits.KeepsOrder || limits.OwnIDs || limits.Serial || limits.BatchSize != 1 || limits.Action != "ExecuteScript" || !limits.LinuxOnly {
		t.Errorf("%+v", limits)
	}
	// More than 5 and less than 1,800 seconds, and over before the value is too late.
	if scriptTimeout <= 5*time.Second || scriptTimeout >= 1800*time.Second || scriptTimeout > cloud.OrderDeadline {
		t.Errorf("a script may run for %v", scriptTimeout)
	}
	err := center.Resetter().(cloud.ResetChecker).CheckReset(cloud.Instance{Platform: cloud.Windows}, "Administrator")
	wantKind(t, "Windows", err, cloud.Refused, "source=initial")
	if center.Resetter() != center.Resetter() || center.Checker() != center.Checker() {
		t.Error("equal names have unequal methods")
	}
}

// Permissions are tried by what only reads.
func TestPermissions(t *testing.T) {
	want := []string{permissionList, permissionGet, permissionCreate, permissionExecute, permissionOrders}
	verdicts := func(center *Center) string {
		var out []string
		for n, p := range center.Permissions(t.Context()) {
			if p.Action != want[n] || p.Purpose == "" || p.Required || (p.Verdict == cloud.PermissionGranted) != (p.Message == "") {
				t.Errorf("%+v", p)
			}
			out = append(out, string(p.Verdict))
		}
		return strings.Join(out, " ")
	}
	granted, denied, untried := string(cloud.PermissionGranted), string(cloud.PermissionDenied),
		string(cloud.Permission{}.Untried("x").Verdict)
	k := newKeeper()
	f, center := newFake(t, nil)
	f.answers = func(r Request) (int, any, error) {
		if r.Action == ActionOrders && k.refuses[r.Action] == nil {
			return 200, object{"total": 0, "data": []object{}}, nil
		}
		return k.answer(r)
	}
	if got := verdicts(center); got != strings.Join([]string{granted, untried, untried, untried, granted}, " ") ||
		f.said() != "ListScripts ListScriptJobs" {
		t.Errorf("%s after %s", got, f.said())
	}
	k.put(setName(), newScript{Name: setName()})
	if got := verdicts(center); got != strings.Join([]string{granted, granted, untried, untried, granted}, " ") {
		t.Errorf("with a script: %s", got)
	}
	k.refuses = map[string]error{ActionGet: cloud.Errorf(cloud.Denied, "no"), ActionOrders: cloud.Errorf(cloud.Unknown, "outage")}
	if got := verdicts(center); got != strings.Join([]string{granted, denied, untried, untried, untried}, " ") {
		t.Errorf("denied: %s", got)
	}
	k.refuses[ActionList] = cloud.Errorf(cloud.Denied, "no")
	if got := verdicts(center); got != strings.Join([]string{denied, untried, untried, untried, granted}, " ") {
		t.Errorf("denied: %s", got)
	}
	f.calls, center.Unavailable = nil, cloud.Errorf(cloud.Refused, "endpoints.coc: required")
	if got := verdicts(center); got != strings.Join([]string{untried, untried, untried, untried, untried}, " ") || len(f.calls) != 0 {
		t.Errorf("unavailable: %s after %s", got, f.said())
	}
}
