package azure

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// ownID is an own id as the rotation core makes them.
const ownID = "0123456789abcdef0123456789abcdef"

// linuxReset is a reset of the fake ARM's virtual machine.
func linuxReset() cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{fakeVM}, Username: "azureuser", Password: fakePassword, Platform: cloud.Linux, Name: ownID,
		Order: 1_700_000_000, NotAfter: time.Now().Add(time.Hour)}
}

// sentBody is the body of the only PUT.
func sentBody(t *testing.T, f *fakeARM) (call fakeCall, body resource) {
	t.Helper()
	for _, c := range f.calls() {
		if c.method == http.MethodPut {
			call = c
		}
	}
	if err := json.Unmarshal([]byte(call.body), &body); err != nil {
		t.Fatalf("%v: %s", err, f.said())
	}
	return call, body
}

// A reset is one request, whose text has neither the password nor its hash, under a name that the core has recorded.
func TestStartResetSendsOneRequest(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	waits := &contract.CountLimiter{}
	p.limiter = waits
	started, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), linuxReset())
	if err != nil || started != (cloud.ResetStarted{RequestID: "cloudpw-" + ownID}) {
		t.Fatalf("%+v, %v", started, err)
	}
	if f.said() != "PUT runCommands" || waits.Count("runCommandsUpdate") != 0 {
		t.Errorf("%s; waited for %d times", f.said(), waits.Count("runCommandsUpdate"))
	}
	call, body := sentBody(t, f)
	if call.name != "cloudpw-"+ownID || call.query != "api-version=2023-03-01" {
		t.Errorf("%+v", call)
	}
	for _, want := range []string{`"asyncExecution":false`, `"treatFailureAsDeploymentFailure":false`, `"timeoutInSeconds":120`,
		`"location":"westeurope"`} {
		if !strings.Contains(call.body, want) {
			t.Errorf("%s is not in %s", want, call.body)
		}
	}
	secret := body.Properties.ProtectedParameters
	if len(secret) != 1 || secret[0].Name != "CLOUDPW_SEALED" || !sealedForm.MatchString(secret[0].Value) {
		t.Fatalf("%+v", secret)
	}
	digest := secret[0].Value[strings.LastIndexByte(secret[0].Value, '$')+1:]
	text := body.Properties.Source.Script
	if !strings.HasPrefix(text, "#!/bin/sh\n") || strings.Contains(text, digest) || strings.Contains(call.body, fakePassword) ||
		strings.Count(call.body, digest) != 1 {
		t.Errorf("%s", call.body)
	}
}

// A script of Windows holds its ciphertext: the cloud would hand it a parameter as an argument.
func TestWindowsHasItsCiphertextInTheText(t *testing.T) {
	f := newFakeARM(t)
	script := guest.Script{Interpreter: guest.PowerShell, Text: "$sealed = 'Y2lwaGVy'\n", Sealed: "Y2lwaGVy"}
	name, err := command{connected(t, f)}.Send(t.Context(), guest.Command{InstanceIDs: []string{fakeVM}, Script: script,
		Purpose: guest.SetPassword, Name: ownID})
	if err != nil || name != "cloudpw-"+ownID {
		t.Fatal(name, err)
	}
	if call, body := sentBody(t, f); body.Properties.Source.Script != script.Text || strings.Contains(call.body, "protectedParameters") {
		t.Errorf("%s", call.body)
	}
}

// Commands that set no password wait for the limiter, are sent to a server that can run them only, and have names that none had.
func TestOtherCommandsHaveNamesOfTheirOwn(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	waits := &contract.CountLimiter{}
	p.limiter = waits
	used := map[string]bool{}
	for _, purpose := range []guest.Purpose{guest.ShowKey, guest.LookAtPassword, guest.TryPassword, guest.LookAtPassword} {
		name, err := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{fakeVM}, Script: guest.WindowsPrepare(), Purpose: purpose})
		if err != nil || used[name] || !strings.HasPrefix(name, "cloudpw-look-") || !leftoverForm.MatchString(name) || setsPassword(name) {
			t.Errorf("%q, %v", name, err)
		}
		used[name] = true
	}
	if n := waits.Count("runCommandsUpdate"); n != 4 || !strings.HasPrefix(f.said(), "GET vm, PUT runCommands, GET vm, ") {
		t.Errorf("waited for %d times; %s", n, f.said())
	}
	f.forget()
	f.machine["properties"].(object)["instanceView"] = object{"statuses": []object{{"code": "PowerState/running"}}}
	_, err := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{fakeVM}, Script: guest.WindowsPrepare(),
		Purpose: guest.ShowKey})
	if cloud.KindOf(err) != cloud.Refused || f.said() != "GET vm" {
		t.Errorf("%v after %s", err, f.said())
	}
}

