package alibabacloud

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// A request is a POST whose parameters stand in the body; its headers are those of the cloud's page.
func TestRequestIsAForm(t *testing.T) {
	p, f := answering(t, func(request) (int, any) { return 200, object{"Instances": object{}} })
	if err := p.list(t.Context(), url.Values{"Tag.1.Key": {"a b*"}}, nil); err != nil {
		t.Fatal(err)
	}
	r := f.seen()[0]
	if r.query != "" || r.params.Get("Tag.1.Key") != "a b*" || r.params.Get("RegionId") != testRegion || r.params.Get("MaxResults") != "100" {
		t.Errorf("%+v", r)
	}
	if r.header.Get("x-acs-version") != "2014-05-26" || r.header.Get("Content-Type") != formType ||
		len(r.header.Get("x-acs-signature-nonce")) != 32 {
		t.Errorf("%+v", r.header)
	}
	if at, err := time.Parse("2006-01-02T15:04:05Z", r.header.Get("x-acs-date")); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("date %s", r.header.Get("x-acs-date"))
	}
	for _, name := range []string{"x-acs-security-token", "x-acs-accesskey-id"} {
		if r.header.Get(name) != "" {
			t.Errorf("%s is sent with a key that has no token", name)
		}
	}
}

// Where the cloud does not read forms, the first call is sent again with its parameters in the query, and the next ones at once.
func TestParametersMoveToTheQuery(t *testing.T) {
	f := newFakeCloud(t, func(request) (int, any) { return 200, object{"Instances": object{}} })
	f.queryOnly = true
	limiter := &contract.CountLimiter{}
	cfg := testConfig(t, f.URL)
	cfg.Limiter = limiter
	p := newTestProvider(t, cfg)
	for range 2 {
		if err := p.list(t.Context(), url.Values{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got := f.seen()
	if len(got) != 3 || got[0].query != "" || got[1].query == "" || got[2].query == "" || got[1].header.Get("Content-Type") != "" {
		t.Errorf("%d requests: %+v", len(got), got)
	}
	if n := limiter.Count("DescribeInstances"); n != 3 {
		t.Errorf("the limiter was waited for %d times", n)
	}
	// Another connection knows nothing of it.
	if newTestProvider(t, testConfig(t, f.URL)).client.inQuery.Load() {
		t.Error("the choice is shared")
	}
}

// A reset is one request, whatever the cloud says of it. What it learned serves the next one.
func TestResetIsNotRepeatedInTheQuery(t *testing.T) {
	f := newFakeCloud(t, func(request) (int, any) { return 200, object{"InvokeId": "t-1"} })
	f.queryOnly = true
	p := newTestProvider(t, testConfig(t, f.URL))
	reset := linuxReset()
	_, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset)
	if e := errorOfKind(t, err, cloud.Refused); !strings.Contains(e.Message, "does not read parameters in the body") || len(f.seen()) != 1 {
		t.Errorf("%v after %s", e, f.actions())
	}
	if started, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset); err != nil || started.RequestID != "t-1" ||
		!strings.Contains(f.seen()[1].query, "CommandContent=") {
		t.Errorf("%+v, %v", started, err)
	}
}

// Only a parameter that was sent shows that the body was not read.
func TestMissingParameters(t *testing.T) {
	sent := url.Values{"RegionId": {"x"}, "InstanceId.1": {"y"}}
	for _, c := range []struct {
		code, message string
		want          bool
	}{
		{"MissingRegionId", "RegionId is mandatory for this action.", true},
		{"MissingParameter", `The input parameter "RegionId" that is mandatory for processing this request is not supplied.`, true},
		{"MissingParameter.RegionId", "", true},
		{"MissingParam.InstanceId", "The parameter instanceId is missing or empty.", true},
		{"MissingParameter", `The input parameter "Timeout" that is mandatory for processing this request is not supplied.`, false},
		{"MissingParam.Frequency", "The frequency must be specified.", false},
		{"MissingSecurityToken", "SecurityToken is mandatory for this action.", false},
		{"InvalidParameter", "RegionId", false},
	} {
		if got := (&apiError{Code: c.code, Message: c.message}).misses(sent); got != c.want {
			t.Errorf("%s %q: %v", c.code, c.message, got)
		}
	}
}

// What is not the API's answer proves nothing.
func TestAnswersOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   any
		kind   cloud.Kind
		text   string
	}{
		"a page":               {200, "<html>Welcome</html>", cloud.Unknown, "endpoints.ecs"},
		"null":                 {200, "null", cloud.Unknown, "readable"},
		"a list":               {200, "[]", cloud.Unknown, "readable"},
		"no request id":        {200, `{"InvokeId":"t-1"}`, cloud.Unknown, "readable"},
		"a number for an id":   {200, `{"RequestId":"x","InvokeId":7}`, cloud.Unknown, "readable"},
		"no id":                {200, object{}, cloud.Unknown, "names no command"},
		"another form of id":   {200, object{"InvokeId": "c-1"}, cloud.Unknown, "names no command"},
		"a redirect":           {307, "", cloud.Unknown, "redirects are not followed"},
		"a gateway":            {502, "Bad Gateway", cloud.Unknown, "not known"},
		"a gateway that slows": {429, "slow", cloud.Unknown, "not known"},
		"no code":              {400, object{"Message": "x"}, cloud.Unknown, "readable"},
		"created":              {201, object{"InvokeId": "t-1"}, cloud.Unknown, "readable"},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := answering(t, func(request) (int, any) { return c.status, c.body })
			_, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), linuxReset())
			if e := errorOfKind(t, err, c.kind); !strings.Contains(e.Message, c.text) || len(f.seen()) != 1 {
				t.Errorf("%v after %s", e, f.actions())
			}
		})
	}
	// A gateway's 429 is believed for what only reads.
	p, _ := answering(t, func(request) (int, any) { return http.StatusTooManyRequests, "slow" })
	_, err := p.DescribeInstances(t.Context(), []string{testInstance})
	_ = errorOfKind(t, err, cloud.Throttled)
}

// A request whose deadline has passed is not sent, and one that was abandoned neither.
func TestStaleRequestsAreNotSent(t *testing.T) {
	p, f := answering(t, func(request) (int, any) { return 200, object{"InvokeId": "t-1"} })
	_, err := p.Resetter(cloud.MethodCommand).StartReset(cloud.WithSendDeadline(t.Context(), time.Now().Add(-time.Second)), linuxReset())
	_ = errorOfKind(t, err, cloud.Unavailable)
	if len(f.seen()) != 0 {
		t.Error(f.actions())
	}
}

// A client that waits gets over a throttled read; a reset is sent once.
func TestThrottledCalls(t *testing.T) {
	n := 0
	p, f := answering(t, func(r request) (int, any) {
		if n++; r.action == "RunCommand" || n == 1 {
			return failure(http.StatusServiceUnavailable, "Throttling.User")
		}
		return 200, object{"Instances": object{"Instance": []object{{"InstanceId": testInstance}}}}
	})
	ctx := cloud.WithInteractive(t.Context())
	if got, err := p.DescribeInstances(ctx, []string{testInstance}); err != nil || len(got) != 1 || len(f.seen()) != 2 {
		t.Errorf("%+v, %v after %s", got, err, f.actions())
	}
	_, err := p.Resetter(cloud.MethodCommand).StartReset(ctx, linuxReset())
	_ = errorOfKind(t, err, cloud.Throttled)
	if len(f.seen()) != 3 {
		t.Error(f.actions())
	}
}
