package alibabacloud

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func sessionAnswer(end time.Time) object {
	return object{"Credentials": object{"AccessKeyId": "STS.temporary", "AccessKeySecret": "temporary-secret", "SecurityToken": "token+/=",
		"Expiration": end.UTC().Format(time.RFC3339)}}
}

func roleConfig(t *testing.T, f *fakeCloud, externalID string) cloud.Config {
	t.Helper()
	cfg := testConfig(t, f.URL)
	cfg.Values = cfg.With(cloud.Values{"role_arn": testRole, "external_id": externalID})
	return cfg
}

// A role is assumed once, with the external id; its session signs, with its token.
func TestAssumedRoleSigns(t *testing.T) {
	f := newFakeCloud(t, func(r request) (int, any) {
		if r.action == "AssumeRole" {
			return 200, sessionAnswer(time.Now().Add(time.Hour))
		}
		return 200, described(testInstance)
	})
	p := newTestProvider(t, roleConfig(t, f, "vault"))
	for range 2 {
		if _, err := p.DescribeInstances(t.Context(), []string{testInstance}); err != nil {
			t.Fatal(err)
		}
	}
	if f.actions() != "AssumeRole"+strings.Repeat(" DescribeInstances", 2) {
		t.Fatal(f.actions())
	}
	asked, used := f.seen()[0], f.seen()[1]
	if asked.params.Get("RoleArn") != testRole || asked.params.Get("ExternalId") != "vault" || asked.params.Get("DurationSeconds") != "3600" ||
		asked.params.Get("RoleSessionName") != "cloudpw" || asked.header.Get("x-acs-version") != "2015-04-01" {
		t.Errorf("%+v", asked)
	}
	if used.header.Get("x-acs-security-token") != "token+/=" || used.header.Get("x-acs-accesskey-id") != "STS.temporary" ||
		!strings.Contains(used.header.Get("Authorization"), "x-acs-accesskey-id;") {
		t.Errorf("%+v", used.header)
	}
}

// A session that the cloud refuses is dropped, so that the next call assumes the role again.
func TestDeadSessionIsReplaced(t *testing.T) {
	refuse := true
	f := newFakeCloud(t, func(r request) (int, any) {
		switch {
		case r.action == "AssumeRole":
			return 200, sessionAnswer(time.Now().Add(time.Hour))
		case refuse:
			return failure(400, "InvalidSecurityToken.Expired")
		}
		return 200, described(testInstance)
	})
	p := newTestProvider(t, roleConfig(t, f, ""))
	_, err := p.DescribeInstances(t.Context(), []string{testInstance})
	if e := errorOfKind(t, err, cloud.Denied); !strings.Contains(e.Message, "assumes the role again") {
		t.Error(e)
	}
	refuse = false
	if _, err := p.DescribeInstances(t.Context(), []string{testInstance}); err != nil || f.actions() !=
		"AssumeRole DescribeInstances AssumeRole DescribeInstances" {
		t.Errorf("%v after %s", err, f.actions())
	}
}

// A role that cannot be assumed says what to change; the call that needed it was not sent.
func TestRoleThatCannotBeAssumed(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   func() any
		kind   cloud.Kind
		says   string
	}{
		"not trusted": {403, func() any { _, b := failure(403, "NoPermission"); return b }, cloud.Denied, "set external_id"},
		"no role":     {404, func() any { _, b := failure(404, "EntityNotExist.Role"); return b }, cloud.Denied, "role_arn"},
		"throttled":   {400, func() any { _, b := failure(400, "Throttling"); return b }, cloud.Throttled, ""},
		"broken":      {500, func() any { _, b := failure(500, "InternalError"); return b }, cloud.Unavailable, ""},
		"no session":  {200, func() any { return object{} }, cloud.Unavailable, "holds no session"},
		"no token": {200, func() any { return object{"Credentials": object{"AccessKeyId": "x", "AccessKeySecret": "y"}} }, cloud.Unavailable,
			"no session"},
	} {
		f := newFakeCloud(t, func(request) (int, any) { return c.status, c.body() })
		p := newTestProvider(t, roleConfig(t, f, ""))
		_, err := p.DescribeInstances(t.Context(), []string{testInstance})
		if e := errorOfKind(t, err, c.kind); !strings.Contains(e.Message, c.says) || f.actions() != "AssumeRole" {
			t.Errorf("%s: %v after %s", name, e, f.actions())
		}
	}
}

