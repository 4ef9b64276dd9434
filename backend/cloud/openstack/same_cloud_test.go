package openstack

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

func TestSameCloud(t *testing.T) {
	for _, test := range []struct {
		family            family
		identity, service string
		want              bool
	}{
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://ecs.eu-de.otc.t-systems.com/v2/p", true},
		{telekom(), "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3", "https://ecs.eu-ch2.sc.otc.t-systems.com/v2.1", true},
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://ecs.t-systems.com", false},
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://otc.t-systems.com.evil.example", false},
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://evil-otc.t-systems.com", false},
		{telekom(), "https://keystone.private.example/v3", "https://ecs.eu-de.otc.t-systems.com/v2.1", false},
		{telekom(), "https://keystone.private.example/v3", "https://nova.private.example:8774/v2", true},
		{telekom(), "https://keystone.private.example/v3", "https://nova.other.example", false},
		{huawei(), "https://iam.eu-west-101.myhuaweicloud.eu/v3", "https://ecs.eu-west-101.myhuaweicloud.com", true},
		{huawei(), "https://iam.cn-north-4.myhuaweicloud.com/v3", "https://ecs.cn-north-4.myhuaweicloud.com/v2.1/p", true},
		{huawei(), "https://iam.cn-north-4.myhuaweicloud.com/v3", "https://ecs.eu-de.otc.t-systems.com/v2.1/p", false},
		{huawei(), "https://iam.cn-north-4.myhuaweicloud.com/v3", "https://myhuaweicloud.com.evil.example", false},
		{huawei(), "https://iam.cn-north-4.myhuaweicloud.com/v3", "https://ecs.evilmyhuaweicloud.com", false},
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://ecs.cn-north-4.myhuaweicloud.com/v2.1/p", false},
		{huawei(), "https://keystone.private.example/v3", "https://ecs.cn-north-4.myhuaweicloud.com", false},
		{plainOpenStack(), "https://keystone.example.com:5000/v3", "https://nova.example.com:8774/v2.1", true},
		{plainOpenStack(), "https://KEYSTONE.Example.com./v3", "https://nova.EXAMPLE.com", true},
		{plainOpenStack(), "https://keystone.example.com/v3", "https://example.com.evil.org", false},
		{plainOpenStack(), "https://keystone.example.com/v3", "https://nova.example.org", false},
		{plainOpenStack(), "https://keystone.a.co.uk/v3", "https://nova.b.co.uk", false},
		{plainOpenStack(), "https://keystone.a.co.uk/v3", "https://nova.a.co.uk", true},
		{plainOpenStack(), "https://keystone.cloud.internal/v3", "https://nova.cloud.internal", true},
		{plainOpenStack(), "https://controller:5000/v3", "https://compute:8774", true},
		{plainOpenStack(), "https://controller:5000/v3", "https://nova.example.com", false},
		{plainOpenStack(), "https://co.uk/v3", "https://nova.co.uk", false},
		{plainOpenStack(), "https://10.0.0.1:5000/v3", "https://10.0.0.2:8774", true},
		{plainOpenStack(), "https://10.0.0.1:5000/v3", "https://192.168.7.2:8774", true},
		{plainOpenStack(), "https://10.0.0.1:5000/v3", "https://198.51.100.7", false},
		{plainOpenStack(), "https://10.0.0.1:5000/v3", "https://[::1]:8774", false},
		{plainOpenStack(), "https://198.51.100.7:5000/v3", "https://198.51.100.7:8774/v2.1", true},
		{plainOpenStack(), "https://198.51.100.7:5000/v3", "https://198.51.100.8:8774/v2.1", false},
		{plainOpenStack(), "https://keystone.example.com/v3", "https://10.0.0.2:8774", false},
		{plainOpenStack(), "https://10.0.0.1/v3", "https://nova.example.com", false},
		{plainOpenStack(), "http://localhost:5000/v3", "http://127.0.0.1:8774", true},
		{plainOpenStack(), "http://[::ffff:127.0.0.1]:5000/v3", "http://127.0.0.1:8774", true},
		{plainOpenStack(), "https://keystone.example.com/v3", "", false},
	} {
		if got := test.family.sameCloud(test.identity, test.service); got != test.want {
			t.Errorf("%s: %s and %s: %t", test.family.name, test.identity, test.service, got)
		}
	}
}

// TestCatalogueSaysWhereComputeIs: where auth_url, or an endpoint of the identity service, leads to a
// Keystone, its token goes where that Keystone says, in every form of the URL, and never to the region's default.
func TestCatalogueSaysWhereComputeIs(t *testing.T) {
	byAuthURL := func(c *cloud.Config) {
		useToken(c)
		c.Values, c.Endpoints = c.With(cloud.Values{"auth_url": c.Endpoints[endpointIAM] + "/v3"}), nil
	}
	byEndpoint := func(c *cloud.Config) {
		useToken(c)
		delete(c.Endpoints, endpointECS)
	}
	for name, change := range map[string]func(*cloud.Config){"auth_url": byAuthURL, "endpoints.iam": byEndpoint} {
		for form, path := range map[string]string{"as it is": "", "v2.1": "/v2.1/", "v2": "/v2/", "no version": "none"} {
			for _, a := range []access{
				{name: "otc", family: telekom(), cloud: model.OpenTelekomCloud, change: change},
				{name: "huawei", family: huawei(), cloud: model.HuaweiCloud, change: change},
			} {
				t.Run(a.name+" "+name+" "+form, func(t *testing.T) {
					if path != "" {
						a.options = func(o *novaapi.Options) {
							o.CatalogURL = func(base, project string) string {
								if path == "none" {
									return base
								}
								return base + path + project
							}
						}
					}
					s := simulate(t, a, novaapi.Options{})
					p := s.provider(t, nil)
					if err := p.Verify(t.Context()); err != nil {
						t.Fatal(err)
					}
					server := s.server(t, nil)
					found, err := p.DescribeInstances(t.Context(), []string{server.ID})
					if err != nil || len(found) != 1 {
						t.Errorf("found %v, %v", found, err)
					}
				})
			}
		}
	}
}

