package backend

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// plausible are fields of a connection to each cloud that can set passwords; all others have their defaults.
var plausible = map[string]map[string]any{
	"alibabacloud": {"region": "eu-central-1", "access_key": "LTAI5tExampleKey000000000", "secret_key": "secret-example-0000000000000000"},
	"aws":          {"region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "secret/example/0000000000000000000000000"},
	"azure": {"tenant_id": "contoso.onmicrosoft.com", "client_id": "5a1d3d1c-30ba-4b52-9d63-0a4a3f8d2f60",
		"client_secret": "abc8Q~example-example-example", "subscription_id": "0b1f6471-1bf0-4dda-aec3-cb9272f09590"},
	"huaweicloud": {"region": "eu-west-101", "access_key": "HPUAEXAMPLE000000000", "secret_key": "secret-example-0000000000000000",
		"project_id": "0123456789abcdef0123456789abcdef"},
	"openstack": {"region": "RegionOne", "auth_url": "https://keystone.example.com:5000/v3",
		applicationIDField: "0123456789abcdef0123456789abcdef", applicationSecretField: "app-secret-example"},
	"ssh":          {"login_user": "cloudpw", "private_key": anySSHKey()},
	"tencentcloud": {"region": "ap-guangzhou", "access_key": "AKIDexample0123456789", "secret_key": "secret-example-0000000000000000"},
}

// loss is what becomes of the first request.
type loss int

const (
	noLoss      loss = iota
	lostAnswer       // the cloud carries it out, and nobody hears of that
	lostRequest      // it never arrives
)

// lossyCloud carries out resets as soon as they arrive, and shows what the traits of a reset method say that its cloud shows.
type lossyCloud struct {
	mu      sync.Mutex
	loses   loss
	tells   bool // the time, with each answer
	sent    []string
	times   []time.Time
	latest  cloud.ResetRecord
	records map[string]cloud.ResetRecord // by the cloud's id and by ours
}

// registry has the real providers' descriptions, defaults, rules and traits; only what they would send goes to this cloud.
func (l *lossyCloud) registry() cloud.Registry {
	registry := cloud.Registry{}
	for name, d := range providers() {
		make := d.New
		d.New = func(c cloud.Config) (cloud.Provider, error) {
			c.HTTPClient = &http.Client{Transport: l}
			live, err := make(c)
			return lossyProvider{live, l}, err
		}
		registry[name] = d
	}
	return registry
}

// RoundTrip answers what the real provider asks, in Tencent Cloud's form: only Date matters.
func (l *lossyCloud) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{}
	if l.tells {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	body := io.NopCloser(strings.NewReader(`{"Response":{"Error":{"Code":"InternalError"},"RequestId":"r"}}`))
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: body, Request: r}, nil
}

func (l *lossyCloud) requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// other is when another value than the first one was sent; zero: not yet.
func (l *lossyCloud) other() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, value := range l.sent {
		if value != l.sent[0] {
			return l.times[i]
		}
	}
	return time.Time{}
}

// lossyProvider is a real provider but for what it asks the cloud.
type lossyProvider struct {
	cloud.Provider
	cloud *lossyCloud
}

func (p lossyProvider) Verify(context.Context) error { return nil }

func (p lossyProvider) ValidateInstanceID(string) error { return nil }

func (p lossyProvider) DescribeInstances(context.Context, []string) ([]cloud.Instance, error) {
	return []cloud.Instance{{ID: "srv-1", Platform: cloud.Linux, State: cloud.StateRunning, LoginUser: "root"}}, nil
}

// Resetter has the traits of the real one, and is a bounder if that is one.
func (p lossyProvider) Resetter(method string) cloud.PasswordResetter {
	live := p.Provider.(cloud.PasswordResetters).Resetter(method)
	r := lossyReset{p, live}
	if b, ok := live.(cloud.ResetBounder); ok {
		return boundedReset{r, b}
	}
	return r
}

