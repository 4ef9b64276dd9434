package sshlogin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

const instance = "i-1"

// scene is a server, with what is known of it.
type scene struct {
	server    *sshServer
	inventory *inventory
	servers   *servers
	config    cloud.Config
	listed    bool
	check     cloud.PasswordCheck
}

func newScene(t *testing.T, s *sshServer) *scene {
	t.Helper()
	s.start(t)
	v := &inventory{hosts: map[string]cloud.Host{instance: {Name: instance, HostKey: sshserver.Line(s.key.PublicKey())}}}
	p := &servers{known: []cloud.Instance{{ID: instance, PrivateIP: "127.0.0.1", State: cloud.StateRunning}}}
	return &scene{s, v, p, cloud.Config{Connection: "prod", Limiter: cloud.Unlimited{}, Hosts: v, RequestTimeout: 5 * time.Second}, false,
		cloud.PasswordCheck{InstanceID: instance, Username: user, Platform: cloud.Linux, Address: "127.0.0.1", Port: s.Port,
			Values: []string{right}}}
}

func (s *scene) look(ctx context.Context) (cloud.PasswordFinding, error) {
	return New(s.config, s.servers, s.listed).CheckPassword(ctx, s.check)
}

// TestFindings: what servers make of a login, and what is concluded. No server is given more than one password.
func TestFindings(t *testing.T) {
	const wrong = "Wrong-Password-1"
	publicKeyOnly := func(c *ssh.ServerConfig) {
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errNo }
	}
	both := func(s *sshServer) func(*ssh.ServerConfig) {
		return func(c *ssh.ServerConfig) {
			s.byPassword(c)
			s.asks(true, []string{"Password: "})(c)
		}
	}
	type kase struct {
		config  func(*sshServer) func(*ssh.ServerConfig)
		change  func(*cloud.PasswordCheck)
		match   bool
		differs bool
		unknown string
		given   int
		state   cloud.UserState
	}
	try := func(value string) func(*cloud.PasswordCheck) {
		return func(c *cloud.PasswordCheck) { c.Values = []string{value} }
	}
	root := func(worked bool) func(*cloud.PasswordCheck) {
		return func(c *cloud.PasswordCheck) { c.Username, c.Values, c.LoginWorked = "root", []string{wrong}, worked }
	}
	asks := func(hidden bool, questions []string, more ...string) func(*sshServer) func(*ssh.ServerConfig) {
		return func(s *sshServer) func(*ssh.ServerConfig) { return s.asks(hidden, questions, more...) }
	}
	for name, c := range map[string]kase{
		"right":                   {match: true, given: 1},
		"wrong":                   {change: try(wrong), differs: true, given: 1},
		"root, wrong":             {change: root(false), unknown: "PermitRootLogin", given: 1},
		"root, was let in before": {change: root(true), differs: true, given: 1},
		"root, right":             {change: func(c *cloud.PasswordCheck) { c.Username = "root" }, match: true, given: 1},
		"both methods, right":     {config: both, match: true, given: 1},
		"both methods, wrong":     {config: both, change: try(wrong), differs: true, given: 1},
		"one hidden question":     {config: asks(true, []string{"Password: "}), match: true, given: 1},
		"one hidden question, wrong": {config: asks(true, []string{"Password: "}), change: try(wrong), differs: true,
			given: 1},
		"one question that is shown": {config: asks(false, []string{"Password: "}), unknown: otherAsked},
		"two questions":              {config: asks(true, []string{"Password: ", "Verification code: "}), unknown: otherAsked},
		"a second factor alone":      {config: asks(true, []string{"Verification code: "}), unknown: otherAsked},
		"a second factor after it":   {config: asks(true, []string{"Password: "}, "Verification code: "), unknown: moreAsked, given: 1},
		"an expired password":        {config: asks(true, []string{"Password: "}, "New password: "), unknown: moreAsked, given: 1},
		"keys only":                  {config: func(*sshServer) func(*ssh.ServerConfig) { return publicKeyOnly }, unknown: "takes no passwords"},
		"nobody is asked": {config: func(*sshServer) func(*ssh.ServerConfig) {
			return func(c *ssh.ServerConfig) { c.NoClientAuth = true }
		}, unknown: "without any password", state: cloud.UserWithoutPassword},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sshServer{}
			if c.config != nil {
				s.config = c.config(s)
			}
			sc := newScene(t, s)
			if c.change != nil {
				c.change(&sc.check)
			}
			found, err := sc.look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (found.Match == 0) != c.match || found.Different() != c.differs || !strings.Contains(found.Unknown, c.unknown) ||
				(found.Unknown == "") != (c.unknown == "") || found.State != c.state || found.Tried != (c.given > 0) {
				t.Errorf("%+v", found)
			}
			if c.differs != strings.Contains(found.Detail, "AllowUsers or PAM") {
				t.Errorf("detail %q", found.Detail)
			}
			if len(found.Unknown) > cloud.MaxText || len(found.Detail) > cloud.MaxText {
				t.Errorf("it is cut: %q, %q", found.Unknown, found.Detail)
			}
			given := s.passwords()
			if len(given) != c.given || c.given > 0 && given[0] != sc.check.Values[0] {
				t.Errorf("the server was given %d passwords", len(given))
			}
			if sc.servers.asked > 0 {
				t.Errorf("the cloud was asked %d times though the host key is pinned", sc.servers.asked)
			}
		})
	}
}