// metadata is a metadata service.
func metadata(t *testing.T, hardened, tokens bool, keys string) *ambient {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			if !tokens || r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") != "60" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.Write([]byte("the-token"))
		case hardened && r.Header.Get("X-aliyun-ecs-metadata-token") != "the-token":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/latest/meta-data/ram/security-credentials/":
			w.Write([]byte("vault-role\n"))
		case r.URL.Path == "/latest/meta-data/ram/security-credentials/vault-role":
			w.Write([]byte(keys))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return &ambient{server.URL + "/latest/", cloud.MetadataReader{Client: server.Client(), Without: noAmbient}}
}

// The RAM role of the instance, in the hardened mode of its metadata service and without.
func TestInstanceRole(t *testing.T) {
	const good = `{"Code":"Success","AccessKeyId":"STS.x","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2030-01-02T03:04:05Z"}`
	for name, c := range map[string]struct {
		hardened, tokens bool
		keys, says       string
	}{
		"hardened":      {true, true, good, ""},
		"usual":         {false, true, good, ""},
		"old":           {false, false, good, ""},
		"no token":      {true, false, good, "HTTP 403"},
		"no success":    {false, true, `{"Code":"Failed"}`, "refused keys"},
		"no JSON":       {false, true, `<html>`, "something else than keys"},
		"no secret":     {false, true, strings.Replace(good, `"s"`, `""`, 1), "incomplete keys"},
		"no expiration": {false, true, strings.Replace(good, "Expiration", "Other", 1), "incomplete keys"},
		"a line break":  {false, true, strings.Replace(good, `"t"`, `"t\n"`, 1), "incomplete keys"},
	} {
		got, end, err := metadata(t, c.hardened, c.tokens, c.keys).fetch(t.Context())
		switch {
		case c.says == "" && (err != nil || got != (keys{"STS.x", "s", "t"}) || !end.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))):
			t.Errorf("%s: %v, %v", name, end, err)
		case c.says != "" && !strings.Contains(errorOfKind(t, err, cloud.Unavailable).Message, c.says):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Variables come first, and both of them.
func TestVariables(t *testing.T) {
	a := metadata(t, true, true, "")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIvariable")
	_, _, err := a.fetch(t.Context())
	if e := errorOfKind(t, err, cloud.Unavailable); !strings.Contains(e.Message, "set both") {
		t.Error(e)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
	if got, end, err := a.fetch(t.Context()); err != nil || got != (keys{"LTAIvariable", "secret", "token"}) || !end.IsZero() {
		t.Errorf("%v, %v", end, err)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "two words")
	_, _, err = a.fetch(t.Context())
	if e := errorOfKind(t, err, cloud.Unavailable); strings.Contains(e.Message, "two words") {
		t.Error(e)
	}
}

// The client for ambient keys reaches the metadata service alone, and the one for endpoints never does.
func TestMetadataServiceIsNoEndpoint(t *testing.T) {
	a := newAmbient()
	if !strings.HasPrefix(a.url, "http://100.100.100.200/") || !metadataAddress.Contains(metadataAddress.Addr()) ||
		metadataAddress.Bits() != 32 {
		t.Errorf("%s, %s", a.url, metadataAddress)
	}
	a.url = "http://127.0.0.1:1/"
	_, _, err := a.fetch(t.Context())
	_ = errorOfKind(t, err, cloud.Unavailable)
	cfg := testConfig(t, "https://100.100.100.200")
	if _, err := New(cfg); err == nil {
		t.Error("the metadata service can be an endpoint")
	}
}
