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
	_, resets := p.(cloud.PasswordResetters)
	if initial != d.HasInitialPassword || clears != d.CanClearInitial || resets != d.CanReset() {
		t.Errorf("descriptor %+v does not fit %T", d, p)
	}
	if d.Name != "tencentcloud" || d.DefaultRequestsPerSecond != 10 || d.RateSource == "" || !d.ResetMethods[0].MayStop {
		t.Errorf("%+v", d)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		field  string // "" for a valid connection
	}{
		"valid":              {func(*cloud.Config) {}, ""},
		"finance region":     {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "ap-shanghai-fsi"}) }, ""},
		"no region":          {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": ""}) }, "region"},
		"region with a host": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "evil.example/"}) }, "region"},
		"region upper case":  {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "AP-Guangzhou"}) }, "region"},
		"no access key":      {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": ""}) }, "access_key"},
		"blank in it":        {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKID "}) }, "access_key"},
		"comma in it":        {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKID,x"}) }, "access_key"},
		"slash in it":        {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AKID/x"}) }, "access_key"},
		"no secret key":      {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": ""}) }, "secret_key"},
		"line break in it":   {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": testSecretKey + "\n"}) }, "secret_key"},
		"ambient": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
		}, ""},
		"ambient and a key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"use_ambient_credentials": "true"}) },
			"use_ambient_credentials"},
		"ambient and a secret": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "use_ambient_credentials": "true"})
		}, "use_ambient_credentials"},
		"role by name": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole}) }, ""},
		"role by id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "qcs::cam::uin/12345678:role/4611686018427397919"})
		}, ""},
		"service role by id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "qcs::cam::uin/12345678:role/tencentcloudServiceRole/4611686018427397920"})
		}, ""},
		"service role by name": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "qcs::cam::uin/12345678:role/tencentcloudServiceRoleName/testServiceRoleName"})
		}, ""},
		"ambient and role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true", "role_arn": testRole})
		}, ""},
		"role alone": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "role_arn": testRole})
		}, "access_key, secret_key"},
		"role of AWS": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "arn:aws:iam::123456789012:role/cloudpw"})
		}, "role_arn"},
		"user for a role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "qcs::cam::uin/12345678:uin/12345679"})
		}, "role_arn"},
		"line break in role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole + "\n"}) }, "role_arn"},
		"external id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": "a+=,.@:/-_9"})
		}, ""},
		"external id alone": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": "vault"}) }, "external_id"},
		"short external id": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": "a"}) }, "external_id"},
		"long external id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": strings.Repeat("a", 129)})
		}, "external_id"},
		"role, own cvm only": {func(c *cloud.Config) {
			c.Values, c.Endpoints = c.With(cloud.Values{"role_arn": testRole}), map[string]string{"cvm": "https://a.example"}
		}, "endpoints.sts"},
		"role, own cvm and sts": {func(c *cloud.Config) {
			c.Values, c.Endpoints = c.With(cloud.Values{"role_arn": testRole}), map[string]string{"cvm": "https://a.example",
				"sts": "https://a.example"}
		}, ""},
		"every endpoint": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"cvm": "https://a.example", "sts": "https://a.example", "cam": "https://a.example",
				"tat": "https://a.example"}
		}, ""},
		"foreign endpoint":    {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "https://a.example"} }, "endpoints"},
		"plain http endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"cvm": "http://a.example"} }, "endpoints.cvm"},
	} {
		cfg := testConfig(t, "")
		c.change(&cfg)
		err := Descriptor().Check(cfg)
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
		"i-12345678": false, "ins-1234567\n": false, "ins-12345678\n": false, "ins-12345/78": false, " ins-12345678": false,
		"ins-1234567é": false,
	} {
		if err := p.ValidateInstanceID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Sources: the nearest entry of each service and the rule that finance regions answer only under hosts
// of their own are on the "Making API Requests" pages (tencentcloud.com/document/product/213/31565 of
// cvm, product/598/32224 of cam, product/1150/49456 of sts). The finance regions Shanghai and Shenzhen
// are those of the first page and of the SDK's common/regions; Beijing follows by the same rule.
// Accounts of the international site may use the same hosts or {service}.intl.tencentcloudapi.com.
func TestHosts(t *testing.T) {
	for _, c := range []struct{ service, region, endpoint, scheme, want string }{
		{"cvm", "ap-guangzhou", "", "https", "cvm.tencentcloudapi.com"},
		{"sts", "eu-frankfurt", "", "https", "sts.tencentcloudapi.com"},
		{"cam", "na-siliconvalley", "", "https", "cam.tencentcloudapi.com"},
		{"cvm", "ap-shanghai-fsi", "", "https", "cvm.ap-shanghai-fsi.tencentcloudapi.com"},
		{"cvm", "ap-shenzhen-fsi", "", "https", "cvm.ap-shenzhen-fsi.tencentcloudapi.com"},
		{"cvm", "ap-beijing-fsi", "", "https", "cvm.ap-beijing-fsi.tencentcloudapi.com"},
		{"sts", "ap-shanghai-fsi", "", "https", "sts.ap-shanghai-fsi.tencentcloudapi.com"},
		{"cam", "ap-shenzhen-fsi", "", "https", "cam.ap-shenzhen-fsi.tencentcloudapi.com"},
		{"cam", "ap-singapore", "https://cam.intl.tencentcloudapi.com", "https", "cam.intl.tencentcloudapi.com"},
		{"sts", "ap-singapore", "https://sts.intl.tencentcloudapi.com", "https", "sts.intl.tencentcloudapi.com"},
		{"cvm", "ap-guangzhou", "https://cvm.intl.tencentcloudapi.com", "https", "cvm.intl.tencentcloudapi.com"},
		{"cvm", "ap-guangzhou", "https://gw.example:8443/tc/", "https", "gw.example:8443/tc"},
		{"cvm", "ap-guangzhou", "http://127.0.0.1:8080", "http", "127.0.0.1:8080"},
	} {
		cfg := cloud.Config{Values: cloud.Values{"region": c.region}}
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
