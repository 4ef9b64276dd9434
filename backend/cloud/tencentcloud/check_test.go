package tencentcloud

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checking is a server whose password the connection has set twice, by a command.
type checking struct {
	*simulated
	id, first, last string
	snapshot        string // taken in between
	hashes          []string
	commands        int // in the history when the passwords were set
	entries         int // the same of the simulator's log
}

func startChecking(t *testing.T) *checking {
	t.Helper()
	s := newSimulated(t, model.Options{OperationTime: time.Millisecond})
	s.poll = time.Millisecond
	c := &checking{simulated: s, id: s.add(t, model.Server{}), first: "First-Password-123", last: "Last-Password-123"}
	for _, secret := range []string{c.first, c.last} {
		m, started, err := s.start(t, c.id, "root", secret)
		if err != nil {
			t.Fatal(err)
		}
		s.world.Advance(time.Hour)
		if r, _ := recordOf(t, m, c.id, started.RequestID); r.State != cloud.OperationSuccess {
			t.Fatalf("%+v", r)
		}
		server, _ := s.world.Server(c.id)
		c.hashes = append(c.hashes, server.Hashes["root"])
		if secret == c.first {
			taken, err := s.world.Snapshot(c.id, "")
			if err != nil {
				t.Fatal(err)
			}
			c.snapshot = taken.ID
		}
	}
	c.commands, c.entries = len(s.world.Invocations(nil)), s.world.Log(0)[len(s.world.Log(0))-1].Seq
	return c
}

// check looks for the last password, and for the first one.
func (c *checking) check(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: "root", Platform: cloud.Linux,
		Values: []string{c.last, c.first}})
}

// bare fails if anything that came after the resets holds one of their passwords or hashes, or these.
func (c *checking) bare(t *testing.T, more ...string) {
	t.Helper()
	var seen strings.Builder
	for _, i := range c.world.Invocations(nil)[c.commands:] {
		seen.WriteString(i.Text + i.Output + "\n")
	}
	for _, e := range c.world.Log(c.entries) {
		for name, value := range e.Params {
			if name == "Content" {
				raw, err := base64.StdEncoding.DecodeString(strings.Trim(value, `"`))
				if err != nil {
					t.Fatal(err)
				}
				value = string(raw)
			}
			seen.WriteString(value + "\n")
		}
		seen.WriteString(e.Password + "\n")
	}
	secrets := append([]string{c.first, c.last}, more...)
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
func TestSimCheckFinds(t *testing.T) {
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
		"user removed": {change: func(c *checking) error { return c.world.RemoveLogin(c.id, "root") },
			match: cloud.NoMatch, state: cloud.UserMissing},
		"locked":            {change: guest(guestos.Conditions{Locked: []string{"root"}}), state: cloud.UserLocked},
		"expired":           {change: guest(guestos.Conditions{Expired: []string{"root"}}), state: cloud.UserExpired},
		"no password login": {change: guest(guestos.Conditions{NoPasswordLogin: true}), state: cloud.UserLoginOff},
		"no tool":           {change: guest(guestos.Conditions{NoDigest: true}), match: cloud.NoMatch, unknown: "no sha256sum"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChecking(t)
			if tc.change != nil {
				if err := tc.change(c); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := c.world.Server(c.id)
			waited := c.limiter.(*countLimiter).count("RunCommand")
			got, err := c.check(t)
			if err != nil || got.Match != tc.match || got.State != tc.state ||
				!strings.Contains(got.Unknown, tc.unknown) || (got.Unknown == "") != (tc.unknown == "") {
				t.Errorf("%+v, %v", got, err)
			}
			if n := c.limiter.(*countLimiter).count("RunCommand") - waited; n != 1 {
				t.Errorf("the limiter was waited for %d times", n)
			}
			after, _ := c.world.Server(c.id)
			if before.Hashes["root"] != after.Hashes["root"] || before.Logins["root"] != after.Logins["root"] {
				t.Error("the check has changed the password")
			}
			c.bare(t, byHand)
		})
	}
}

// What keeps a check from looking is an error, and never another password.
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
					for len(c.world.Invocations(nil)) <= c.commands {
						select {
						case <-tick.C:
						case <-t.Context().Done():
							return
						}
					}
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
	p := newTestProvider(t, testConfig(t, ""))
	if want := []string{cloud.CheckCommand}; !slices.Equal(Descriptor().CheckMethods, want) {
		t.Errorf("check methods %q", Descriptor().CheckMethods)
	}
	for _, m := range Descriptor().CheckMethods {
		if c := p.Checker(m); c == nil || c != p.Checker(m) || c.CheckAction() != "RunCommand" {
			t.Errorf("%s: %v", m, c)
		}
	}
	if c := p.Checker("else"); c != nil {
		t.Errorf("%v", c)
	}
	if err := p.Checker(cloud.CheckCommand).CanCheck(cloud.Instance{Platform: cloud.Linux}, "root"); cloud.KindOf(err) == "" &&
		p.mayNotAsk(endpointTAT) {
		t.Error("commands may be sent where no endpoint is given")
	}
}
