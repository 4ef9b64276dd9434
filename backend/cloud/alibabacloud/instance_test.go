package alibabacloud

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

func TestInstanceIsMapped(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want cloud.Instance
	}{
		"linux": {`{"InstanceId":"i-bp67acfmxazb4p1x2y3z","InstanceName":"web","OSType":"linux","OSName":"Alibaba Cloud Linux 64位",
			"OSNameEn":"Alibaba Cloud Linux 3 64 bit","Status":"Running","KeyPairName":"key","ImageId":"m-bp67acfmxazb4p",
			"CreationTime":"2026-01-02T03:04Z",
			"VpcAttributes":{"PrivateIpAddress":{"IpAddress":["10.0.0.7"]}},"PublicIpAddress":{"IpAddress":["203.0.113.7"]},
			"EipAddress":{"IpAddress":""},"Tags":{"Tag":[{"TagKey":"tier","TagValue":"web"},{"TagKey":"empty","TagValue":""}]},
			"OperationLocks":{"LockReason":[]},"ImageOptions":{"LoginAsNonRoot":true}}`, cloud.Instance{
			ID: "i-bp67acfmxazb4p1x2y3z", Name: "web", Platform: cloud.Linux, OSName: "Alibaba Cloud Linux 3 64 bit", State: cloud.StateRunning,
			CloudState: "Running", KeyName: "key", LoginUser: "ecs-user", PrivateIP: "10.0.0.7", PublicIP: "203.0.113.7",
			Image: "m-bp67acfmxazb4p",
			Tags:  map[string]string{"tier": "web", "empty": ""}, LaunchTime: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)}},
		"windows, classic network": {`{"InstanceId":"i-12345678","OSType":"windows","OSName":"Windows Server 2022","Status":"Stopped",
			"InnerIpAddress":{"IpAddress":["10.1.1.1"]},"EipAddress":{"IpAddress":"198.51.100.7"},"ImageOptions":{"LoginAsNonRoot":true}}`,
			cloud.Instance{ID: "i-12345678", Platform: cloud.Windows, OSName: "Windows Server 2022", State: cloud.StateStopped,
				CloudState: "Stopped",
				PrivateIP:  "10.1.1.1", PublicIP: "198.51.100.7"}},
		"locked": {`{"InstanceId":"i-12345678","Status":"Running","OperationLocks":{"LockReason":[{"LockReason":"financial"},
			{"LockReason":"security","LockMsg":"x"}]}}`,
			cloud.Instance{ID: "i-12345678", State: cloud.StateChanging, CloudState: "Running (locked: financial, security)"}},
		"starting":        {`{"Status":"Starting"}`, cloud.Instance{State: cloud.StateChanging, CloudState: "Starting"}},
		"a state to come": {`{"Status":"Moving","OSType":"freebsd"}`, cloud.Instance{State: cloud.StateChanging, CloudState: "Moving"}},
	} {
		var i instance
		if err := json.Unmarshal([]byte(c.json), &i); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := i.shown(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestDefaultUsernames(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for want, i := range map[string]cloud.Instance{
		"root": {Platform: cloud.Linux}, "Administrator": {Platform: cloud.Windows}, "ecs-user": {Platform: cloud.Linux, LoginUser: "ecs-user"},
	} {
		if got := p.DefaultUsername(i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// The rules make passwords that fit ModifyInstanceAttribute's text: 8 to 30 characters of three kinds, on Windows without a
// slash in front.
func TestPasswordRules(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for _, platform := range []cloud.Platform{cloud.Linux, cloud.Windows, ""} {
		rules := p.PasswordRules(cloud.Instance{Platform: platform})
		if rules.MinLength != 8 || rules.MaxLength != 30 || rules.MinClasses != 3 || (rules.ForbidFirst == "/") != (platform != cloud.Linux) {
			t.Errorf("%q: %+v", platform, rules)
		}
		if _, err := password.Generate(rules, "Administrator", 0); err != nil {
			t.Error(err)
		}
	}
}

func TestValidateInstanceID(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for id, ok := range map[string]bool{
		testInstance: true, "i-12345678": true, "i-bp185dy2o3o6neg12345": true,
		"": false, "i-": false, "i-1234567": false, "I-12345678": false, "i-BP185DY2": false, "ins-12345678": false, "i-12345678\n": false,
		"i-1234/5678": false, " i-12345678": false, "i-123456789012345678901234567890123": false,
	} {
		if err := p.ValidateInstanceID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}
