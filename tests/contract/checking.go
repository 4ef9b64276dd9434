package contract

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checkingChecks are about each check method of the descriptor, which looks for passwords that the subject's reset method has set.
func checkingChecks(subject Subject) (all []check) {
	for _, method := range subject.Descriptor.CheckMethods {
		for name, f := range findings {
			all = append(all, check{"check by " + method + ", " + name, func(t *testing.T, s *scene) { sees(t, s.checking(t, method), f) }})
		}
		for name, h := range hindrances {
			all = append(all, check{"check by " + method + ", " + name, func(t *testing.T, s *scene) { seesNothing(t, s.checking(t, method), h) }})
		}
	}
	return all
}

// checking is a server whose default user the reset method has given two passwords.
type checking struct {
	*scene
	checker     cloud.PasswordChecker
	id          string
	first, last cloud.Reset
	snapshot    string // taken in between
	hashes      []string
	commands    int // in the history when the passwords were set
	entries     int // the same of the simulator's log
}

func (s *scene) checking(t *testing.T, method string) *checking {
	t.Helper()
	c := &checking{scene: s, checker: s.provider.(cloud.PasswordCheckers).Checker(method), id: s.server(t, model.Linux)}
	c.first = c.set(t)
	taken, err := s.world.Snapshot(c.id, "")
	if err != nil {
		t.Fatal(err)
	}
	c.snapshot, c.last = taken.ID, c.set(t)
	c.commands, c.entries = len(s.world.Invocations(nil)), s.mark()
	return c
}

// set gives the server's default user a new password.
func (c *checking) set(t *testing.T) cloud.Reset {
	t.Helper()
	r := c.resetOf(t, c.id)
	c.checkSucceeded(t, r, c.start(t, r))
	server, _ := c.world.Server(c.id)
	if hash := server.Hashes[r.Username]; hash != "" {
		c.hashes = append(c.hashes, hash[strings.LastIndexByte(hash, '$')+1:])
	}
	return r
}

// look asks for the last password, and for the first one.
func (c *checking) look(t *testing.T) (cloud.PasswordFinding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.checker.CheckPassword(ctx, cloud.PasswordCheck{InstanceID: c.id, Username: c.last.Username, Platform: c.last.Platform,
		Values: []string{c.last.Password, c.first.Password}})
}

// bare fails if anything that came after the resets holds one of their passwords or hashes, or these.
func (c *checking) bare(t *testing.T, more ...string) {
	t.Helper()
	history, err := json.Marshal(c.world.Invocations(nil)[c.commands:])
	if err != nil {
		t.Fatal(err)
	}
	seen := []string{string(history)}
	for _, e := range c.world.Log(c.entries) {
		seen = append(seen, e.Password)
		for _, value := range e.Params {
			seen = append(seen, value)
			if raw, err := base64.StdEncoding.DecodeString(strings.Trim(value, `"`)); err == nil {
				seen = append(seen, string(raw))
			}
		}
	}
	for _, text := range seen {
		c.holdsNone(t, text, append(more, c.first.Password, c.last.Password)...)
		for _, hash := range c.hashes {
			if strings.Contains(text, hash) {
				t.Errorf("a hash stands in %q", text)
			}
		}
	}
}

const setByHand = "Set-by-hand-123"

// finding is a change of the server, and what a check says of it.
type finding struct {
	change  func(c *checking) error
	match   int
	state   cloud.UserState
	unknown string
}

// with changes the server as its guest's conditions say.
func (c *checking) with(conditions guestos.Conditions) error {
	return c.world.SetGuest(c.id, model.Guest{Conditions: conditions})
}

var findings = map[string]finding{
	"the password as it was set": {},
	"a password set by hand": {match: cloud.NoMatch,
		change: func(c *checking) error { return c.world.SetLogin(c.id, c.last.Username, setByHand) }},
	"an older disk": {match: 1, change: func(c *checking) error { return c.world.RestoreSnapshot(c.id, c.snapshot) }},
	"a removed user": {match: cloud.NoMatch, state: cloud.UserMissing,
		change: func(c *checking) error { return c.world.RemoveLogin(c.id, c.last.Username) }},
	"a locked user": {state: cloud.UserLocked,
		change: func(c *checking) error { return c.with(guestos.Conditions{Locked: []string{c.last.Username}}) }},
	"an expired user": {state: cloud.UserExpired,
		change: func(c *checking) error { return c.with(guestos.Conditions{Expired: []string{c.last.Username}}) }},
	"no password login": {state: cloud.UserLoginOff,
		change: func(c *checking) error { return c.with(guestos.Conditions{NoPasswordLogin: true}) }},
	"no tool": {match: cloud.NoMatch, unknown: "no sha256sum",
		change: func(c *checking) error { return c.with(guestos.Conditions{NoDigest: true}) }},
	"not root": {match: cloud.NoMatch, unknown: "without the rights of root",
		change: func(c *checking) error { return c.with(guestos.Conditions{NotRoot: true}) }},
	"a user of a directory": {match: cloud.NoMatch, unknown: "LDAP, SSSD", change: func(c *checking) error {
		if err := c.world.RemoveLogin(c.id, c.last.Username); err != nil {
			return err
		}
		return c.with(guestos.Conditions{Directory: []string{c.last.Username}})
	}},
}