// What the cloud says when a command is not taken. A gateway that cuts the connection proves nothing.
func TestRefusals(t *testing.T) {
	const full = "The maximum number of managed Run commands (max=25, current=25) has been exceeded. Use fewer Run commands and retry the " +
		"request."
	wrapped := func(code, message string) object { return object{"error": object{"code": code, "message": message}} }
	for name, c := range map[string]struct {
		answer fakeAnswer
		kind   cloud.Kind
		says   string
		after  time.Duration
	}{
		"25 commands":                {fakeAnswer{400, nil, wrapped("BadRequest", full)}, cloud.Refused, "az vm run-command delete", 0},
		"25 commands, as a conflict": {fakeAnswer{409, nil, wrapped("Conflict", full)}, cloud.Refused, "az vm run-command delete", 0},
		"25 commands, in a new code": {fakeAnswer{409, nil, wrapped("TooManyThings", full)}, cloud.Refused, "az vm run-command delete", 0},
		"25 commands, and a failure": {fakeAnswer{500, nil, wrapped("InternalServerError", full)}, cloud.Unknown, "internal failure", 0},
		"stopped": {fakeAnswer{409, nil,
			wrapped("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")}, cloud.Refused, "must be running", 0},
		"interrupted": {fakeAnswer{409, nil, wrapped("ConflictingConcurrentWriteNotAllowed", "Please retry later.")},
			cloud.Unknown, "not known yet", 0},
		"throttled": {fakeAnswer{429, map[string]string{"Retry-After": "17"}, wrapped("TooManyRequests", "slow")},
			cloud.Throttled, "too many requests", 17 * time.Second},
		"throttled, without a wrapper": {fakeAnswer{409, map[string]string{"Retry-After": "1200"}, object{"code": "OperationNotAllowed",
			"message": "The server rejected the request because too many requests have been received for this subscription.",
			"details": []object{{"code": "TooManyRequests", "target": "HighCostGet", "message": "{}"}}}}, cloud.Throttled, "too many requests",
			20 * time.Minute},
		"no virtual machine": {fakeAnswer{404, nil, wrapped("ParentResourceNotFound", "x")}, cloud.NotFound, "no such virtual machine", 0},
		"not allowed": {fakeAnswer{403, nil, wrapped("AuthorizationFailed", "x")}, cloud.Denied,
			"Microsoft.Compute/virtualMachines/runCommands/write", 0},
		"a new code": {fakeAnswer{418, nil, wrapped("Teapot", "x")}, cloud.Unknown, "not known yet", 0},
		"lost":       {fakeAnswer{}, cloud.Unknown, "no answer", 0},
	} {
		f := newFakeARM(t)
		p := connected(t, f)
		f.answer("PUT runCommands", c.answer)
		started, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), linuxReset())
		e := errorOfKind(t, err, c.kind)
		if started != (cloud.ResetStarted{}) || !strings.Contains(e.Error(), c.says) || e.RetryAfter != c.after || f.said() != "PUT runCommands" {
			t.Errorf("%s: %+v, %v, after %v; %s", name, started, e, e.RetryAfter, f.said())
		}
	}
}

