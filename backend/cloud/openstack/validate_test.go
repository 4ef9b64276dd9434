package openstack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func keysConfig(change func(*cloud.Config)) cloud.Config {
	cfg := cloud.Config{
		Provider: nameOTC, Values: cloud.Values{
			"region": "eu-de", "project_id": "0123456789abcdef0123456789abcdef", "access_key": "AKEXAMPLE", "secret_key": "SK-secret-example",
		},
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func userConfig(change func(*cloud.Config)) cloud.Config {
	cfg := cloud.Config{
		Provider: nameOTC, Values: cloud.Values{
			"region": "eu-de", "project_name": "eu-de_prod", "username": "cloudpw", "password": "pw-secret-example",
			"user_domain_name": "OTC-EU-DE-1",
		},
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func applicationConfig(change func(*cloud.Config)) cloud.Config {
	cfg := cloud.Config{
		Provider: nameOpenStack, Values: cloud.Values{
			"region": "RegionOne", "auth_url": "https://keystone.example.com:5000/v3",
			"application_credential_id": "0123456789abcdef0123456789abcdef", "application_credential_secret": "app-secret-example",
		},
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func plainUserConfig(change func(*cloud.Config)) cloud.Config {
	return userConfig(func(c *cloud.Config) {
		c.Values, c.Provider = c.With(cloud.Values{"region": "RegionOne", "auth_url": "https://keystone.example.com/identity"}), nameOpenStack
		if change != nil {
			change(c)
		}
	})
}

func TestValidate(t *testing.T) {
	endpoint := func(key, value string) func(*cloud.Config) {
		return func(c *cloud.Config) { c.Endpoints = map[string]string{key: value} }
	}
	values := func(pairs ...string) func(*cloud.Config) {
		return func(c *cloud.Config) {
			for i := 0; i < len(pairs); i += 2 {
				c.Values = c.With(cloud.Values{pairs[i]: pairs[i+1]})
			}
		}
	}
	both := func(a, b func(*cloud.Config)) func(*cloud.Config) {
		return func(c *cloud.Config) {
			a(c)
			b(c)
		}
	}
	tests := []struct {
		name   string
		family family
		cfg    cloud.Config
		want   string // beginning of the error; empty for none
	}{
		{"keys", huawei(), keysConfig(nil), ""},
		{"keys on OTC", telekom(), keysConfig(nil), ""},
		{"user on OTC", telekom(), userConfig(nil), ""},
		{"user with project id", telekom(),
			userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "abc", "project_name": ""}) }), ""},
		{"no region", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": ""}) }), "region: required"},
		{"region breaks out of the host name", huawei(),
			keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "a.evil.example/"}) }), "region: must be"},
		{"region in capitals", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "EU-DE"}) }),
			"region: must be"},
		{"region too long", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": strings.Repeat("a", 64)}) }),
			"region: must be"},
		{"project breaks out of the path", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "../x"}) }),
			"project_id: must be"},
		{"no project", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": ""}) }), "project_id: required"},
		{"no access key", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": ""}) }),
			"access_key: required"},
		{"access key breaks out of the header", huawei(),
			keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "AK,Signature=x"}) }), "access_key: holds"},
		{"no secret key", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": ""}) }),
			"secret_key: required"},
		{"secret key with a line break", huawei(),
			keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": c.Text(cloud.SecretKey) + "\n"}) }),
			"secret_key: begins or ends"},
		{"no credentials", telekom(), cloud.Config{Values: cloud.Values{"region": "eu-de"}}, "access_key: required together"},
		{"both credentials", telekom(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"username": "u"}) }),
			"access_key, username: give either"},
		{"user on Huawei", huawei(), userConfig(nil), ""},
		{"user on Huawei by project id, auth_url", huawei(), userConfig(func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"project_id": "abc", "project_name": "", "auth_url": "https://iam.example.com"})
		}), ""},
		{"user on Huawei without project", huawei(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": ""}) }),
			"project_id: required with username"},
		{"temporary key", huawei(), keysConfig(values("security_token", "token-secret==")), ""},
		{"token of half a key", telekom(), keysConfig(values("security_token", "t", "secret_key", "")), "secret_key: required"},
		{"token without a key", huawei(), keysConfig(values("security_token", "t", "access_key", "", "secret_key", "")),
			"security_token: only used with access_key"},
		{"token of a user", telekom(), userConfig(values("security_token", "t")), "security_token: only used with access_key"},
		{"token of the environment", telekom(), keysConfig(values("security_token", "t", "access_key", "", "secret_key", "",
			"use_ambient_credentials", "true")), "security_token: only used with access_key"},
		{"token with a blank", huawei(), keysConfig(values("security_token", "SK-secret 1")), "security_token: character 10"},
		{"ambient", huawei(), keysConfig(values("access_key", "", "secret_key", "", "use_ambient_credentials", "true")), ""},
		{"not ambient", huawei(), keysConfig(values("access_key", "", "secret_key", "", "use_ambient_credentials", "false")),
			"access_key: required together with secret_key, unless"},
		{"ambient without project", telekom(), keysConfig(values("access_key", "", "secret_key", "", "project_id", "",
			"use_ambient_credentials", "true")), "project_id: required"},
		{"ambient and a key", huawei(), keysConfig(values("use_ambient_credentials", "true")), "use_ambient_credentials: contradicts"},
		{"ambient and a user", telekom(), userConfig(values("use_ambient_credentials", "true")), "use_ambient_credentials: contradicts"},
		{"ambient on OpenStack", plainOpenStack(), applicationConfig(values("use_ambient_credentials", "true")),
			"access_key: not used by openstack"},
		{"ambient with auth_url", telekom(), keysConfig(values("access_key", "", "secret_key", "", "use_ambient_credentials", "true",
			"auth_url", "https://iam.example.com")), "auth_url: only used with username"},
		{"agency", huawei(), keysConfig(values("agency_name", "a", "agency_domain_name", "other account")), ""},
		{"agency of a temporary key", telekom(), keysConfig(values("agency_name", "a", "agency_domain_name", "d", "security_token", "t")), ""},
		{"agency of the environment", telekom(), keysConfig(values("agency_name", "a", "agency_domain_name", "d", "access_key", "",
			"secret_key", "", "use_ambient_credentials", "true")), ""},
		{"agency of a user", huawei(), userConfig(values("agency_name", "a", "agency_domain_name", "d", "project_id", "abc", "project_name", "")),
			""},
		{"agency of a user with a project's name", huawei(), userConfig(values("agency_name", "a", "agency_domain_name", "d")),
			"project_id: required with agency_name"},
		{"agency without its account", huawei(), keysConfig(values("agency_name", "a")), "agency_domain_name: required with agency_name"},
		{"account without its agency", huawei(), keysConfig(values("agency_domain_name", "d")), "agency_domain_name: only used together"},
		{"agency with a slash", huawei(), keysConfig(values("agency_name", "a/b", "agency_domain_name", "d")), "agency_name: must be"},
		{"agency with a long name", huawei(), keysConfig(values("agency_name", strings.Repeat("a", 65), "agency_domain_name", "d")),
			"agency_name: must be"},
		{"account with a line break", huawei(), keysConfig(values("agency_name", "a", "agency_domain_name", "d\n")),
			"agency_domain_name: must be"},
		{"agency at an own endpoint", telekom(), keysConfig(both(values("agency_name", "a", "agency_domain_name", "d"),
			endpoint("ecs", "https://ecs.example.com"))), "endpoints.iam: required together with agency_name"},
		{"agency of a user at an own endpoint", telekom(), userConfig(both(values("agency_name", "a", "agency_domain_name", "d",
			"project_id", "abc", "project_name", ""), endpoint("ecs", "https://ecs.example.com"))),
			"endpoints.iam: required together with agency_name"},
		{"agency of a user at own addresses", telekom(), userConfig(both(values("agency_name", "a", "agency_domain_name", "d",
			"project_id", "abc", "project_name", "", "auth_url", "https://iam.example.com"), endpoint("ecs", "https://ecs.example.com"))), ""},
		{"agency of an own identity service", huawei(), keysConfig(both(values("agency_name", "a", "agency_domain_name", "d"),
			endpoint("iam", "https://iam.example.com"))), "endpoints.ecs: required together with agency_name"},
		{"agency by an own auth_url", huawei(), userConfig(values("agency_name", "a", "agency_domain_name", "d", "project_id", "abc",
			"project_name", "", "auth_url", "https://iam.example.com")), "endpoints.ecs: required together with agency_name"},
		{"agency by another IAM of the cloud", huawei(), keysConfig(both(values("agency_name", "a", "agency_domain_name", "d"),
			endpoint("iam", "https://iam.myhuaweicloud.com"))), ""},
		{"unknown signature style", huawei(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"signature_style": "v4"}) }),
			"signature_style: must be one of: direct, scoped"},
		{"auth_url with keys", telekom(),
			keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": "https://iam.example.com/v3"}) }), "auth_url: only used"},
		{"project name with keys", telekom(), keysConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": "x"}) }),
			"project_name: only used"},
		{"no user name", telekom(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"username": ""}) }), "username: required"},
		{"no password", telekom(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"password": ""}) }), "password: required"},
		{"no domain", telekom(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"user_domain_name": ""}) }),
			"user_domain_name: required"},
		{"user without project", telekom(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": ""}) }),
			"project_id: required with username"},
		{"user with two projects", telekom(), userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "abc"}) }),
			"project_name: not together"},
		{"project domain alone", telekom(), userConfig(func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"project_id": "abc", "project_name": "", "project_domain_name": "d"})
		}), "project_domain_name: only"},
		{"auth_url without TLS", telekom(),
			userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": "http://iam.example.com/v3"}) }), "auth_url: plain http"},
		{"auth_url of version 2", telekom(),
			userConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": "https://iam.example.com/v2.0/"}) }),
			"auth_url: version v2.0"},
		{"endpoint", huawei(), keysConfig(endpoint("ecs", "https://ecs.example.com/v2/")), ""},
		{"unknown endpoint", huawei(), keysConfig(endpoint("ec2", "https://ecs.example.com")), "endpoints.ec2: unknown service"},
		{"endpoint without TLS", huawei(), keysConfig(endpoint("ecs", "http://ecs.example.com")), "endpoints.ecs: plain http"},
		{"endpoint of the v1 API", huawei(), keysConfig(endpoint("ecs", "https://ecs.example.com/v1")), "endpoints.ecs: version v1"},
		{"application credential", plainOpenStack(), applicationConfig(nil), ""},
		{"application credential with its project", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "abc"}) }), ""},
		{"user on OpenStack", plainOpenStack(), plainUserConfig(nil), ""},
		{"no region on OpenStack", plainOpenStack(), plainUserConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": ""}) }),
			""},
		{"region with a line break", plainOpenStack(),
			plainUserConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "a\nb"}) }), "region: must be"},
		{"no auth_url on OpenStack", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": ""}) }), "auth_url: required"},
		{"no auth_url for a user on OpenStack", plainOpenStack(),
			plainUserConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": ""}) }), "auth_url: required"},
		{"auth_url of version 2 on OpenStack", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"auth_url": "https://k.example.com/v2.0"}) }),
			"auth_url: version v2.0"},
		{"keys on OpenStack", plainOpenStack(), keysConfig(nil), "access_key: not used by openstack"},
		{"nothing on OpenStack", plainOpenStack(), cloud.Config{Values: cloud.Values{"auth_url": "https://k.example.com"}},
			"application_credential_id: required together"},
		{"two credentials on OpenStack", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"username": "u"}) }),
			"application_credential_id, username: give either"},
		{"application credential on OTC", telekom(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eu-de"}) }),
			"application_credential_id: Open Telekom Cloud has no"},
		{"application credential on Huawei", huawei(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "eu-west-101"}) }),
			"application_credential_id: Huawei Cloud has no"},
		{"application credential's name", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"application_credential_id": "my.credential"}) }),
			"application_credential_id: must be the id"},
		{"application credential without its id", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"application_credential_id": ""}) }),
			"application_credential_id: required"},
		{"application credential without its secret", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"application_credential_secret": ""}) }),
			"application_credential_secret: required"},
		{"application credential with a project name", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": "p"}) }), "project_name: only used"},
		{"application credential with a domain", plainOpenStack(),
			applicationConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"user_domain_name": "d"}) }), "user_domain_name: only used"},
		{"user without a domain on OpenStack", plainOpenStack(),
			plainUserConfig(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"user_domain_name": ""}) }), "user_domain_name: required"},
		{"compute endpoint", plainOpenStack(), plainUserConfig(endpoint("compute", "https://nova.example.com/v2.1/0123456789abcdef")), ""},
		{"vendor's endpoint on OpenStack", plainOpenStack(), plainUserConfig(endpoint("ecs", "https://nova.example.com")),
			"endpoints.ecs: unknown service; known: compute"},
		{"compute endpoint of version 1", plainOpenStack(), plainUserConfig(endpoint("compute", "https://nova.example.com/v1.1/x")),
			"endpoints.compute: version v1.1"},
		{"COC of another version", huawei(), keysConfig(endpoint("coc", "https://coc.example.com/v2/")), "endpoints.coc: version v2"},
		{"COC without TLS", huawei(), keysConfig(endpoint("coc", "http://coc.example.com")), "endpoints.coc: plain http"},
		{"COC elsewhere", telekom(), keysConfig(endpoint("coc", "https://coc.example.com")), "endpoints.coc: unknown service; known: ecs, iam"},
		{"identity endpoint of version 2", telekom(), userConfig(endpoint("iam", "https://iam.example.com/v2.0")), "endpoints.iam: version v2.0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.family.descriptor().Check(test.cfg)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("error is %v, want one that begins with %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "SK-secret") || strings.Contains(err.Error(), "pw-secret") ||
				strings.Contains(err.Error(), "app-secret")) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	tests := []struct {
		name              string
		family            family
		region            string
		endpoints         map[string]string
		authURL           string
		compute, identity string
	}{
		{"huawei", huawei(), "cn-north-4", nil, "", "https://ecs.cn-north-4.myhuaweicloud.com/v2.1",
			"https://iam.cn-north-4.myhuaweicloud.com/v3"},
		{"otc", telekom(), "eu-nl", nil, "", "https://ecs.eu-nl.otc.t-systems.com/v2.1", "https://iam.eu-nl.otc.t-systems.com/v3"},
		{"otc in Switzerland", telekom(), "eu-ch2", nil, "", "https://ecs.eu-ch2.sc.otc.t-systems.com/v2.1",
			"https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3"},
		{"own", telekom(), "eu-de", map[string]string{"ecs": "https://a.example/", "iam": "https://b.example"}, "", "https://a.example/v2.1",
			"https://b.example/v3"},
		{"own version kept", telekom(), "eu-de", map[string]string{"ecs": "https://a.example/v2/", "iam": "https://b.example/v3/"}, "",
			"https://a.example/v2", "https://b.example/v3"},
		{"below a path", telekom(), "eu-de", map[string]string{"ecs": "https://a.example/compute", "iam": "https://b.example/identity"}, "",
			"https://a.example/compute/v2.1", "https://b.example/identity/v3"},
		{"openstack", plainOpenStack(), "RegionOne", nil, "https://k.example:5000", "", "https://k.example:5000/v3"},
		{"openstack, own", plainOpenStack(), "RegionOne", map[string]string{"compute": "https://n.example:8774"},
			"https://k.example/identity/v3/", "https://n.example:8774/v2.1", "https://k.example/identity/v3"},
		{"openstack, own with project", plainOpenStack(), "", map[string]string{"compute": "https://n.example/v2.1/abc/"}, "https://k.example",
			"https://n.example/v2.1/abc", "https://k.example/v3"},
		{"auth_url first", telekom(), "eu-de", map[string]string{"iam": "https://b.example"}, "https://c.example:5000/v3",
			"https://ecs.eu-de.otc.t-systems.com/v2.1", "https://c.example:5000/v3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := cloud.Config{Values: cloud.Values{"region": test.region, "auth_url": test.authURL}, Endpoints: test.endpoints}
			if got := test.family.computeBase(cfg); got != test.compute {
				t.Errorf("compute is %s, want %s", got, test.compute)
			}
			if got := test.family.identityBase(cfg); got != test.identity {
				t.Errorf("identity is %s, want %s", got, test.identity)
			}
		})
	}
}

