package aws

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// verdicts are the permissions by action, after a look at what all must have.
func verdicts(t *testing.T, all []cloud.Permission) map[string]cloud.Verdict {
	t.Helper()
	out := map[string]cloud.Verdict{}
	for _, p := range all {
		var policy struct {
			Version   string
			Statement []struct {
				Effect, Action string
				Resource       any
			}
		}
		if err := json.Unmarshal([]byte(p.Policy), &policy); err != nil || policy.Version != "2012-10-17" || len(policy.Statement) == 0 {
			t.Errorf("%s: policy %s, %v", p.Action, p.Policy, err)
		}
		for _, s := range policy.Statement {
			if s.Effect != "Allow" || s.Action != p.Action || s.Resource == nil || s.Resource == "" {
				t.Errorf("%s: policy %s", p.Action, p.Policy)
			}
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

func TestSimulatedPermissions(t *testing.T) {
	const yes, no, unknown = cloud.PermissionGranted, cloud.PermissionDenied, cloud.PermissionUnknown
	commands := func(send, get, list, describe cloud.Verdict) map[string]cloud.Verdict {
		return map[string]cloud.Verdict{"ssm:SendCommand": send, "ssm:GetCommandInvocation": get, "ssm:ListCommandInvocations": list,
			"ssm:DescribeInstanceInformation": describe}
	}
	for name, c := range map[string]struct {
		deny     []string
		seed     cloudsim.SeedOptions
		role     bool
		commands map[string]cloud.Verdict
		want     map[string]cloud.Verdict
	}{
		"all": {commands: commands(yes, yes, yes, yes), want: map[string]cloud.Verdict{
			"ec2:DescribeInstances": yes, "ec2:GetPasswordData": yes, "ec2:DescribeKeyPairs": yes,
			"iam:ListAccessKeys": yes, "iam:CreateAccessKey": unknown, "iam:DeleteAccessKey": yes}},
		"no instance": {seed: cloudsim.SeedOptions{NoServers: true}, commands: commands(yes, yes, yes, yes), want: map[string]cloud.Verdict{
			"ec2:DescribeInstances": yes, "ec2:GetPasswordData": unknown, "ec2:DescribeKeyPairs": yes,
			"iam:ListAccessKeys": yes, "iam:CreateAccessKey": unknown, "iam:DeleteAccessKey": yes}},
		"some": {deny: []string{"ec2:GetPasswordData", "iam:DeleteAccessKey", "ssm:SendCommand", "ssm:ListCommandInvocations"},
			commands: commands(no, yes, no, yes),
			want: map[string]cloud.Verdict{
				"ec2:DescribeInstances": yes, "ec2:GetPasswordData": no, "ec2:DescribeKeyPairs": yes,
				"iam:ListAccessKeys": yes, "iam:CreateAccessKey": unknown, "iam:DeleteAccessKey": no}},
		"none": {deny: []string{"ec2:*", "iam:*", "ssm:*"}, commands: commands(no, no, no, no), want: map[string]cloud.Verdict{
			"ec2:DescribeInstances": no, "ec2:GetPasswordData": unknown, "ec2:DescribeKeyPairs": no,
			"iam:ListAccessKeys": no, "iam:CreateAccessKey": unknown, "iam:DeleteAccessKey": no}},
		"role": {role: true, commands: commands(yes, yes, yes, yes), want: map[string]cloud.Verdict{
			"sts:AssumeRole": yes, "ec2:DescribeInstances": yes, "ec2:GetPasswordData": yes, "ec2:DescribeKeyPairs": yes}},
		"role out of reach": {role: true, deny: []string{"sts:AssumeRole"}, commands: commands(unknown, unknown, unknown, unknown),
			want: map[string]cloud.Verdict{
				"sts:AssumeRole": no, "ec2:DescribeInstances": unknown, "ec2:GetPasswordData": unknown, "ec2:DescribeKeyPairs": unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSimulated(t, c.seed)
			if _, err := s.sim.World().Deny(model.AWS, s.creds.AccessKey, c.deny); err != nil {
				t.Fatal(err)
			}
			cfg := s.cfg
			if c.role {
				cfg = s.withRole(nil)
			}
			all, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := verdicts(t, all)
			maps.Copy(c.want, c.commands)
			for action, want := range c.want {
				if got[action] != want {
					t.Errorf("%s: %q, want %q", action, got[action], want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("verdicts %v, want %v", got, c.want)
			}
			if keys := s.sim.World().AccessKeys(model.AWS, s.creds.UserID); len(keys) != 1 {
				t.Errorf("the check left %d access keys", len(keys))
			}
			if run := s.sim.World().Invocations(nil); len(run) != 0 {
				t.Errorf("the check ran a command: %+v", run)
			}
		})
	}
}

func TestPermissionPoliciesNameTheUser(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	all, err := newTestProvider(t, s.cfg).CheckPermissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if own := `"Resource":"arn:aws:iam::` + s.creds.AccountID + `:user/cloudpw"`; strings.HasPrefix(p.Action,
			"iam:") != strings.Contains(p.Policy, own) {
			t.Errorf("%s: %s", p.Action, p.Policy)
		}
	}
}

func TestPermissionsOfDeadKeysAreAnError(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	for name, change := range map[string]func(*cloud.Config){
		"plain": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey)}) },
		"role": func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey), "role_arn": s.creds.RoleARN})
		},
	} {
		cfg := s.cfg
		change(&cfg)
		all, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
		if len(all) != 0 {
			t.Errorf("%s: %+v", name, all)
		}
		wantFailure(t, err, cloud.Denied, "SignatureDoesNotMatch", "secret_key")
	}
}

func TestCommandPermissionOnTaggedInstances(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	if _, err := s.sim.World().AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultRefuse, Code: "AccessDeniedException",
		Status: http.StatusBadRequest,
		Message: "User: arn:aws:iam::1:user/x is not authorized to perform: ssm:SendCommand on resource: arn:aws:ec2:eu-central-1:1:instance/" +
			s.creds.Servers["windows-1"]}); err != nil {
		t.Fatal(err)
	}
	all, err := newTestProvider(t, s.cfg).CheckPermissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Action == "ssm:SendCommand" && (p.Verdict != cloud.PermissionUnknown || !strings.Contains(p.Message, "tagged") ||
			!strings.Contains(p.Policy, "arn:aws:ssm:eu-central-1::document/AWS-RunShellScript") ||
			!strings.Contains(p.Policy, "ssm:resourceTag/cloudpw")) {
			t.Errorf("%+v", p)
		}
	}
}

func TestCommandPermissionsNeedTheirEndpoint(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	cfg := s.cfg
	cfg.Endpoints = maps.Clone(cfg.Endpoints)
	delete(cfg.Endpoints, endpointSSM)
	all, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if strings.HasPrefix(p.Action, "ssm:") && (p.Verdict != cloud.PermissionUnknown || !strings.Contains(p.Message, "endpoints.ssm")) {
			t.Errorf("%+v", p)
		}
	}
}