// TestAServerThatAllowsOneTry ends the connection with the refusal. OpenSSH says so in words that are known; this server in others,
// so that the outcome is unknown. In no case is there a second try, nor a finding that it is another password.
func TestAServerThatAllowsOneTry(t *testing.T) {
	s := &sshServer{}
	s.config = func(c *ssh.ServerConfig) {
		s.byPassword(c)
		s.asks(true, []string{"Password: "})(c)
		c.MaxAuthTries = 1
	}
	sc := newScene(t, s)
	sc.check.Values = []string{"Wrong-Password-1"}
	found, err := sc.look(t.Context())
	if !found.Tried || found.Match == 0 || len(s.passwords()) != 1 || err != nil && cloud.KindOf(err) != cloud.Unknown {
		t.Errorf("%+v, %v, %d passwords", found, err, len(s.passwords()))
	}
}

// TestNothingIsSentToAHostThatIsNotTheRightOne: a host with another key, or none that is known, gets no byte of the password and not
// even the user's name.
func TestNothingIsSentToAHostThatIsNotTheRightOne(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, *scene)
		says   string
		conns  int
		kind   cloud.Kind
	}{
		"another key": {func(t *testing.T, s *scene) {
			s.inventory.hosts[instance] = cloud.Host{Name: instance, HostKey: sshserver.Line(sshserver.NewKey(t).PublicKey())}
		},
			"pinned is SHA256:", 1, cloud.Refused},
		"another key, though first use is allowed": {func(t *testing.T, s *scene) {
			s.check.FirstUse = true
			other := sshserver.NewKey(t).PublicKey()
			s.inventory.hosts[instance] = cloud.Host{Name: instance, HostKey: sshserver.Line(other), TrustOnFirstUse: true}
		}, "pinned is SHA256:", 1, cloud.Refused},
		"none is known": {func(_ *testing.T, s *scene) { delete(s.inventory.hosts, instance) }, "check_trust_on_first_use=true", 0,
			cloud.Refused},
		"none is pinned": {func(_ *testing.T, s *scene) { s.inventory.hosts[instance] = cloud.Host{Name: instance} },
			"check_trust_on_first_use=true", 0, cloud.Refused},
		"listed, none is pinned": {func(_ *testing.T, s *scene) {
			s.listed, s.check.FirstUse = true, true
			s.inventory.hosts[instance] = cloud.Host{Name: instance, Address: "127.0.0.1", Port: s.server.Port}
		}, "trust_on_first_use=true there", 0, cloud.Refused},
		"somebody else pinned another one meanwhile": {func(t *testing.T, s *scene) {
			s.config.Hosts = faster{s.inventory, sshserver.Line(sshserver.NewKey(t).PublicKey())}
			delete(s.inventory.hosts, instance)
			s.check.FirstUse = true
		}, "pinned is SHA256:", 1, cloud.Refused},
		"it cannot be stored": {func(_ *testing.T, s *scene) {
			s.config.Hosts = faster{s.inventory, ""}
			delete(s.inventory.hosts, instance)
			s.check.FirstUse = true
		}, "was not pinned", 1, cloud.Refused},
		"the inventory cannot be read": {func(_ *testing.T, s *scene) { s.inventory.err = errNo }, "could not be read", 0, cloud.Unavailable},
		"there is no inventory":        {func(_ *testing.T, s *scene) { s.config.Hosts = nil }, "no inventory", 0, cloud.Refused},
		"a host that was deleted": {func(_ *testing.T, s *scene) { s.listed = true; delete(s.inventory.hosts, instance) },
			"not in the inventory", 0, cloud.NotFound},
		"several passwords": {func(_ *testing.T, s *scene) { s.check.Values = append(s.check.Values, "Another-Password-1") }, "one password", 0,
			cloud.Refused},
		"no password": {func(_ *testing.T, s *scene) { s.check.Values = nil }, "one password", 0, cloud.Refused},
		"an address that another server has now": {func(_ *testing.T, s *scene) {
			delete(s.inventory.hosts, instance)
			s.check.FirstUse, s.servers.known[0].PrivateIP = true, "10.0.0.9"
		}, "has it no more", 0, ""},
		"the cloud does not answer at first use": {func(_ *testing.T, s *scene) {
			delete(s.inventory.hosts, instance)
			s.check.FirstUse, s.servers.err = true, cloud.Errorf(cloud.Unavailable, "the cloud is away")
		}, "the cloud is away", 0, cloud.Unavailable},
		"a server that is gone at first use": {func(_ *testing.T, s *scene) {
			delete(s.inventory.hosts, instance)
			s.check.FirstUse, s.servers.known = true, nil
		}, "does not exist", 0, cloud.NotFound},
		"no address":          {func(_ *testing.T, s *scene) { s.check.Address = "" }, "set check_address", 0, ""},
		"a name that is none": {func(_ *testing.T, s *scene) { s.check.Address = "my server" }, "neither an IP address nor the name", 0, ""},
		"the metadata service": {func(_ *testing.T, s *scene) { s.check.Address = "169.254.169.254" },
			"link-local addresses are refused", 0, ""},
		"a number that means one": {func(_ *testing.T, s *scene) { s.check.Address = "2852039166" }, "nothing is sent", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, &sshServer{})
			c.change(t, s)
			found, err := s.look(t.Context())
			says := found.Unknown
			if err != nil {
				says = err.Error()
				if cloud.KindOf(err) != c.kind {
					t.Errorf("kind %v: %v", cloud.KindOf(err), err)
				}
			} else if c.kind != "" {
				t.Errorf("no error: %+v", found)
			}
			if !strings.Contains(says, c.says) || found.Tried || found.Match == 0 || err == nil && found.Different() {
				t.Errorf("%+v, %v", found, err)
			}
			if strings.Contains(says, right) {
				t.Error("the message holds the password")
			}
			s.server.mu.Lock()
			defer s.server.mu.Unlock()
			if len(s.server.given) > 0 || s.server.Accepted() != c.conns {
				t.Errorf("%d connections, %d passwords", s.server.Accepted(), len(s.server.given))
			}
			// After our half of the key exchange nothing is sent: no packet of the user authentication, in clear or not.
			if got := s.server.read.Bytes(); bytes.Contains(got, []byte(right)) || bytes.Contains(got, []byte(user)) || len(got) > 4<<10 {
				t.Errorf("the host was sent %d bytes", len(got))
			}
		})
	}
}

