package aws

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checking is an instance whose password the connection has set twice.
type checking struct {
	*commanded
	checker     cloud.PasswordChecker
	id          string
	first, last cloud.Reset
	snapshot    string // taken in between
	hashes      []string
	commands    int // in the history when the passwords were set
	entries     int // the same of the simulator's log
}

func startChecking(t *testing.T) *checking {
	t.Helper()
	s := startCommandedWith(t, time.Millisecond)
	c := &checking{commanded: s, checker: s.Checker(cloud.CheckCommand), id: s.add(t, model.Server{})}
	c.first = c.set(t)
	taken, err := s.world.Snapshot(c.id, "")
	if err != nil {
		t.Fatal(err)
	}
	c.snapshot, c.last = taken.ID, c.set(t)
	c.commands, c.entries = len(s.world.Invocations(nil)), s.world.Log(0)[len(s.world.Log(0))-1].Seq
	return c
}

// set gives the instance's default user a new password.
func (c *checking) set(t *testing.T) cloud.Reset {
	t.Helper()
	r := c.reset(t, c.id)
	request := c.start(t, r)
	c.world.Advance(time.Hour)
	if got := c.look(t, c.id, request); got.State != cloud.OperationSuccess {
		t.Fatalf("%+v", got)
	}
	server, _ := c.world.Server(c.id)
	c.hashes = append(c.hashes, server.Hashes[r.Username])
	return r
}

// check looks for the last password, and for the first one.
func (c *checking) check(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.checker.CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: c.last.Username, Platform: cloud.Linux,
		Values: []string{c.last.Password, c.first.Password}})
}

// bare fails if anything that came after the resets holds one of their passwords or hashes, or these.
func (c *checking) bare(t *testing.T, more ...string) {
	t.Helper()
	var seen strings.Builder
	for _, i := range c.world.Invocations(nil)[c.commands:] {
		seen.WriteString(i.Text + i.Output + i.Labels["parameters"] + "\n")
	}
	for _, e := range c.world.Log(c.entries) {
		for _, value := range e.Params {
			seen.WriteString(value + "\n")
		}
		seen.WriteString(e.Password + "\n")
	}
	secrets := append([]string{c.first.Password, c.last.Password}, more...)
	for _, hash := range c.hashes {
		secrets = append(secrets, hash[strings.LastIndexByte(hash, '$')+1:])
	}
	for _, secret := range secrets {
		if strings.Contains(seen.String(), secret) {
			t.Errorf("the history of a check holds %q", secret)
		}
	}
}

// A check tells which password a server really has, and what else keeps people out; and it leaves nothing behind.
func TestCheckFinds(t *testing.T) {
	const byHand = "Set-by-hand-123"
	guest := func(conditions guestos.Conditions) func(c *checking) error {
		return func(c *checking) error { return c.world.SetGuest(c.id, model.Guest{Conditions: conditions}) }
	}
	for name, tc := range map[string]struct {
		change  func(c *checking) error
		match   int
		state   cloud.UserState
		unknown string
	}{
		"as it was set":   {match: 0},
		"changed by hand": {change: func(c *checking) error { return c.world.SetLogin(c.id, "root", byHand) }, match: cloud.NoMatch},
		"an older disk":   {change: func(c *checking) error { return c.world.RestoreSnapshot(c.id, c.snapshot) }, match: 1},
		"user removed": {change: func(c *checking) error { return c.world.RemoveLogin(c.id, "root") }, match: cloud.NoMatch,
			state: cloud.UserMissing},
		"locked":            {change: guest(guestos.Conditions{Locked: []string{"root"}}), state: cloud.UserLocked},
		"expired":           {change: guest(guestos.Conditions{Expired: []string{"root"}}), state: cloud.UserExpired},
		"no password login": {change: guest(guestos.Conditions{NoPasswordLogin: true}), state: cloud.UserLoginOff},
		"no tool":           {change: guest(guestos.Conditions{NoDigest: true}), match: cloud.NoMatch, unknown: "no sha256sum"},
		"not root":          {change: guest(guestos.Conditions{NotRoot: true}), match: cloud.NoMatch, unknown: "without the rights of root"},
		"of a directory": {change: func(c *checking) error {
			if err := c.world.RemoveLogin(c.id, "root"); err != nil {
				return err
			}
			return guest(guestos.Conditions{Directory: []string{"root"}})(c)
		}, match: cloud.NoMatch, unknown: "LDAP, SSSD"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChecking(t)
			if tc.change != nil {
				if err := tc.change(c); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := c.world.Server(c.id)
			sent, passed := len(c.requests()), len(c.limiter.passed())
			got, err := c.check(t)
			if err != nil || got.Match != tc.match || got.State != tc.state ||
				!strings.Contains(got.Unknown, tc.unknown) || (got.Unknown == "") != (tc.unknown == "") {
				t.Errorf("%+v, %v", got, err)
			}
			if sent, passed = len(c.requests())-sent, len(c.limiter.passed())-passed; sent != passed || sent < 2 {
				t.Errorf("%d requests, but the limiter was waited for %d times", sent, passed)
			}
			after, _ := c.world.Server(c.id)
			if before.Hashes["root"] != after.Hashes["root"] || before.Logins["root"] != after.Logins["root"] {
				t.Error("the check has changed the password")
			}
			last := c.world.Invocations(nil)[c.commands]
			if want := "cloudpw: look whether the password of an account is still right"; last.Labels["comment"] != want {
				t.Errorf("the history says %q", last.Labels["comment"])
			}
			c.bare(t, byHand)
		})
	}
}

// What keeps a check from looking is an error, and never another password.
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
					eventually(t, func() bool { return len(c.world.Invocations(nil)) > c.commands })
					tc.after(c, c.world.Invocations(nil)[c.commands].CommandID)
				}()
			}
			got, err := c.check(t)
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) || got.Match != cloud.NoMatch || got.State != "" {
				t.Errorf("%+v, %v; want %s and %q", got, err, tc.kind, tc.text)
			}
			c.bare(t)
		})
	}
}

// The provider has the methods that its descriptor lists, each of which is always the same.
func TestCheckers(t *testing.T) {
	p := newTestProvider(t, testConfig(t, "https://ec2.example"))
	if want := []string{cloud.CheckCommand}; !slices.Equal(Descriptor().CheckMethods, want) || !Descriptor().CanCheck() {
		t.Errorf("check methods %q", Descriptor().CheckMethods)
	}
	for _, m := range Descriptor().CheckMethods {
		if c := p.Checker(m); c == nil || c != p.Checker(m) || c.CheckAction() != "SendCommand" {
			t.Errorf("%s: %v", m, c)
		}
	}
	if c := p.Checker("else"); c != nil {
		t.Errorf("%v", c)
	}
	for platform, want := range map[cloud.Platform]string{cloud.Linux: "endpoints.ssm", cloud.Windows: "endpoints.ssm"} {
		err := p.Checker(cloud.CheckCommand).CanCheck(cloud.Instance{Platform: platform}, "root")
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", platform, err)
		}
	}
}
