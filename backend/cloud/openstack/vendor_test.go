package openstack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// The vendor is one account of a vendor's cloud without a network, so that its time can be virtual: IAM, the metadata service
// of an ECS, and Nova's list of servers, which is empty.
type vendor struct {
	mu   sync.Mutex
	keys map[string]vendorKey // by access key
	// agencies are those that may be assumed, by "name of domain".
	agencies map[string]bool
	domain   string        // of all keys; "": IAM does not tell it
	life     time.Duration // of the keys that are given
	made     int
	// tokens are Keystone's, with the scope that they are for.
	tokens map[string]string
	// assume answers in place of IAM, if set; so does metadata in place of the metadata service.
	assume, metadata func() (int, string)
	calls            []string // what was asked, and by whom
	bodies           []string
}

type vendorKey struct {
	signing.Keys
	end time.Time
}

const (
	vendorProject = "0123456789abcdef0123456789abcdef"
	vendorDomain  = "00112233445566778899aabbccddeeff"
	vendorAgency  = "cloudpw of other-account"
)

func newVendor() *vendor {
	return &vendor{
		keys:     map[string]vendorKey{"AKPERMANENT": {Keys: signing.Keys{Access: "AKPERMANENT", Secret: "SK-secret-permanent"}}},
		agencies: map[string]bool{vendorAgency: true}, domain: vendorDomain, life: time.Hour, tokens: map[string]string{},
	}
}

// give makes temporary keys.
func (v *vendor) give() vendorKey {
	v.made++
	k := vendorKey{signing.Keys{
		Access: fmt.Sprintf("AKTEMP%d", v.made), Secret: fmt.Sprintf("SK-secret-%d", v.made), Token: fmt.Sprintf("token-secret-%d==", v.made),
	}, time.Now().Add(v.life)}
	v.keys[k.Access] = k
	return k
}

func (k vendorKey) answer() string {
	return fmt.Sprintf(`{"credential":{"access":%q,"secret":%q,"securitytoken":%q,"expires_at":%q}}`, k.Access, k.Secret, k.Token, stamp(k.end))
}

// revoke ends all temporary keys and all tokens at once.
func (v *vendor) revoke() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, k := range v.keys {
		if k.Token != "" {
			delete(v.keys, id)
		}
	}
	clear(v.tokens)
}

func (v *vendor) log() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	calls := v.calls
	v.calls = nil
	return calls
}

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bodies = append(v.bodies, string(body))
	who, refusal := v.caller(r, body)
	call := r.Method + " " + r.URL.Path
	v.calls = append(v.calls, call+" by "+who)
	header := http.Header{"Content-Type": {"application/json"}}
	status, text := http.StatusUnauthorized, fmt.Sprintf(`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: %s"}`,
		refusal)
	switch {
	case r.URL.Host == "169.254.169.254":
		status, text = v.serveMetadata(r)
	case call == "POST /v3/auth/tokens":
		status, text = v.login(body, header)
	case refusal != "":
	case call == "GET /v3/auth/domains" && v.domain == "":
		status, text = http.StatusForbidden, `{"error":{"code":403,"message":"You have no right to do this action","title":"Forbidden"}}`
	case call == "GET /v3/auth/domains":
		status, text = http.StatusOK, `{"domains":[{"id":"`+v.domain+`"}]}`
	case call == "POST /v3.0/OS-CREDENTIAL/securitytokens":
		status, text = v.serveAssume(r, who, body)
	case call == "GET /v2.1/"+vendorProject+"/servers":
		status, text = http.StatusOK, `{"servers":[]}`
	default:
		status, text = http.StatusNotFound, `{}`
	}
	return &http.Response{StatusCode: status, Header: header, Request: r, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// caller is who asks, or why that is not accepted.
func (v *vendor) caller(r *http.Request, body []byte) (who, refusal string) {
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		if scope, known := v.tokens[token]; known {
			return "token for " + scope, ""
		}
		return "no token", "decrypt token fail"
	}
	authorization := r.Header.Get("Authorization")
	access := strings.TrimPrefix(authorization, "SDK-HMAC-SHA256 Access=")
	style := signing.Direct
	if rest, scoped := strings.CutPrefix(authorization, "SDK-HMAC-SHA256 Credential="); scoped {
		access, style = rest, signing.Scoped
	}
	if end := strings.IndexAny(access, ",/"); end >= 0 {
		access = access[:end]
	}
	k, known := v.keys[access]
	switch {
	case access == "":
		return "nobody", "no authorization"
	case !known:
		return access, "Get secretKey failed,ak:" + access + ",err:ak not exist"
	case r.Header.Get("X-Security-Token") != k.Token:
		return access, "the security token does not fit"
	case !k.end.IsZero() && !time.Now().Before(k.end):
		return access, "token expires"
	case authorization != again(r, body, k.Keys, style):
		return access, "verify aksk signature fail"
	}
	return access, ""
}

// again is the Authorization of a request as its sender should have made it.
func again(r *http.Request, body []byte, k signing.Keys, style string) string {
	made := ""
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Sdk-Date"))
	if err != nil {
		return err.Error()
	}
	signer := &signing.Transport{ProjectID: r.Header.Get("X-Project-Id"), Style: style, Now: func() time.Time { return at },
		Next: roundTrip(func(r *http.Request) (*http.Response, error) {
			made = r.Header.Get("Authorization")
			return &http.Response{Body: http.NoBody}, nil
		})}
	clean := r.Clone(signing.WithKeys(r.Context(), k))
	clean.Body = io.NopCloser(bytes.NewReader(body))
	response, err := signer.RoundTrip(clean)
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close()
	return made
}

