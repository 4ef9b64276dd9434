package ssh

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

func TestInstancesAreTheHosts(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	web, windows := s.host("web-1"), s.host("win-1")
	web.Tags = map[string]string{"app": "web"}
	windows.Platform, windows.Address = cloud.Windows, "win-1.example.com"
	hosts := inventoryOf(web, windows)
	p := connection(t, private, hosts, nil)
	all, err := p.FindInstances(t.Context(), nil)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, c := range []struct {
		got, want any
	}{
		{all[0].ID, "web-1"}, {all[0].PrivateIP, "127.0.0.1"}, {all[0].State, cloud.StateRunning}, {all[0].SystemDisk, "serial-web-1"},
		{p.DefaultUsername(all[0]), "root"}, {p.DefaultUsername(all[1]), "Administrator"}, {all[1].PrivateIP, ""},
		{all[1].Platform, cloud.Windows}, {all[0].LaunchTime.IsZero(), true},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	if tagged, err := p.FindInstances(t.Context(), map[string]string{"app": "web"}); err != nil || len(tagged) != 1 {
		t.Errorf("%+v, %v", tagged, err)
	}
	if found, err := p.DescribeInstances(t.Context(), []string{"win-1", "gone"}); err != nil || len(found) != 1 || found[0].ID != "win-1" {
		t.Errorf("%+v, %v", found, err)
	}
	records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "web-1"}, {InstanceID: "gone"}})
	if _, exists := records["web-1"]; err != nil || !exists || len(records) != 1 {
		t.Errorf("%+v, %v", records, err)
	}
	hosts.err = errors.New("storage is gone")
	if _, err := p.DescribeInstances(t.Context(), []string{"web-1"}); cloud.KindOf(err) != cloud.Unavailable {
		t.Error(err)
	}
	if _, err := p.FindInstances(t.Context(), nil); cloud.KindOf(err) != cloud.Unavailable {
		t.Error(err)
	}
	if _, err := start(t, p, reset("Some-Secret-123", 1)); cloud.KindOf(err) != cloud.Unavailable {
		t.Error(err)
	}
	for _, bad := range []string{"", "-a", "a/b", "a b", ".", "a\n", strings.Repeat("a", 129)} {
		if p.ValidateInstanceID(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestVerifyNeedsOneHost(t *testing.T) {
	private, key := sshserver.NewPair(t)
	if err := connection(t, private, inventoryOf(), nil).Verify(t.Context()); err != nil {
		t.Errorf("without hosts: %v", err)
	}
	lives, dead := newServer(t, key), newServer(t, key)
	dead.keys = nil
	p := connection(t, private, inventoryOf(lives.host("a"), dead.host("b"), dead.host("c")), nil)
	for range 5 {
		if err := p.Verify(t.Context()); err != nil {
			t.Errorf("with one that lets it in: %v", err)
		}
	}
	p = connection(t, private, inventoryOf(dead.host("b"), dead.host("c")), nil)
	if err := p.Verify(t.Context()); cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "authorized_keys") {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	private, key := sshserver.NewPair(t)
	for name, c := range map[string]struct {
		change func(*server)
		want   string // login, root, tools
		says   string
	}{
		"all":      {func(*server) {}, "granted/granted/granted", "web-1"},
		"no key":   {func(s *server) { s.keys = nil }, "denied/unknown/unknown", "authorized_keys"},
		"no sudo":  {func(s *server) { s.rights = "sudo: no\n" }, "granted/denied/unknown", "NOPASSWD"},
		"no tools": {func(s *server) { s.noTools = true }, "granted/granted/denied", "flock"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, key)
			c.change(s)
			all, err := connection(t, private, inventoryOf(s.host("web-1")), nil).CheckPermissions(t.Context())
			if err != nil || len(all) != 3 {
				t.Fatalf("%+v, %v", all, err)
			}
			var verdicts, messages []string
			for _, p := range all {
				verdicts, messages = append(verdicts, string(p.Verdict)), append(messages, p.Message)
			}
			if got := strings.Join(verdicts, "/"); got != c.want || !strings.Contains(strings.Join(messages, " "), c.says) {
				t.Errorf("%s: %v", got, messages)
			}
			if all[1].Policy != "cloudpw ALL=(root) NOPASSWD: /bin/sh -s" || !strings.HasPrefix(all[0].Policy, "ssh-ed25519 ") {
				t.Errorf("policies %q, %q", all[0].Policy, all[1].Policy)
			}
			if !s.has("app", "old") {
				t.Error("something was changed")
			}
		})
	}
	all, err := connection(t, private, inventoryOf(), nil).CheckPermissions(t.Context())
	if err != nil || all[0].Verdict != cloud.PermissionUnknown || !strings.Contains(all[0].Message, "no hosts") {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestFirstUseIsPinned(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	h := s.host("web-1")
	want := h.HostKey
	h.HostKey = ""
	hosts := inventoryOf(h)
	p := connection(t, private, hosts, nil)
	if _, err := start(t, p, reset("Some-Secret-123", 1)); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), "no host key is pinned") {
		t.Error(err)
	}
	h.TrustOnFirstUse = true
	hosts.hosts["web-1"] = h
	if started, err := start(t, p, reset("Some-Secret-123", 1)); err != nil || !started.Done || hosts.hosts["web-1"].HostKey != want {
		t.Errorf("%+v, %v, pinned %q", started, err, hosts.hosts["web-1"].HostKey)
	}
	h.HostKey = sshserver.Line(sshserver.NewKey(t).PublicKey())
	hosts.hosts["web-1"] = h
	if _, err := start(t, p, reset("Some-Secret-123", 1)); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), "host-key/web-1") {
		t.Error(err)
	}
}