// A command whose answer was lost is there under the name that was recorded before it was sent.
func TestALostAnswerIsFoundByItsName(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	f.answer("PUT runCommands", fakeAnswer{})
	reset := linuxReset()
	if _, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset); cloud.KindOf(err) != cloud.Unknown {
		t.Fatal(err)
	}
	ref := cloud.ResetRef{InstanceID: fakeVM, Name: ownID}
	for _, c := range []struct {
		view  object
		state cloud.OperationState
	}{
		{nil, cloud.OperationRunning},
		{object{"executionState": "Running"}, cloud.OperationRunning},
		{ended("Succeeded", 0, doneLine, time.Now()), cloud.OperationSuccess},
	} {
		f.put("cloudpw-"+ownID, c.view)
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		want := cloud.ResetRecord{OperationID: "cloudpw-" + ownID, Name: ownID, State: c.state}
		if got := records[fakeVM]; err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got := f.names(); len(got) != 1 {
		t.Errorf("the record of an attempt is %v", got)
	}
	// What the cloud does not show proves nothing, and another command is none of ours.
	for _, ref := range []cloud.ResetRef{{InstanceID: fakeVM, Name: ownID[1:]}, {InstanceID: fakeVM, RequestID: "../other"},
		{InstanceID: fakeVM, RequestID: "other"}} {
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		if err != nil || records[fakeVM] != (cloud.ResetRecord{}) {
			t.Errorf("%+v: %+v, %v", ref, records, err)
		}
	}
}

// ended is the view of a script that has ended.
func ended(state string, code int, output string, at time.Time) object {
	return object{"executionState": state, "exitCode": code, "output": output, "endTime": at.UTC().Format(time.RFC3339)}
}

// A look that sets no password is deleted when it is final and read, and not before. That it could not be deleted is no error.
func TestLooksAreDeletedWhenTheyAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		view   object
		answer fakeAnswer
		calls  string
		left   int
	}{
		"running":              {object{"executionState": "Running"}, fakeAnswer{}, "GET runCommands", 1},
		"timed out, not ended": {object{"executionState": "TimedOut"}, fakeAnswer{}, "GET runCommands", 1},
		"ended":                {ended("Succeeded", 0, "x", time.Now()), fakeAnswer{}, "GET runCommands, DELETE runCommands", 0},
		"ended badly":          {ended("Running", 0, "", time.Now()), fakeAnswer{}, "GET runCommands, DELETE runCommands", 0},
		"not deleted, throttled": {ended("Failed", 7, "", time.Now()), fakeAnswer{status: 429, body: object{"code": "TooManyRequests"}},
			"GET runCommands, DELETE runCommands", 1},
	} {
		f := newFakeARM(t)
		c1 := command{connected(t, f)}
		look := lookPrefix + ownID
		f.put(look, c.view)
		if c.answer.status != 0 {
			f.answer("DELETE runCommands", c.answer)
		}
		ref := cloud.ResetRef{InstanceID: fakeVM, RequestID: look}
		runs, err := c1.Look(t.Context(), []cloud.ResetRef{ref})
		if run, shown := runs[ref]; err != nil || !shown || run.ID != look || f.said() != c.calls {
			t.Errorf("%s: %+v, %v; %s", name, run, err, f.said())
		}
		if len(f.names()) != c.left {
			t.Errorf("%s: %v is left", name, f.names())
		}
	}
}

// Methods that there are not, and equality of those that there are.
func TestMethods(t *testing.T) {
	p := connected(t, newFakeARM(t))
	if p.Resetter(cloud.MethodAPI) != nil || p.Checker("ssh") != nil {
		t.Error("there is a method that is none")
	}
	if p.Resetter(cloud.MethodCommand) != p.Resetter(cloud.MethodCommand) || p.Checker(cloud.CheckCommand) != p.Checker(cloud.CheckCommand) {
		t.Error("equal names have unequal methods")
	}
	traits := p.Resetter(cloud.MethodCommand).ResetTraits()
	if !traits.KeepsOrder || !traits.OwnIDs || traits.Serial || traits.BatchSize != 1 || traits.Action != "runCommandsUpdate" {
		t.Errorf("%+v", traits)
	}
	// Nothing bounds when the cloud hands a command to a server, so that the script's own deadline has to.
	if traits.LongestOperation < cloud.ClockTolerance || traits.SignatureLifetime < 15*time.Minute || traits.VisibilityGrace < 30*time.Second {
		t.Errorf("%+v", traits)
	}
	if commandTimeout >= cloud.OrderDeadline {
		t.Errorf("a script may run for %v", commandTimeout)
	}
}
