package cloudsim_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// alibabaEnv is a simulator with a client that is written here, by the page on the V3 signature.
type alibabaEnv struct {
	sim   *cloudsim.Sim
	creds cloudsim.Credentials
	token string
}

func startAlibaba(t *testing.T, o cloudsim.Options) *alibabaEnv {
	t.Helper()
	sim := cloudsim.Start(t, o)
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &alibabaEnv{sim: sim, creds: seeded[model.AlibabaCloud]}
}

// as is the same simulator with another key.
func (e *alibabaEnv) as(k model.AccessKey) *alibabaEnv {
	out := *e
	out.creds.AccessKey, out.creds.SecretKey, out.token = k.ID, k.Secret, k.Token
	return &out
}

// alibabaCall is one request before it is signed.
type alibabaCall struct {
	version, action string
	params          url.Values
	// inQuery puts the parameters there and not into a form.
	inQuery bool
	// change spoils the request before it is signed, late after it.
	change, late func(*http.Request)
	nonce        string
	at           time.Time
}

// versions of the services.
const (
	ecsVersion = "2014-05-26"
	stsVersion = "2015-04-01"
	ramVersion = "2015-05-01"
)

// alibabaAnswer is what came back.
type alibabaAnswer struct {
	status int
	body   []byte
	Code   string
}

// into reads the answer, which must be none of an error.
func (a alibabaAnswer) into(t *testing.T, v any) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatal(err)
	}
}

func (e *alibabaEnv) send(t *testing.T, c alibabaCall) alibabaAnswer {
	t.Helper()
	out, err := e.try(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is send for a call whose answer may be lost.
func (e *alibabaEnv) try(t *testing.T, c alibabaCall) (alibabaAnswer, error) {
	t.Helper()
	target, body := e.sim.URL(model.AlibabaCloud, "ecs")+"/", c.params.Encode()
	if c.inQuery {
		target, body = target+"?"+body, ""
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.nonce == "" {
		c.nonce = rand.Text()
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	r.Header.Set("x-acs-action", c.action)
	r.Header.Set("x-acs-version", c.version)
	r.Header.Set("x-acs-date", c.at.UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", c.nonce)
	r.Header.Set("x-acs-content-sha256", hexSHA256(body))
	if e.token != "" {
		r.Header.Set("x-acs-security-token", e.token)
	}
	if c.change != nil {
		c.change(r)
	}
	e.sign(r, body)
	if c.late != nil {
		c.late(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return alibabaAnswer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return alibabaAnswer{}, err
	}
	out := alibabaAnswer{status: resp.StatusCode, body: text}
	return out, json.Unmarshal(text, &out)
}

// sign adds the Authorization header.
func (e *alibabaEnv) sign(r *http.Request, body string) {
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	text := r.Method + "\n/\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n"
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		text += name + ":" + value + "\n"
	}
	text += "\n" + strings.Join(names, ";") + "\n" + hexSHA256(body)
	mac := hmac.New(sha256.New, []byte(e.creds.SecretKey))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hexSHA256(text)))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", e.creds.AccessKey,
		strings.Join(names, ";"), mac.Sum(nil)))
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// ecs makes a call of ECS in the account's region with names and values.
func (e *alibabaEnv) ecs(t *testing.T, action string, params ...string) alibabaAnswer {
	t.Helper()
	return e.send(t, alibabaCall{version: ecsVersion, action: action, params: e.params(params...)})
}

func (e *alibabaEnv) params(pairs ...string) url.Values {
	v := url.Values{"RegionId": {e.creds.Region}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (e *alibabaEnv) other(t *testing.T, version, action string, params ...string) alibabaAnswer {
	t.Helper()
	v := e.params(params...)
	v.Del("RegionId")
	return e.send(t, alibabaCall{version: version, action: action, params: v})
}
