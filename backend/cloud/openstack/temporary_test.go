package openstack

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// wantError checks the kind of an error, a part of its text, and that it holds no secret.
func wantError(t *testing.T, err error, kind cloud.Kind, texts ...string) {
	t.Helper()
	if cloud.KindOf(err) != kind {
		t.Errorf("kind %q, want %q: %v", cloud.KindOf(err), kind, err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "-secret") {
		t.Errorf("the error holds a secret: %v", err)
	}
}

// onVendors runs a test for each vendor's cloud, with virtual time.
func onVendors(t *testing.T, test func(t *testing.T, v *vendor, f family)) {
	for _, f := range vendors {
		t.Run(f.name, func(t *testing.T) {
			for _, name := range []string{f.variables.access, f.variables.secret, f.variables.token} {
				t.Setenv(name, "")
				if err := os.Unsetenv(name); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Test(t, func(t *testing.T) { test(t, newVendor(), f) })
		})
	}
}

// TestSecurityToken: a temporary key works with its token, and with no other. When it has ended the error says what to write,
// and nothing renews it.
func TestSecurityToken(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		values := v.temporary()
		p := v.provider(t, f, values)
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		const wayOut = "write a new access_key, secret_key and security_token"
		for field, wrong := range map[string]string{
			"security_token": "other-secret-token", "secret_key": "other-secret-key", "access_key": "AKNOBODY",
		} {
			err := v.provider(t, f, values.With(cloud.Values{field: wrong})).Verify(t.Context())
			wantError(t, err, cloud.Denied, wayOut)
		}
		wantError(t, v.provider(t, f, values.With(cloud.Values{"security_token": ""})).Verify(t.Context()), cloud.Denied, "access_key")
		time.Sleep(v.life)
		v.log()
		wantError(t, p.Verify(t.Context()), cloud.Denied, wayOut)
		if calls := v.log(); len(calls) != 1 {
			t.Errorf("an ended key was tried in %v", calls)
		}
		if got, err := p.Credential(t.Context()); err != nil || got != (cloud.Credential{ID: values["access_key"]}) {
			t.Errorf("told %+v, %v", got, err)
		}
		for _, err := range []error{p.CheckRotation(), second(p.OwnCredentials(t.Context())), second(p.CreateCredential(t.Context())),
			p.DeleteCredential(t.Context(), "AKPERMANENT")} {
			wantError(t, err, cloud.Refused, "security_token", "permanent access_key")
		}
		if calls := v.log(); len(calls) != 0 {
			t.Errorf("rotation of a temporary key asked %v", calls)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestAmbientKeys: the keys of the ECS's agency are fetched once, renewed before they end, and when the cloud refuses them.
func TestAmbientKeys(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		p := v.provider(t, f, ofServer)
		list := "GET /v2.1/" + vendorProject + "/servers by AKTEMP"
		const asks = "GET /openstack/latest/securitykey by nobody"
		expect := func(when string, want ...string) {
			t.Helper()
			if err := p.Verify(t.Context()); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			got := slices.DeleteFunc(v.log(), func(c string) bool { return strings.HasPrefix(c, "PUT /meta-data") })
			if !slices.Equal(got, want) {
				t.Errorf("%s: asked %q, want %q", when, got, want)
			}
		}
		expect("first", asks, list+"1")
		time.Sleep(50 * time.Minute)
		expect("while they last", list+"1")
		time.Sleep(6 * time.Minute)
		expect("soon at an end", asks, list+"2")
		v.revoke()
		expect("revoked", list+"2", asks, list+"3")
		wantError(t, p.CheckRotation(), cloud.Refused, "use_ambient_credentials")
		wantError(t, second(p.CreateCredential(t.Context())), cloud.Refused, "use_ambient_credentials")
		wantError(t, p.DeleteCredential(t.Context(), "AKPERMANENT"), cloud.Refused, "use_ambient_credentials")
		if got, err := p.Credential(t.Context()); err != nil || got != (cloud.Credential{}) {
			t.Errorf("told %+v, %v", got, err)
		}
	})
}

// TestRefusedAmbientKeys: keys that the cloud refuses again after they were renewed are an error, not a loop.
func TestRefusedAmbientKeys(t *testing.T) {
	onVendors(t, func(t *testing.T, v *vendor, f family) {
		v.metadata = func() (int, string) {
			return http.StatusOK, `{"credential":{"access":"AKSTRANGE","secret":"SK-secret","securitytoken":"token-secret","expires_at":"` +
				stamp(time.Now().Add(time.Hour)) + `"}}`
		}
		p := v.provider(t, f, ofServer)
		wantError(t, p.Verify(t.Context()), cloud.Denied, "use_ambient_credentials", "agency of the ECS")
		if calls := v.log(); len(calls) != 6 {
			t.Errorf("asked %q", calls)
		}
	})
}

func TestAmbientVariables(t *testing.T) {
	for _, f := range vendors {
		t.Run(f.name, func(t *testing.T) {
			v := newVendor()
			k := v.give()
			p := v.provider(t, f, ofServer)
			t.Setenv(f.variables.access, "AKPERMANENT")
			wantError(t, p.Verify(t.Context()), cloud.Unavailable, "set both "+f.variables.access)
			t.Setenv(f.variables.secret, "SK-secret-permanent\n")
			wantError(t, p.Verify(t.Context()), cloud.Unavailable, "characters that no key has")
			t.Setenv(f.variables.secret, "SK-secret-permanent")
			if err := p.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			t.Setenv(f.variables.access, k.Access)
			t.Setenv(f.variables.secret, k.Secret)
			t.Setenv(f.variables.token, k.Token)
			p = v.provider(t, f, ofServer)
			t.Setenv(f.variables.access, k.Access)
			t.Setenv(f.variables.secret, k.Secret)
			t.Setenv(f.variables.token, k.Token)
			if err := p.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			t.Setenv(f.variables.token, "token secret")
			wantError(t, v.inPlace(t, f).Verify(t.Context()), cloud.Unavailable, "characters that no key has")
			for _, call := range v.log() {
				if strings.Contains(call, "securitykey") {
					t.Errorf("the metadata service was asked: %s", call)
				}
			}
		})
	}
}

// inPlace is a provider in the environment as it is.
func (v *vendor) inPlace(t *testing.T, f family) *provider {
	t.Helper()
	p, err := newProviderIn(f, v.config(f, ofServer), v.surroundings(f))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMetadataFailures: what the metadata service may answer, and what the error says.
func TestMetadataFailures(t *testing.T) {
	good := newVendor().give()
	good.end = time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		status int
		body   string
		says   string // "": it works
	}{
		"keys":                  {http.StatusOK, good.answer(), ""},
		"no agency":             {http.StatusUnauthorized, "Please configure Cloud Service Agency first", "has no agency"},
		"no such path":          {http.StatusNotFound, "", "has no agency"},
		"a fault":               {http.StatusInternalServerError, "", "HTTP 500"},
		"another 401":           {http.StatusUnauthorized, "", "HTTP 401"},
		"no JSON":               {http.StatusOK, "keys", "something else"},
		"nothing":               {http.StatusOK, "{}", "incomplete"},
		"no token":              {http.StatusOK, strings.Replace(good.answer(), good.Token, "", 1), "incomplete"},
		"no end":                {http.StatusOK, strings.Replace(good.answer(), "expires_at", "ends", 1), "incomplete"},
		"no secret":             {http.StatusOK, strings.Replace(good.answer(), good.Secret, "", 1), "incomplete"},
		"a key of another form": {http.StatusOK, strings.Replace(good.answer(), good.Access, "A,B", 1), "incomplete"},
		"a line break": {http.StatusOK, strings.Replace(good.answer(), good.Token, `token\nsecret`, 1),
			"incomplete"},
		"an end of another form": {http.StatusOK, strings.Replace(good.answer(), stamp(good.end), "tomorrow", 1), "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor()
			v.keys[good.Access] = good
			v.metadata = func() (int, string) { return c.status, c.body }
			err := v.provider(t, huawei(), ofServer).Verify(t.Context())
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, cloud.Unavailable, "use_ambient_credentials", "Huawei Cloud", c.says)
		})
	}
}

// TestNoMetadataService: the machine may be none of the cloud's; the real address is never asked here.
func TestNoMetadataService(t *testing.T) {
	v := newVendor()
	p := v.provider(t, telekom(), ofServer)
	s := p.sessions.(*signedSessions)
	environment := v.surroundings(telekom())
	environment.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("dial: %w", os.ErrDeadlineExceeded)
	})}
	s.keys = cloud.NewRenewed(environment.fetch)
	wantError(t, p.Verify(t.Context()), cloud.Unavailable, "use_ambient_credentials", "Open Telekom Cloud")
	if a := huawei().newAmbient(); a.url != "http://169.254.169.254/" {
		t.Errorf("the metadata service is at %s", a.url)
	}
}
