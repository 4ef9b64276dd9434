package tencentcloud

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// clocksAt are this machine's clocks, by what has passed since a moment by each of them.
func clocksAt(mono, wall time.Duration) cloud.Clocks {
	return cloud.Clocks{Mono: time.Unix(1_000_000, 0).Add(mono), Wall: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(wall)}
}

// learnedExpiry is one whose clock was told at zero, when the cloud's showed that much more than ours.
func learnedExpiry(ahead time.Duration) *expiry {
	x := &expiry{read: func() cloud.Clocks { return clocksAt(0, 0) }}
	x.clock.Learn(clocksAt(0, ahead).Wall.Format(http.TimeFormat), clocksAt(0, 0), clocksAt(0, 0))
	return x
}

// TestBoundHolds: by the cloud's clock, a request can be accepted for as long as it may be on its way, and no longer than
// its window counts, whatever our clocks do between the look and the attempt.
func TestBoundHolds(t *testing.T) {
	const way = time.Minute
	for name, c := range map[string]struct {
		ahead   time.Duration // the cloud's clock
		passed  time.Duration // truly, since the look
		mono    time.Duration // the same by our clocks
		wall    time.Duration
		d       time.Duration
		refused time.Duration // how long ago the cloud refused such a timestamp; 0: never
		none    bool
	}{
		"at once":                          {d: way},
		"the cloud is behind":              {ahead: -4 * time.Minute, d: way},
		"the cloud is a little ahead":      {ahead: 20 * time.Second, d: way},
		"the cloud is ahead, or its Date":  {ahead: 3 * time.Minute, d: way, none: true},
		"a minute later":                   {passed: time.Minute, mono: time.Minute, wall: time.Minute, d: way},
		"suspended":                        {passed: time.Minute, mono: time.Second, wall: time.Minute, d: way, none: true},
		"stopped with both clocks":         {passed: time.Minute, mono: time.Second, wall: time.Second, d: way},
		"the wall clock went ahead":        {passed: time.Second, mono: time.Second, wall: 4 * time.Minute, d: way, none: true},
		"the wall clock went back":         {passed: time.Second, mono: time.Second, wall: -4 * time.Minute, d: way, none: true},
		"too long ago":                     {passed: time.Hour, mono: time.Hour, wall: time.Hour, d: way, none: true},
		"a long way":                       {d: 4 * time.Minute},
		"a longer way than a timestamp is": {d: 5 * time.Minute, none: true},
		"refused a minute ago":             {d: way, refused: time.Minute, none: true},
		"refused long ago":                 {d: way, refused: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			x := learnedExpiry(c.ahead)
			now := clocksAt(c.mono, c.wall)
			x.read = func() cloud.Clocks { return now }
			if c.refused != 0 {
				x.refused = now.Mono.Add(-c.refused)
			}
			b := x.bound(c.d)
			if c.none {
				if b != (cloud.ResetBound{}) {
					t.Fatalf("%+v, want none", b)
				}
				return
			}
			seconds, err := strconv.ParseInt(x.timestamp(b.Expires), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			truly := clocksAt(0, c.ahead+c.passed).Wall // the cloud's clock now
			lives := time.Unix(seconds, 0).Add(timestampWindow).Sub(truly)
			stopped := c.passed - c.mono
			if lives < c.d-stopped || lives+hostMargin > b.Within || b.Within < c.d {
				t.Errorf("accepted for %v, though it may be on its way for %v and counts %v", lives, c.d, b.Within)
			}
			if early := truly.Sub(time.Unix(seconds, 0)); early < 0 {
				t.Errorf("the timestamp is %v ahead of the cloud's clock", -early)
			}
		})
	}
}

func TestARequestThatHasExpiredIsNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		now  cloud.Clocks
		sent bool
	}{
		"in time":                {clocksAt(20*time.Second, 20*time.Second), true},
		"waited too long":        {clocksAt(119*time.Second, 119*time.Second), false},
		"the look is too old":    {clocksAt(time.Hour, time.Hour), false},
		"the wall clock was set": {clocksAt(20*time.Second, time.Hour), false},
		"suspended":              {clocksAt(time.Second, 20*time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, map[string]any{}) })
			p := newTestProvider(t, testConfig(t, f.URL))
			p.expiry = learnedExpiry(0)
			reset := testReset()
			reset.Expires = p.BoundReset(time.Minute).Expires
			p.expiry.read = func() cloud.Clocks { return c.now }
			_, err := p.StartReset(t.Context(), reset)
			if sent := len(f.seen()) > 0; sent != c.sent {
				t.Errorf("sent %v, want %v", sent, c.sent)
			}
			if !c.sent {
				wantKind(t, err, cloud.Unavailable)
			}
		})
	}
}

// TestOnlyTheCloudsOwnHostsTellItsTime: what stands before an endpoint of somebody's own may stamp Date itself.
func TestOnlyTheCloudsOwnHostsTellItsTime(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"":                                true,
		"https://cvm.tencentcloudapi.com": true,
		"https://CVM.internal.tencentcloudapi.com/":   true,
		"http://cvm.tencentcloudapi.com":              false,
		"https://cvm.example.com":                     false,
		"https://cvm.tencentcloudapi.com.example.com": false,
		"https://eviltencentcloudapi.com":             false,
	} {
		x := &expiry{}
		if got := x.learned(cloud.Config{Endpoints: map[string]string{"cvm": endpoint}}) != nil; got != want {
			t.Errorf("%q: %v, want %v", endpoint, got, want)
		}
	}
}

