package aws

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checking is an instance whose password is looked for.
type checking struct {
	*commanded
	checker cloud.PasswordChecker
	id      string
}

func startChecking(t *testing.T) *checking {
	t.Helper()
	s := startCommandedWith(t, time.Millisecond)
	return &checking{s, s.Checker(cloud.CheckCommand), s.add(t, model.Server{})}
}

func (c *checking) check(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.checker.CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: "root", Platform: cloud.Linux,
		Values: []string{"Looked-for-123"}})
}

// What checks find and leave behind is in the contract; here is what AWS shows of them.
func TestCheckIsNamedInTheHistory(t *testing.T) {
	c := startChecking(t)
	if _, err := c.check(t); err != nil {
		t.Fatal(err)
	}
	history := c.world.Invocations(nil)
	if want := "cloudpw: look whether the password of an account is still right"; len(history) != 1 || history[0].Labels["comment"] != want {
		t.Errorf("the history is %+v", history)
	}
}

// What keeps a check from looking is told in the words of AWS.
func TestCheckFails(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(c *checking) error
		after  func(c *checking, command string)
		kind   cloud.Kind
		text   string
	}{
		"agent offline": {before: func(c *checking) error { return c.world.SetGuest(c.id, model.Guest{Agent: model.AgentOffline}) },
			kind: cloud.Refused, text: "not online (ConnectionLost, last seen at "},
		"stopped": {before: func(c *checking) error { return c.world.SetState(c.id, model.StateStopped) }, kind: cloud.Refused,
			text: "is stopped"},
		"terminated": {before: func(c *checking) error { return c.world.Terminate(c.id) }, kind: cloud.NotFound, text: "does not exist any more"},
		"not allowed": {before: func(c *checking) error {
			_, err := c.world.Deny(model.AWS, c.creds.AccessKey, []string{"ssm:SendCommand"})
			return err
		}, kind: cloud.Denied, text: "ssm:SendCommand"},
		"timed out": {before: func(c *checking) error {
			_, err := c.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultStuck})
			return err
		}, after: func(c *checking, _ string) { c.world.Advance(24 * time.Hour) }, kind: cloud.Refused, text: "did not end within 5 minutes"},
		"cancelled": {before: func(c *checking) error {
			_, err := c.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultStuck})
			return err
		}, after: func(c *checking, command string) { c.world.CancelCommand(command) }, kind: cloud.Refused, text: "cancelled"},
		"failed": {before: func(c *checking) error {
			_, err := c.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultFailedNotApplied})
			return err
		}, kind: cloud.Refused, text: "exit code 1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChecking(t)
			if err := tc.before(c); err != nil {
				t.Fatal(err)
			}
			if tc.after != nil {
				done := make(chan struct{})
				defer func() { <-done }()
				go func() {
					defer close(done)
					eventually(t, func() bool { return len(c.world.Invocations(nil)) > 0 })
					tc.after(c, c.world.Invocations(nil)[0].CommandID)
				}()
			}
			got, err := c.check(t)
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) || got.Match != cloud.NoMatch || got.State != "" {
				t.Errorf("%+v, %v; want %s and %q", got, err, tc.kind, tc.text)
			}
		})
	}
}

func TestCheckers(t *testing.T) {
	p := newTestProvider(t, testConfig(t, "https://ec2.example"))
	if action := p.Checker(cloud.CheckCommand).CheckTraits(cloud.Windows).Action; action != "SendCommand" {
		t.Errorf("a check costs %s", action)
	}
	for platform, want := range map[cloud.Platform]string{cloud.Linux: "endpoints.ssm", cloud.Windows: "endpoints.ssm"} {
		err := p.Checker(cloud.CheckCommand).CanCheck(cloud.Instance{Platform: platform}, "root")
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", platform, err)
		}
	}
}
