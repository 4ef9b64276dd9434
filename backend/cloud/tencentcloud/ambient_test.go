package tencentcloud

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// emptyEnvironment hides whatever the machine that runs the tests offers, and returns its home folder.
func emptyEnvironment(t *testing.T) string {
	t.Helper()
	for _, name := range []string{envSecretID, envSecretKey, envFile} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	return home
}

// onLoopback is an environment whose metadata service stands at url.
func onLoopback(url string) *ambient {
	return ambientAt(url+"/", netip.MustParsePrefix("127.0.0.0/8"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// withoutKeys is the configuration of a connection that has no keys of its own.
func (s *simulated) withoutKeys() cloud.Config {
	cfg := s.cfg
	cfg.Values = cfg.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
	return cfg
}

func TestSimAmbientSources(t *testing.T) {
	file := fmt.Sprintf("[default]\nsecret_id = %s\nsecret_key = %s\n", testAccessKey, testSecretKey)
	// Each returns the metadata service's URL and the SecretId that must sign.
	for name, prepare := range map[string]func(t *testing.T, s *simulated, home string) (string, string){
		"variables": func(t *testing.T, _ *simulated, _ string) (string, string) {
			t.Setenv(envSecretID, testAccessKey)
			t.Setenv(envSecretKey, testSecretKey)
			return "", testAccessKey
		},
		"shared file": func(t *testing.T, _ *simulated, home string) (string, string) {
			write(t, filepath.Join(home, ".tencentcloud", "credentials"), file)
			return "", testAccessKey
		},
		"named file": func(t *testing.T, _ *simulated, home string) (string, string) {
			write(t, filepath.Join(home, "elsewhere"), file)
			t.Setenv(envFile, filepath.Join(home, "elsewhere"))
			return "", testAccessKey
		},
		"instance role": func(t *testing.T, s *simulated, _ string) (string, string) {
			url, key := s.instance(t, nil)
			return url, key.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			home := emptyEnvironment(t)
			s := newSimulated(t, model.Options{})
			url, want := prepare(t, s, home)
			p, err := newProvider(s.withoutKeys(), onLoopback(url))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := p.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.signers("GetCallerIdentity"); !slices.Equal(got, []string{want, want}) {
				t.Errorf("signed by %v, want %s", got, want)
			}
		})
	}
}

func TestSimAmbientKeysAssumeTheRole(t *testing.T) {
	emptyEnvironment(t)
	s := newSimulated(t, model.Options{})
	url, key := s.instance(t, nil)
	role, _ := s.role(model.Role{Name: "cloudpw", ExternalID: "vault"})
	cfg := s.withoutKeys()
	cfg.Values = cfg.With(cloud.Values{"role_arn": role.ARN, "external_id": role.ExternalID})
	p, err := newProvider(cfg, onLoopback(url))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.signers("AssumeRole"); !slices.Equal(got, []string{key.ID}) {
		t.Errorf("AssumeRole was signed by %v, want %s", got, key.ID)
	}
}

func TestAmbientFailures(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, home string)
		handler http.HandlerFunc
		text    string
	}{
		"half a pair of variables": {func(t *testing.T, _ string) { t.Setenv(envSecretID, testAccessKey) }, nil,
			"both a SecretId and a SecretKey"},
		"line break in a variable": {func(t *testing.T, _ string) {
			t.Setenv(envSecretID, testAccessKey)
			t.Setenv(envSecretKey, testSecretKey+"\n")
		}, nil, "no SecretId or SecretKey has"},
		"broken file": {func(t *testing.T, home string) {
			write(t, filepath.Join(home, ".tencentcloud", "credentials"), "[default]\n"+testSecretKey+"\n")
		}, nil, "shared credentials file"},
		"absent named file": {func(t *testing.T, home string) { t.Setenv(envFile, filepath.Join(home, "absent")) }, nil,
			"shared credentials file"},
		"no metadata service": {nil, nil, "cannot be reached"},
		"no role":             {nil, http.NotFound, "bind one to the instance"},
		"empty role":          {nil, func(http.ResponseWriter, *http.Request) {}, "bind one to the instance"},
		"role that leaves the path": {nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("../../user-data"))
		}, "names no role"},
		"server error": {nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "HTTP 500"},
		"redirect":     {nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "HTTP 302"},
		"no JSON": {nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("instance-role")) },
			"something else than keys"},
	} {
		t.Run(name, func(t *testing.T) {
			home := emptyEnvironment(t)
			if c.prepare != nil {
				c.prepare(t, home)
			}
			url := "http://127.0.0.1:1"
			if c.handler != nil {
				url = serve(t, c.handler)
			}
			cfg := testConfig(t, "http://127.0.0.1:1")
			cfg.Values = cfg.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
			p, err := newProvider(cfg, onLoopback(url))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.FindInstances(t.Context(), nil)
			wantFailure(t, err, cloud.Unavailable, "", c.text, "use_ambient_credentials: ")
		})
	}
}

