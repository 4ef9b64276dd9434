package aws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// emptyEnvironment hides whatever the machine that runs the tests offers, and returns a folder.
func emptyEnvironment(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return dir
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startAmbient is a simulated cloud whose connection has no keys of its own.
func startAmbient(t *testing.T) *simulated {
	t.Helper()
	s := startSimulated(t, cloudsim.SeedOptions{})
	s.cfg.Values = s.cfg.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
	return s
}

// temporary adds a key as an instance or a task would get it, and returns it as metadata services print it.
func (s *simulated) temporary(expires time.Time) (model.AccessKey, string) {
	key := s.sim.World().AddAccessKey(model.AccessKey{
		Cloud: model.AWS, AccountID: s.creds.AccountID, RoleARN: s.creds.RoleARN, SessionName: "i-1234abcd", Token: s.sim.World().NewHex(40),
		Expires: expires,
	})
	text, _ := json.Marshal(map[string]string{"Code": "Success", "AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.Token,
		"Expiration": expires.UTC().Format(time.RFC3339)})
	return key, string(text)
}

// serve is a plain server on loopback.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// Every source of the SDK's chain, by what it does to the environment. It returns the access key id that must
// sign the connection's requests, or "" if that is not known before.
func TestSimulatedAmbientSources(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, s *simulated, dir string) string{
		"variables": func(t *testing.T, s *simulated, _ string) string {
			t.Setenv("AWS_ACCESS_KEY_ID", s.creds.AccessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", s.creds.SecretKey)
			return s.creds.AccessKey
		},
		"temporary variables": func(t *testing.T, s *simulated, _ string) string {
			key, _ := s.temporary(time.Now().Add(time.Hour))
			t.Setenv("AWS_ACCESS_KEY_ID", key.ID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", key.Secret)
			t.Setenv("AWS_SESSION_TOKEN", key.Token)
			return key.ID
		},
		"shared credentials file": func(t *testing.T, s *simulated, dir string) string {
			write(t, filepath.Join(dir, "credentials"), fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
				s.creds.AccessKey, s.creds.SecretKey))
			return s.creds.AccessKey
		},
		"profile with a role": func(t *testing.T, s *simulated, dir string) string {
			write(t, filepath.Join(dir, "credentials"), fmt.Sprintf("[base]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
				s.creds.AccessKey, s.creds.SecretKey))
			write(t, filepath.Join(dir, "config"), fmt.Sprintf("[profile team]\nrole_arn = %s\nexternal_id = %s\nsource_profile = base\n",
				s.creds.RoleARN, s.creds.ExternalID))
			t.Setenv("AWS_PROFILE", "team")
			t.Setenv("AWS_ENDPOINT_URL_STS", s.sim.URL(model.AWS, "sts"))
			t.Setenv("AWS_CA_BUNDLE", write(t, filepath.Join(dir, "ca.pem"), s.sim.CAPEM()))
			return ""
		},
		"instance role": func(t *testing.T, s *simulated, _ string) string {
			key, text := s.temporary(time.Now().Add(time.Hour))
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut:
					w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
					_, _ = w.Write([]byte("imds-token"))
				case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds-token":
					w.WriteHeader(http.StatusUnauthorized)
				case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
					_, _ = w.Write([]byte("instance-role"))
				case r.URL.Path == "/latest/meta-data/iam/security-credentials/instance-role":
					_, _ = w.Write([]byte(text))
				default:
					http.NotFound(w, r)
				}
			}))
			return key.ID
		},
		"container role": func(t *testing.T, s *simulated, _ string) string {
			key, text := s.temporary(time.Now().Add(time.Hour))
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "pod-token" {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(text))
			}))
			return key.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := emptyEnvironment(t)
			s := startAmbient(t)
			want := prepare(t, s, dir)
			p := newTestProvider(t, s.cfg)
			for range 2 {
				if err := p.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			signers := s.signers("GetCallerIdentity")
			if len(signers) != 2 || signers[0] != signers[1] || want != "" && signers[0] != want {
				t.Errorf("signed by %v, want twice %q", signers, want)
			}
			if asked, passed := s.requests(), s.limiter.passed(); len(asked) != len(passed) {
				t.Errorf("requests %v, but the limiter was waited for as %v", asked, passed)
			}
		})
	}
}

