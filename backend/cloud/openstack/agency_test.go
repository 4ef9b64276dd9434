package openstack

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// bases are the credentials that an agency is assumed with, and who asks IAM then.
func (v *vendor) bases() map[string]struct {
	values cloud.Values
	who    string
} {
	return map[string]struct {
		values cloud.Values
		who    string
	}{
		"permanent key": {permanentKey, "AKPERMANENT"},
		"temporary key": {v.temporary(), "AKTEMP1"},
		"user":          {userLogin, "token for domain own-account"},
		"ambient":       {ofServer, "AKTEMP"},
	}
}

// assumed counts who asked for the agency's keys, and who asked for servers.
func (v *vendor) assumed() (assumed, listed []string) {
	for _, c := range v.log() {
		if who, ok := strings.CutPrefix(c, "POST /v3.0/OS-CREDENTIAL/securitytokens by "); ok {
			assumed = append(assumed, who)
		}
		if who, ok := strings.CutPrefix(c, "GET /v2.1/"+vendorProject+"/servers by "); ok {
			listed = append(listed, who)
		}
	}
	return assumed, listed
}

// TestAgency: with each kind of credentials an agency is assumed, and its keys sign; they are renewed before they end, and when
// the cloud refuses them.
func TestAgency(t *testing.T) {
	for name := range newVendor().bases() {
		t.Run(name, func(t *testing.T) {
			onVendors(t, func(t *testing.T, v *vendor, f family) {
				base := v.bases()[name]
				given := v.made
				p := v.provider(t, f, base.values.With(asAgency))
				ended := map[string]bool{} // keys that were revoked, and tried once more
				expect := func(when string, renewed bool, tries int) {
					t.Helper()
					if err := p.Verify(t.Context()); err != nil {
						t.Fatalf("%s: %v", when, err)
					}
					assumed, listed := v.assumed()
					if len(listed) != tries || slices.Contains(listed, "AKPERMANENT") {
						t.Errorf("%s: servers were asked for by %v", when, listed)
					}
					assumed = slices.DeleteFunc(assumed, func(who string) bool { return who == "no token" || ended[who] })
					if want := map[bool]int{true: 1}[renewed]; len(assumed) != want {
						t.Errorf("%s: %d requests for keys, want %d: %v", when, len(assumed), want, assumed)
					} else if renewed && !strings.HasPrefix(assumed[0], base.who) {
						t.Errorf("%s: %s asked for keys, want %s", when, assumed[0], base.who)
					}
				}
				expect("first", true, 1)
				expect("again", false, 1)
				time.Sleep(50 * time.Minute)
				expect("while they last", false, 1)
				if name != "temporary key" {
					time.Sleep(6 * time.Minute)
					expect("soon at an end", true, 1)
					for id := range v.keys {
						ended[id] = id != "AKPERMANENT"
					}
					v.revoke()
					expect("revoked", true, 2)
				}
				if v.made == given {
					t.Error("nothing was given")
				}
			})
		})
	}
}

// TestAgencyRequest: the request to IAM names the agency, its account, an hour, and the domain of the key that signs it.
func TestAgencyRequest(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		if err := v.provider(t, f, permanentKey.With(asAgency)).Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		const want = `{"auth":{"identity":{"assume_role":{"agency_name":"cloudpw","domain_name":"other-account","duration_seconds":3600},` +
			`"methods":["assume_role"]}}}`
		if !slices.Contains(v.bodies, want) {
			t.Errorf("sent %q", v.bodies)
		}
	})
}

// TestShortLivedAgencyKeys: IAM may give them for a shorter time than was asked for.
func TestShortLivedAgencyKeys(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		v.life = 15 * time.Minute
		p := v.provider(t, f, permanentKey.With(asAgency))
		for range 5 {
			if err := p.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(14 * time.Minute)
		}
		if assumed, listed := v.assumed(); len(assumed) != 5 || len(listed) != 5 {
			t.Errorf("%d requests for keys, %d lists", len(assumed), len(listed))
		}
	})
}

