package tencentcloud

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func actions(requests []request) (names []string) {
	for _, r := range requests {
		names = append(names, r.action)
	}
	return names
}

func TestVerify(t *testing.T) {
	ok := func(w http.ResponseWriter) { reply(w, map[string]any{"TotalCount": 0, "InstanceSet": []any{}}) }
	no := func(code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { fail(w, code, "text") }
	}
	for name, c := range map[string]struct {
		cvmOnly  bool
		sts, cvm func(http.ResponseWriter)
		kind     cloud.Kind
		calls    []string
	}{
		"keys work":      {false, ok, nil, "", []string{"GetCallerIdentity"}},
		"keys are wrong": {false, no("AuthFailure.SecretIdNotFound"), nil, cloud.Denied, []string{"GetCallerIdentity"}},
		"STS fails":      {false, no("InternalError"), nil, cloud.Unknown, []string{"GetCallerIdentity"}},
		"STS not permitted, CVM is": {false, no("AuthFailure.UnauthorizedOperation"), ok, "",
			[]string{"GetCallerIdentity", "DescribeInstances"}},
		"nothing permitted": {false, no("UnauthorizedOperation.X"), no("UnauthorizedOperation"), cloud.Denied,
			[]string{"GetCallerIdentity", "DescribeInstances"}},
		"STS lacks the region": {false, no("UnsupportedRegion"), ok, "", []string{"GetCallerIdentity", "DescribeInstances"}},
		"no service has the region": {false, no("UnsupportedRegion"), no("UnsupportedRegion"), cloud.Refused,
			[]string{"GetCallerIdentity", "DescribeInstances"}},
		"only endpoints.cvm":         {true, nil, ok, "", []string{"DescribeInstances"}},
		"only endpoints.cvm, denied": {true, nil, no("AuthFailure.SignatureFailure"), cloud.Denied, []string{"DescribeInstances"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, action string, _ map[string]any) {
				if action == "GetCallerIdentity" {
					c.sts(w)
				} else {
					c.cvm(w)
				}
			})
			cfg := testConfig(t, f.URL)
			if !c.cvmOnly {
				cfg.Endpoints["sts"] = f.URL
			}
			err := newTestProvider(t, cfg).Verify(t.Context())
			if c.kind != "" {
				wantKind(t, err, c.kind)
			} else if err != nil {
				t.Error(err)
			}
			if got := actions(f.seen()); !slices.Equal(got, c.calls) {
				t.Errorf("calls %v, want %v", got, c.calls)
			}
			for _, call := range c.calls {
				if n := cfg.Limiter.(*contract.CountLimiter).Count(call); n != 1 {
					t.Errorf("%s: %d times through the limiter", call, n)
				}
			}
		})
	}
}

func TestWrongKeysAreDenied(t *testing.T) {
	f := newFakeCloud(t, newFleet(1).answer)
	for want, change := range map[string]func(*cloud.Config){
		"access_key": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKIDOTHER"}) },
		"secret_key": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": testSecretKey + "x"}) },
	} {
		cfg := testConfig(t, f.URL)
		change(&cfg)
		e := errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Denied)
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%v does not name %s", e, want)
		}
	}
}

type closedLimiter struct{ err error }

func (l closedLimiter) Wait(context.Context, string) error { return l.err }

func TestNothingPassesAClosedGate(t *testing.T) {
	f := newFakeCloud(t, newFleet(1).answer)
	cfg := testConfig(t, f.URL)
	closed := cloud.Errorf(cloud.Unavailable, "breaker open")
	cfg.Limiter = closedLimiter{closed}
	p := newTestProvider(t, cfg)
	ctx := t.Context()
	_, describe := p.DescribeInstances(ctx, []string{"ins-00000000"})
	_, find := p.FindInstances(ctx, nil)
	_, records := p.ResetRecords(ctx, []cloud.ResetRef{{InstanceID: "ins-00000000"}})
	for name, err := range map[string]error{"describe": describe, "find": find, "records": records, "verify": p.Verify(ctx)} {
		if !errors.Is(err, closed) {
			t.Errorf("%s: %v, want the limiter's error", name, err)
		}
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("%d requests passed", n)
	}
}