func TestDescriptors(t *testing.T) {
	for _, d := range Descriptors() {
		t.Run(d.Name, func(t *testing.T) {
			if d.CanReset() != (d.Name != nameOTC) || d.HasCheckMethod(cloud.CheckCommand) != (d.Name == nameHuawei) ||
				!d.HasInitialPassword || !d.CanClearInitial || d.DefaultRequestsPerSecond <= 0 ||
				d.RateSource == "" {
				t.Errorf("capabilities are wrong: %+v", d)
			}
			cfg := keysConfig(nil)
			if d.Name == nameOpenStack {
				cfg = applicationConfig(nil)
			}
			cfg.HTTPClient, cfg.Limiter = &http.Client{}, cloud.Unlimited{}
			p, err := d.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := p.(cloud.InitialPasswordReader); !ok {
				t.Error("the provider cannot read initial passwords")
			}
			if _, ok := p.(cloud.InitialPasswordClearer); !ok {
				t.Error("the provider cannot clear initial passwords")
			}
			if _, ok := p.(cloud.CredentialRotator); !ok {
				t.Error("the provider cannot rotate its credential")
			}
			if _, ok := p.(cloud.PermissionChecker); !ok {
				t.Error("the provider cannot check permissions")
			}
			for _, method := range []string{cloud.MethodAPI, cloud.MethodCommand} {
				_, described := d.ResetMethod(method)
				if r := p.(cloud.PasswordResetters).Resetter(method); (r != nil) != described {
					t.Errorf("reset method %s: %v, described %v", method, r, described)
				} else if r != nil && r != p.(cloud.PasswordResetters).Resetter(method) {
					t.Errorf("reset method %s is another each time", method)
				}
			}
			if _, err := d.New(keysConfig(nil)); err == nil {
				t.Error("a provider was made without an HTTP client")
			}
		})
	}
}

func TestValidateInstanceID(t *testing.T) {
	p := &provider{}
	for id, ok := range map[string]bool{
		"05184ba3-00ba-4fbc-b7a2-03b62b884931": true,
		"05184BA3-00BA-4FBC-B7A2-03B62B884931": false,
		"05184ba300ba4fbcb7a203b62b884931":     false,
		"":                                     false,
		"detail":                               false,
		"../../os-keypairs":                    false,
		"05184ba3-00ba-4fbc-b7a2-03b62b884931/action": false,
		"05184ba3-00ba-4fbc-b7a2-03b62b884931\n":      false,
		"i-0123456789abcdef0":                         false,
	} {
		if err := p.ValidateInstanceID(id); (err == nil) != ok {
			t.Errorf("ValidateInstanceID(%q) = %v, want ok %v", id, err, ok)
		}
	}
}