// TestWindows plays a reset and a check by the scripts for PowerShell, whose inside is simulated: they were never run on Windows.
func TestWindows(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	s.system.Windows, s.system.Accounts, s.system.Administrator = true, []string{"Administrator"}, "Administrator"
	s.system.Orders = map[string]string{}
	h := s.host("web-1")
	h.Platform = cloud.Windows
	p := connection(t, private, inventoryOf(h), nil)
	method := p.Resetter(cloud.MethodCommand)
	r := cloud.Reset{InstanceIDs: []string{"web-1"}, Username: "Administrator", Password: "Some-Secret-123", Platform: cloud.Windows,
		Order:    order,
		NotAfter: time.Now().Add(cloud.OrderDeadline)}
	prepared, err := method.(cloud.ResetPreparer).PrepareReset(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Prepared = prepared
	if started, err := method.StartReset(t.Context(), r); err != nil || !started.Done || s.system.Passwords["Administrator"] != r.Password {
		t.Errorf("%+v, %v", started, err)
	}
	for _, c := range s.commands {
		if strings.Contains(c, r.Password) || c != powerShell {
			t.Errorf("a command is %q", c)
		}
	}
	s.system.Key = nil // the server has lost it
	started, err := method.StartReset(t.Context(), r)
	if err != nil || started.Done {
		t.Fatalf("%+v, %v", started, err)
	}
	records, err := method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "web-1", RequestID: started.RequestID}})
	if got := records["web-1"]; err != nil || got.Kind != cloud.Refused {
		t.Errorf("%+v, %v", got, err)
	}
	again, err := method.(cloud.ResetPreparer).PrepareReset(t.Context(), r)
	if err != nil || again == prepared {
		t.Errorf("the lost key is still used: %v", err)
	}
}

// TestRunsAreBounded: what nobody asks for is not kept for ever.
func TestRunsAreBounded(t *testing.T) {
	var r runs
	for n := range maxRuns + 50 {
		r.put(strings.Repeat("x", n+1), guest.Run{})
	}
	if n := len(r.ended); n != maxRuns {
		t.Errorf("%d are kept", n)
	}
	if _, ok := r.get(strings.Repeat("x", maxRuns+50)); !ok {
		t.Error("the latest is not kept")
	}
}
