package tencentcloud

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestInstanceMapping(t *testing.T) {
	for name, c := range map[string]struct {
		described string
		want      cloud.Instance
	}{
		"everything": {`{"InstanceId":"ins-r8hr2upy","InstanceName":"web 1","InstanceState":"RUNNING","RestrictState":"NORMAL",
			"OsName":"Ubuntu Server 24.04 LTS 64bit","DefaultLoginUser":"ubuntu","LoginSettings":{"KeyIds":["skey-1","skey-2"]},
			"PrivateIpAddresses":["10.0.0.7","10.0.0.8"],"PublicIpAddresses":["203.0.113.9"],
			"Tags":[{"Key":"env","Value":"prod"},{"Key":"empty","Value":""},null],"CreatedTime":"2026-11-22T08:09:10Z",
			"ImageId":"img-9qabwvbn","SystemDisk":{"DiskId":"disk-1drr53sd"}}`,
			cloud.Instance{ID: "ins-r8hr2upy", Name: "web 1", Platform: cloud.Linux, OSName: "Ubuntu Server 24.04 LTS 64bit",
				State: cloud.StateRunning, CloudState: "RUNNING", KeyName: "skey-1", LoginUser: "ubuntu",
				PrivateIP: "10.0.0.7", PublicIP: "203.0.113.9", Tags: map[string]string{"env": "prod", "empty": ""},
				LaunchTime: time.Date(2026, 11, 22, 8, 9, 10, 0, time.UTC), Image: "img-9qabwvbn", SystemDisk: "disk-1drr53sd"}},
		"nulls": {`{"InstanceId":"ins-r8hr2upy","InstanceState":"STOPPED","PublicIpAddresses":null,"Tags":null,
			"LoginSettings":null,"LatestOperationState":null,"CreatedTime":"soon"}`,
			cloud.Instance{ID: "ins-r8hr2upy", State: cloud.StateStopped, CloudState: "STOPPED"}},
		"Windows by name": {`{"OsName":"Windows Server 2022 Datacenter","InstanceState":"RUNNING"}`,
			cloud.Instance{Platform: cloud.Windows, OSName: "Windows Server 2022 Datacenter", State: cloud.StateRunning, CloudState: "RUNNING"}},
		"Windows by account": {`{"DefaultLoginUser":"Administrator","InstanceState":"RUNNING"}`,
			cloud.Instance{Platform: cloud.Windows, LoginUser: "Administrator", State: cloud.StateRunning, CloudState: "RUNNING"}},
		"Linux by account": {`{"DefaultLoginUser":"root","InstanceState":"RUNNING"}`,
			cloud.Instance{Platform: cloud.Linux, LoginUser: "root", State: cloud.StateRunning, CloudState: "RUNNING"}},
	} {
		var described cvm.Instance
		if err := json.Unmarshal([]byte(c.described), &described); err != nil {
			t.Fatal(err)
		}
		if got := instance(&described); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	for mapped, words := range map[cloud.State]string{
		cloud.StateRunning: "RUNNING",
		cloud.StateStopped: "STOPPED",
		cloud.StateGone:    "TERMINATING LAUNCH_FAILED",
		cloud.StateChanging: `PENDING STARTING STOPPING REBOOTING SHUTDOWN ENTER_RESCUE_MODE RESCUE_MODE EXIT_RESCUE_MODE
			ENTER_SERVICE_LIVE_MIGRATE SERVICE_LIVE_MIGRATE EXIT_SERVICE_LIVE_MIGRATE SOMETHING_NEW`,
	} {
		for _, word := range strings.Fields(words) {
			for _, restrict := range []string{"", "NORMAL"} {
				if got, cloudState := state(word, restrict); got != mapped || cloudState != word {
					t.Errorf("%s %s: %s %q, want %s", word, restrict, got, cloudState, mapped)
				}
			}
			want := cloud.StateChanging
			if mapped == cloud.StateGone {
				want = cloud.StateGone
			}
			if got, cloudState := state(word, "EXPIRED"); got != want || want != cloud.StateGone && cloudState != word+" (EXPIRED)" {
				t.Errorf("%s, expired: %s %q", word, got, cloudState)
			}
		}
	}
}
