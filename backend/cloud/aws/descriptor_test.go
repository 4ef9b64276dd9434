package aws

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestValidate(t *testing.T) {
	good := cloud.Config{Region: "eu-central-1", AccessKey: testAccessKey, SecretKey: testSecretKey}
	for name, tc := range map[string]struct {
		change func(*cloud.Config)
		want   string // the error begins with it; empty means valid
	}{
		"plain":                   {func(*cloud.Config) {}, ""},
		"china":                   {func(c *cloud.Config) { c.Region = "cn-northwest-1" }, ""},
		"gov":                     {func(c *cloud.Config) { c.Region = "us-gov-west-1" }, ""},
		"isolated":                {func(c *cloud.Config) { c.Region = "us-isob-east-1" }, ""},
		"sovereign":               {func(c *cloud.Config) { c.Region = "eusc-de-east-1" }, ""},
		"two digits":              {func(c *cloud.Config) { c.Region = "ap-southeast-11" }, ""},
		"no region":               {func(c *cloud.Config) { c.Region = "" }, "region: required"},
		"region in capitals":      {func(c *cloud.Config) { c.Region = "EU-central-1" }, "region: "},
		"region that leaves host": {func(c *cloud.Config) { c.Region = "eu-central-1.evil.example" }, "region: "},
		"region with slash":       {func(c *cloud.Config) { c.Region = "x/eu-central-1" }, "region: "},
		"region with newline":     {func(c *cloud.Config) { c.Region = "eu-central-1\n" }, "region: "},
		"availability zone":       {func(c *cloud.Config) { c.Region = "eu-central-1a" }, "region: "},
		"no keys":                 {func(c *cloud.Config) { c.AccessKey, c.SecretKey = "", "" }, "access_key, secret_key: required"},
		"no access key":           {func(c *cloud.Config) { c.AccessKey = "" }, "access_key: required"},
		"no secret key":           {func(c *cloud.Config) { c.SecretKey = "" }, "secret_key: required"},
		"secret in access_key":    {func(c *cloud.Config) { c.AccessKey = testSecretKey }, "access_key: not an access key id"},
		"endpoint":                {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "https://ec2.example"} }, ""},
		"all endpoints": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"sts": "https://a.example", "iam": "https://b.example", "ssm": "https://c.example"}
		}, ""},
		"endpoint of another cloud":  {func(c *cloud.Config) { c.Endpoints = map[string]string{"cvm": "https://cvm.example"} }, `endpoints: provider aws has no service "cvm"`},
		"plain http to far endpoint": {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": "http://ec2.example"} }, "endpoints.ec2: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			err := Validate(cfg)
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
		"invalid":        func(c *cloud.Config) { c.Region = "" },
		"no HTTP client": func(c *cloud.Config) { c.HTTPClient = nil },
		"no gate":        func(c *cloud.Config) { c.Gate = nil },
	} {
		cfg := good
		change(&cfg)
		if p, err := New(cfg); err == nil || p != nil {
			t.Errorf("%s: provider %v, error %v", name, p, err)
		}
	}
}

// The hosts are the SDK's own rule; the test pins that our clients use it, China included.
func TestHostsDeriveFromRegion(t *testing.T) {
	for region, want := range map[string][2]string{
		"eu-central-1":   {"ec2.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com"},
		"cn-north-1":     {"ec2.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn"},
		"cn-northwest-1": {"ec2.cn-northwest-1.amazonaws.com.cn", "sts.cn-northwest-1.amazonaws.com.cn"},
		"us-gov-west-1":  {"ec2.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com"},
		"eusc-de-east-1": {"ec2.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.amazonaws.eu"},
		"xx-future-1":    {"ec2.xx-future-1.amazonaws.com", "sts.xx-future-1.amazonaws.com"},
	} {
		seen := &hostRecorder{}
		cfg := testConfig(t, "")
		cfg.Endpoints = nil
		cfg.Region = region
		cfg.HTTPClient = &http.Client{Transport: seen}
		p := newTestProvider(t, cfg)
		_, _ = p.ec2.DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{})
		_, _ = p.sts.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		if len(seen.hosts) != 2 || seen.hosts[0] != "https://"+want[0] || seen.hosts[1] != "https://"+want[1] {
			t.Errorf("%s: asked %v, want %v over https", region, seen.hosts, want)
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
	_, resetter := made.(cloud.PasswordResetter)
	if d.HasInitialPassword != reader || d.CanClearInitial != clearer || d.CanReset != resetter {
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
