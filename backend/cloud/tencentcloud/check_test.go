package tencentcloud

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checking is a server whose password is looked for.
type checking struct {
	*simulated
	id string
}

func startChecking(t *testing.T) *checking {
	t.Helper()
	s := newSimulated(t, model.Options{OperationTime: time.Millisecond})
	s.poll = time.Millisecond
	return &checking{s, s.add(t, model.Server{})}
}

func (c *checking) check(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: "root", Platform: cloud.Linux,
		Values: []string{"Looked-for-123"}})
}

// What keeps a check from looking is told in the words of Tencent Cloud. What checks find and leave behind is in the contract.
func TestSimCheckFails(t *testing.T) {
	fault := func(kind model.FaultKind) func(c *checking) error {
		return func(c *checking) error {
			_, err := c.world.AddFault(model.Fault{Cloud: model.TencentCloud, Action: "RunCommand", Kind: kind})
			return err
		}
	}
	for name, tc := range map[string]struct {
		before func(c *checking) error
		after  func(c *checking, command string)
		kind   cloud.Kind
		text   string
	}{
		"agent offline": {before: func(c *checking) error { return c.world.SetGuest(c.id, model.Guest{Agent: model.AgentOffline}) },
			kind: cloud.Refused, text: "ResourceUnavailable.AgentStatusNotOnline"},
		"stopped": {before: func(c *checking) error { return c.world.SetState(c.id, model.StateStopped) },
			kind: cloud.Refused, text: "ResourceUnavailable.InstanceStateNotRunning"},
		"removed": {before: func(c *checking) error { return c.world.Remove(c.id) }, kind: cloud.NotFound, text: "does not exist any more"},
		"not allowed": {before: func(c *checking) error {
			_, err := c.world.Deny(model.TencentCloud, testAccessKey, []string{"tat:RunCommand"})
			return err
		}, kind: cloud.Denied, text: "tat:RunCommand"},
		"timed out": {before: fault(model.FaultStuck), after: func(c *checking, _ string) { c.world.Advance(24 * time.Hour) },
			kind: cloud.Refused, text: "did not end in time"},
		"cancelled": {before: fault(model.FaultStuck), after: func(c *checking, command string) { c.world.CancelCommand(command) },
			kind: cloud.Refused, text: "cancelled"},
		"failed": {before: fault(model.FaultFailedNotApplied), kind: cloud.Refused, text: "exit code 1"},
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
					tick := time.NewTicker(time.Millisecond)
					defer tick.Stop()
					for len(c.world.Invocations(nil)) == 0 {
						select {
						case <-tick.C:
						case <-t.Context().Done():
							return
						}
					}
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
	p := newTestProvider(t, testConfig(t, ""))
	if action := p.Checker(cloud.CheckCommand).CheckTraits(cloud.Windows).Action; action != "RunCommand" {
		t.Errorf("a check costs %s", action)
	}
	if err := p.Checker(cloud.CheckCommand).CanCheck(cloud.Instance{Platform: cloud.Linux}, "root"); cloud.KindOf(err) == "" &&
		p.mayNotAsk(endpointTAT) {
		t.Error("commands may be sent where no endpoint is given")
	}
}
