package terraform

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// The guides have every permission that the providers use: TestGuidesHaveEveryPermission of package backend. The tests of this file
// hold that the modules give those of the guides, and no others.

// guided are the JSON blocks of the guide to a cloud that contain a text.
func guided(t *testing.T, cloud, with string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/clouds/" + cloud + ".md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(m[1], with) {
			return m[1]
		}
	}
	t.Fatalf("docs/clouds/%s.md has no JSON with %s", cloud, with)
	return ""
}

// policy reads a policy; texts that may stand for a list of one are lists, and the order of lists counts.
func policy(t *testing.T, text string) map[string]any {
	t.Helper()
	var read map[string]any
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, key := range []string{"Statement", "statement"} {
		statements, _ := read[key].([]any)
		for _, one := range statements {
			fields := one.(map[string]any)
			for _, name := range []string{"Action", "Resource", "action", "resource"} {
				if text, ok := fields[name].(string); ok {
					fields[name] = []any{text}
				}
			}
		}
	}
	return read
}

func texts(values ...string) cty.Value {
	if len(values) == 0 {
		return cty.EmptyTupleVal
	}
	var all []cty.Value
	for _, value := range values {
		all = append(all, cty.StringVal(value))
	}
	return cty.TupleVal(all)
}

// granted is the text of a local, such as a policy.
func granted(t *testing.T, cloud, local string, variables map[string]cty.Value) cty.Value {
	t.Helper()
	partition := cty.ObjectVal(map[string]cty.Value{"partition": cty.StringVal("aws")})
	data := map[string]map[string]cty.Value{"aws_partition": {"current": partition}}
	value, err := load(t, root+"/modules/"+cloud).Local(local, variables, data)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestPolicies: with everything switched on, each module gives the policy of its guide.
func TestPolicies(t *testing.T) {
	for cloud, variables := range map[string]map[string]cty.Value{
		"aws": {"assumes": texts("arn:aws:iam::123456789012:role/cloudpw")},
		"alibabacloud": {"assumes": texts("acs:ram::1000000000000001:role/cloudpw"),
			"name": cty.StringVal("vault")},
		"tencentcloud": {"assumes": texts("qcs::cam::uin/100000000001:roleName/cloudpw"), "commands": cty.True},
	} {
		got, want := policy(t, granted(t, cloud, "policy", variables).AsString()), policy(t, guided(t, cloud, "AssumeRole"))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the module gives\n%v\nand docs/clouds/%s.md has\n%v", cloud, got, cloud, want)
		}
	}
	on := map[string]cty.Value{"commands": cty.True}
	policies := granted(t, "huaweicloud", "policies", on).AsValueMap()
	for name, with := range map[string]string{"servers": "ecs:servers:list", "commands": "coc:job:list"} {
		if got, want := policy(t, policies[name].AsString()), policy(t, guided(t, "huaweicloud", with)); !reflect.DeepEqual(got, want) {
			t.Errorf("huaweicloud: the module gives\n%v\nand docs/clouds/huaweicloud.md has\n%v", got, want)
		}
	}
	if len(policies) != 2 {
		t.Errorf("huaweicloud: the module has %d policies", len(policies))
	}
	var role struct{ Actions, NotActions []string }
	if err := json.Unmarshal([]byte(guided(t, "azure", "AssignableScopes")), &role); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, action := range granted(t, "azure", "actions", nil).AsValueSlice() {
		actions = append(actions, action.AsString())
	}
	if !slices.Equal(actions, role.Actions) || len(role.NotActions) > 0 {
		t.Errorf("azure: the module allows\n%q\nand docs/clouds/azure.md\n%q", actions, role.Actions)
	}
}

// actionsOf are all actions that a policy allows, sorted.
func actionsOf(t *testing.T, text string) []string {
	t.Helper()
	all := map[string]bool{}
	read := policy(t, text)
	for _, key := range []string{"Statement", "statement"} {
		statements, _ := read[key].([]any)
		for _, one := range statements {
			for _, name := range []string{"Action", "action"} {
				actions, _ := one.(map[string]any)[name].([]any)
				for _, action := range actions {
					all[action.(string)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// TestSwitches: what is switched off is not allowed, and nothing else is lost.
func TestSwitches(t *testing.T) {
	off := cty.False
	for _, c := range []struct {
		cloud     string
		variables map[string]cty.Value
		want      []string
	}{
		{"aws", map[string]cty.Value{"initial_passwords": off, "commands": off, "fingerprints": off, "rotate_root": off},
			[]string{"ec2:DescribeInstances"}},
		{"aws", map[string]cty.Value{"commands": off, "fingerprints": off, "rotate_root": off},
			[]string{"ec2:DescribeInstances", "ec2:GetPasswordData"}},
		{"aws", map[string]cty.Value{"initial_passwords": off, "fingerprints": off, "rotate_root": off},
			[]string{"ec2:DescribeInstances", "ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation", "ssm:ListCommandInvocations",
				"ssm:SendCommand"}},
		// A role has no access keys.
		{"aws", map[string]cty.Value{"initial_passwords": off, "commands": off, "fingerprints": off, "trusted_principals": texts("arn")},
			[]string{"ec2:DescribeInstances"}},
		{"alibabacloud", map[string]cty.Value{"rotate_root": off},
			[]string{"ecs:DescribeCloudAssistantStatus", "ecs:DescribeInstances", "ecs:DescribeInvocationResults", "ecs:DescribeInvocations",
				"ecs:RunCommand", "sts:GetCallerIdentity"}},
		{"tencentcloud", map[string]cty.Value{"rotate_root": off},
			[]string{"cvm:DescribeInstances", "cvm:ResetInstancesPassword", "sts:GetCallerIdentity"}},
		{"tencentcloud", map[string]cty.Value{"resets": texts(), "rotate_root": off},
			[]string{"cvm:DescribeInstances", "sts:GetCallerIdentity"}},
	} {
		if got := actionsOf(t, granted(t, c.cloud, "policy", c.variables).AsString()); !slices.Equal(got, c.want) {
			t.Errorf("%s with %v allows %q, want %q", c.cloud, c.variables, got, c.want)
		}
	}
	for name, variables := range map[string]map[string]cty.Value{"servers": nil, "commands": {"servers": off, "commands": cty.True}} {
		if got := slices.Sorted(maps.Keys(granted(t, "huaweicloud", "policies", variables).AsValueMap())); !slices.Equal(got, []string{name}) {
			t.Errorf("huaweicloud with %v has the policies %q, want %s", variables, got, name)
		}
	}
	for _, action := range granted(t, "azure", "actions", map[string]cty.Value{"private_addresses": off}).AsValueSlice() {
		if strings.Contains(action.AsString(), "Network") {
			t.Errorf("azure allows %s", action.AsString())
		}
	}
	limited := granted(t, "alibabacloud", "policy", map[string]cty.Value{"instances": texts("acs:ecs:a:b:instance/c")}).AsString()
	if strings.Contains(limited, "instance/*") || !strings.Contains(limited, "acs:ecs:a:b:instance/c") {
		t.Errorf("alibabacloud allows commands on others: %s", limited)
	}
}