func TestSimAmbientInstanceRoleAnswers(t *testing.T) {
	emptyEnvironment(t)
	s := newSimulated(t, model.Options{})
	for name, c := range map[string]struct {
		change func(map[string]any)
		text   string
	}{
		"refused":  {func(a map[string]any) { a["Code"] = "Failed" }, "refused keys for the role instance-role (Failed)"},
		"no token": {func(a map[string]any) { delete(a, "Token") }, "incomplete keys"},
		"no end":   {func(a map[string]any) { delete(a, "ExpiredTime") }, "incomplete keys"},
	} {
		url, _ := s.instance(t, c.change)
		p, err := newProvider(s.withoutKeys(), onLoopback(url))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(t.Context()); cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The real address is link-local, and nothing else is asked even if the name leads elsewhere.
func TestAmbientAsksOnlyTheMetadataService(t *testing.T) {
	emptyEnvironment(t)
	asked := false
	a := newAmbient()
	a.url = serve(t, func(http.ResponseWriter, *http.Request) { asked = true }) + "/"
	if _, _, err := a.fetch(t.Context()); cloud.KindOf(err) != cloud.Unavailable || asked {
		t.Errorf("error %v, asked %v", err, asked)
	}
	if !metadataAddresses.Contains(netip.MustParseAddr("169.254.0.23")) || metadataAddresses.Contains(netip.MustParseAddr("10.0.0.1")) {
		t.Error("wrong addresses")
	}
	if a.Client.Timeout > 10*time.Second {
		t.Errorf("waits %v for a service that is not there", a.Client.Timeout)
	}
}

// Ambient keys are no fields of the connection, so no error about them speaks of any. Who corrects them where
// they are found needs not touch the connection.
func TestSimAmbientKeysThatDoNotBelongTogether(t *testing.T) {
	for code, c := range map[string]struct{ id, secret string }{
		"AuthFailure.SignatureFailure": {testAccessKey, "another"},
		"AuthFailure.InvalidSecretId":  {"IKID0000000000000000", testSecretKey},
		"AuthFailure.SecretIdNotFound": {"AKID0000000000000000", testSecretKey},
	} {
		emptyEnvironment(t)
		s := newSimulated(t, model.Options{})
		t.Setenv(envSecretID, c.id)
		t.Setenv(envSecretKey, c.secret)
		p, err := newProvider(s.withoutKeys(), onLoopback(""))
		if err != nil {
			t.Fatal(err)
		}
		err = p.Verify(t.Context())
		wantFailure(t, err, cloud.Denied, code, "ambient credentials")
		if strings.Contains(err.Error(), "secret_key") || strings.Contains(err.Error(), "access_key") {
			t.Errorf("%q speaks of fields that the connection does not have", err)
		}
		t.Setenv(envSecretID, testAccessKey)
		t.Setenv(envSecretKey, testSecretKey)
		if err := p.Verify(t.Context()); err != nil {
			t.Errorf("%s: the corrected keys are not used: %v", code, err)
		}
	}
}