// TestAgencyRefused: what IAM answers to a wrong agency, and to wrong credentials, ends in what to check.
func TestAgencyRefused(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		const none = "there is none of that name"
		for field, wrong := range map[string]string{"agency_name": "nobody", "agency_domain_name": "nowhere"} {
			err := v.provider(t, f, permanentKey.With(asAgency).With(cloud.Values{field: wrong})).Verify(t.Context())
			wantError(t, err, cloud.Denied, none, wrong, permissionAssume, "agency_domain_name")
		}
		for name, base := range v.bases() {
			if name == "ambient" {
				continue
			}
			wrong := maps.Clone(base.values)
			for _, field := range []string{"secret_key", "password"} {
				if wrong[field] != "" {
					wrong[field] = "wrong-secret-value"
				}
			}
			err := v.provider(t, f, wrong.With(asAgency)).Verify(t.Context())
			wantError(t, err, cloud.Denied, map[string]string{
				"permanent key": "access_key", "temporary key": "security_token", "user": "username",
			}[name])
		}
		permanent := v.provider(t, f, permanentKey.With(asAgency))
		for text, answer := range map[string]struct {
			status int
			body   string
			kind   cloud.Kind
			says   string
		}{
			"no such domain": {http.StatusNotFound, `{"error":{"code":404,"message":"Could not find domain: other-account","title":"Not Found"}}`,
				cloud.Denied, none},
			"IAM's own form": {http.StatusForbidden, `{"error_code":"IAM.0003","error_msg":"Policy doesn't allow"}`, cloud.Denied, none},
			"bad request":    {http.StatusBadRequest, `{"error":{"code":400,"message":"bad"}}`, cloud.Refused, "agency_name"},
			"no IAM":         {http.StatusNotFound, `<html>`, cloud.Refused, "no identity API"},
			"no such API":    {http.StatusNotFound, `{"error_code":"APIGW.0101","error_msg":"The API does not exist"}`, cloud.Refused, "no identity API"},
			"fault":          {http.StatusInternalServerError, `{}`, cloud.Unavailable, "try again later"},
			"throttled":      {http.StatusTooManyRequests, `{"error_code":"APIGW.0308","error_msg":"slow"}`, cloud.Throttled, "max_requests"},
			"no keys":        {http.StatusCreated, `{"credential":{"access":"AK"}}`, cloud.Unavailable, "holds no keys"},
			"nothing":        {http.StatusCreated, `{}`, cloud.Unavailable, "holds no keys"},
		} {
			v.assume = func() (int, string) { return answer.status, answer.body }
			t.Log(text)
			wantError(t, permanent.Verify(t.Context()), answer.kind, answer.says)
		}
		v.assume = nil
		if err := permanent.Verify(t.Context()); err != nil {
			t.Errorf("after all that: %v", err)
		}
	})
}

// TestAgencyKeysThatTheCloudRefuses: the agency's own keys are renewed once a call, and then the error names the agency.
func TestAgencyKeysThatTheCloudRefuses(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		v.assume = func() (int, string) {
			return http.StatusCreated, `{"credential":{"access":"AKSTRANGE","secret":"SK-secret","securitytoken":"token-secret","expires_at":"` +
				stamp(time.Now().Add(time.Hour)) + `"}}`
		}
		wantError(t, v.provider(t, f, permanentKey.With(asAgency)).Verify(t.Context()), cloud.Denied, "agency cloudpw of other-account")
		if assumed, listed := v.assumed(); len(assumed) != 2 || len(listed) != 2 {
			t.Errorf("keys were asked for by %v, servers by %v", assumed, listed)
		}
	})
}

// TestAgencyOfAnEndedKey: where the key that assumes the agency has ended, the error is about that key.
func TestAgencyOfAnEndedKey(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		p := v.provider(t, f, v.temporary().With(asAgency))
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		wantError(t, p.Verify(t.Context()), cloud.Denied, "write a new access_key, secret_key and security_token")
	})
}

// TestDomainOfAssumingKeyIsAskedOnce: and where IAM does not tell it, the agency is assumed without it.
func TestDomainOfAssumingKeyIsAskedOnce(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		p := v.provider(t, f, permanentKey.With(asAgency))
		for range 3 {
			if err := p.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			v.revoke()
		}
		asked := 0
		for _, c := range v.log() {
			if strings.HasPrefix(c, "GET /v3/auth/domains by ") {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("the domain was asked for %d times", asked)
		}
		v.domain = ""
		if err := v.provider(t, f, permanentKey.With(asAgency)).Verify(t.Context()); err != nil {
			t.Errorf("without a domain: %v", err)
		}
	})
}

// TestAgencyRotation: the key that assumes an agency is the one to be replaced; the agency's own cannot be.
func TestAgencyRotation(t *testing.T) {
	for _, f := range vendors {
		p := newVendor().provider(t, f, permanentKey.With(asAgency))
		if err := p.CheckRotation(); err != nil {
			t.Error(err)
		}
		if r := p.rotator.(*accessKeys); r.used != "AKPERMANENT" || r.sender == p.sender || r.sender.refusal != "" {
			t.Errorf("rotates %s", r.used)
		}
		wantError(t, newVendor().provider(t, f, userLogin.With(asAgency)).CheckRotation(), cloud.Refused, "username")
		wantError(t, newVendor().provider(t, f, ofServer.With(asAgency)).CheckRotation(), cloud.Refused, "use_ambient_credentials")
	}
}