// asCloud sends what goes to the cloud's own host to a server of the test.
type asCloud struct {
	to   string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a asCloud) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = r.URL.Host // which is signed
	r.URL.Scheme, r.URL.Host = "http", a.to
	return a.next.RoundTrip(r)
}

// simClock is the clock of a simulated cloud.
type simClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *simClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *simClock) set(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
}

// newSimulatedAtHome is newSimulated with the simulator at the cloud's own host name.
func newSimulatedAtHome(t *testing.T, k *simClock) *simulated {
	t.Helper()
	s := newSimulated(t, model.Options{Now: k.now})
	cfg := s.cfg
	cfg.Endpoints = nil
	client := *cfg.HTTPClient
	client.Transport = asCloud{s.cfg.Endpoints["cvm"][len("http://"):], http.DefaultTransport}
	cfg.HTTPClient = &client
	return &simulated{newTestProvider(t, cfg), s.world, cfg}
}

// TestSimResetExpires: against the simulator, whose clock is not ours, a reset that was bound is accepted until it
// expires, by the cloud's clock, and not after that.
func TestSimResetExpires(t *testing.T) {
	for name, offset := range map[string]time.Duration{"as ours": 0, "behind": -4 * time.Minute, "a little ahead": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			k := &simClock{}
			k.set(offset)
			s := newSimulatedAtHome(t, k)
			if b := s.BoundReset(time.Minute); b != (cloud.ResetBound{}) {
				t.Fatalf("bound without a look: %+v", b)
			}
			id := s.add(t, model.Server{OSName: "Ubuntu Server 22.04 LTS 64bit", State: model.StateStopped})
			user, secret := s.fresh(t, id)
			b := s.BoundReset(time.Minute)
			if b.Expires.IsZero() || b.Within > 2*time.Minute+20*time.Second {
				t.Fatalf("bound %+v after a look", b)
			}
			reset := cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret, Expires: b.Expires}
			started, err := s.StartReset(t.Context(), reset)
			if err != nil {
				t.Fatal(err)
			}
			s.world.Advance(time.Hour)
			if r := s.record(t, id); r.State != cloud.OperationSuccess || r.OperationID != started.RequestID {
				t.Errorf("record %+v", r)
			}
			k.set(offset + 62*time.Second) // it may be on its way for a minute
			if _, err := s.StartReset(t.Context(), reset); err != nil {
				t.Errorf("refused within its time: %v", err)
			}
			k.set(offset)
			s.record(t, id)          // a look, as before each attempt
			k.set(offset + b.Within) // the core counts on it
			_, err = s.StartReset(t.Context(), reset)
			if e := errorOfKind(t, err, cloud.Refused); e.Code != signatureExpire {
				t.Errorf("%v, want %s", e, signatureExpire)
			}
		})
	}
}

// TestSimAnOldTimestampThatTheCloudRefuses: the next attempts have ordinary timestamps, and the long window, for an hour.
func TestSimAnOldTimestampThatTheCloudRefuses(t *testing.T) {
	k := &simClock{}
	s := newSimulatedAtHome(t, k)
	id := s.add(t, model.Server{OSName: "Ubuntu Server 22.04 LTS 64bit", State: model.StateStopped})
	user, secret := s.fresh(t, id)
	reset := cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret, Expires: s.BoundReset(time.Minute).Expires}
	k.set(3 * time.Minute) // the host that checks timestamps has another time than the one that answered
	_, err := s.StartReset(t.Context(), reset)
	wantKind(t, err, cloud.Refused)
	if _, err := s.DescribeInstances(t.Context(), []string{id}); err != nil {
		t.Fatal(err)
	}
	k.set(0)
	if _, err := s.DescribeInstances(t.Context(), []string{id}); err != nil {
		t.Fatal(err)
	}
	if b := s.BoundReset(time.Minute); b != (cloud.ResetBound{}) {
		t.Errorf("the next attempt is bound, too: %+v", b)
	}
	reset.Expires = time.Time{}
	if _, err := s.StartReset(t.Context(), reset); err != nil {
		t.Errorf("an ordinary timestamp: %v", err)
	}
	s.expiry.read = func() cloud.Clocks {
		now := cloud.ReadClocks()
		return cloud.Clocks{Mono: now.Mono.Add(time.Hour), Wall: now.Wall.Add(time.Hour)}
	}
	now := s.expiry.read()
	s.expiry.clock.Learn(now.Wall.UTC().Format(http.TimeFormat), now, now)
	if b := s.BoundReset(time.Minute); b.Expires.IsZero() {
		t.Error("not bound again an hour later")
	}
}

// TestAStrangeSignatureErrorEndsOldTimestamps, but keeps its own meaning.
func TestAStrangeSignatureErrorEndsOldTimestamps(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { fail(w, "AuthFailure.SignatureFailure", "no") })
	p := newTestProvider(t, testConfig(t, f.URL))
	p.expiry = learnedExpiry(0)
	p.expiry.clock.Learn(time.Now().UTC().Format(http.TimeFormat), cloud.ReadClocks(), cloud.ReadClocks())
	p.expiry.read = cloud.ReadClocks
	reset := testReset()
	reset.Expires = p.BoundReset(time.Minute).Expires
	_, err := p.StartReset(t.Context(), reset)
	wantKind(t, err, cloud.Denied)
	if b := p.BoundReset(time.Minute); b != (cloud.ResetBound{}) {
		t.Errorf("bound %+v", b)
	}
}
