package openstack

import (
	"net/http"
	"slices"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestTokenGoesToTheOwnCOC: neither a token nor a signature goes to the public cloud's COC, where the identity service or the compute
// service is somebody else's, unless an operator says so. With an agency it is the agency's keys that go there.
func TestTokenGoesToTheOwnCOC(t *testing.T) {
	own := map[string]string{endpointECS: "https://ecs.private.example", endpointIAM: "https://iam.private.example"}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, from := range []map[string]string{own, more} {
			for service, url := range from {
				all[service] = url
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		values    cloud.Values
		endpoints map[string]string
		to        string // "": nowhere
		who       string
	}{
		"user by region": {userLogin, nil, "coc-intl.myhuaweicloud.com", "token for project " + vendorProject},
		"user by auth_url": {userLogin.With(cloud.Values{"auth_url": "https://iam.eu-de.myhuaweicloud.com"}), nil,
			"coc-intl.myhuaweicloud.com", "token for project " + vendorProject},
		"user of a private cloud": {userLogin.With(cloud.Values{"auth_url": "https://iam.private.example"}),
			map[string]string{endpointECS: "https://ecs.private.example"}, "", ""},
		"user of another vendor": {userLogin.With(cloud.Values{"auth_url": "https://iam.eu-de.otc.t-systems.com"}),
			map[string]string{endpointECS: "https://ecs.eu-de.otc.t-systems.com"}, "", ""},
		"user by own endpoints": {userLogin, own, "", ""},
		"key by own endpoints":  {permanentKey, own, "", ""},
		"user, told so": {userLogin, with(map[string]string{endpointCOC: "https://coc.private.example"}), "coc.private.example",
			"token for project " + vendorProject},
		"key":                   {permanentKey, nil, "coc-intl.myhuaweicloud.com", "AKPERMANENT"},
		"agency":                {permanentKey.With(asAgency), nil, "coc-intl.myhuaweicloud.com", "AKTEMP1"},
		"agency of a user":      {userLogin.With(asAgency), nil, "coc-intl.myhuaweicloud.com", "AKTEMP2"},
		"agency, own endpoints": {permanentKey.With(asAgency), own, "", ""},
		"ambient":               {ofServer, nil, "coc-intl.myhuaweicloud.com", "AKTEMP1"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor()
			var hosts []string
			cfg := v.config(huawei(), c.values)
			cfg.Endpoints = c.endpoints
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "" || r.URL.Path == "/v1/job/script/orders" {
					hosts = append(hosts, r.URL.Host)
				}
				return v.RoundTrip(r)
			})}
			p, err := newProviderIn(huawei(), cfg, v.surroundings(huawei()))
			if err != nil {
				t.Fatal(err)
			}
			newCommander(p, cfg, 0).center.Permissions(t.Context())
			var want []string
			if c.to != "" {
				want = []string{c.to}
			}
			if !slices.Equal(hosts, want) {
				t.Errorf("COC was asked at %q, want %q", hosts, want)
			}
			asked := slices.Contains(v.log(), "GET /v1/job/script/orders by "+c.who)
			if asked != (c.to != "") {
				t.Errorf("%s asked COC: %t", c.who, asked)
			}
		})
	}
}
