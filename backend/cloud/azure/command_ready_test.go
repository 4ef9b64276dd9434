package azure

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// unnamed asks for the record of the virtual machine before an attempt.
func unnamed(t *testing.T, p *provider) (cloud.ResetRecord, bool, error) {
	t.Helper()
	records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: fakeVM}})
	record, there := records[fakeVM]
	return record, there, err
}

// A virtual machine that cannot be sent a command is told before an attempt is recorded.
func TestServersThatAreNotReady(t *testing.T) {
	ready := object{"statuses": []object{{"displayStatus": "Ready", "message": "Guest Agent is running"}}}
	states := func(power string, agent any) object {
		view := object{"statuses": []object{{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/" + power}}}
		if agent != nil {
			view["vmAgent"] = agent
		}
		return view
	}
	for name, c := range map[string]struct {
		change func(properties object)
		says   string
	}{
		"ready":           {func(object) {}, ""},
		"nothing is told": {func(p object) { p["instanceView"] = object{} }, ""},
		"starting":        {func(p object) { p["instanceView"] = states("starting", ready) }, "is starting, and run commands need a running one"},
		"stopped":         {func(p object) { p["instanceView"] = states("stopped", ready) }, "is stopped"},
		"deallocated":     {func(p object) { p["instanceView"] = states("deallocated", nil) }, "is deallocated"},
		"no agent":        {func(p object) { p["instanceView"] = states("running", nil) }, "has not reported to the cloud"},
		"a silent agent": {func(p object) {
			p["instanceView"] = states("running",
				object{"statuses": []object{{"displayStatus": "Not Ready", "message": "VM status blob is found but not yet populated."}}})
		}, "is not ready: Not Ready (VM status blob"},
		"no extensions": {func(p object) { p["osProfile"] = object{"allowExtensionOperations": false} }, "without extensions"},
	} {
		f := newFakeARM(t)
		p := connected(t, f)
		c.change(f.machine["properties"].(object))
		record, there, err := unnamed(t, p)
		switch {
		case c.says == "" && (err != nil || !there || record != (cloud.ResetRecord{}) || f.said() != "GET vm, GET runCommands"):
			t.Errorf("%s: %+v, %t, %v; %s", name, record, there, err, f.said())
		case c.says != "" && !strings.Contains(errorOfKind(t, err, cloud.Refused).Message, c.says):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Another virtual machine under the old name is another instance, and none is sent anything.
func TestAnotherVirtualMachineInThePlace(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	f.machine["properties"].(object)["vmId"] = fakeSubscription
	if record, there, err := unnamed(t, p); there || err != nil {
		t.Errorf("%+v, %v", record, err)
	}
	if strings.Contains(f.said(), "runCommands") {
		t.Error(f.said())
	}
}

// TestLeftovers says what is a leftover: nothing that runs, nothing that is young, nothing of others.
func TestLeftovers(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	ago := func(name string, d time.Duration) runCommand {
		r := runCommand{Name: name}
		r.Properties.InstanceView = &runView{ExecutionState: "Succeeded", EndTime: now.Add(-d).Format(time.RFC3339)}
		return r
	}
	running, unended, garbled := ago(namePrefix+id(1), 48*time.Hour), ago(namePrefix+id(2), 0), ago(namePrefix+id(3), 0)
	running.Properties.InstanceView = &runView{ExecutionState: "Running"}
	unended.Properties.InstanceView.EndTime = ""
	garbled.Properties.InstanceView.EndTime = "yesterday"
	viewless := ago(namePrefix+id(4), 48*time.Hour)
	viewless.Properties.InstanceView = nil
	got := leftovers([]runCommand{
		running, unended, garbled, viewless,
		ago(namePrefix+id(5), 59*time.Minute), ago(lookPrefix+id(6), 9*time.Minute), ago(namePrefix+id(7), -time.Hour),
		ago("theirs", 48*time.Hour), ago("cloudpw-backup", 48*time.Hour), ago("x"+namePrefix+id(8), 48*time.Hour),
		ago(namePrefix+strings.ToUpper("abcdef"+id(9)[6:]), 48*time.Hour), ago(namePrefix+id(10)+"0", 48*time.Hour),
		ago(lookPrefix+id(11), 11*time.Minute), ago(namePrefix+id(12), 61*time.Minute), ago(lookPrefix+id(13), 3*time.Hour),
	}, now)
	if want := []string{lookPrefix + id(13), namePrefix + id(12), lookPrefix + id(11)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A full virtual machine is refused before an attempt, and what can go goes, a few at a time.
func TestRoomForACommand(t *testing.T) {
	old, young := time.Now().Add(-2*time.Hour), time.Now()
	for name, c := range map[string]struct {
		ours, theirs, fresh int
		removed             int
		says                string
	}{
		"empty":                  {0, 0, 0, 0, ""},
		"room, no leftovers":     {0, 20, 4, 0, ""},
		"room, and leftovers":    {2, 10, 0, 2, ""},
		"room, many leftovers":   {9, 10, 0, 3, ""},
		"full of leftovers":      {25, 0, 0, 3, "3 old ones of cloudpw's are being deleted, and the next attempt finds room"},
		"full, with one":         {1, 24, 0, 1, "1 old ones"},
		"full of others":         {0, 25, 0, 0, "of which cloudpw can delete none; a virtual machine keeps 25 run commands at most"},
		"full of our young":      {0, 0, 25, 0, "of which cloudpw can delete none"},
		"full, and others young": {0, 24, 1, 0, "az vm run-command delete"},
	} {
		f := newFakeARM(t)
		p := connected(t, f)
		for n := range c.ours {
			f.put(fmt.Sprintf("%s%032x", namePrefix, n), ended("Succeeded", 0, "", old))
		}
		for n := range c.theirs {
			f.put(fmt.Sprintf("theirs-%d", n), ended("Succeeded", 0, "", old))
		}
		for n := range c.fresh {
			f.put(fmt.Sprintf("%sff%030x", namePrefix, n), ended("Succeeded", 0, "", young))
		}
		before := len(f.names())
		record, there, err := unnamed(t, p)
		if c.says == "" && (err != nil || !there || record != (cloud.ResetRecord{})) {
			t.Errorf("%s: %+v, %t, %v", name, record, there, err)
		}
		if c.says != "" && !strings.Contains(errorOfKind(t, err, cloud.Refused).Message, c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if got := before - len(f.names()); got != c.removed {
			t.Errorf("%s: %d were removed, want %d", name, got, c.removed)
		}
		for _, call := range f.calls() {
			if call.method == "DELETE" && !strings.HasPrefix(call.name, namePrefix+"00") {
				t.Errorf("%s: %s was deleted", name, call.name)
			}
		}
	}
}

// A removal that fails ends the sweep, and is no reason not to send the command.
func TestASweepThatFailsIsNoError(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	for n := range 5 {
		f.put(fmt.Sprintf("%s%032x", lookPrefix, n), ended("Failed", 1, "", time.Now().Add(-time.Hour)))
	}
	f.answer("DELETE runCommands", fakeAnswer{status: 429, body: object{"code": "TooManyRequests"}})
	if _, there, err := unnamed(t, p); err != nil || !there || strings.Count(f.said(), "DELETE") != 1 {
		t.Errorf("%t, %v; %s", there, err, f.said())
	}
}

// Where the permission to delete is missing, a full virtual machine says so.
func TestAFullServerWhoseCommandsMayNotBeDeleted(t *testing.T) {
	f := newFakeARM(t)
	p := connected(t, f)
	for n := range mostCommands {
		f.put(fmt.Sprintf("%s%032x", namePrefix, n), ended("Failed", 1, "", time.Now().Add(-2*time.Hour)))
	}
	f.answer("DELETE runCommands", fakeAnswer{status: 403, body: object{"error": object{"code": "AuthorizationFailed", "message": "no"}}})
	_, _, err := unnamed(t, p)
	if e := errorOfKind(t, err, cloud.Refused); !strings.Contains(e.Message, permitRunCommandsDelete) || len(f.names()) != mostCommands {
		t.Errorf("%v; %d are left", e, len(f.names()))
	}
}
