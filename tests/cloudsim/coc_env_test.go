package cloudsim_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// huaweiEnv is a simulator with a client that is written here, by the vendor's page on signing requests.
type huaweiEnv struct {
	sim   *cloudsim.Sim
	cloud model.Cloud
	creds cloudsim.Credentials
	// securityToken belongs to temporary keys; xAuthToken goes in place of a signature.
	securityToken, xAuthToken string
	language                  string
}

func startHuawei(t *testing.T, o cloudsim.Options) *huaweiEnv {
	t.Helper()
	sim := cloudsim.Start(t, o)
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &huaweiEnv{sim: sim, cloud: model.HuaweiCloud, creds: seeded[model.HuaweiCloud], language: "en-us"}
}

// huaweiAnswer is what came back.
type huaweiAnswer struct {
	status int
	header http.Header
	body   []byte
	// Code and Message are those of an error.
	Code    string `json:"error_code"`
	Message string `json:"error_msg"`
	Data    json.RawMessage
}

// into reads "data", which must be there.
func (a huaweiAnswer) into(t *testing.T, v any) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.Data, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// send signs a request for a service, or gives the token, and sends it.
func (e *huaweiEnv) send(t *testing.T, service, method, path string, body any) huaweiAnswer {
	t.Helper()
	out, err := e.try(t, service, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is send for a call whose answer may be lost.
func (e *huaweiEnv) try(t *testing.T, service, method, path string, body any) (huaweiAnswer, error) {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, e.sim.URL(e.cloud, service)+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if e.language != "" {
		r.Header.Set("X-Language", e.language)
	}
	if e.xAuthToken != "" {
		r.Header.Set("X-Auth-Token", e.xAuthToken)
	} else {
		e.sign(r, text)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return huaweiAnswer{}, err
	}
	defer resp.Body.Close()
	out := huaweiAnswer{status: resp.StatusCode, header: resp.Header}
	if out.body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(out.body, &out) // answers in another form have their status
	return out, nil
}

// sign signs in the direct dialect.
func (e *huaweiEnv) sign(r *http.Request, body []byte) {
	r.Header.Set("X-Sdk-Date", time.Now().UTC().Format("20060102T150405Z"))
	signed := map[string]string{"x-sdk-date": r.Header.Get("X-Sdk-Date"), "host": r.URL.Host}
	for name, value := range map[string]string{"X-Project-Id": e.creds.ProjectID, "X-Security-Token": e.securityToken} {
		if value != "" {
			r.Header.Set(name, value)
			signed[strings.ToLower(name)] = value
		}
	}
	names := slices.Sorted(maps.Keys(signed))
	text := r.Method + "\n" + strings.TrimSuffix(r.URL.EscapedPath(), "/") + "/\n" +
		strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n"
	for _, name := range names {
		text += name + ":" + signed[name] + "\n"
	}
	text += "\n" + strings.Join(names, ";") + "\n" + sha256Hex(body)
	mac := hmac.New(sha256.New, []byte(e.creds.SecretKey))
	fmt.Fprintf(mac, "SDK-HMAC-SHA256\n%s\n%s", signed["x-sdk-date"], sha256Hex([]byte(text)))
	r.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x",
		e.creds.AccessKey, strings.Join(names, ";"), mac.Sum(nil)))
}

func sha256Hex(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// token signs in with user and password, for the project or, without one, for the account.
func (e *huaweiEnv) token(t *testing.T, project string) string {
	t.Helper()
	domain := map[string]any{"name": e.creds.UserDomainName}
	scope := map[string]any{"domain": domain}
	if project != "" {
		scope = map[string]any{"project": map[string]any{"id": project}}
	}
	signIn := *e
	signIn.xAuthToken = "none" // the call asks for none
	out := signIn.send(t, "iam", http.MethodPost, "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"name": e.creds.Username, "password": e.creds.Password, "domain": domain},
		}},
		"scope": scope,
	}})
	if out.status != http.StatusCreated {
		t.Fatalf("sign in: %d %s", out.status, out.body)
	}
	return out.header.Get("X-Subject-Token")
}

// with is the same client with a token in place of a key.
func (e *huaweiEnv) with(token string) *huaweiEnv {
	out := *e
	out.xAuthToken = token
	return &out
}

// as is the same client with another key.
func (e *huaweiEnv) as(k model.AccessKey) *huaweiEnv {
	out := *e
	out.creds.AccessKey, out.creds.SecretKey, out.securityToken = k.ID, k.Secret, k.Token
	return &out
}

type fields = map[string]any

// cocScript is the body that makes a script.
func cocScript(name, content string, params ...string) fields {
	list := []fields{}
	for i, p := range params {
		list = append(list, fields{"param_name": p, "param_value": "x", "param_description": "", "param_order": i + 1, "sensitive": true})
	}
	return fields{
		"name": name, "description": "a test", "type": "SHELL", "content": content, "script_params": list,
		"properties": fields{"risk_level": "LOW", "version": "1.0.0"},
	}
}

// cocOrder is the body that runs a script on servers, all in one batch.
func (e *huaweiEnv) cocOrder(params map[string]string, servers ...string) fields {
	list, targets := []fields{}, []fields{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		list = append(list, fields{"param_name": name, "param_value": params[name]})
	}
	for _, id := range servers {
		targets = append(targets, fields{"resource_id": id, "region_id": e.creds.Region, "provider": "ECS", "type": "CLOUDSERVER"})
	}
	return fields{
		"execute_param":   fields{"timeout": 120, "success_rate": 100.0, "execute_user": "root", "script_params": list},
		"execute_batches": []fields{{"batch_index": 1, "rotation_strategy": "CONTINUE", "target_instances": targets}},
	}
}

// text is a call's answer that is one text.
func (e *huaweiEnv) text(t *testing.T, method, path string, body any) string {
	t.Helper()
	var out string
	e.send(t, "coc", method, path, body).into(t, &out)
	return out
}

func (e *huaweiEnv) create(t *testing.T, body fields) string {
	t.Helper()
	return e.text(t, http.MethodPost, "/v1/job/scripts", body)
}

func (e *huaweiEnv) execute(t *testing.T, uuid string, body fields) string {
	t.Helper()
	return e.text(t, http.MethodPost, "/v1/job/scripts/"+uuid, body)
}

type cocInstance struct {
	ID     int64
	Target struct {
		ResourceID string `json:"resource_id"`
	} `json:"target_instance"`
	Status   string
	Message  string
	Created  int64  `json:"gmt_created"`
	Finished *int64 `json:"gmt_finished"`
}

// batch shows the instances of a batch.
func (e *huaweiEnv) batch(t *testing.T, order string, index int) []cocInstance {
	t.Helper()
	var out struct {
		Index     int           `json:"batch_index"`
		Total     int           `json:"total_instances"`
		Instances []cocInstance `json:"execute_instances"`
	}
	e.send(t, "coc", http.MethodGet, fmt.Sprintf("/v1/job/script/orders/%s/batches/%d?limit=100", order, index), nil).into(t, &out)
	if out.Index != index {
		t.Fatalf("batch %d shows %+v", index, out)
	}
	return out.Instances
}

// status is that of an order.
func (e *huaweiEnv) status(t *testing.T, order string) string {
	t.Helper()
	var out struct{ Status string }
	e.send(t, "coc", http.MethodGet, "/v1/job/script/orders/"+url.PathEscape(order), nil).into(t, &out)
	return out.Status
}
