package tencentcloud

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// byAction are the permissions by action, after a look at what all must have.
func byAction(t *testing.T, all []cloud.Permission) map[string]cloud.Verdict {
	t.Helper()
	out := map[string]cloud.Verdict{}
	for _, p := range all {
		var policy struct {
			Version   string
			Statement []struct {
				Effect           string
				Action, Resource []string
			}
		}
		if err := json.Unmarshal([]byte(p.Policy), &policy); err != nil || policy.Version != "2.0" || len(policy.Statement) != 1 ||
			policy.Statement[0].Effect != "allow" || strings.Join(policy.Statement[0].Action, " ") != p.Action ||
			len(policy.Statement[0].Resource) != 1 {
			t.Errorf("%s: policy %s, %v", p.Action, p.Policy, err)
		}
		if p.Purpose == "" || p.Verdict != cloud.PermissionGranted && p.Message == "" {
			t.Errorf("%+v lacks a purpose or a reason", p)
		}
		if _, twice := out[p.Action]; twice {
			t.Errorf("%s is listed twice", p.Action)
		}
		out[p.Action] = p.Verdict
	}
	return out
}

func TestSimPermissions(t *testing.T) {
	const yes, no, unknown = cloud.PermissionGranted, cloud.PermissionDenied, cloud.PermissionUnknown
	for name, c := range map[string]struct {
		deny   []string
		role   bool
		server string // id of a server that exists
		want   map[string]cloud.Verdict
	}{
		"all": {want: map[string]cloud.Verdict{
			"cvm:DescribeInstances": yes, "cvm:ResetInstancesPassword": yes, "tat:RunCommand": yes, "tat:DescribeInvocationTasks": yes,
			"sts:GetCallerIdentity": yes,
			"cam:ListAccessKeys":    yes, "cam:CreateAccessKey": unknown, "cam:UpdateAccessKey": yes, "cam:DeleteAccessKey": yes}},
		"some": {deny: []string{"cvm:ResetInstancesPassword", "tat:RunCommand", "cam:DeleteAccessKey"}, want: map[string]cloud.Verdict{
			"cvm:DescribeInstances": yes, "cvm:ResetInstancesPassword": no, "tat:RunCommand": no, "tat:DescribeInvocationTasks": yes,
			"sts:GetCallerIdentity": yes,
			"cam:ListAccessKeys":    yes, "cam:CreateAccessKey": unknown, "cam:UpdateAccessKey": yes, "cam:DeleteAccessKey": no}},
		"none": {deny: []string{"cvm:*", "cam:*", "tat:*"}, want: map[string]cloud.Verdict{
			"cvm:DescribeInstances": no, "cvm:ResetInstancesPassword": unknown, "tat:RunCommand": unknown, "tat:DescribeInvocationTasks": no,
			"sts:GetCallerIdentity": yes,
			"cam:ListAccessKeys":    no, "cam:CreateAccessKey": unknown, "cam:UpdateAccessKey": no, "cam:DeleteAccessKey": no}},
		"the id exists": {server: probeInstance, want: map[string]cloud.Verdict{
			"cvm:DescribeInstances": yes, "cvm:ResetInstancesPassword": unknown, "tat:RunCommand": unknown, "tat:DescribeInvocationTasks": yes,
			"sts:GetCallerIdentity": yes,
			"cam:ListAccessKeys":    yes, "cam:CreateAccessKey": unknown, "cam:UpdateAccessKey": yes, "cam:DeleteAccessKey": yes}},
		"role": {role: true, want: map[string]cloud.Verdict{
			"sts:AssumeRole": yes, "cvm:DescribeInstances": yes, "cvm:ResetInstancesPassword": yes, "tat:RunCommand": yes,
			"tat:DescribeInvocationTasks": yes, "sts:GetCallerIdentity": yes}},
		"role out of reach": {role: true, deny: []string{"sts:AssumeRole"}, want: map[string]cloud.Verdict{
			"sts:AssumeRole": no, "cvm:DescribeInstances": unknown, "cvm:ResetInstancesPassword": unknown, "tat:RunCommand": unknown,
			"tat:DescribeInvocationTasks": unknown, "sts:GetCallerIdentity": unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{})
			if _, err := s.world.Deny(model.TencentCloud, testAccessKey, c.deny); err != nil {
				t.Fatal(err)
			}
			if c.server != "" {
				s.add(t, model.Server{ID: c.server, Platform: model.Linux, State: model.StateStopped})
			}
			cfg := s.cfg
			if c.role {
				_, cfg = s.role(model.Role{Name: "cloudpw"})
			}
			all, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := byAction(t, all)
			for action, want := range c.want {
				if got[action] != want {
					t.Errorf("%s: %q, want %q", action, got[action], want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("verdicts %v, want %v", got, c.want)
			}
			if keys := s.world.AccessKeys(model.TencentCloud, "200000000001"); len(keys) != 1 || keys[0].Inactive {
				t.Errorf("the check left keys %+v", keys)
			}
			if sent := append(s.signers("ResetInstancesPassword"), s.signers("RunCommand")...); c.server != "" && len(sent) > 0 {
				t.Error("a reset was sent for a server that exists")
			}
		})
	}
}

func TestSimPermissionsOfDeadKeysAreAnError(t *testing.T) {
	s := newSimulated(t, model.Options{})
	_, role := s.role(model.Role{Name: "cloudpw"})
	for name, cfg := range map[string]cloud.Config{"plain": s.cfg, "role": role} {
		cfg.Values = cfg.With(cloud.Values{"secret_key": "not" + cfg.Text(cloud.SecretKey)})
		all, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
		if len(all) != 0 {
			t.Errorf("%s: %+v", name, all)
		}
		wantFailure(t, err, cloud.Denied, "AuthFailure.SignatureFailure", "secret_key")
	}
}