func TestEndpointWithAPathOverTLS(t *testing.T) {
	inner := newFakeCloud(t, newFleet(1).answer)
	var paths []string
	var mu sync.Mutex
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is wanted
	server.StartTLS()
	defer server.Close()
	cfg := testConfig(t, server.URL+"/gateway/")
	wantKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Unavailable) // not trusted, so nothing was sent

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := cloud.NewHTTPClient(string(ca), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	cfg.HTTPClient = client
	if err := newTestProvider(t, cfg).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(paths, []string{"/gateway"}) {
		t.Errorf("paths %v", paths)
	}
}

func TestConcurrentUse(t *testing.T) {
	var mu sync.Mutex
	fleet := newFleet(120)
	f := newFakeCloud(t, func(w http.ResponseWriter, action string, body map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		fleet.answer(w, action, body)
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := p.FindInstances(t.Context(), nil); err != nil || len(got) != 120 {
				t.Errorf("%d instances, %v", len(got), err)
			}
			if _, err := p.StartReset(t.Context(), testReset()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDefaultsByPlatform(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for name, c := range map[string]struct {
		instance cloud.Instance
		user     string
		least    int
		noUser   bool
	}{
		"Windows":         {cloud.Instance{Platform: cloud.Windows, OSName: "Windows Server 2022"}, "Administrator", 12, true},
		"Ubuntu":          {cloud.Instance{Platform: cloud.Linux, OSName: "Ubuntu Server 24.04 LTS 64bit"}, "ubuntu", 8, false},
		"other Linux":     {cloud.Instance{Platform: cloud.Linux, OSName: "TencentOS Server 4"}, "root", 8, false},
		"named by cloud":  {cloud.Instance{Platform: cloud.Linux, OSName: "Ubuntu Server", LoginUser: "lighthouse"}, "lighthouse", 8, false},
		"nothing is told": {cloud.Instance{}, "root", 12, true},
	} {
		if got := p.DefaultUsername(c.instance); got != c.user {
			t.Errorf("%s: user %q, want %q", name, got, c.user)
		}
		rules := p.PasswordRules(c.instance)
		if rules.MinLength != c.least || rules.MaxLength != 30 || rules.MinClasses != 3 || rules.ForbidUsername != c.noUser {
			t.Errorf("%s: rules %+v", name, rules)
		}
		generated, err := password.Generate(rules, c.user, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := rules.Check(generated, c.user); err != nil {
			t.Errorf("%s: the generator breaks the rules: %v", name, err)
		}
	}
}

func TestPasswordRulesOfTheAPIPage(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for _, c := range []struct {
		platform cloud.Platform
		password string
		ok       bool
	}{
		{cloud.Linux, "abc123ABC!@#", true}, // the page's own example
		{cloud.Linux, "Abcdef12", true},
		{cloud.Linux, "Abcde12", false},                       // 7 characters
		{cloud.Linux, "abcdefgh12", false},                    // two classes
		{cloud.Linux, "/Abcdef12", false},                     // begins with a slash
		{cloud.Linux, "A/bcdef12", true},                      // holds one
		{cloud.Linux, strings.Repeat("Ab1", 10), true},        // 30 characters
		{cloud.Linux, strings.Repeat("Ab1", 10) + "x", false}, // 31
		{cloud.Linux, `Abcdef12"`, false},                     // not among the special characters
		{cloud.Windows, "Abcdefghi12", false},                 // 11 characters
		{cloud.Windows, "Abcdefghij12", true},                 // 12
		{cloud.Windows, "xADMINISTRATORx1", false},            // holds the user name
		{cloud.Linux, "xADMINISTRATORx1", true},               // which Linux does not mind
	} {
		err := p.PasswordRules(cloud.Instance{Platform: c.platform}).Check(c.password, "Administrator")
		if (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.platform, c.password, err)
		}
	}
}

// TestKnownSignatures holds the fake cloud's own check to public signatures.
func TestKnownSignatures(t *testing.T) {
	file, err := os.Open("testdata/tc3_signature.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fields, cases := map[string]string{}, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, val, _ := strings.Cut(lines.Text(), ": ")
		fields[key] = val
		if key != "signature" {
			continue
		}
		cases++
		stamp, _, _ := strings.Cut(fields["x-tc-timestamp"], " ")
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		body, _, _ := strings.Cut(fields["body"], "   (")
		if got := tc3(fields["secret_key"], "cvm", fields["host"], fields["content-type"], seconds, []byte(body)); got != val {
			t.Errorf("%s: signature %s, want %s", fields["secret_id"], got, val)
		}
	}
	if cases != 2 {
		t.Errorf("%d known answers read, want 2", cases)
	}
}
