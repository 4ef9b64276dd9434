package ssh

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

func TestResetSetsThePassword(t *testing.T) {
	p, s := one(t)
	for n, secret := range []string{"First-Secret-1", "Second-Secret-2", "Second-Secret-2"} {
		started, err := start(t, p, reset(secret, int64(min(n, 1))))
		if err != nil || !started.Done {
			t.Fatalf("%+v, %v", started, err)
		}
		if !s.has("app", secret) {
			t.Errorf("the password %d is not set", n)
		}
	}
	for _, c := range s.commands {
		if c != "sudo -n -- /bin/sh -s" {
			t.Errorf("a command is %q", c)
		}
	}
	if len(s.commands) != 6 {
		t.Errorf("%d commands", len(s.commands))
	}
}

func TestOlderValueIsShownWithTheServersOrder(t *testing.T) {
	p, s := one(t)
	if _, err := start(t, p, reset("Newer-Secret-1", 7)); err != nil {
		t.Fatal(err)
	}
	started, err := start(t, p, reset("Older-Secret-1", 3))
	if err != nil || started.Done || started.RequestID == "" {
		t.Fatalf("%+v, %v", started, err)
	}
	records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(),
		[]cloud.ResetRef{{InstanceID: "web-1", RequestID: started.RequestID}})
	got := records["web-1"]
	if err != nil || got.State != cloud.OperationFailed || got.Kind != "" || got.Order != order+7 {
		t.Errorf("%+v, %v", got, err)
	}
	if !s.has("app", "Newer-Secret-1") {
		t.Error("the newer value is gone")
	}
}

// TestWhatAFailureProves has the host refuse or fail, and looks at the error's kind.
func TestWhatAFailureProves(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*server, *cloud.Reset)
		kind   cloud.Kind
		says   string
	}{
		"no rights": {func(s *server, _ *cloud.Reset) { s.rights = "sudo: a password is required\n" }, cloud.Refused,
			"cloudpw ALL=(root) NOPASSWD: /bin/sh -s"},
		"requiretty":    {func(s *server, _ *cloud.Reset) { s.tty = true }, cloud.Refused, "sudo=tty"},
		"no such user":  {func(_ *server, r *cloud.Reset) { r.Username = "nobody2" }, cloud.Refused, "no such user"},
		"lock taken":    {func(s *server, _ *cloud.Reset) { s.system.LockTaken = true }, cloud.Refused, "flock"},
		"chpasswd":      {func(s *server, _ *cloud.Reset) { s.system.ChpasswdFails = true }, cloud.Unknown, "chpasswd failed"},
		"clock ahead":   {func(s *server, _ *cloud.Reset) { s.system.Clock = time.Hour }, cloud.Unknown, "clock"},
		"a second line": {func(s *server, _ *cloud.Reset) { s.rc = "cloudpw: exit 82 no such user\n" }, cloud.Unknown, "own last line"},
		"cut off": {func(s *server, _ *cloud.Reset) {
			s.after = s.Cut
		}, cloud.Unknown, "what became of the command"},
		"no host":     {func(_ *server, r *cloud.Reset) { r.InstanceIDs = []string{"web-2"} }, cloud.NotFound, "web-2"},
		"a bad name":  {func(_ *server, r *cloud.Reset) { r.InstanceIDs = []string{"../x"} }, cloud.Refused, "name of a host"},
		"no order":    {func(_ *server, r *cloud.Reset) { r.Order = -1 }, cloud.Refused, "order"},
		"another key": {func(s *server, _ *cloud.Reset) { s.keys = nil }, cloud.Refused, "authorized_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := one(t)
			r := reset("Some-Secret-123", 1)
			c.change(s, &r)
			started, err := start(t, p, r)
			if cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || started != (cloud.ResetStarted{}) {
				t.Errorf("%+v, kind %q: %v", started, cloud.KindOf(err), err)
			}
			if err != nil && (strings.Contains(err.Error(), "$6$") || strings.Contains(err.Error(), r.Password)) {
				t.Errorf("a secret stands in %v", err)
			}
			if errors.Is(err, cloud.ErrOneServer) != (c.kind == cloud.Unknown) {
				t.Errorf("whether it is told of one server alone: %v", err)
			}
			if !s.has("app", "old") && c.kind != cloud.Unknown {
				t.Error("the password was changed")
			}
		})
	}
}

func TestBannerOfTheLoginIsNoHarm(t *testing.T) {
	p, s := one(t)
	s.rc = "Welcome to web-1!\ncloudpw: hello\n"
	if started, err := start(t, p, reset("Some-Secret-123", 1)); err != nil || !started.Done || !s.has("app", "Some-Secret-123") {
		t.Errorf("%+v, %v", started, err)
	}
}

func TestSudoOnATerminal(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	s.tty = true
	h := s.host("web-1")
	h.Sudo = sudoTTY
	p := connection(t, private, inventoryOf(h), nil)
	if started, err := start(t, p, reset("Some-Secret-123", 1)); err != nil || !started.Done || !s.has("app", "Some-Secret-123") {
		t.Errorf("%+v, %v", started, err)
	}
	s.rights = "sudo: no\n"
	if _, err := start(t, p, reset("Other-Secret-123", 2)); cloud.KindOf(err) != cloud.Refused {
		t.Error(err)
	}
}

func TestRootNeedsNoSudo(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	s.rights = "sudo: not found\n"
	h := s.host("web-1")
	h.LoginUser = "root"
	p := connection(t, private, inventoryOf(h), nil)
	if started, err := start(t, p, reset("Some-Secret-123", 1)); err != nil || !started.Done {
		t.Errorf("%+v, %v", started, err)
	}
	h.LoginUser, h.Sudo = "cloudpw", sudoNever
	p = connection(t, private, inventoryOf(h), nil)
	if _, err := start(t, p, reset("Some-Secret-123", 1)); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), "is not root") {
		t.Error(err)
	}
}

func TestCheckByCommand(t *testing.T) {
	p, s := one(t)
	if _, err := start(t, p, reset("Right-Secret-1", 1)); err != nil {
		t.Fatal(err)
	}
	checker := p.Checker(cloud.CheckCommand)
	for n, values := range [][]string{{"Right-Secret-1"}, {"Wrong", "Right-Secret-1"}, {"Wrong"}} {
		got, err := checker.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: "web-1", Username: "app", Platform: cloud.Linux,
			Values: values})
		want := []int{0, 1, cloud.NoMatch}[n]
		if err != nil || got.Match != want || got.Unknown != "" {
			t.Errorf("%v: %+v, %v", values, got, err)
		}
	}
	s.rights = "sudo: no\n"
	if _, err := checker.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: "web-1", Username: "app", Platform: cloud.Linux,
		Values: []string{"x"}}); cloud.KindOf(err) != cloud.Refused {
		t.Error(err)
	}
}
