package aws

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestInitialPassword(t *testing.T) {
	for name, tc := range map[string]struct {
		data string // inside passwordData
		want string
		kind cloud.Kind
	}{
		"one line":            {"QUJD", "QUJD", ""},
		"wrapped as EC2 does": {"\r\nQUJD\r\nREVG\r\n", "\nQUJD\nREVG\n", ""}, // an XML parser makes one line feed of CRLF
		"empty":               {"", "", cloud.NotReady},
		"white space":         {"\r\n \t", "", cloud.NotReady},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			f.on("GetPasswordData", func(w http.ResponseWriter, form url.Values) {
				answer(w, "GetPasswordData", "<instanceId>"+form.Get("InstanceId")+
					"</instanceId><timestamp>2026-11-01T08:36:00.000Z</timestamp><passwordData>"+tc.data+"</passwordData>")
			})
			cfg := testConfig(t, f.URL)
			got, err := newTestProvider(t, cfg).InitialPassword(context.Background(), "i-0123456789abcdef0")
			if got != tc.want || cloud.KindOf(err) != tc.kind {
				t.Errorf("%q, %v; want %q and kind %q", got, err, tc.want, tc.kind)
			}
			if err != nil && !strings.Contains(err.Error(), "15 minutes") {
				t.Errorf("the error names no usual waiting time: %v", err)
			}
			sent := f.sent()
			if len(sent) != 1 || sent[0].Get("InstanceId") != "i-0123456789abcdef0" || sent[0].Get("DryRun") == "true" {
				t.Errorf("requests %v", sent)
			}
			if passed := cfg.Limiter.(*countingLimiter).passed(); !slices.Equal(passed, []string{"GetPasswordData"}) {
				t.Errorf("limiter was waited for %v", passed)
			}
		})
	}
}

func TestCheckInitialPasswordIsADryRun(t *testing.T) {
	for name, tc := range map[string]struct {
		code string
		kind cloud.Kind
		text string
	}{
		"permitted":            {"DryRunOperation", "", ""},
		"permitted, old style": {"Client.DryRunOperation", "", ""},
		"denied":               {"UnauthorizedOperation", cloud.Denied, "ec2:GetPasswordData"},
		"unknown instance":     {"InvalidInstanceID.NotFound", cloud.NotFound, "no such instance"},
		"throttled":            {"RequestLimitExceeded", cloud.Throttled, "max_requests_per_second"},
		"fault":                {"InternalError", cloud.Unknown, "retry"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			f.on("GetPasswordData", func(w http.ResponseWriter, form url.Values) {
				if form.Get("DryRun") != "true" {
					answer(w, "GetPasswordData", "<instanceId>"+form.Get("InstanceId")+"</instanceId><passwordData>QQ==</passwordData>")
					return
				}
				fail(w, http.StatusPreconditionFailed, tc.code, "Request would have succeeded, but DryRun flag is set.")
			})
			cfg := testConfig(t, f.URL)
			err := newTestProvider(t, cfg).CheckInitialPassword(context.Background(), "i-1234abcd")
			if cloud.KindOf(err) != tc.kind || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error %v, want kind %q with %q", err, tc.kind, tc.text)
			}
			if sent := f.sent(); len(sent) != 1 || sent[0].Get("DryRun") != "true" {
				t.Errorf("requests %v, want one dry run", sent)
			}
			if n := len(cfg.Limiter.(*countingLimiter).passed()); n != 1 {
				t.Errorf("limiter was waited for %d times", n)
			}
		})
	}
}

// A denial must not carry the opaque blob that EC2 appends, but should keep its reason.
func TestDenialIsReadable(t *testing.T) {
	f := newFakeEC2(t)
	f.on("GetPasswordData", func(w http.ResponseWriter, _ url.Values) {
		fail(w, http.StatusForbidden, "UnauthorizedOperation",
			"You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/vault is not "+
				"authorized to perform: ec2:GetPasswordData because no identity-based policy allows it. Encoded authorization failure message: "+
				"8kX-9vNotForPeople")
	})
	err := newTestProvider(t, testConfig(t, f.URL)).CheckInitialPassword(context.Background(), "i-1234abcd")
	if err == nil || !strings.Contains(err.Error(), "no identity-based policy allows it") || strings.Contains(err.Error(), "NotForPeople") {
		t.Errorf("error %v", err)
	}
}

func TestMalformedInstanceIDIsNeverSent(t *testing.T) {
	f := newFakeEC2(t)
	p := newTestProvider(t, testConfig(t, f.URL))
	if _, err := p.InitialPassword(context.Background(), "i-1234abcd&DryRun=true"); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("InitialPassword: %v", err)
	}
	if err := p.CheckInitialPassword(context.Background(), "ins-12345678"); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("CheckInitialPassword: %v", err)
	}
	if n := len(f.sent()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestKeyFingerprint(t *testing.T) {
	const fingerprint = "1f:51:ae:28:bf:89:e9:d8:1f:25:5d:37:2d:7d:b8:ca:9f:f5:f1:6f"
	pair := func(name string) func(http.ResponseWriter, url.Values) {
		return func(w http.ResponseWriter, _ url.Values) {
			answer(w, "DescribeKeyPairs", "<keySet><item><keyName>"+name+"</keyName><keyFingerprint>"+fingerprint+
				"</keyFingerprint></item></keySet>")
		}
	}
	refuse := func(code string, status int) func(http.ResponseWriter, url.Values) {
		return func(w http.ResponseWriter, _ url.Values) { fail(w, status, code, "") }
	}
	for name, tc := range map[string]struct {
		key    string
		answer func(http.ResponseWriter, url.Values)
		want   string
		kind   cloud.Kind
		sent   int
	}{
		"found":          {"win key", pair("win key"), fingerprint, "", 1},
		"another's":      {"win key", pair("other"), "", "", 1},
		"deleted":        {"win key", refuse("InvalidKeyPair.NotFound", 400), "", "", 1},
		"no permission":  {"win key", refuse("UnauthorizedOperation", 403), "", "", 1},
		"throttled":      {"win key", refuse("RequestLimitExceeded", 503), "", cloud.Throttled, 1},
		"no key to name": {"", nil, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			f.on("DescribeKeyPairs", tc.answer)
			cfg := testConfig(t, f.URL)
			got, err := newTestProvider(t, cfg).KeyFingerprint(context.Background(), tc.key)
			if got != tc.want || cloud.KindOf(err) != tc.kind {
				t.Errorf("%q, %v; want %q and kind %q", got, err, tc.want, tc.kind)
			}
			sent := f.sent()
			if len(sent) != tc.sent || len(cfg.Limiter.(*countingLimiter).passed()) != tc.sent {
				t.Fatalf("%d requests, want %d", len(sent), tc.sent)
			}
			if tc.sent > 0 && sent[0].Get("KeyName.1") != tc.key {
				t.Errorf("asked for %v", sent[0])
			}
		})
	}
}
