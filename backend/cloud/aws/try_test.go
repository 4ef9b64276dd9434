package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// trying is a Windows server whose password the connection has set.
type trying struct {
	*commanded
	id    string
	reset cloud.Reset
}

func startTrying(t *testing.T) *trying {
	t.Helper()
	s := startCommandedWith(t, time.Millisecond)
	c := &trying{commanded: s, id: s.add(t, model.Server{Platform: model.Windows})}
	c.reset = s.reset(t, c.id)
	request := s.start(t, c.reset)
	s.world.Advance(time.Hour)
	if got := s.look(t, c.id, request); got.State != cloud.OperationSuccess {
		t.Fatalf("%+v", got)
	}
	return c
}

func (c *trying) try(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: c.reset.Username,
		Platform: cloud.Windows, Values: []string{c.reset.Password}})
}

// wrong is how many wrong passwords the server has counted.
func (c *trying) wrong(t *testing.T) guestos.WrongTries {
	t.Helper()
	server, _ := c.world.Server(c.id)
	return server.WrongTries[c.reset.Username]
}

// bare fails if anything holds the password in clear.
func (c *trying) bare(t *testing.T) {
	t.Helper()
	for _, i := range c.world.Invocations(nil) {
		if strings.Contains(i.Text+i.Output+fmt.Sprint(i.Labels), c.reset.Password) {
			t.Error("the history holds the password")
		}
	}
	for _, e := range c.world.Log(0) {
		if strings.Contains(text.Line(fmt.Sprint(e.Params)+e.Password, 20_000, c.reset.Password), "[redacted]") {
			t.Errorf("%s holds the password", e.Action)
		}
	}
}

// A check on Windows tells whether the server has the one password, looks at the user first, and leaves nothing behind.
func TestTryFinds(t *testing.T) {
	inside := func(conditions guestos.Conditions) func(c *trying) error {
		return func(c *trying) error { return c.world.SetGuest(c.id, model.Guest{Conditions: conditions}) }
	}
	user := []string{"Administrator"}
	for name, tc := range map[string]struct {
		change  func(c *trying) error
		match   int
		state   cloud.UserState
		unknown string
		tried   bool
	}{
		"as it was set": {tried: true},
		"changed by hand": {change: func(c *trying) error { return c.world.SetLogin(c.id, "Administrator", "Set-by-hand-123") },
			match: cloud.NoMatch, tried: true},
		"user removed": {change: func(c *trying) error { return c.world.RemoveLogin(c.id, "Administrator") }, match: cloud.NoMatch,
			state: cloud.UserMissing},
		"locked out": {change: inside(guestos.Conditions{Locked: user}), match: cloud.NoMatch, state: cloud.UserLocked, unknown: "locked out"},
		"disabled":   {change: inside(guestos.Conditions{Disabled: user}), match: cloud.NoMatch, state: cloud.UserDisabled, unknown: "disabled"},
		"expired":    {change: inside(guestos.Conditions{Expired: user}), match: cloud.NoMatch, state: cloud.UserExpired, unknown: "expired"},
		"to be changed": {change: inside(guestos.Conditions{PasswordExpired: user}), match: cloud.NoMatch, state: cloud.UserExpired,
			unknown: "must be changed"},
		"a low threshold":   {change: inside(guestos.Conditions{LockoutThreshold: 2}), match: cloud.NoMatch, unknown: "locks the account at 2"},
		"a usual threshold": {change: inside(guestos.Conditions{LockoutThreshold: 10}), tried: true},
		"not over the network": {change: inside(guestos.Conditions{NetworkLoginRefused: user}), match: cloud.NoMatch,
			unknown: "over the network", tried: true},
		"guest only":         {change: inside(guestos.Conditions{GuestOnly: true}), match: cloud.NoMatch, unknown: "somebody else", tried: true},
		"a clock ahead":      {change: inside(guestos.Conditions{Clock: time.Hour}), match: cloud.NoMatch, unknown: "its clock is right"},
		"another key":        {change: func(c *trying) error { return c.world.DeleteGuestKey(c.id) }, tried: true},
		"a clock far behind": {change: inside(guestos.Conditions{Clock: -time.Hour}), tried: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := startTrying(t)
			if tc.change != nil {
				if err := tc.change(c); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := c.world.Server(c.id)
			sent, passed := len(c.requests()), len(c.limiter.passed())
			got, err := c.try(t)
			if err != nil || got.Match != tc.match || got.State != tc.state || got.Tried != tc.tried ||
				!strings.Contains(got.Unknown, tc.unknown) || (got.Unknown == "") != (tc.unknown == "") {
				t.Errorf("%+v, %v", got, err)
			}
			if sent, passed = len(c.requests())-sent, len(c.limiter.passed())-passed; sent != passed || sent < 2 {
				t.Errorf("%d requests, but the limiter was waited for %d times", sent, passed)
			}
			after, _ := c.world.Server(c.id)
			if before.Logins["Administrator"] != after.Logins["Administrator"] {
				t.Error("the check has changed the password")
			}
			history := c.world.Invocations(nil)
			if want := "cloudpw: try whether the password of an account is still right"; history[len(history)-1].Labels["comment"] != want {
				t.Errorf("the history says %q", history[len(history)-1].Labels["comment"])
			}
			c.bare(t)
		})
	}
}