// serveMetadata is a hardened metadata service.
func (v *vendor) serveMetadata(r *http.Request) (int, string) {
	switch {
	case v.metadata != nil:
		return v.metadata()
	case r.Method == http.MethodPut && r.URL.Path == "/meta-data/latest/api/token" && r.Header.Get("X-Metadata-Token-Ttl-Seconds") != "":
		return http.StatusOK, "metadata-token"
	case r.Method == http.MethodGet && r.URL.Path == "/openstack/latest/securitykey" && r.Header.Get("X-Metadata-Token") == "metadata-token":
		return http.StatusOK, v.give().answer()
	}
	return http.StatusUnauthorized, ""
}

// serveAssume is IAM's answer to a request for an agency's keys.
func (v *vendor) serveAssume(r *http.Request, who string, body []byte) (int, string) {
	var request struct {
		Auth struct {
			Identity struct {
				Methods    []string
				AssumeRole struct {
					AgencyName string `json:"agency_name"`
					DomainName string `json:"domain_name"`
					Duration   int    `json:"duration_seconds"`
				} `json:"assume_role"`
			}
		}
	}
	err := json.Unmarshal(body, &request)
	in := request.Auth.Identity
	switch {
	case v.assume != nil:
		return v.assume()
	case err != nil || !slices.Equal(in.Methods, []string{"assume_role"}) || in.AssumeRole.Duration < 900 || in.AssumeRole.Duration > 86400:
		return http.StatusBadRequest, `{"error":{"code":400,"message":"invalid body","title":"Bad Request"}}`
	case !strings.HasPrefix(who, "token for ") && r.Header.Get("X-Domain-Id") != v.domain,
		strings.HasPrefix(who, "token for ") && who != "token for domain own-account",
		!v.agencies[in.AssumeRole.AgencyName+" of "+in.AssumeRole.DomainName]:
		return http.StatusForbidden, `{"error":{"code":403,"message":"You have no right to do this action","title":"Forbidden"}}`
	}
	return http.StatusCreated, v.give().answer()
}

// login gives the user a token of an hour.
func (v *vendor) login(body []byte, header http.Header) (int, string) {
	var request struct {
		Auth struct {
			Identity struct {
				Password struct {
					User struct{ Name, Password string }
				}
			}
			Scope struct {
				Domain  struct{ Name string }
				Project struct{ ID string }
			}
		}
	}
	user := &request.Auth.Identity.Password.User
	if json.Unmarshal(body, &request) != nil || user.Name != "cloudpw" || user.Password != "pw-secret-example" {
		return http.StatusUnauthorized, `{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}`
	}
	scope, project := "domain "+request.Auth.Scope.Domain.Name, ""
	if id := request.Auth.Scope.Project.ID; id != "" {
		scope, project = "project "+id, id
	}
	v.made++
	token := fmt.Sprintf("user-token-%d", v.made)
	v.tokens[token] = scope
	header.Set("X-Subject-Token", token)
	return http.StatusCreated, fmt.Sprintf(`{"token":{"issued_at":%q,"expires_at":%q,"project":{"id":%q},"user":{"id":"u1"}}}`, stamp(time.Now()),
		stamp(time.Now().Add(v.life)), project)
}

// surroundings is an environment whose metadata service is the vendor's.
func (v *vendor) surroundings(f family) *ambient {
	a := f.ambientAt(metadataURL, netip.MustParsePrefix("127.0.0.0/8"))
	a.Client = &http.Client{Transport: v}
	return a
}

// provider makes a provider whose requests all go to the vendor.
func (v *vendor) provider(t *testing.T, f family, values cloud.Values) *provider {
	t.Helper()
	for _, name := range []string{f.variables.access, f.variables.secret, f.variables.token} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	p, err := newProviderIn(f, v.config(f, values), v.surroundings(f))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// config is a connection whose requests all go to the vendor.
func (v *vendor) config(f family, values cloud.Values) cloud.Config {
	return cloud.Config{
		Provider: f.name, HTTPClient: &http.Client{Transport: v}, Limiter: cloud.Unlimited{}, RequestTimeout: requestTimeout,
		Values: cloud.Values{"region": "eu-de", "project_id": vendorProject}.With(values),
	}
}

var vendors = []family{huawei(), telekom()}

// The sources of a connection's credentials.
var (
	permanentKey = cloud.Values{"access_key": "AKPERMANENT", "secret_key": "SK-secret-permanent"}
	userLogin    = cloud.Values{"username": "cloudpw", "password": "pw-secret-example", "user_domain_name": "own-account"}
	ofServer     = cloud.Values{"use_ambient_credentials": "true"}
	asAgency     = cloud.Values{"agency_name": "cloudpw", "agency_domain_name": "other-account"}
)

// temporary is a key with a security token, as somebody got it for the connection.
func (v *vendor) temporary() cloud.Values {
	k := v.give()
	return cloud.Values{"access_key": k.Access, "secret_key": k.Secret, "security_token": k.Token}
}