// sees looks at a changed server. The look changes nothing, leaves nothing behind, and waits for the limiter before each request.
func sees(t *testing.T, c *checking, f finding) {
	if f.change != nil {
		if err := f.change(c); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := c.world.Server(c.id)
	mark, waits, took := c.mark(), c.limiter.total(), len(c.limiter.since(0))
	var got cloud.PasswordFinding
	var err error
	c.whileTimePasses(func() { got, err = c.look(t) })
	if err != nil || got.Match != f.match || got.State != f.state || !strings.Contains(got.Unknown, f.unknown) ||
		(got.Unknown == "") != (f.unknown == "") {
		t.Errorf("%+v, %v; want %d, %q, %q", got, err, f.match, f.state, f.unknown)
	}
	sent := len(c.world.Log(mark))
	if told := len(c.limiter.since(took)); sent == 0 || c.limiter.total()-waits != sent || told != sent {
		t.Errorf("%d requests; the limiter was waited for %d times, and told of %d", sent, c.limiter.total()-waits, told)
	}
	after, _ := c.world.Server(c.id)
	user := c.last.Username
	if before.Logins[user] != after.Logins[user] || before.Hashes[user] != "" && before.Hashes[user] != after.Hashes[user] ||
		before.State != after.State {
		t.Error("the check has changed the server")
	}
	c.bare(t, setByHand)
}

// hindrance is what keeps a check from looking, and the error's kind.
type hindrance struct {
	before func(c *checking) error
	during func(c *checking) // when a command is there
	kind   cloud.Kind
}

// sends is what the simulator calls the request of a check: that of a reset, unless it is another one.
func (c *checking) sends() string {
	if action := c.checker.CheckTraits(cloud.Linux).Action; action != c.action {
		return action
	}
	return c.logged
}

func stuckCommand(c *checking) error {
	_, err := c.world.AddFault(model.Fault{Cloud: c.cloud, Action: c.sends(), Kind: model.FaultStuck})
	return err
}

var hindrances = map[string]hindrance{
	"an agent that is offline": {kind: cloud.Refused,
		before: func(c *checking) error { return c.world.SetGuest(c.id, model.Guest{Agent: model.AgentOffline}) }},
	"a stopped server":    {kind: cloud.Refused, before: func(c *checking) error { return c.world.SetState(c.id, model.StateStopped) }},
	"a terminated server": {kind: cloud.NotFound, before: func(c *checking) error { return c.world.Terminate(c.id) }},
	"a removed server":    {kind: cloud.NotFound, before: func(c *checking) error { return c.world.Remove(c.id) }},
	"permission missing": {kind: cloud.Denied, before: func(c *checking) error {
		user, _ := c.world.User(c.cloud, c.creds.UserID)
		user.Deny = []string{c.permission(c.checker.CheckTraits(cloud.Linux).Action)}
		c.world.AddUser(user)
		return nil
	}},
	"throttled": {kind: cloud.Throttled, before: func(c *checking) error {
		_, err := c.world.AddFault(model.Fault{Cloud: c.cloud, Action: c.sends(), Kind: model.FaultThrottle})
		return err
	}},
	"a command that does not end": {kind: cloud.Refused, before: stuckCommand,
		during: func(c *checking) { c.world.Advance(100 * operationTime) }},
	"a command that is cancelled": {kind: cloud.Refused, before: stuckCommand,
		during: func(c *checking) { c.world.CancelCommand(c.world.Invocations(nil)[c.commands].CommandID) }},
	"a command that fails": {kind: cloud.Refused, before: func(c *checking) error {
		_, err := c.world.AddFault(model.Fault{Cloud: c.cloud, Action: c.sends(),
			Kind: model.FaultFailedNotApplied})
		return err
	}, during: func(c *checking) { c.settle() }},
}

// seesNothing looks at a server where nothing can be seen, which is an error and never another password.
func seesNothing(t *testing.T, c *checking, h hindrance) {
	if err := h.before(c); err != nil {
		t.Fatal(err)
	}
	if h.during != nil {
		acted := make(chan struct{})
		defer func() { <-acted }()
		go func() {
			defer close(acted)
			until(t, func() bool { return len(c.world.Invocations(nil)) > c.commands })
			h.during(c)
		}()
	}
	got, err := c.look(t)
	c.wantKind(t, err, []cloud.Kind{c.kind(h.kind)}, c.first.Password, c.last.Password)
	if got.Match != cloud.NoMatch || got.State != "" {
		t.Errorf("an error and %+v", got)
	}
	c.bare(t)
}