// faster is an inventory in which another call pins a key meanwhile; without one it cannot be written.
type faster struct {
	*inventory
	key string
}

func (f faster) PinHostKey(context.Context, string, string) (string, error) {
	if f.key == "" {
		return "", errors.New("storage is read-only")
	}
	return f.key, nil
}

// TestFirstUse: the key is stored before the password is sent, and the next login finds it.
func TestFirstUse(t *testing.T) {
	for name, change := range map[string]func(*scene){
		"the role allows it": func(s *scene) { delete(s.inventory.hosts, instance); s.check.FirstUse = true },
		"the host allows it": func(s *scene) { s.inventory.hosts[instance] = cloud.Host{Name: instance, TrustOnFirstUse: true} },
		"a listed host allows it": func(s *scene) {
			s.listed, s.check.Address, s.check.Port = true, "", 0
			s.inventory.hosts[instance] = cloud.Host{Name: instance, Address: "127.0.0.1", Port: s.server.Port, TrustOnFirstUse: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, &sshServer{})
			s.server.change(func(c *ssh.ServerConfig) {
				c.PasswordCallback = func(_ ssh.ConnMetadata, value []byte) (*ssh.Permissions, error) {
					s.inventory.mu.Lock()
					defer s.inventory.mu.Unlock()
					if s.inventory.hosts[instance].HostKey != sshserver.Line(s.server.key.PublicKey()) {
						t.Error("the password came before the key was stored")
					}
					s.server.give(string(value))
					return nil, nil
				}
			})
			change(s)
			for range 2 {
				if found, err := s.look(t.Context()); err != nil || found.Match != 0 {
					t.Fatalf("%+v, %v", found, err)
				}
			}
			asked := 1
			if s.listed {
				asked = 0
			}
			if len(s.inventory.pinned) != 1 || s.servers.asked != asked {
				t.Errorf("pinned %d times, the cloud was asked %d times", len(s.inventory.pinned), s.servers.asked)
			}
		})
	}
}

