package aws

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestVerifyAsksTheConfiguredService(t *testing.T) {
	identity := func(w http.ResponseWriter, _ url.Values) {
		_, _ = io.WriteString(w,
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/vault</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}
	empty := func(w http.ResponseWriter, _ url.Values) { answer(w, "DescribeInstances", "<reservationSet/>") }
	for name, tc := range map[string]struct {
		endpoints func(ec2, sts string) map[string]string
		toEC2     []string
		toSTS     []string
	}{
		"both": {func(ec2, sts string) map[string]string { return map[string]string{"ec2": ec2, "sts": sts} }, nil,
			[]string{"GetCallerIdentity"}},
		"only ec2": {func(ec2, _ string) map[string]string { return map[string]string{"ec2": ec2} }, []string{"DescribeInstances"}, nil},
		"only sts": {func(_, sts string) map[string]string { return map[string]string{"sts": sts} }, nil, []string{"GetCallerIdentity"}},
	} {
		t.Run(name, func(t *testing.T) {
			forEC2, forSTS := newFakeEC2(t), newFakeEC2(t)
			forEC2.on("DescribeInstances", empty)
			forSTS.on("GetCallerIdentity", identity)
			cfg := testConfig(t, "")
			cfg.Endpoints = tc.endpoints(forEC2.URL, forSTS.URL)
			if err := newTestProvider(t, cfg).Verify(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, side := range []struct {
				f    *fakeEC2
				want []string
			}{{forEC2, tc.toEC2}, {forSTS, tc.toSTS}} {
				var got []string
				for _, form := range side.f.sent() {
					got = append(got, form.Get("Action"))
				}
				if !slices.Equal(got, side.want) {
					t.Errorf("asked %v, want %v", got, side.want)
				}
			}
			if passed := cfg.Limiter.(*countingLimiter).passed(); !slices.Equal(passed, append(tc.toEC2, tc.toSTS...)) {
				t.Errorf("limiter was waited for %v", passed)
			}
		})
	}
}

func TestWrongKeyIsDenied(t *testing.T) {
	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) { answer(w, "DescribeInstances", "<reservationSet/>") })
	cfg := testConfig(t, f.URL)
	if err := newTestProvider(t, cfg).Verify(context.Background()); err != nil {
		t.Fatalf("right key: %v", err)
	}
	for name, change := range map[string]func(*cloud.Config){
		"secret key": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": strings.ToLower(testSecretKey)}) },
		"access key": func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKIAI44QH8DHBEXAMPLE"}) },
	} {
		wrong := cfg
		change(&wrong)
		err := newTestProvider(t, wrong).Verify(context.Background())
		var failure *cloud.Error
		if !errors.As(err, &failure) || failure.Kind != cloud.Denied || failure.Code != "AuthFailure" || failure.RequestID != testRequestID {
			t.Errorf("wrong %s: %v, want denied as AuthFailure", name, err)
			continue
		}
		if strings.Contains(err.Error(), wrong.Text(cloud.SecretKey)) {
			t.Errorf("wrong %s: the error holds the secret", name)
		}
	}
}

// The environment and shared files of the host must not reach the SDK.
func TestEnvironmentIsIgnored(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte("[default]\nregion = us-east-1\naws_access_key_id = AKIAAMBIENT\naws_secret_access_key = "+
		"ambient\nendpoint_url = http://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAAMBIENT", "AWS_SECRET_ACCESS_KEY": "ambient", "AWS_SESSION_TOKEN": "ambient",
		"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file,
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1",
		"AWS_MAX_ATTEMPTS": "7", "AWS_RETRY_MODE": "adaptive",
	} {
		t.Setenv(name, value)
	}
	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) { fail(w, 503, "RequestLimitExceeded", "") })
	err := newTestProvider(t, testConfig(t, f.URL)).Verify(context.Background())
	if cloud.KindOf(err) != cloud.Throttled || len(f.sent()) != 1 {
		t.Errorf("error %v after %d requests; want the fake's own, signed with the connection's key, after 1", err, len(f.sent()))
	}
}

func TestTransportFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	const underWay = 2 * time.Second // in what time a request arrives at a server on this host, however busy the host is
	hang, arrived := make(chan struct{}), make(chan struct{}, 3)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client is gone
		arrived <- struct{}{}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(hang); silent.Close() })
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(dropping.Close)
	quiet := log.New(io.Discard, "", 0)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	for name, tc := range map[string]struct {
		url     string
		timeout time.Duration
		ctx     func() (context.Context, context.CancelFunc)
		kind    cloud.Kind
		text    string
	}{
		"nobody listens":        {"http://" + closed.Addr().String(), time.Minute, nil, cloud.Unavailable, "refused"},
		"certificate untrusted": {untrusted.URL, time.Minute, nil, cloud.Unavailable, "ca_certificate"},
		"connection lost":       {dropping.URL, time.Minute, nil, cloud.Unknown, "no answer"},
		"request timeout":       {silent.URL, underWay, nil, cloud.Unknown, "request_timeout"},
		"caller's deadline": {silent.URL, time.Minute, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), underWay)
		}, cloud.Unknown, "in time"},
		"caller gives up": {silent.URL, time.Minute, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			for len(arrived) > 0 {
				<-arrived // of the cases before
			}
			go func() { <-arrived; cancel() }()
			return ctx, cancel
		}, cloud.Unknown, "abandoned"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, tc.url)
			cfg.RequestTimeout = tc.timeout
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if tc.ctx != nil {
				ctx, cancel = tc.ctx()
			}
			defer cancel()
			start := time.Now()
			_, err := newTestProvider(t, cfg).InitialPassword(ctx, "i-1234abcd")
			// The client's own bound is 10 s; the shorter ones of the table must hold.
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("took %v", took)
			}
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("kind %q, error %v; want kind %q and %q", cloud.KindOf(err), err, tc.kind, tc.text)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "ec2 GetPasswordData for i-1234abcd: ") {
				t.Errorf("the error names no call: %v", err)
			}
		})
	}
}

// The SDK must use the connection's own client, its ca_certificate included.
func TestPrivateCertificateAuthority(t *testing.T) {
	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) { answer(w, "DescribeInstances", "<reservationSet/>") })
	secure := httptest.NewTLSServer(f.Config.Handler)
	t.Cleanup(secure.Close)
	var ca bytes.Buffer
	if err := pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t, secure.URL)
	client, err := cloud.NewHTTPClient(ca.String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	cfg.HTTPClient = client
	if err := newTestProvider(t, cfg).Verify(context.Background()); err != nil {
		t.Errorf("trusted by ca_certificate: %v", err)
	}
}

// TestClientsIgnoreTheEnvironmentsEndpoints: the environment belongs to whoever runs Vault, and names no endpoint of a
// connection.
func TestClientsIgnoreTheEnvironmentsEndpoints(t *testing.T) {
	f := newFakeEC2(t)
	f.on("GetPasswordData", func(w http.ResponseWriter, _ url.Values) {
		fail(w, http.StatusBadRequest, "InvalidInstanceID.NotFound", "no such instance")
	})
	for _, service := range []string{"", "_EC2", "_STS", "_IAM", "_SSM"} {
		t.Setenv("AWS_ENDPOINT_URL"+service, "http://127.0.0.1:1")
	}
	p := newTestProvider(t, testConfig(t, f.URL))
	if _, err := p.InitialPassword(t.Context(), "i-1234abcd"); cloud.KindOf(err) != cloud.NotFound || len(f.sent()) != 1 {
		t.Errorf("%d requests to the connection's endpoint, error %v", len(f.sent()), err)
	}
}
