package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// simulated is a provider whose cloud is the simulator, over TLS.
type simulated struct {
	sim     *cloudsim.Sim
	creds   cloudsim.Credentials
	cfg     cloud.Config
	limiter *countingLimiter
}

func startSimulated(t *testing.T, seed cloudsim.SeedOptions) *simulated {
	t.Helper()
	return startSimulatedWith(t, cloudsim.Options{TLS: true}, seed)
}

func startSimulatedWith(t *testing.T, options cloudsim.Options, seed cloudsim.SeedOptions) *simulated {
	t.Helper()
	sim := cloudsim.Start(t, options)
	seeded, err := sim.Seed(seed)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloud.NewHTTPClient(sim.CAPEM(), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	s := &simulated{sim: sim, creds: seeded[model.AWS], limiter: &countingLimiter{}}
	s.cfg = cloud.Config{
		Provider: Name, Values: cloud.Values{"region": s.creds.Region, "access_key": s.creds.AccessKey, "secret_key": s.creds.SecretKey},
		Endpoints: map[string]string{
			endpointEC2: sim.URL(model.AWS, "ec2"), endpointSTS: sim.URL(model.AWS, "sts"), endpointIAM: sim.URL(model.AWS, "iam"),
			endpointSSM: sim.URL(model.AWS, "ssm"),
		},
		RequestTimeout: 30 * time.Second, HTTPClient: client, Limiter: s.limiter,
	}
	return s
}

// requests are the actions that the simulator was asked for.
func (s *simulated) requests() []string {
	var out []string
	for _, e := range s.sim.World().Log(0) {
		if e.Cloud == model.AWS {
			out = append(out, e.Action)
		}
	}
	return out
}

// From an empty answer to a password that logs in, with what an operator is told on the way.
func TestSimulatedInitialPassword(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{ReadyAfter: 10 * time.Minute})
	p, ctx, windows := newTestProvider(t, s.cfg), context.Background(), s.creds.Servers["windows-1"]

	if err := p.CheckInitialPassword(ctx, windows); err != nil {
		t.Errorf("dry run: %v", err)
	}
	if _, err := p.InitialPassword(ctx, windows); cloud.KindOf(err) != cloud.NotReady {
		t.Errorf("before its time: %v", err)
	}
	s.sim.World().Advance(10 * time.Minute)
	ciphertext, err := p.InitialPassword(ctx, windows)
	if err != nil {
		t.Fatal(err)
	}
	key, err := password.ParsePrivateKey([]byte(s.creds.PrivateKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := password.DecryptInitial(key, ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	described, err := p.DescribeInstances(ctx, []string{windows})
	if err != nil || len(described) != 1 {
		t.Fatalf("%+v, %v", described, err)
	}
	if err := s.sim.Login(ctx, windows, p.DefaultUsername(described[0]), text); err != nil {
		t.Errorf("log in with the decrypted password: %v", err)
	}
	if got, err := p.KeyFingerprint(ctx, described[0].KeyName); err != nil || got != key.Fingerprints().AWSCreated {
		t.Errorf("fingerprint %q, %v; the key's own is %q", got, err, key.Fingerprints().AWSCreated)
	}
	if got, err := p.KeyFingerprint(ctx, "no such key"); err != nil || got != "" {
		t.Errorf("fingerprint of an unknown key: %q, %v", got, err)
	}
	if _, err := p.InitialPassword(ctx, s.creds.Servers["linux-1"]); cloud.KindOf(err) != cloud.NotReady {
		t.Errorf("linux: %v", err)
	}
	if asked, passed := s.requests(), s.limiter.passed(); len(asked) != len(passed) {
		t.Errorf("%d requests %v, but the limiter was waited for %d times", len(asked), asked, len(passed))
	}
}

func TestSimulatedInstances(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	p, ctx, w := newTestProvider(t, s.cfg), context.Background(), s.sim.World()
	ids := []string{s.creds.Servers["windows-1"], s.creds.Servers["linux-1"], "i-00000000", "i-0123456789abcdef0"}
	got, err := p.DescribeInstances(ctx, ids)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d instances, error %v; want the two that exist", len(got), err)
	}
	for _, i := range got {
		server, _ := w.Server(i.ID)
		want := cloud.Linux
		if server.IsWindows() {
			want = cloud.Windows
		}
		if i.Name != server.Name || i.Platform != want || i.State != cloud.StateRunning || i.KeyName != server.KeyName ||
			i.PrivateIP != server.PrivateIP || i.PublicIP != server.PublicIP || i.Tags["app"] != "demo" || i.LaunchTime.IsZero() {
			t.Errorf("instance %+v\nof server %+v", i, server)
		}
	}
	if err := w.Terminate(ids[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := p.DescribeInstances(ctx, ids[:1]); err != nil || len(got) != 1 || got[0].State != cloud.StateGone {
		t.Errorf("terminated: %+v, %v", got, err)
	}
	if got, err := p.FindInstances(ctx, map[string]string{"app": "demo"}); err != nil || len(got) != 1 || got[0].ID != ids[1] {
		t.Errorf("found %+v, %v; want the living one", got, err)
	}
}

func TestSimulatedFindFollowsPages(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	const marked = 2*pageSize + 5
	for n := range marked + 3 {
		tags := map[string]string{"team": "a*"}
		if n >= marked {
			tags["team"] = "ab" // what the value would match as a pattern
		}
		if _, err := s.sim.World().AddServer(model.Server{Cloud: model.AWS, AccountID: s.creds.AccountID, Region: s.creds.Region,
			Name: fmt.Sprintf("web-%d", n), Tags: tags}); err != nil {
			t.Fatal(err)
		}
	}
	p := newTestProvider(t, s.cfg)
	seen := map[string]bool{}
	got, err := p.FindInstances(context.Background(), map[string]string{"team": "a*"})
	for _, i := range got {
		seen[i.ID] = true
	}
	if err != nil || len(got) != marked || len(seen) != marked {
		t.Errorf("%d instances, %d different, error %v; want %d", len(got), len(seen), err, marked)
	}
	if n := len(s.limiter.passed()); n != 3 {
		t.Errorf("limiter was waited for %d times, want once for each of 3 pages", n)
	}
	const two = maxFilterValues + 5 // batches
	var ids []string
	for _, i := range got[:min(two, len(got))] {
		ids = append(ids, i.ID)
	}
	if got, err := p.DescribeInstances(context.Background(), ids); err != nil || len(got) != two {
		t.Errorf("described %d, error %v; want %d", len(got), err, two)
	}
}

func TestSimulatedRefusals(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	ctx, windows := context.Background(), s.creds.Servers["windows-1"]
	denied := s.sim.World().AddAccessKey(model.AccessKey{
		Cloud: model.AWS, AccountID: s.creds.AccountID, UserID: s.creds.UserID, Deny: []string{"ec2:GetPasswordData", "ec2:DescribeKeyPairs"},
	})
	with := func(change func(*cloud.Config)) *Provider {
		cfg := s.cfg
		change(&cfg)
		return newTestProvider(t, cfg)
	}
	same := with(func(*cloud.Config) {})
	limited := with(func(c *cloud.Config) {
		c.Values = c.With(cloud.Values{"access_key": denied.ID, "secret_key": denied.Secret})
	})
	wrongSecret := with(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey)}) })
	wrongKey := with(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKIAI44QH8DHBEXAMPLE"}) })
	byEC2 := with(func(c *cloud.Config) {
		c.Endpoints = map[string]string{endpointEC2: c.Endpoints[endpointEC2]}
		c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey)})
	})
	read := func(p *Provider, id string) error { _, err := p.InitialPassword(ctx, id); return err }
	for name, tc := range map[string]struct {
		err  error
		kind cloud.Kind
		code string
		text string
	}{
		"right key":              {same.Verify(ctx), "", "", ""},
		"limited, but right key": {limited.Verify(ctx), "", "", ""},
		"wrong secret, STS":      {wrongSecret.Verify(ctx), cloud.Denied, "SignatureDoesNotMatch", "access_key and secret_key"},
		"wrong key, STS":         {wrongKey.Verify(ctx), cloud.Denied, "InvalidClientTokenId", "access_key and secret_key"},
		"wrong secret, EC2":      {byEC2.Verify(ctx), cloud.Denied, "AuthFailure", "access_key and secret_key"},
		"wrong secret, read":     {read(wrongSecret, windows), cloud.Denied, "AuthFailure", "access_key and secret_key"},
		"no permission":          {read(limited, windows), cloud.Denied, "UnauthorizedOperation", "ec2:GetPasswordData"},
		"no permission, dry run": {limited.CheckInitialPassword(ctx, windows), cloud.Denied, "UnauthorizedOperation", "ec2:GetPasswordData"},
		"unknown instance":       {read(same, "i-00000000"), cloud.NotFound, "InvalidInstanceID.NotFound", "i-00000000"},
		"unknown, dry run":       {same.CheckInitialPassword(ctx, "i-00000000"), cloud.NotFound, "InvalidInstanceID.NotFound", "i-00000000"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.kind == "" {
				if tc.err != nil {
					t.Fatal(tc.err)
				}
				return
			}
			var failure *cloud.Error
			if !errors.As(tc.err, &failure) || failure.Kind != tc.kind || failure.Code != tc.code || failure.RequestID == "" ||
				!strings.Contains(failure.Message, tc.text) {
				t.Errorf("error %v, want %s of kind %q with %q and a request id", tc.err, tc.code, tc.kind, tc.text)
			}
			for _, secret := range []string{s.creds.SecretKey, denied.Secret} {
				if tc.err != nil && strings.Contains(tc.err.Error(), secret) {
					t.Errorf("the error holds a secret: %v", tc.err)
				}
			}
		})
	}
	if got, err := limited.KeyFingerprint(ctx, s.creds.KeyName); err != nil || got != "" {
		t.Errorf("fingerprint without permission: %q, %v; want nothing and no error", got, err)
	}
}

func TestSimulatedFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fault model.Fault
		kind  cloud.Kind
		text  string
	}{
		"throttled":      {model.Fault{Kind: model.FaultThrottle}, cloud.Throttled, "max_requests_per_second"},
		"internal error": {model.Fault{Kind: model.FaultServerError}, cloud.Unknown, "retry"},
		"own code": {model.Fault{Kind: model.FaultRefuse, Code: "OptInRequired", Message: "not subscribed",
			Status: http.StatusForbidden}, cloud.Denied, "not subscribed"},
		"dropped before":     {model.Fault{Kind: model.FaultDropBefore}, cloud.Unknown, "no answer"},
		"dropped after":      {model.Fault{Kind: model.FaultDropAfter}, cloud.Unknown, "no answer"},
		"held until timeout": {model.Fault{Kind: model.FaultHoldBefore}, cloud.Unknown, "request_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSimulated(t, cloudsim.SeedOptions{})
			tc.fault.Count = 1
			if _, err := s.sim.World().AddFault(tc.fault); err != nil {
				t.Fatal(err)
			}
			cfg := s.cfg
			if tc.fault.Kind == model.FaultHoldBefore {
				cfg.RequestTimeout = 2 * time.Second // in which the request arrives
				t.Cleanup(func() { s.sim.World().ReleaseHolds() })
			}
			ctx, windows := context.Background(), s.creds.Servers["windows-1"]
			_, err := newTestProvider(t, cfg).InitialPassword(ctx, windows)
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("kind %q, error %v; want kind %q and %q", cloud.KindOf(err), err, tc.kind, tc.text)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests, want 1: retries are the caller's business", n)
			}
			// The fault is used up, and it left the provider usable.
			if _, err := newTestProvider(t, s.cfg).InitialPassword(ctx, windows); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestSimulatedThrottledPageIsAskedForAgain: a client's listing outlives a page that came a moment too early.
func TestSimulatedThrottledPageIsAskedForAgain(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	want, err := newTestProvider(t, s.cfg).FindInstances(t.Context(), nil)
	if err != nil || len(want) == 0 {
		t.Fatalf("%d instances, %v", len(want), err)
	}
	if _, err := s.sim.World().AddFault(model.Fault{Action: "DescribeInstances", Kind: model.FaultThrottle, Count: 1}); err != nil {
		t.Fatal(err)
	}
	limiter := &countingLimiter{}
	cfg := s.cfg
	cfg.Limiter = limiter
	found, err := newTestProvider(t, cfg).FindInstances(cloud.WithInteractive(t.Context()), nil)
	if err != nil || len(found) != len(want) {
		t.Errorf("%d instances, %v; want %d", len(found), err, len(want))
	}
	if passed := limiter.passed(); len(passed) != 2 {
		t.Errorf("through the limiter: %v; want two, since the second try waits for its turn, too", passed)
	}
}

// Services without a code for a wrong clock say so in their text, and the error names the clock.
func TestSimulatedClockIsWrong(t *testing.T) {
	for name, skew := range map[string]time.Duration{"slow": time.Hour, "fast": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(skew) }
			s := startSimulatedWith(t, cloudsim.Options{Options: model.Options{Now: now}, TLS: true}, cloudsim.SeedOptions{})
			p := newTestProvider(t, s.cfg)
			wantFailure(t, p.Verify(t.Context()), cloud.Denied, "SignatureDoesNotMatch", "check the clock of this host")
			_, err := (command{p}).managed(t.Context(), []string{s.creds.Servers["linux-1"]})
			wantFailure(t, err, cloud.Denied, "InvalidSignatureException", "check the clock of this host")
		})
	}
}
