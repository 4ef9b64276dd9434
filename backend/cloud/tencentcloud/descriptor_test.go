package tencentcloud

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestDescriptorTellsWhatTheProviderDoes(t *testing.T) {
	d := Descriptor()
	var p any = newTestProvider(t, testConfig(t, ""))
	_, initial := p.(cloud.InitialPasswordReader)
	_, clears := p.(cloud.InitialPasswordClearer)
	_, resets := p.(cloud.PasswordResetter)
	if initial != d.HasInitialPassword || clears != d.CanClearInitial || resets != d.CanReset {
		t.Errorf("descriptor %+v does not fit %T", d, p)
	}
	if d.Name != "tencentcloud" || d.DefaultRequestsPerSecond != 10 || d.RateSource == "" || !d.ResetMayStop {
		t.Errorf("%+v", d)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		field  string // "" for a valid connection
	}{
		"valid":              {func(*cloud.Config) {}, ""},
		"finance region":     {func(c *cloud.Config) { c.Region = "ap-shanghai-fsi" }, ""},
		"no region":          {func(c *cloud.Config) { c.Region = "" }, "region"},
		"region with a host": {func(c *cloud.Config) { c.Region = "evil.example/" }, "region"},
		"region upper case":  {func(c *cloud.Config) { c.Region = "AP-Guangzhou" }, "region"},
		"no access key":      {func(c *cloud.Config) { c.AccessKey = "" }, "access_key"},
		"blank in it":        {func(c *cloud.Config) { c.AccessKey = "AKID " }, "access_key"},
		"comma in it":        {func(c *cloud.Config) { c.AccessKey = "AKID,x" }, "access_key"},
		"slash in it":        {func(c *cloud.Config) { c.AccessKey = "AKID/x" }, "access_key"},
		"no secret key":      {func(c *cloud.Config) { c.SecretKey = "" }, "secret_key"},
		"line break in it":   {func(c *cloud.Config) { c.SecretKey = testSecretKey + "\n" }, "secret_key"},
		"every endpoint": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"cvm": "https://a.example", "sts": "https://a.example", "cam": "https://a.example", "tat": "https://a.example"}
		}, ""},
		"foreign endpoint":    {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "https://a.example"} }, "endpoints"},
		"plain http endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"cvm": "http://a.example"} }, "endpoints.cvm"},
	} {
		cfg := testConfig(t, "")
		c.change(&cfg)
		err := Descriptor().Validate(cfg)
		_, newErr := New(cfg)
		if (newErr == nil) != (err == nil) {
			t.Errorf("%s: Validate says %v, New says %v", name, err, newErr)
		}
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (err == nil || !strings.HasPrefix(err.Error(), c.field+":")):
			t.Errorf("%s: %v does not begin with %s", name, err, c.field)
		}
		if err != nil && strings.Contains(err.Error(), testSecretKey) {
			t.Errorf("%s: the error holds the secret key", name)
		}
	}
}

func TestValidateInstanceID(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for id, ok := range map[string]bool{
		"ins-r8hr2upy": true, "ins-12345678": true,
		"": false, "ins-": false, "ins-1234567": false, "ins-123456789": false, "INS-12345678": false, "ins-R8HR2UPY": false,
		"i-12345678": false, "ins-1234567\n": false, "ins-12345678\n": false, "ins-12345/78": false, " ins-12345678": false, "ins-1234567é": false,
	} {
		if err := p.ValidateInstanceID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct{ service, region, endpoint, scheme, want string }{
		{"cvm", "ap-guangzhou", "", "https", "cvm.tencentcloudapi.com"},
		{"sts", "eu-frankfurt", "", "https", "sts.tencentcloudapi.com"},
		{"cvm", "ap-shanghai-fsi", "", "https", "cvm.ap-shanghai-fsi.tencentcloudapi.com"},
		{"cvm", "ap-guangzhou", "https://cvm.intl.tencentcloudapi.com", "https", "cvm.intl.tencentcloudapi.com"},
		{"cvm", "ap-guangzhou", "https://gw.example:8443/tc/", "https", "gw.example:8443/tc"},
		{"cvm", "ap-guangzhou", "http://127.0.0.1:8080", "http", "127.0.0.1:8080"},
	} {
		cfg := cloud.Config{Region: c.region}
		if c.endpoint != "" {
			cfg.Endpoints = map[string]string{c.service: c.endpoint}
		}
		settings, err := clientProfile(cfg, c.service)
		if err != nil {
			t.Fatal(err)
		}
		if got := settings.HttpProfile; got.Endpoint != c.want || got.Scheme != c.scheme {
			t.Errorf("%+v: %s %s", c, got.Scheme, got.Endpoint)
		}
		if settings.NetworkFailureMaxRetries != 0 || settings.RateLimitExceededMaxRetries != 0 ||
			settings.UnsafeRetryOnConnectionFailure || !settings.DisableRegionBreaker || settings.Debug || settings.Language != "en-US" {
			t.Errorf("%+v", settings)
		}
	}
}
