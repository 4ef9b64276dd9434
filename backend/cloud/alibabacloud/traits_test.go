package alibabacloud

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The settle window rests on these figures (rule 10): an attempt may be taken for ended only when its request cannot be
// accepted any more, and what it began has ended. Each is derived from what the cloud says, and not from the constant
// that it holds.
func TestTraitsHoldWhatTheCloudSays(t *testing.T) {
	// The date may be 15 minutes off, to either side; a clock that is ahead by as much signs requests that last for twice that.
	const window = 15 * time.Minute
	traits := newTestProvider(t, testConfig(t, "")).Resetter(cloud.MethodCommand).ResetTraits()
	if traits.SignatureLifetime < 2*window {
		t.Errorf("a request may be accepted for %v after its signing; the traits say %v", 2*window, traits.SignatureLifetime)
	}
	// An agent is handed a command within a minute, or never, and ends a script after its Timeout. What comes late all the
	// same the script refuses, by a clock that may be behind.
	if most := time.Minute + commandTimeout; most > cloud.OrderDeadline {
		t.Errorf("a command may begin %v after its request, and is to begin with nothing after %v", most, cloud.OrderDeadline)
	}
	if !traits.KeepsOrder || traits.LongestOperation < cloud.ClockTolerance {
		t.Errorf("%+v", traits)
	}
	if traits.VisibilityGrace < 30*time.Second || traits.BatchSize != 1 || traits.Serial || !traits.OwnIDs || traits.Action != "RunCommand" {
		t.Errorf("%+v", traits)
	}
}

func TestDescriptorTellsWhatTheProviderDoes(t *testing.T) {
	d := Descriptor()
	var p any = newTestProvider(t, testConfig(t, ""))
	_, initial := p.(cloud.InitialPasswordReader)
	_, clears := p.(cloud.InitialPasswordClearer)
	_, resets := p.(cloud.PasswordResetters)
	if initial || clears || d.HasInitialPassword || d.CanClearInitial || resets != d.CanReset() {
		t.Errorf("descriptor %+v does not fit %T", d, p)
	}
	if d.Name != "alibabacloud" || d.RateSource == "" || d.ResetMethods[0].MayStop || len(d.ResetMethods) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	set := func(changes cloud.Values) func(*cloud.Config) {
		return func(c *cloud.Config) { c.Values = c.With(changes) }
	}
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		field  string // "" for a valid connection
	}{
		"valid":              {set(nil), ""},
		"another region":     {set(cloud.Values{"region": "cn-hangzhou-finance"}), ""},
		"no region":          {set(cloud.Values{"region": ""}), "region"},
		"region with a host": {set(cloud.Values{"region": "evil.example/"}), "region"},
		"upper case":         {set(cloud.Values{"region": "CN-Hangzhou"}), "region"},
		"no access key":      {set(cloud.Values{"access_key": ""}), "access_key"},
		"comma in it":        {set(cloud.Values{"access_key": "LTAI,x"}), "access_key"},
		"no secret key":      {set(cloud.Values{"secret_key": ""}), "secret_key"},
		"line break in it":   {set(cloud.Values{"secret_key": testSecretKey + "\n"}), "secret_key"},
		"ambient":            {set(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"}), ""},
		"ambient and a key":  {set(cloud.Values{"use_ambient_credentials": "true"}), "use_ambient_credentials"},
		"role":               {set(cloud.Values{"role_arn": testRole}), ""},
		"role of AWS":        {set(cloud.Values{"role_arn": "arn:aws:iam::123456789012:role/cloudpw"}), "role_arn"},
		"user for a role":    {set(cloud.Values{"role_arn": "acs:ram::1:user/vault"}), "role_arn"},
		"external id":        {set(cloud.Values{"role_arn": testRole, "external_id": "a+=,.@:/-_9"}), ""},
		"external id alone":  {set(cloud.Values{"external_id": "vault"}), "external_id"},
		"short external id":  {set(cloud.Values{"role_arn": testRole, "external_id": "a"}), "external_id"},
		"role, own ecs only": {func(c *cloud.Config) {
			c.Values, c.Endpoints = c.With(cloud.Values{"role_arn": testRole}), map[string]string{"ecs": "https://a.example"}
		}, "endpoints.sts"},
		"every endpoint": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"ecs": "https://a.example", "sts": "https://a.example", "ram": "https://a.example"}
		}, ""},
		"foreign endpoint":    {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "https://a.example"} }, "endpoints"},
		"plain http endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"ecs": "http://a.example"} }, "endpoints.ecs"},
	} {
		cfg := testConfig(t, "")
		c.change(&cfg)
		err := Descriptor().Check(cfg)
		if _, newErr := New(cfg); (newErr == nil) != (err == nil) {
			t.Errorf("%s: Check says %v, New says %v", name, err, newErr)
		}
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (err == nil || !strings.HasPrefix(err.Error(), c.field)):
			t.Errorf("%s: %v does not begin with %s", name, err, c.field)
		}
		if err != nil && strings.Contains(err.Error(), testSecretKey) {
			t.Errorf("%s: the error holds the secret key", name)
		}
	}
}

// The account of a role is part of its name: another role of the same account is no other account.
func TestAccountOfARole(t *testing.T) {
	for arn, want := range map[string]string{testRole: testAccount, "acs:ram::7:role/other": "7", "nonsense": "nonsense",
		"acs:ram::7": "acs:ram::7"} {
		if got := accountOfRole(arn); got != want {
			t.Errorf("%s: %s, want %s", arn, got, want)
		}
	}
}

// Sources: the SDK's rule "regional" and its table of exceptions (ecs-20140526 v7.7.0 client.go), and the central host of RAM
// and STS (alibaba-cloud-sdk-go v1.63.107, ram/endpoint.go, sts/endpoint.go).
func TestHosts(t *testing.T) {
	for _, c := range []struct{ service, region, endpoint, want string }{
		{"ecs", "eu-central-1", "", "https://ecs.eu-central-1.aliyuncs.com/"},
		{"ecs", "cn-north-2-gov-1", "", "https://ecs.aliyuncs.com/"},
		{"sts", "eu-central-1", "", "https://sts.aliyuncs.com/"},
		{"ram", "eu-central-1", "", "https://ram.aliyuncs.com/"},
		{"ecs", "eu-central-1", "https://ecs-vpc.eu-central-1.aliyuncs.com", "https://ecs-vpc.eu-central-1.aliyuncs.com/"},
		{"sts", "eu-central-1", "http://127.0.0.1:80/x/", "http://127.0.0.1:80/x/"},
	} {
		cfg := cloud.Config{Values: cloud.Values{"region": c.region}}
		if c.endpoint != "" {
			cfg.Endpoints = map[string]string{c.service: c.endpoint}
		}
		if got := baseURL(cfg, c.service); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
