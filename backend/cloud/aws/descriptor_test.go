package aws

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestValidate(t *testing.T) {
	good := cloud.Config{Values: cloud.Values{"region": "eu-central-1", "access_key": testAccessKey, "secret_key": testSecretKey}}
	for name, tc := range map[string]struct {
		change func(*cloud.Config)
		want   string // the error begins with it; empty means valid
	}{
		"plain":                   {func(*cloud.Config) {}, ""},
		"china":                   {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "cn-northwest-1"}) }, ""},
		"gov":                     {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "us-gov-west-1"}) }, ""},
		"isolated":                {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "us-isob-east-1"}) }, ""},
		"sovereign":               {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eusc-de-east-1"}) }, ""},
		"two digits":              {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "ap-southeast-11"}) }, ""},
		"no region":               {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": ""}) }, "region: required"},
		"region in capitals":      {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "EU-central-1"}) }, "region: "},
		"region that leaves host": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eu-central-1.evil.example"}) }, "region: "},
		"region with slash":       {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "x/eu-central-1"}) }, "region: "},
		"region with newline":     {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eu-central-1\n"}) }, "region: "},
		"availability zone":       {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eu-central-1a"}) }, "region: "},
		"no keys": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "", "secret_key": ""}) },
			"access_key, secret_key: required"},
		"no access key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": ""}) }, "access_key: required"},
		"no secret key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": ""}) }, "secret_key: required"},
		"key of a session": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "ASIAIOSFODNN7EXAMPLE"}) },
			"access_key: belongs to a session (ASIA...)"},
		"secret in access_key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": testSecretKey}) },
			"access_key: not an access key id"},
		"endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "https://ec2.example"} }, ""},
		"all endpoints": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"sts": "https://a.example", "iam": "https://b.example", "ssm": "https://c.example"}
		}, ""},
		"ambient": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
		}, ""},
		"ambient and a key": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"use_ambient_credentials": "true"}) },
			"use_ambient_credentials: contradicts access_key and secret_key"},
		"ambient and a secret": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "use_ambient_credentials": "true"})
		}, "use_ambient_credentials: contradicts"},
		"role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole}) }, ""},
		"ambient and role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true", "role_arn": testRole})
		}, ""},
		"role with a path": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "arn:aws:iam::123456789012:role/team/a-b/cloudpw"})
		}, ""},
		"role of the partition": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/cloudpw"})
		}, ""},
		"role of another one": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"region": "us-gov-west-1", "role_arn": testRole})
		}, "role_arn: a role of partition aws cannot be used in region us-gov-west-1"},
		"role alone": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "role_arn": testRole})
		}, "access_key, secret_key: required"},
		"user for a role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "arn:aws:iam::123456789012:user/cloudpw"})
		}, "role_arn: "},
		"session for a role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "arn:aws:sts::123456789012:assumed-role/cloudpw/x"})
		}, "role_arn: "},
		"role with a line break": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole + "\n"}) }, "role_arn: "},
		"endless role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": "arn:aws:iam::123456789012:role/" + strings.Repeat("a/", 1100) + "b"})
		}, "role_arn: "},
		"external id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": `a+=,.@:/\-_9`})
		}, ""},
		"external id alone": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": "vault"}) },
			"external_id: only used together with role_arn"},
		"short external id": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": "a"}) },
			"external_id: must be"},
		"long external id": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": strings.Repeat("a", 1225)})
		}, "external_id: must be"},
		"blank in external id": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole, "external_id": "a b"}) },
			"external_id: must be"},
		"role, own ec2 only": {func(c *cloud.Config) {
			c.Values, c.Endpoints = c.With(cloud.Values{"role_arn": testRole}), map[string]string{"ec2": "https://ec2.example"}
		}, "endpoints.sts: required together with role_arn"},
		"role, own ec2 and sts": {func(c *cloud.Config) {
			c.Values, c.Endpoints = c.With(cloud.Values{"role_arn": testRole}), map[string]string{"ec2": "https://ec2.example",
				"sts": "https://sts.example"}
		}, ""},
		"endpoint of another cloud": {func(c *cloud.Config) { c.Endpoints = map[string]string{"cvm": "https://cvm.example"} },
			`endpoints: the provider has no service "cvm"`},
		"plain http to far endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "http://ec2.example"} }, "endpoints.ec2: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			err := Descriptor().Check(cfg)
			if tc.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that begins with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), testSecretKey) {
				t.Fatalf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestValidateInstanceID(t *testing.T) {
	for id, ok := range map[string]bool{
		"i-0123456789abcdef0":     true,
		"i-1234abcd":              true,
		"":                        false,
		"i-":                      false,
		"i-1234abc":               false,
		"i-1234abcde":             false,
		"i-0123456789abcdef01":    false,
		"i-0123456789ABCDEF0":     false,
		"i-0123456789abcdeg0":     false,
		"i-0123456789abcdef0\n":   false,
		" i-0123456789abcdef0":    false,
		"i-0123456789abcde*?":     false,
		"mi-0123456789abcdef0":    false,
		"ins-abcdefgh":            false,
		"i-1234abcd&DryRun=false": false,
		"../../i-1234abcd":        false,
	} {
		err := (*Provider)(nil).ValidateInstanceID(id)
		if ok != (err == nil) {
			t.Errorf("%q: error %v, want valid=%v", id, err, ok)
		}
		if err != nil && cloud.KindOf(err) != cloud.Refused {
			t.Errorf("%q: kind %q", id, cloud.KindOf(err))
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := testConfig(t, "http://127.0.0.1:1")
	for name, change := range map[string]func(*cloud.Config){
		"invalid":        func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": ""}) },
		"no HTTP client": func(c *cloud.Config) { c.HTTPClient = nil },
		"no limiter":     func(c *cloud.Config) { c.Limiter = nil },
	} {
		cfg := good
		change(&cfg)
		if p, err := New(cfg); err == nil || p != nil {
			t.Errorf("%s: provider %v, error %v", name, p, err)
		}
	}
}

// The hosts are the SDK's own rule; the test pins that our clients use it in every partition. Sources:
// ec2 and sts take {service}.{region}.{dnsSuffix} with the suffixes of the SDK's
// internal/endpoints/awsrulesfn/partitions.json; iam has one host for a partition, by the rule set in
// the SDK's service/iam/endpoints.go, and docs.aws.amazon.com/general/latest/gr/iam-service.html.
func TestHostsDeriveFromRegion(t *testing.T) {
	for region, want := range map[string]struct{ partition, ec2, sts, iam string }{
		"eu-central-1": {"aws", "ec2.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com", "iam.amazonaws.com"},
		"us-east-1":    {"aws", "ec2.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com", "iam.amazonaws.com"},
		"cn-north-1":   {"aws-cn", "ec2.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn", "iam.cn-north-1.amazonaws.com.cn"},
		"cn-northwest-1": {"aws-cn", "ec2.cn-northwest-1.amazonaws.com.cn", "sts.cn-northwest-1.amazonaws.com.cn",
			"iam.cn-north-1.amazonaws.com.cn"},
		"us-gov-west-1": {"aws-us-gov", "ec2.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com", "iam.us-gov.amazonaws.com"},
		"us-gov-east-1": {"aws-us-gov", "ec2.us-gov-east-1.amazonaws.com", "sts.us-gov-east-1.amazonaws.com", "iam.us-gov.amazonaws.com"},
		"us-iso-east-1": {"aws-iso", "ec2.us-iso-east-1.c2s.ic.gov", "sts.us-iso-east-1.c2s.ic.gov", "iam.us-iso-east-1.c2s.ic.gov"},
		"us-isob-east-1": {"aws-iso-b", "ec2.us-isob-east-1.sc2s.sgov.gov", "sts.us-isob-east-1.sc2s.sgov.gov",
			"iam.us-isob-east-1.sc2s.sgov.gov"},
		"eu-isoe-west-1": {"aws-iso-e", "ec2.eu-isoe-west-1.cloud.adc-e.uk", "sts.eu-isoe-west-1.cloud.adc-e.uk",
			"iam.eu-isoe-west-1.cloud.adc-e.uk"},
		"us-isof-south-1": {"aws-iso-f", "ec2.us-isof-south-1.csp.hci.ic.gov", "sts.us-isof-south-1.csp.hci.ic.gov",
			"iam.us-isof-south-1.csp.hci.ic.gov"},
		"eusc-de-east-1": {"aws-eusc", "ec2.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.amazonaws.eu", "iam.eusc-de-east-1.amazonaws.eu"},
		"xx-future-1":    {"aws", "ec2.xx-future-1.amazonaws.com", "sts.xx-future-1.amazonaws.com", "iam.amazonaws.com"},
	} {
		if got := partitionOf(region); got != want.partition {
			t.Errorf("%s: partition %s, want %s", region, got, want.partition)
		}
		seen := &hostRecorder{}
		cfg := testConfig(t, "")
		cfg.Endpoints = nil
		cfg.Values = cfg.With(cloud.Values{"region": region})
		cfg.HTTPClient = &http.Client{Transport: seen}
		p := newTestProvider(t, cfg)
		_, _ = p.ec2.describeInstances(context.Background(), &ec2.DescribeInstancesInput{})
		_, _ = p.sts.getCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		_, _ = p.iam.listAccessKeys(context.Background(), &iam.ListAccessKeysInput{})
		if hosts := []string{"https://" + want.ec2, "https://" + want.sts, "https://" + want.iam}; !slices.Equal(seen.hosts, hosts) {
			t.Errorf("%s: asked %v, want %v", region, seen.hosts, hosts)
		}
	}
}

type hostRecorder struct{ hosts []string }

func (h *hostRecorder) RoundTrip(r *http.Request) (*http.Response, error) {
	h.hosts = append(h.hosts, r.URL.Scheme+"://"+r.URL.Host)
	return nil, http.ErrServerClosed
}

func TestDescriptorAgreesWithProvider(t *testing.T) {
	d := Descriptor()
	p := newTestProvider(t, testConfig(t, "http://127.0.0.1:1"))
	var made cloud.Provider = p
	_, reader := made.(cloud.InitialPasswordReader)
	_, clearer := made.(cloud.InitialPasswordClearer)
	_, resetter := made.(cloud.PasswordResetters)
	if d.HasInitialPassword != reader || d.CanClearInitial != clearer || d.CanReset() != resetter {
		t.Errorf("descriptor %+v, but reader %v, clearer %v, resetter %v", d, reader, clearer, resetter)
	}
	if d.UsualInitialDelay != p.InitialPasswordDelay() || d.UsualInitialDelay != 15*time.Minute {
		t.Errorf("initial delay %v and %v", d.UsualInitialDelay, p.InitialPasswordDelay())
	}
	if d.DefaultRequestsPerSecond <= 0 || d.RateSource == "" {
		t.Error("no default rate or no source for it")
	}
}

func TestUsernameAndRulesByPlatform(t *testing.T) {
	p := (*Provider)(nil)
	for platform, user := range map[cloud.Platform]string{cloud.Windows: "Administrator", cloud.Linux: "root", "": "root"} {
		i := cloud.Instance{Platform: platform}
		if got := p.DefaultUsername(i); got != user {
			t.Errorf("%q: user name %q, want %q", platform, got, user)
		}
		if err := p.PasswordRules(i).Validate(); err != nil {
			t.Errorf("%q: rules: %v", platform, err)
		}
	}
}
