package tencentcloud

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/tencentapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// simulated is a provider against the cloud simulator.
type simulated struct {
	*provider
	world *model.World
	cfg   cloud.Config
}

func newSimulated(t *testing.T, options model.Options) *simulated {
	t.Helper()
	if options.RateLimits == nil {
		options.RateLimits = map[string]int{}
	}
	if options.OperationTime == 0 {
		options.OperationTime = time.Hour // the tests advance the clock
	}
	w := model.NewWorld(options)
	server := httptest.NewServer(tencentapi.New(w))
	t.Cleanup(func() { w.Close(); server.Close() })
	w.AddAccount(model.Account{Cloud: model.TencentCloud, ID: "100000000001", Regions: []string{"ap-guangzhou"}})
	w.AddUser(model.User{Cloud: model.TencentCloud, ID: "200000000001", AccountID: "100000000001"})
	w.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, ID: testAccessKey, Secret: testSecretKey,
		AccountID: "100000000001", UserID: "200000000001"})
	cfg := testConfig(t, server.URL)
	cfg.Endpoints["sts"], cfg.Endpoints["cam"], cfg.Endpoints["tat"] = server.URL, server.URL, server.URL
	return &simulated{newTestProvider(t, cfg), w, cfg}
}

func (s *simulated) add(t *testing.T, server model.Server) string {
	t.Helper()
	server.Cloud, server.AccountID, server.Region = model.TencentCloud, "100000000001", "ap-guangzhou"
	added, err := s.world.AddServer(server)
	if err != nil {
		t.Fatal(err)
	}
	return added.ID
}

func (s *simulated) fault(t *testing.T, f model.Fault) {
	t.Helper()
	f.Cloud = model.TencentCloud
	if _, err := s.world.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func (s *simulated) record(t *testing.T, id string) cloud.ResetRecord {
	t.Helper()
	records, err := s.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id}})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := records[id]
	if !ok {
		t.Fatalf("no record of %s", id)
	}
	return r
}

// fresh makes a password by the provider's own rules.
func (s *simulated) fresh(t *testing.T, id string) (user, secret string) {
	t.Helper()
	found, err := s.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d instances, %v", len(found), err)
	}
	user = s.DefaultUsername(found[0])
	secret, err = password.Generate(s.PasswordRules(found[0]), user, 0)
	if err != nil {
		t.Fatal(err)
	}
	return user, secret
}

// accepts reports whether the password is the user's in the guest, running or not.
func (s *simulated) accepts(id, user, secret string) bool {
	server, ok := s.world.Server(id)
	return ok && server.HasPassword(user, secret)
}

// TestSimResetOfAStoppedServer needs no force_stop, and the server stays stopped.
func TestSimResetOfAStoppedServer(t *testing.T) {
	s := newSimulated(t, model.Options{})
	id := s.add(t, model.Server{OSName: "Ubuntu Server 22.04 LTS 64bit", State: model.StateStopped})
	user, secret := s.fresh(t, id)
	started, err := s.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	s.world.Advance(time.Hour)
	if r := s.record(t, id); r != (cloud.ResetRecord{OperationID: started.RequestID, State: cloud.OperationSuccess}) {
		t.Errorf("record after the reset: %+v, want success under %s", r, started.RequestID)
	}
	if server, _ := s.world.Server(id); !server.HasPassword("ubuntu", secret) || server.State != model.StateStopped {
		t.Errorf("the server is %+v", server)
	}
}

func TestSimRefusals(t *testing.T) {
	s := newSimulated(t, model.Options{})
	running := s.add(t, model.Server{})
	stopped := s.add(t, model.Server{State: model.StateStopped})
	free := s.add(t, model.Server{State: model.StateStopped, StopCharging: true})
	expired := s.add(t, model.Server{RestrictState: "EXPIRED"})
	rescue := s.add(t, model.Server{State: "rescue_mode"})
	busy := s.add(t, model.Server{State: model.StateStopped})
	if err := s.world.Start(busy); err != nil {
		t.Fatal(err)
	}
	_, secret := s.fresh(t, running)
	for name, c := range map[string]struct {
		reset cloud.Reset
		kind  cloud.Kind
		code  string
	}{
		"running":     {cloud.Reset{InstanceIDs: []string{running}}, cloud.Refused, "UnsupportedOperation.InstanceStateRunning"},
		"one of two":  {cloud.Reset{InstanceIDs: []string{stopped, running}}, cloud.Refused, "UnsupportedOperation.InstanceStateRunning"},
		"unknown":     {cloud.Reset{InstanceIDs: []string{"ins-00000000"}, ForceStop: true}, cloud.NotFound, "InvalidInstanceId.NotFound"},
		"not charged": {cloud.Reset{InstanceIDs: []string{free}}, cloud.Refused, "UnsupportedOperation.StoppedModeStopCharging"},
		"expired": {cloud.Reset{InstanceIDs: []string{expired}, ForceStop: true}, cloud.Refused,
			"UnsupportedOperation.InstanceStateFreezing"},
		"rescue mode": {cloud.Reset{InstanceIDs: []string{rescue}, ForceStop: true}, cloud.Refused, ""},
		"busy":        {cloud.Reset{InstanceIDs: []string{busy}, ForceStop: true}, cloud.Refused, "MutexOperation.TaskRunning"},
		"weak password": {cloud.Reset{InstanceIDs: []string{stopped}, Password: "alllowercase"}, cloud.PasswordRefused,
			"InvalidParameterValue.InvalidPassword"},
	} {
		t.Run(name, func(t *testing.T) {
			c.reset.Username = "root"
			if c.reset.Password == "" {
				c.reset.Password = secret
			}
			_, err := s.StartReset(t.Context(), c.reset)
			e := errorOfKind(t, err, c.kind)
			if c.code != "" && e.Code != c.code || e.RequestID == "" || strings.Contains(e.Error(), c.reset.Password) {
				t.Errorf("%v, want code %s", e, c.code)
			}
		})
	}
	s.world.Advance(2 * time.Hour)
	if s.accepts(stopped, "root", secret) {
		t.Error("a refused batch changed a password")
	}
}

