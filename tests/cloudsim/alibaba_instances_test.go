package cloudsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// instancesAnswer is DescribeInstances' answer, as far as the tests look.
type instancesAnswer struct {
	TotalCount int
	NextToken  string
	Instances  struct {
		Instance []struct {
			InstanceId, InstanceName, OSType, Status, KeyPairName string
			ImageOptions                                          struct{ LoginAsNonRoot bool }
			PublicIpAddress                                       struct{ IpAddress []string }
			EipAddress                                            struct{ IpAddress string }
			VpcAttributes                                         struct {
				PrivateIpAddress struct{ IpAddress []string }
			}
			OperationLocks struct {
				LockReason []struct{ LockReason string }
			}
			Tags struct {
				Tag []struct{ TagKey, TagValue string }
			}
		}
	}
}

func (a instancesAnswer) names() string {
	var out []string
	for _, i := range a.Instances.Instance {
		out = append(out, i.InstanceName)
	}
	return strings.Join(out, " ")
}

func TestAlibabaInstances(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	w := e.sim.World()
	for n := range 23 {
		s := model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region, Name: fmt.Sprintf("web-%02d", n),
			Tags: map[string]string{"app": "web", "n": fmt.Sprint(n % 2)}}
		if n == 0 {
			s.LockReasons, s.LoginAsNonRoot, s.ElasticIP, s.PublicIP = []string{"security"}, true, "203.0.113.9", "203.0.113.8"
		}
		if _, err := w.AddServer(s); err != nil {
			t.Fatal(err)
		}
	}
	list := func(params ...string) instancesAnswer {
		t.Helper()
		var out instancesAnswer
		e.ecs(t, "DescribeInstances", params...).into(t, &out)
		return out
	}
	id := e.creds.Servers["windows-1"]
	got := list("InstanceIds", `["`+id+`","i-00000000000000000000"]`)
	if got.names() != "windows-1" || got.Instances.Instance[0].OSType != "windows" || got.Instances.Instance[0].Status != "Running" ||
		got.Instances.Instance[0].KeyPairName != "" || !strings.HasPrefix(id, "i-") {
		t.Errorf("by id: %+v", got)
	}
	first := list("InstanceName", "web-00").Instances.Instance[0]
	if len(first.Tags.Tag) != 2 || first.OperationLocks.LockReason[0].LockReason != "security" || !first.ImageOptions.LoginAsNonRoot ||
		first.EipAddress.IpAddress != "203.0.113.9" || first.PublicIpAddress.IpAddress[0] != "203.0.113.8" ||
		len(first.VpcAttributes.PrivateIpAddress.IpAddress) != 1 {
		t.Errorf("the first: %+v", first)
	}
	for name, c := range map[string]struct {
		params []string
		want   int
	}{
		"all by page":       {nil, 10},
		"none of the ids":   {[]string{"InstanceIds", "[]"}, 0},
		"tag":               {[]string{"Tag.1.Key", "app", "Tag.1.Value", "demo"}, 2},
		"two tags":          {[]string{"Tag.1.Key", "app", "Tag.1.Value", "web", "Tag.2.Key", "n", "Tag.2.Value", "1", "MaxResults", "100"}, 11},
		"tag without value": {[]string{"Tag.1.Key", "n", "MaxResults", "100"}, 23},
		"pattern":           {[]string{"InstanceName", "web-0*", "MaxResults", "100"}, 10},
		"state":             {[]string{"Status", "Stopped"}, 0},
		"lock":              {[]string{"LockReason", "security"}, 1},
		"less than ten":     {[]string{"MaxResults", "3"}, 10},
		"more than 100":     {[]string{"MaxResults", "1000"}, 25},
		"address":           {[]string{"EipAddresses", `["203.0.113.9"]`}, 1},
		"page":              {[]string{"PageNumber", "3", "PageSize", "10"}, 5},
	} {
		if got := list(c.params...); len(got.Instances.Instance) != c.want {
			t.Errorf("%s: %s, want %d", name, got.names(), c.want)
		}
	}
	seen, token := 0, ""
	for pages := 1; ; pages++ {
		got := list("Tag.1.Key", "app", "Tag.1.Value", "web", "MaxResults", "10", "NextToken", token)
		seen += len(got.Instances.Instance)
		if token = got.NextToken; token == "" {
			if pages != 3 || seen != 23 {
				t.Errorf("%d instances on %d pages", seen, pages)
			}
			break
		}
	}
	for name, c := range map[string]struct {
		params []string
		want   string
	}{
		"no list":    {[]string{"InstanceIds", "i-1"}, "InvalidParameter.InstanceIds"},
		"101 ids":    {[]string{"InstanceIds", `["` + strings.Repeat(`i","`, 100) + `i"]`}, "InvalidParameter.InstanceIds"},
		"token":      {[]string{"NextToken", "x"}, "InvalidParameter.NextToken"},
		"page size":  {[]string{"PageSize", "101"}, "InvalidParam.PageSize"},
		"page":       {[]string{"PageNumber", "0"}, "InvalidParam.PageNumber"},
		"no tag key": {[]string{"Tag.1.Value", "x"}, "MissingParameter.TagKey"},
		"tag twice":  {[]string{"Tag.1.Key", "x", "Tag.2.Key", "x"}, "Duplicate.TagKey"},
		"tag's key":  {[]string{"Tag.1.Key", "acs:x"}, "InvalidTagKey.Malformed"},
		"tag's form": {[]string{"Tag.1.Name", "x"}, "UnsupportedParameter"},
		"tag zero":   {[]string{"Tag.0.Key", "x"}, "UnsupportedParameter"},
		"dry run":    {[]string{"DryRun", "true"}, "DryRunOperation"},
	} {
		if got := e.ecs(t, "DescribeInstances", c.params...); got.Code != c.want {
			t.Errorf("%s: %q, want %s", name, got.Code, c.want)
		}
	}
	// Without the permission the list is empty, and only a dry run tells why.
	if _, err := w.Deny(model.AlibabaCloud, e.creds.AccessKey, []string{"ecs:*"}); err != nil {
		t.Fatal(err)
	}
	if got := list(); len(got.Instances.Instance) != 0 {
		t.Errorf("without permission: %s", got.names())
	}
	for _, c := range [][]string{{"DescribeInstances", "DryRun", "true"}, {"RunCommand"}, {"DescribeInvocationResults"},
		{"DescribeInvocations"}} {
		if got := e.ecs(t, c[0], c[1:]...); got.status != 403 || got.Code != "Forbidden.RAM" {
			t.Errorf("%s without permission: %d %q", c[0], got.status, got.Code)
		}
	}
}
