package cloud

import (
	"errors"
	"testing"
)

func TestTriedPermission(t *testing.T) {
	denied, down := Errorf(Denied, "no"), errors.New("down")
	missing := func(err error) bool { return KindOf(err) == Denied }
	about := Permission{Action: "ec2:DescribeInstances", Purpose: "find instances", Required: true, Policy: "allow"}
	for name, c := range map[string]struct {
		err     error
		verdict Verdict
		message string
	}{
		"granted": {nil, PermissionGranted, ""},
		"denied":  {denied, PermissionDenied, "no"},
		"failed":  {down, PermissionUnknown, "it could not be tried: down"},
	} {
		want := about
		want.Verdict, want.Message = c.verdict, c.message
		if got := about.Tried(c.err, missing); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := about.Untried("no instance"); got.Verdict != PermissionUnknown || got.Message != "no instance" || got.Action != about.Action {
		t.Errorf("untried: %+v", got)
	}
}

func TestPolicyText(t *testing.T) {
	if got := PolicyText(map[string]any{"Action": []string{"ec2:*"}}); got != `{"Action":["ec2:*"]}` {
		t.Error(got)
	}
	if got := PolicyText(func() {}); got != "" {
		t.Error(got)
	}
}

func TestEndpointMissing(t *testing.T) {
	for name, c := range map[string]struct {
		endpoints map[string]string
		want      bool
	}{
		"the public cloud":      {nil, false},
		"the service's alone":   {map[string]string{"sts": "https://sts.example"}, false},
		"the main one's alone":  {map[string]string{"ec2": "https://ec2.example"}, true},
		"both":                  {map[string]string{"ec2": "https://ec2.example", "sts": "https://sts.example"}, false},
		"both, one of it empty": {map[string]string{"ec2": "https://ec2.example", "sts": ""}, true},
	} {
		if got := EndpointMissing(c.endpoints, "ec2", "sts"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCodeOf(t *testing.T) {
	own := &Error{Kind: Denied, Code: "AccessDenied"}
	for err, want := range map[error]string{
		nil: "", errors.New("down"): "", own: "AccessDenied", errors.Join(errors.New("x"), own): "AccessDenied",
	} {
		if got := CodeOf(err); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
	if AsError(nil) != nil || AsError(errors.New("down")) != nil || AsError(errors.Join(own)) != own {
		t.Error("AsError")
	}
}
