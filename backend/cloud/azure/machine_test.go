package azure

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// read is a machine as its JSON has it.
func decoded(t *testing.T, body any) *machine {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{}
	if err := json.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShown(t *testing.T) {
	m := decoded(t, seenAt(model(strings.ToUpper(testVMID), "DEMO", "linux-1", object{"app": "demo"}), "running", "Ready"))
	got := m.shown("10.0.0.4")
	want := cloud.Instance{ID: testVMID, Name: "linux-1", Platform: cloud.Linux, OSName: "ubuntu", State: cloud.StateRunning,
		CloudState: "running",
		LoginUser:  "azureuser", PrivateIP: "10.0.0.4", LaunchTime: time.Date(2026, 5, 10, 9, 11, 27, 543674200, time.UTC), SystemDisk: "disk-1"}
	if got.Tags["app"] != "demo" || len(got.Tags) != 1 {
		t.Error(got.Tags)
	}
	got.Tags = nil
	if got.LaunchTime != want.LaunchTime || got.SystemDisk != want.SystemDisk ||
		got.Name != want.Name || got.ID != want.ID || got.OSName != want.OSName ||
		got.State != want.State ||
		got.CloudState != want.CloudState || got.LoginUser != want.LoginUser || got.PrivateIP != want.PrivateIP || got.Platform != want.Platform {
		t.Errorf("%+v", got)
	}
	v, ok := m.vm(testSubscription)
	if !ok || v.id != testVMID || v.path != inGroup("DEMO", "linux-1") || v.location != "westeurope" {
		t.Errorf("%+v %t", v, ok)
	}
	if ready, word := m.Properties.InstanceView.agent(); !ready || word != "Ready" || !m.extensions() {
		t.Error(ready, word)
	}
}

// A machine that was made from a disk of somebody's own, and one that the cloud says next to nothing about.
func TestShownOfLittle(t *testing.T) {
	m := decoded(t, object{"id": inGroup("demo", "x"), "properties": object{"vmId": testVMID}})
	got := m.shown("")
	if got.ID != testVMID || got.LoginUser != "" || got.Platform != "" || got.State != cloud.StateChanging || got.CloudState != "unknown" ||
		!got.LaunchTime.IsZero() || got.PrivateIP != "" {
		t.Errorf("%+v", got)
	}
	if ready, word := m.Properties.InstanceView.agent(); ready || word != "" || !m.extensions() {
		t.Error(ready, word)
	}
	for _, bad := range []object{{}, {"vmId": "x"}, {"vmId": testVMID + "\n"}} {
		m := decoded(t, object{"id": inGroup("demo", "x"), "properties": bad})
		if _, ok := m.vm(testSubscription); ok || m.id() != "" {
			t.Errorf("%v", bad)
		}
	}
}

func TestStates(t *testing.T) {
	for power, want := range map[string]cloud.State{
		"running": cloud.StateRunning, "stopped": cloud.StateStopped, "deallocated": cloud.StateStopped, "starting": cloud.StateChanging,
		"stopping": cloud.StateChanging, "deallocating": cloud.StateChanging, "unheard of": cloud.StateChanging,
	} {
		m := decoded(t, seenAt(model(testVMID, "demo", "x", nil), power, "Ready"))
		if got := m.shown(""); got.State != want || got.CloudState != power {
			t.Errorf("%s: %s %q", power, got.State, got.CloudState)
		}
	}
	deleted := seenAt(model(testVMID, "demo", "x", nil), "running", "Ready")
	deleted["properties"].(object)["provisioningState"] = "Deleting"
	if got := decoded(t, deleted).shown(""); got.State != cloud.StateChanging || got.CloudState != "deleting" {
		t.Errorf("%+v", got)
	}
}

func TestAgents(t *testing.T) {
	for display, ready := range map[string]bool{"Ready": true, "ready": true, "Not Ready": false, "": false} {
		m := decoded(t, seenAt(model(testVMID, "demo", "x", nil), "running", display))
		got, word := m.Properties.InstanceView.agent()
		if got != ready || !ready && word != display+" (Guest Agent is running)" {
			t.Errorf("%s: %t %q", display, got, word)
		}
	}
	locked := model(testVMID, "demo", "x", nil)
	locked["properties"].(object)["osProfile"].(object)["allowExtensionOperations"] = false
	if decoded(t, locked).extensions() {
		t.Error("a machine without extensions takes them")
	}
}

// What the cloud names is the path of a later request.
func TestPathsOfMachines(t *testing.T) {
	for id, want := range map[string]string{
		inGroup("demo", "linux-1"): inGroup("demo", "linux-1"),
		"/SUBSCRIPTIONS/" + strings.ToUpper(testSubscription) +
			"/resourcegroups/DEMO/providers/microsoft.compute/VIRTUALMACHINES/Linux-1": inGroup("DEMO", "Linux-1"),
		inGroup("Gruppe (ä)_", "x"): inGroup("Gruppe (ä)_", "x"),
		inGroup("..", "x"):          "",
		inGroup("demo", ".."):       "",
		inGroup("demo", "a/b"):      "",
		inGroup("demo", "a?b"):      "",
		inGroup("demo", "a#b"):      "",
		inGroup("demo", ""):         "",
		inGroup("demo", "a\nb"):     "",
		strings.Replace(inGroup("demo", "x"), testSubscription, testVMID, 1):                                                                  "",
		"/subscriptions/" + testSubscription + "/resourceGroups/demo/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0": "",
		"https://evil.example" + inGroup("demo", "x"):                                                                                         "",
		"": "",
	} {
		got, ok := vmPath(testSubscription, id)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %t", id, got, ok)
		}
	}
	if got := groupOf(inGroup("demo", "x")); got != "/subscriptions/"+testSubscription+"/resourceGroups/demo" {
		t.Error(got)
	}
}