// The bearer token of a web identity goes where the environment says, and never to the endpoints that
// whoever may write the connection has chosen.
func TestAmbientWebIdentityKeepsItsToken(t *testing.T) {
	dir := emptyEnvironment(t)
	s := startAmbient(t)
	key, _ := s.temporary(time.Now().Add(time.Hour))
	var exchanges atomic.Int32
	t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, func(w http.ResponseWriter, r *http.Request) {
		exchanges.Add(1)
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "jwt" ||
			r.FormValue("RoleArn") != testRole {
			failSTS(w, http.StatusForbidden, "AccessDenied", "no")
			return
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key.ID, key.Secret, key.Token, key.Expires.UTC().Format(time.RFC3339))
	}))
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, filepath.Join(dir, "token"), "jwt"))
	t.Setenv("AWS_ROLE_ARN", testRole)
	p := newTestProvider(t, s.cfg)
	for range 3 {
		if _, err := p.FindInstances(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.signers("DescribeInstances"); exchanges.Load() != 1 || len(got) != 3 || got[0] != key.ID {
		t.Errorf("%d exchanges, signed by %v", exchanges.Load(), got)
	}
	if asked := s.requests(); slices.Contains(asked, "AssumeRoleWithWebIdentity") {
		t.Errorf("the token went to endpoints.sts: %v", asked)
	}
	if passed := s.limiter.passed(); !slices.Equal(passed, []string{actionAmbient, "DescribeInstances", "DescribeInstances",
		"DescribeInstances"}) {
		t.Errorf("the limiter was waited for as %v", passed)
	}
}

func TestSimulatedAmbientKeysAssumeTheRole(t *testing.T) {
	emptyEnvironment(t)
	s := startAmbient(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.creds.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.creds.SecretKey)
	p := newTestProvider(t, s.withRole(nil))
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.signers("AssumeRole"); !slices.Equal(got, []string{s.creds.AccessKey}) {
		t.Errorf("AssumeRole was signed by %v", got)
	}
	cfg := s.withRole(func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": "guess"}) })
	wantFailure(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Denied, "AccessDenied",
		"the user or role of the ambient credentials may not assume it")
}

// Keys that a shared file replaces are seen after the cloud refused the old ones.
func TestSimulatedAmbientFileIsReadAgain(t *testing.T) {
	dir := emptyEnvironment(t)
	s := startAmbient(t)
	file := filepath.Join(dir, "credentials")
	write(t, file, fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.creds.AccessKey, s.creds.SecretKey))
	p := newTestProvider(t, s.cfg)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := s.sim.World()
	next := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: s.creds.AccountID, UserID: s.creds.UserID})
	w.DeleteAccessKey(model.AWS, s.creds.AccessKey)
	write(t, file, fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", next.ID, next.Secret))
	wantFailure(t, p.Verify(t.Context()), cloud.Denied, "InvalidClientTokenId", "use_ambient_credentials")
	if err := p.Verify(t.Context()); err != nil {
		t.Errorf("with the new keys: %v", err)
	}
}

// So is a secret that was misspelt in a shared file.
func TestSimulatedAmbientSecretIsCorrected(t *testing.T) {
	dir := emptyEnvironment(t)
	s := startAmbient(t)
	file := filepath.Join(dir, "credentials")
	text := "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n"
	write(t, file, fmt.Sprintf(text, s.creds.AccessKey, "misspelt"))
	p := newTestProvider(t, s.cfg)
	wantFailure(t, p.Verify(t.Context()), cloud.Denied, "SignatureDoesNotMatch", "use_ambient_credentials")
	write(t, file, fmt.Sprintf(text, s.creds.AccessKey, s.creds.SecretKey))
	if err := p.Verify(t.Context()); err != nil {
		t.Errorf("with the right secret: %v", err)
	}
}

func TestAmbientFailures(t *testing.T) {
	const secret = "printed-by-the-credential-process"
	const tooLarge = "larger or more complex"
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		kind    cloud.Kind
		text    string
	}{
		"nothing there": {func(*testing.T, string) {}, cloud.Unavailable, "gives no AWS credentials"},
		"unknown profile": {func(t *testing.T, _ string) { t.Setenv("AWS_PROFILE", "nobody") },
			cloud.Unavailable, "AWS_PROFILE"},
		"no token file": {func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(dir, "absent"))
			t.Setenv("AWS_ROLE_ARN", testRole)
		}, cloud.Unavailable, "aws sts get-caller-identity"},
		"no CA bundle": {func(t *testing.T, dir string) { t.Setenv("AWS_CA_BUNDLE", filepath.Join(dir, "absent")) },
			cloud.Unavailable, "absent: no such file"},
		"metadata out of bounds": {func(t *testing.T, _ string) {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://198.51.100.7/")
		}, cloud.Unavailable, "cannot be reached"},
		"chatty process": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "config"), "[default]\ncredential_process = echo "+secret+"\n")
		}, cloud.Unavailable, "gives no AWS credentials"},
		"container says no": {func(t *testing.T, _ string) {
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"code":"NoRole","message":"no role for this task"}`))
			}))
		}, cloud.Denied, "no role for this task"},
		"far container": {func(t *testing.T, _ string) { t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://198.51.100.7/") },
			cloud.Unavailable, "cannot be reached"},
		"web identity to metadata": {func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, filepath.Join(dir, "token"), secret))
			t.Setenv("AWS_ROLE_ARN", testRole)
			t.Setenv("AWS_ENDPOINT_URL_STS", "http://169.254.169.254")
		}, cloud.Unavailable, "link-local"},
		"web identity's answer has no end": {func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, filepath.Join(dir, "token"), secret))
			t.Setenv("AWS_ROLE_ARN", testRole)
			t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for range 1 << 20 {
					if _, err := w.Write([]byte("<Arn>" + secret + "</Arn>")); err != nil {
						return
					}
				}
			}))
		}, cloud.Unavailable, tooLarge},
		"web identity refused": {func(t *testing.T, dir string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, filepath.Join(dir, "token"), secret))
			t.Setenv("AWS_ROLE_ARN", testRole)
			t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				failSTS(w, http.StatusForbidden, "AccessDenied", "not this pod")
			}))
		}, cloud.Denied, "not this pod"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := emptyEnvironment(t)
			c.prepare(t, dir)
			cfg := testConfig(t, "http://127.0.0.1:1")
			cfg.Values = cfg.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
			var err error
			// The SDK closes a request's body as soon as its answer begins. If net/http still reads that, it closes the connection, so
			// that a long answer may break before it has reached its bound: then it is asked for again.
			for tries := 0; tries == 0 || tries < 20 && c.text == tooLarge && !strings.Contains(err.Error(), tooLarge); tries++ {
				_, err = newTestProvider(t, cfg).FindInstances(t.Context(), nil)
			}
			if cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) ||
				!strings.HasPrefix(err.Error(), "use_ambient_credentials: ") {
				t.Errorf("kind %q, %v; want kind %q and %q", cloud.KindOf(err), err, c.kind, c.text)
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
				t.Errorf("the error holds what a source printed: %v", err)
			}
		})
	}
}