type lossyReset struct {
	lossyProvider
	live cloud.PasswordResetter
}

type boundedReset struct {
	lossyReset
	cloud.ResetBounder
}

func (r lossyReset) ResetTraits() cloud.ResetTraits { return r.live.ResetTraits() }

func (r lossyReset) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	l := r.cloud
	l.mu.Lock()
	lost := l.loses
	l.loses = noLoss
	l.sent = append(l.sent, reset.Password)
	l.times = append(l.times, time.Now())
	started := cloud.ResetStarted{RequestID: fmt.Sprint("req-", len(l.sent)), Done: r.ResetTraits().VisibilityGrace == 0}
	if lost != lostRequest {
		l.latest = cloud.ResetRecord{OperationID: started.RequestID, Name: reset.Name, State: cloud.OperationSuccess}
		l.records[started.RequestID] = l.latest
		if reset.Name != "" {
			l.records[reset.Name] = l.latest
		}
	}
	l.mu.Unlock()
	if lost != noLoss {
		<-ctx.Done()
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unknown, "no answer")
	}
	return started, nil
}

func (r lossyReset) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	// The real provider's look, whose answer may tell the cloud's time. That it shows nothing does not matter.
	if found, err := r.Provider.DescribeInstances(ctx, []string{"ins-12345678"}); err == nil && len(found) > 0 {
		return nil, cloud.Errorf(cloud.Unknown, "a server out of nothing")
	}
	l := r.cloud
	l.mu.Lock()
	defer l.mu.Unlock()
	traits, out := r.ResetTraits(), map[string]cloud.ResetRecord{}
	for _, ref := range refs {
		switch {
		case traits.VisibilityGrace == 0: // the answer is the proof, there are no records
			out[ref.InstanceID] = cloud.ResetRecord{}
		case traits.Serial: // the latest operation of the server
			out[ref.InstanceID] = l.latest
		case ref.RequestID != "":
			out[ref.InstanceID] = l.records[ref.RequestID]
		case traits.OwnIDs:
			out[ref.InstanceID] = l.records[ref.Name]
		default:
			out[ref.InstanceID] = cloud.ResetRecord{}
		}
	}
	return out, nil
}

// lostCosts is what a lost answer costs, in virtual time from when its request was sent.
type lostCosts struct {
	readable time.Duration // until the password is confirmed, and read
	requests int           // until then
	next     time.Duration // until another password is sent, which is asked for as soon as the first one is readable
}

// costsOf plays the loss in a mount whose connection has the defaults. Only min_reset_interval is none: that would be another pause.
func costsOf(t *testing.T, provider string, method cloud.ResetMethod, what loss, tells bool) (cost lostCosts) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lossyCloud{loses: what, tells: tells, records: map[string]cloud.ResetRecord{}}
		h := newHarnessWith(t, new(logical.InmemStorage), newFakeCloud(), l.registry())
		h.write(t, "config/c", merged(plausible[provider], map[string]any{"provider": provider}))
		role := map[string]any{"connection": "c", "instance_ids": "srv-1", "mode": "leased", "source": "reset", "username": "root",
			"reset_method": method.Name}
		if method.MayStop {
			role["force_stop"], role["min_reset_interval"] = true, 0
		}
		h.write(t, "roles/r", role)
		until := func(done func() bool) {
			t.Helper()
			for range 2 * 60 * 60 {
				if done() {
					return
				}
				h.pass(t, time.Second)
			}
			t.Fatalf("not within two hours: %v", h.read(t, "accounts/c/srv-1/root"))
		}
		until(func() bool {
			_, _ = h.request(t, logical.ReadOperation, "creds/r", nil)
			return l.requests() > 0
		})
		sent := l.times[0]
		until(func() bool {
			resp, err := h.request(t, logical.ReadOperation, "creds/r", nil)
			return err == nil && resp != nil && !resp.IsError()
		})
		cost.readable, cost.requests = time.Since(sent), l.requests()
		h.write(t, "rotate-role/r", nil)
		until(func() bool { return !l.other().IsZero() })
		cost.next = l.other().Sub(sent)
	})
	return cost
}