// However often and however soon a wrong password is tried, the server's own count keeps the account from being locked.
func TestTriesNeverLockAnAccount(t *testing.T) {
	for _, threshold := range []int{1, 2, 3, 5, 10} {
		c := startTrying(t)
		if err := c.world.SetLogin(c.id, "Administrator", "Set-by-hand-123"); err != nil {
			t.Fatal(err)
		}
		if err := c.world.SetGuest(c.id, model.Guest{Conditions: guestos.Conditions{LockoutThreshold: threshold}}); err != nil {
			t.Fatal(err)
		}
		for range threshold + 2 {
			if _, err := c.try(t); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := c.wrong(t), max(threshold-2, 0); got.Count != want || !got.LockedOut.IsZero() {
			t.Errorf("threshold %d: %+v, want %d wrong passwords", threshold, got, want)
		}
	}
}

// What keeps a try from being seen is an error, which counts as a try unless the cloud has certainly sent nothing.
func TestTryFails(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(c *trying) error
		kind   cloud.Kind
		text   string
		tried  bool
	}{
		"agent offline": {change: func(c *trying) error { return c.world.SetGuest(c.id, model.Guest{Agent: model.AgentOffline}) },
			kind: cloud.Refused, text: "not online"},
		"terminated": {change: func(c *trying) error { return c.world.Terminate(c.id) }, kind: cloud.NotFound, text: "does not exist"},
		"not root": {change: func(c *trying) error {
			return c.world.SetGuest(c.id, model.Guest{Conditions: guestos.Conditions{NotRoot: true}})
		}, kind: cloud.Refused, text: "rights of an administrator"},
		"domain controller": {change: func(c *trying) error {
			return c.world.SetGuest(c.id, model.Guest{Conditions: guestos.Conditions{DomainController: true}})
		}, kind: cloud.Refused, text: "domain controller"},
		"failed": {change: func(c *trying) error {
			_, err := c.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultFailedNotApplied})
			return err
		}, kind: cloud.Refused, text: "exit code 1", tried: true},
		"its answer is lost": {change: func(c *trying) error {
			_, err := c.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultDropAfter})
			return err
		}, kind: cloud.Unknown, tried: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := startTrying(t)
			if err := tc.change(c); err != nil {
				t.Fatal(err)
			}
			got, err := c.try(t)
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) || got.Match != cloud.NoMatch || got.Tried != tc.tried {
				t.Errorf("%+v, %v; want %s and %q", got, err, tc.kind, tc.text)
			}
			c.bare(t)
		})
	}
}

// An error that repeats a command shows nothing of what it carries, of a try as of a reset.
func TestTryKeepsItsSecrets(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "SomethingNew", "message": "cannot take " + string(body)})
	}))
	defer echo.Close()
	cfg := testConfig(t, echo.URL)
	cfg.Endpoints[endpointSSM] = echo.URL
	const sealed = "c2VhbGVkLWZvci10aGUtc2VydmVy"
	_, err := command{newTestProvider(t, cfg)}.Send(t.Context(), guest.Command{InstanceIDs: []string{"i-0123456789abcdef0"},
		Script:  guest.Script{Interpreter: guest.PowerShell, Text: "$sealed = '" + sealed + "'\n", Sealed: sealed},
		Purpose: guest.TryPassword, Secrets: []string{sealed}})
	if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "[redacted]") || strings.Contains(err.Error(), sealed) {
		t.Errorf("%v", err)
	}
}