// TestAHostThatHangs, at each stage: the look ends in time, and says whether the password was sent.
func TestAHostThatHangs(t *testing.T) {
	hang := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text+"\r\n"); hang(c) }
	}
	for name, c := range map[string]struct {
		server *sshServer
		tried  bool
		kind   cloud.Kind
	}{
		"before its version":       {&sshServer{raw: hang}, false, cloud.Refused},
		"before its key":           {&sshServer{raw: says("SSH-2.0-test")}, false, cloud.Refused},
		"something else than SSH":  {&sshServer{raw: says("220 mail")}, false, cloud.Refused},
		"closed at once":           {&sshServer{raw: func(c net.Conn) { _ = c.Close() }}, false, cloud.Refused},
		"with the password":        {&sshServer{}, true, cloud.Unknown},
		"closed with the password": {&sshServer{}, true, cloud.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.server)
			release := make(chan struct{})
			defer close(release)
			if c.tried {
				c.server.change(func(config *ssh.ServerConfig) {
					config.PasswordCallback = func(_ ssh.ConnMetadata, value []byte) (*ssh.Permissions, error) {
						c.server.give(string(value))
						if strings.HasPrefix(name, "closed") {
							c.server.Cut()
						}
						<-release
						return nil, errNo
					}
				})
			}
			s.config.RequestTimeout = 500 * time.Millisecond
			began := time.Now()
			found, err := s.look(t.Context())
			if err == nil || found.Tried != c.tried || cloud.KindOf(err) != c.kind || found.Match == 0 {
				t.Errorf("%+v, %v", found, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestALookThatIsCalledOffSendsNothingMore: the engine ends a look when the account becomes due.
func TestALookThatIsCalledOffSendsNothingMore(t *testing.T) {
	s := newScene(t, &sshServer{raw: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }})
	s.config.RequestTimeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	found, err := s.look(ctx)
	if err == nil || found.Tried || time.Since(began) > 10*time.Second {
		t.Errorf("%+v, %v after %s", found, err, time.Since(began))
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	before := s.server.Accepted()
	if found, err := s.look(cancelled); err == nil || found.Tried {
		t.Errorf("%+v, %v", found, err)
	}
	if s.server.Accepted() != before {
		t.Error("a look whose caller has gone connects")
	}
}

// TestAnUnreachableHostIsNoFinding, and its error pauses no connection.
func TestAnUnreachableHostIsNoFinding(t *testing.T) {
	s := newScene(t, &sshServer{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.check.Port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	found, err := s.look(t.Context())
	if cloud.KindOf(err) != cloud.Refused || found.Tried || found.Match == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestTheLimiterIsWaitedFor, and a look that gets no turn sends nothing.
func TestTheLimiterIsWaitedFor(t *testing.T) {
	s := newScene(t, &sshServer{})
	s.config.Limiter = noTurn{}
	found, err := s.look(t.Context())
	if cloud.KindOf(err) != cloud.Unavailable || found.Tried || len(s.server.passwords()) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

type noTurn struct{}

func (noTurn) Wait(_ context.Context, action string) error {
	if action != Action {
		return nil
	}
	return cloud.Errorf(cloud.Unavailable, "no turn in time")
}

// TestTraits: what the engine makes of the method.
func TestTraits(t *testing.T) {
	c := New(cloud.Config{}, &servers{}, false)
	for _, platform := range []cloud.Platform{cloud.Linux, cloud.Windows, ""} {
		got := c.CheckTraits(platform)
		if !got.Tries || !got.Direct || got.Interval < 10*time.Minute || got.LongestTry < 5*time.Minute || got.Experimental {
			t.Errorf("%+v", got)
		}
	}
	if err := c.CanCheck(cloud.Instance{}, cloud.BuiltinAdministrator); err == nil || !strings.Contains(err.Error(), "username") {
		t.Error(err)
	}
	if err := c.CanCheck(cloud.Instance{}, "root"); err != nil {
		t.Error(err)
	}
}

// jumping reaches its servers through a host in between.
type jumping struct {
	*servers
	jump *sshclient.Jump
	keys []ssh.Signer
}

func (p jumping) LoginJump() (*sshclient.Jump, []ssh.Signer) { return p.jump, p.keys }

// TestAJumpHostIsUsed: a provider that has one is asked, and its servers are not connected to directly.
func TestAJumpHostIsUsed(t *testing.T) {
	s := newScene(t, &sshServer{})
	bastion := &sshServer{config: func(c *ssh.ServerConfig) {
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
	}}
	bastion.start(t)
	jump := &sshclient.Jump{Address: "127.0.0.1", Port: bastion.Port, User: "jump", HostKey: sshserver.Line(bastion.key.PublicKey())}
	found, err := New(s.config, jumping{s.servers, jump, []ssh.Signer{sshserver.NewKey(t)}}, false).CheckPassword(t.Context(), s.check)
	if err == nil || found.Tried || !strings.Contains(err.Error(), "jump host") {
		t.Errorf("%+v, %v", found, err)
	}
	if s.server.Accepted() > 0 {
		t.Error("the server is connected to directly")
	}
	bastion.mu.Lock()
	defer bastion.mu.Unlock()
	if bastion.Accepted() != 1 || bytes.Contains(bastion.read.Bytes(), []byte(right)) {
		t.Errorf("%d connections to the jump host", bastion.Accepted())
	}
}