// lostRow is a row of the table in the page: provider, method, a condition, and the cells.
var lostRow = regexp.MustCompile("(?m)^\\| `(\\w+)`, `(\\w+)`([^|]*) \\| ([^|]+) \\| (\\d+) \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$")

// saidTime reads a time as the table has it.
func saidTime(t *testing.T, s string) time.Duration {
	t.Helper()
	parts := regexp.MustCompile(`^(?:(\d+) min)? ?(?:(\d+) s)?$`).FindStringSubmatch(s)
	if parts == nil || s == "" {
		t.Fatalf("%q is no time like 2 min 10 s", s)
	}
	minutes, err := strconv.Atoi(cmp.Or(parts[1], "0"))
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.Atoi(cmp.Or(parts[2], "0"))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
}

// TestWhatALostAnswerCosts holds the table in the page against every reset method of every provider.
func TestWhatALostAnswerCosts(t *testing.T) {
	const page = docsFolder + "/concepts.md"
	rows := map[string][]string{}
	for _, row := range lostRow.FindAllStringSubmatch(readPage(t, page), -1) {
		rows[row[1]+" "+row[2]+row[3]] = row[4:]
	}
	check := func(key string, cost, lost lostCosts) {
		row := rows[key]
		delete(rows, key)
		t.Logf("%-50s %v, %d requests, next %v; request lost: %v, next %v", key, cost.readable, cost.requests, cost.next,
			lost.readable, lost.next)
		if row == nil {
			t.Errorf("%s: no row of %s", key, page)
			return
		}
		if got := strconv.Itoa(cost.requests); row[1] != got {
			t.Errorf("%s: %s says %s requests; there were %s", key, page, row[1], got)
		}
		for i, got := range map[int]time.Duration{0: cost.readable, 2: cost.next, 3: lost.readable, 4: lost.next} {
			// Pauses between attempts are random by some seconds.
			if said := saidTime(t, row[i]); (said - got).Abs() > max(5*time.Second, said/20) {
				t.Errorf("%s: %s says %q in column %d; it took %v", key, page, row[i], i+2, got)
			}
		}
	}
	registry := providers()
	for _, provider := range slices.Sorted(maps.Keys(registry)) {
		for _, method := range registry[provider].ResetMethods {
			if plausible[provider] == nil {
				t.Errorf("%s can set passwords; this test needs fields of a connection to it", provider)
				continue
			}
			play := func(tells bool, condition string) lostCosts {
				cost := costsOf(t, provider, method, lostAnswer, tells)
				check(provider+" "+method.Name+condition, cost, costsOf(t, provider, method, lostRequest, tells))
				return cost
			}
			known := play(true, "")
			if bounds(t, registry[provider], method.Name) {
				if unknown := play(false, " (its time is not known)"); unknown.next <= known.next {
					t.Errorf("%s %s: it helps nothing that the cloud tells its time", provider, method.Name)
				}
			}
		}
	}
	for key := range rows {
		t.Errorf("%s has a row of %s, which no provider has", page, key)
	}
}

// bounds reports whether a reset method has its requests expire soon.
func bounds(t *testing.T, d cloud.Descriptor, method string) bool {
	t.Helper()
	values := cloud.Values{}
	for name, value := range plausible[d.Name] {
		values[name] = fmt.Sprint(value)
	}
	p, err := d.New(cloud.Config{Provider: d.Name, Values: values, RequestTimeout: time.Second, HTTPClient: &http.Client{},
		Limiter: cloud.Unlimited{}})
	if err != nil {
		t.Fatal(err)
	}
	_, ok := p.(cloud.PasswordResetters).Resetter(method).(cloud.ResetBounder)
	return ok
}