// TestTokenIsNotSentToAnotherCloud: a catalogue may say anything; the token stays with the cloud that made it.
func TestTokenIsNotSentToAnotherCloud(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	record := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			if r.Header.Get("X-Auth-Token") != "" {
				sent = append(sent, r.URL.Host)
			}
			mu.Unlock()
			return next.RoundTrip(r)
		})
	}
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	for _, target := range []string{
		"https://ecs.eu-de.otc.t-systems.com/v2.1", "https://ecs.eu-de.otc.t-systems.com/v2/", "https://nova.example.org/v2.1",
		"https://ecs.cn-north-4.myhuaweicloud.com/v2.1", "https://198.51.100.7:8774/v2.1",
		"https://10.0.0.7/v2.1", strings.Replace(elsewhere.URL, "127.0.0.1", "evil.example", 1),
	} {
		byAuthURL := func(c *cloud.Config) {
			useToken(c)
			c.Values, c.Endpoints = c.With(cloud.Values{"auth_url": c.Endpoints[endpointIAM]}), nil
		}
		for _, a := range []access{
			{name: "otc", family: telekom(), cloud: model.OpenTelekomCloud, change: byAuthURL},
			{name: "huawei", family: huawei(), cloud: model.HuaweiCloud, change: byAuthURL},
			{name: "openstack user", family: plainOpenStack(), cloud: model.OpenStack, change: usePlainUser},
			{name: "openstack application credential", family: plainOpenStack(), cloud: model.OpenStack, change: usePlain},
		} {
			t.Run(a.name+" "+target, func(t *testing.T) {
				a.options = func(o *novaapi.Options) {
					o.CatalogURL = func(_, project string) string { return target + "/" + project }
				}
				s := simulate(t, a, novaapi.Options{})
				client := *s.cfg.HTTPClient
				client.Transport = record(client.Transport)
				s.cfg.HTTPClient = &client
				sent = nil
				p := s.provider(t, nil)
				err := p.Verify(t.Context())
				key := "endpoints." + a.family.computeKey
				s.checkError(t, err, cloud.Refused, key)
				if strings.HasPrefix(target, "https") && !strings.Contains(err.Error(), "another cloud's") {
					t.Errorf("the refusal says %q", err)
				}
				if len(sent) != 0 {
					t.Errorf("a token went to %v", sent)
				}
				// An operator's word goes before the catalogue.
				p = s.provider(t, func(c *cloud.Config) { c.Endpoints = map[string]string{a.family.computeKey: s.compute.URL} })
				if err := p.Verify(t.Context()); err != nil {
					t.Errorf("with %s: %v", key, err)
				}
			})
		}
	}
}

// TestOwnKeystoneWithoutCatalogue: the cloud's own identity service may leave the catalogue out.
func TestOwnKeystoneWithoutCatalogue(t *testing.T) {
	for _, c := range []struct {
		family    family
		url, want string
	}{
		{telekom(), "", "https://ecs.eu-de.otc.t-systems.com/v2.1/p1/"},
		{telekom(), "https://iam.eu-de.otc.t-systems.com/v3", "https://ecs.eu-de.otc.t-systems.com/v2.1/p1/"},
		{telekom(), "https://keystone.example.com/v3", ""},
		{telekom(), "https://iam.otc.t-systems.com.evil.example/v3", ""},
		{telekom(), "https://iam.cn-north-4.myhuaweicloud.com/v3", ""},
		{huawei(), "", "https://ecs.eu-de.myhuaweicloud.com/v2.1/p1/"},
		{huawei(), "https://iam.eu-de.myhuaweicloud.com/v3", "https://ecs.eu-de.myhuaweicloud.com/v2.1/p1/"},
		{huawei(), "https://iam.eu-west-101.myhuaweicloud.eu/v3", "https://ecs.eu-de.myhuaweicloud.com/v2.1/p1/"},
		{huawei(), "https://iam.eu-de.otc.t-systems.com/v3", ""},
		{huawei(), "https://keystone.example.com/v3", ""},
	} {
		i := &identity{life: 3600e9, project: "p1", header: true}
		s := i.sessionsOf(t, c.family, func(cfg *cloud.Config) { cfg.Values = cfg.With(cloud.Values{"auth_url": c.url}) })
		got, err := s.get(t.Context())
		if got.endpoint != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s, %q: compute is at %q, %v; want %q", c.family.name, c.url, got.endpoint, err, c.want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