func TestSimDescribeAndFind(t *testing.T) {
	s := newSimulated(t, model.Options{})
	var web []string
	for i := range 130 {
		web = append(web, s.add(t, model.Server{Name: fmt.Sprintf("web-%d", i), Tags: map[string]string{"tier": "web", "env": "prod"}}))
	}
	db := s.add(t, model.Server{Name: "db", Platform: model.Windows, State: model.StateStopped, PublicIP: "203.0.113.7",
		Tags: map[string]string{"env": "prod"}})
	gone := s.add(t, model.Server{Tags: map[string]string{"tier": "web", "env": "prod"}})
	if err := s.world.Terminate(gone); err != nil {
		t.Fatal(err)
	}
	slices.Sort(web)
	got, err := s.FindInstances(t.Context(), map[string]string{"tier": "web", "env": "prod"})
	if err != nil || !slices.Equal(idsOf(got), web) {
		t.Errorf("%d found of %d, %v", len(got), len(web), err)
	}
	got, err = s.DescribeInstances(t.Context(), append([]string{db, gone, "ins-zzzzzzzz"}, web...))
	if err != nil || len(got) != len(web)+1 {
		t.Fatalf("%d described of %d, %v", len(got), len(web)+1, err)
	}
	for _, i := range got {
		if i.ID != db {
			continue
		}
		if i.Name != "db" || i.Platform != cloud.Windows || i.State != cloud.StateStopped || i.CloudState != "STOPPED" ||
			i.PublicIP != "203.0.113.7" || i.PrivateIP == "" || i.LaunchTime.IsZero() || i.LoginUser != "Administrator" {
			t.Errorf("%+v", i)
		}
	}
	requests := 0
	for _, entry := range s.world.Log(0) {
		if entry.Action == "DescribeInstances" {
			requests++
		}
	}
	if waited := s.cfg.Limiter.(*contract.CountLimiter).Count("DescribeInstances"); requests != 4 || waited != 4 {
		t.Errorf("%d requests, %d times through the limiter, want 4 and 4", requests, waited)
	}
}

func TestSimVerify(t *testing.T) {
	s := newSimulated(t, model.Options{})
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		code   string
	}{
		"unknown key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKIDUNKNOWN"}) }, "AuthFailure.SecretIdNotFound"},
		"wrong secret": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": c.Text(cloud.SecretKey) + "x"}) },
			"AuthFailure.SignatureFailure"},
		"no such form": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "nonsense"}) }, "AuthFailure.InvalidSecretId"},
		"CVM not allowed": {func(c *cloud.Config) {
			delete(c.Endpoints, "sts")
			if ok, err := s.world.Deny(model.TencentCloud, testAccessKey, []string{"cvm:*"}); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}, "UnauthorizedOperation"},
	} {
		cfg := s.cfg
		cfg.Endpoints = map[string]string{"cvm": s.cfg.Endpoints["cvm"], "sts": s.cfg.Endpoints["sts"]}
		c.change(&cfg)
		if e := errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Denied); e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, e, c.code)
		}
	}
}

func TestSimRateLimitIsThrottled(t *testing.T) {
	s := newSimulated(t, model.Options{RateLimits: map[string]int{"tencentcloud:cvm:DescribeInstances": 2}})
	var err error
	for range 3 {
		_, err = s.DescribeInstances(t.Context(), []string{"ins-00000000"})
	}
	wantKind(t, err, cloud.Throttled)
}

// TestSimThrottledPageIsAskedForAgain: a client's listing outlives a page that came a moment too early.
func TestSimThrottledPageIsAskedForAgain(t *testing.T) {
	s := newSimulated(t, model.Options{})
	id := s.add(t, model.Server{Platform: model.Linux})
	if _, err := s.world.AddFault(model.Fault{Action: describeInstances.name, Kind: model.FaultThrottle, Count: 1}); err != nil {
		t.Fatal(err)
	}
	found, err := s.FindInstances(cloud.WithInteractive(t.Context()), nil)
	if err != nil || len(found) != 1 || found[0].ID != id {
		t.Errorf("%v, %v; want the one instance", found, err)
	}
	if waited := s.cfg.Limiter.(*contract.CountLimiter).Count(describeInstances.name); waited != 2 {
		t.Errorf("%d times through the limiter, want 2: the second try waits for its turn, too", waited)
	}
}
