package openstack

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

func TestInstanceMapping(t *testing.T) {
	var s server
	err := json.Unmarshal([]byte(`{
		"id": "05184ba3-00ba-4fbc-b7a2-03b62b884931", "name": "web-1", "status": "ACTIVE",
		"OS-EXT-STS:task_state": null, "OS-EXT-STS:vm_state": "active", "key_name": "kp-1",
		"addresses": {
			"b-net": [{"addr": "fd00::1", "version": 6, "OS-EXT-IPS:type": "fixed"}],
			"a-net": [
				{"addr": "80.158.1.2", "version": 4, "OS-EXT-IPS:type": "floating", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:e9:91:50"},
				{"addr": "192.168.0.3", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
		"metadata": {"os_type": "Windows", "image_name": "Windows Server 2022", "env": "metadata"},
		"tags": ["env=prod", "note=a=b", "flag"],
		"created": "2026-01-02T03:04:05Z", "OS-SRV-USG:launched_at": "2026-01-02T03:05:06.000000",
		"image": "", "flavor": {"id": 7}, "progress": "odd"
	}`), &s)
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Instance{
		ID: "05184ba3-00ba-4fbc-b7a2-03b62b884931", Name: "web-1", Platform: cloud.Windows, OSName: "Windows Server 2022",
		State: cloud.StateRunning, CloudState: "ACTIVE", KeyName: "kp-1", PrivateIP: "192.168.0.3", PublicIP: "80.158.1.2",
		Tags: map[string]string{
			"os_type": "Windows", "image_name": "Windows Server 2022", "env": "prod", "note": "a=b", "flag": "",
		},
		LaunchTime: time.Date(2026, 1, 2, 3, 5, 6, 0, time.UTC),
	}
	if got := s.instance(); !reflect.DeepEqual(got, want) {
		t.Errorf("instance is\n %+v, want\n %+v", got, want)
	}
}

// TestWhatShowsARebuild: the image where the server has one, or its metadata name it; of the launch only what Nova itself tells.
func TestWhatShowsARebuild(t *testing.T) {
	launched := time.Date(2026, 1, 2, 3, 5, 6, 0, time.UTC)
	for text, want := range map[string]cloud.Instance{
		`{"image": {"id": "img-1"}, "metadata": {"metering.image_id": "img-2"}, "OS-SRV-USG:launched_at": "2026-01-02T03:05:06"}`: {
			Image: "img-1", SpawnTime: launched},
		`{"image": "", "metadata": {"metering.image_id": "img-2"}, "created": "2026-01-02T03:05:06Z"}`: {Image: "img-2"},
		`{"image": "", "OS-SRV-USG:launched_at": null}`:                                                {},
	} {
		var s server
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		for _, plain := range []bool{false, true} {
			if !plain {
				want.SpawnTime = time.Time{}
			} else if want.Image == "img-1" {
				want.SpawnTime = launched
			}
			if got := (&provider{sender: &sender{family: family{plain: plain}}}).instanceOf(s); got.Image != want.Image ||
				!got.SpawnTime.Equal(want.SpawnTime) {
				t.Errorf("%s, plain %t: image %q, launched %s", text, plain, got.Image, got.SpawnTime)
			}
		}
	}
}

func TestStates(t *testing.T) {
	for _, test := range []struct {
		status, task string
		want         cloud.State
	}{
		{"ACTIVE", "", cloud.StateRunning},
		{"ACTIVE", "image_uploading", cloud.StateRunning},
		{"ACTIVE", "powering-off", cloud.StateChanging},
		{"ACTIVE", "deleting", cloud.StateChanging},
		{"SHUTOFF", "", cloud.StateStopped},
		{"SHUTOFF", "powering-on", cloud.StateChanging},
		{"SHELVED_OFFLOADED", "", cloud.StateStopped},
		{"SOFT_DELETED", "", cloud.StateStopped},
		{"DELETED", "", cloud.StateGone},
		{"DELETED", "deleting", cloud.StateGone},
		{"BUILD", "spawning", cloud.StateChanging},
		{"REBOOT", "", cloud.StateChanging},
		{"HARD_REBOOT", "", cloud.StateChanging},
		{"RESCUE", "", cloud.StateChanging},
		{"VERIFY_RESIZE", "", cloud.StateChanging},
		{"ERROR", "", cloud.StateChanging},
		{"UNKNOWN", "", cloud.StateChanging},
		{"", "", cloud.StateChanging},
	} {
		if got := (server{Status: test.status, TaskState: test.task}).state(); got != test.want {
			t.Errorf("state of %s/%s is %s, want %s", test.status, test.task, got, test.want)
		}
	}
}

func TestPlatform(t *testing.T) {
	for _, test := range []struct {
		osType, image string
		want          cloud.Platform
		user          string
	}{
		{"Windows", "", cloud.Windows, "Administrator"},
		{"windows", "", cloud.Windows, "Administrator"},
		{"Linux", "Windows-like", cloud.Linux, "root"},
		{"", "My Windows 2019", cloud.Windows, "Administrator"},
		{"", "Ubuntu 24.04", "", "root"},
	} {
		instance := server{Metadata: map[string]string{"os_type": test.osType, "image_name": test.image}}.instance()
		if instance.Platform != test.want {
			t.Errorf("platform of %q, %q is %q, want %q", test.osType, test.image, instance.Platform, test.want)
		}
		if got := (&provider{sender: &sender{}}).DefaultUsername(instance); got != test.user {
			t.Errorf("default username of %q, %q is %q, want %q", test.osType, test.image, got, test.user)
		}
	}
}

func TestLaunchTime(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		launched, created string
		want              time.Time
	}{
		{"", "2026-01-02T03:04:05Z", created},
		{"2026-01-02T03:04:05.000000", "2025-01-01T00:00:00Z", created},
		{"2026-01-02T04:04:05+01:00", "", created},
		{"yesterday", "soon", time.Time{}},
	} {
		if got := (server{LaunchedAt: test.launched, Created: test.created}).launchTime(); !got.Equal(test.want) {
			t.Errorf("launch time of %q, %q is %s, want %s", test.launched, test.created, got, test.want)
		}
	}
}

func TestPasswordRules(t *testing.T) {
	windows := (&provider{}).PasswordRules(cloud.Instance{Platform: cloud.Windows})
	linux := (&provider{}).PasswordRules(cloud.Instance{Platform: cloud.Linux})
	for _, test := range []struct {
		name     string
		rules    password.Rules
		password string
		username string
		ok       bool
	}{
		{"four classes", linux, "Abcdef12!", "root", true},
		{"three classes", linux, "Abcdef123", "root", true},
		{"two classes", linux, "abcdef123", "root", false},
		{"too short", linux, "Abc12!x", "root", false},
		{"too long", linux, "Abcdefghijklmnopqrstuvwx12!", "root", false},
		{"special that is not allowed", linux, "Abcdef12#", "root", false},
		{"user name", linux, "Ab1!-rOOt-x", "root", false},
		{"user name reversed", linux, "Ab1!-toor-x", "root", false},
		{"three characters of the user name on Linux", linux, "Ab1!-roo-xyz", "root", true},
		{"three characters of the user name on Windows", windows, "Ab1!-Adm-xyz", "Administrator", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.rules.Check(test.password, test.username); (err == nil) != test.ok {
				t.Errorf("Check = %v, want ok %v", err, test.ok)
			}
		})
	}
}
