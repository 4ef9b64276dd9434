//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// vendors are the clouds with keys that come with a security token.
var vendors = []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud}

// post sends a request to the simulated IAM as its reference has it, and decodes the answer.
func (e *env) post(t *testing.T, cloud model.Cloud, path, token string, in, out any) http.Header {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.sim.Info.Endpoints[cloud]["iam"]+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("X-Auth-Token", token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
	return response.Header
}

// temporaryKey is what IAM gives for a user's token.
type temporaryKey struct {
	Access  string    `json:"access"`
	Secret  string    `json:"secret"`
	Token   string    `json:"securitytoken"`
	Expires time.Time `json:"expires_at"`
}

// temporaryKey gets one of the seeded user, for as short a time as IAM gives.
func (e *env) temporaryKey(t *testing.T, cloud model.Cloud) temporaryKey {
	t.Helper()
	account := e.sim.Info.Seeded[cloud]
	type object = map[string]any
	user := object{"name": account.Username, "password": account.Password, "domain": object{"name": account.UserDomainName}}
	var ignored any
	header := e.post(t, cloud, "/v3/auth/tokens", "", object{"auth": object{
		"identity": object{"methods": []string{"password"}, "password": object{"user": user}},
		"scope":    object{"domain": object{"name": account.UserDomainName}},
	}}, &ignored)
	token := header.Get("X-Subject-Token")
	var answer struct {
		Credential temporaryKey `json:"credential"`
	}
	e.post(t, cloud, "/v3.0/OS-CREDENTIAL/securitytokens", token, object{"auth": object{"identity": object{
		"methods": []string{"token"}, "token": object{"id": token, "duration_seconds": 900}}}}, &answer)
	return answer.Credential
}

// signed are a connection's fields with keys in place of whatever else it has.
func (e *env) signed(cloud model.Cloud, fields map[string]any) map[string]any {
	account := e.sim.Info.Seeded[cloud]
	out := map[string]any{"provider": string(cloud), "region": account.Region, "project_id": account.ProjectID,
		"endpoints": e.endpoints(cloud)}
	maps.Copy(out, fields)
	return out
}

// readsWindows has a connection read the initial password of the Windows server.
func (e *env) readsWindows(t *testing.T, cloud model.Cloud, role string) {
	t.Helper()
	e.Write(t, "cloudpw/keys/"+keyOf(cloud), map[string]any{"private_key": e.sim.Info.Seeded[cloud].PrivateKey})
	e.role(t, role, cloud, "windows-1", map[string]any{"connection": role})
	if secret := e.issue(t, role); secret.Source != "initial" {
		t.Errorf("a password of source %s", secret.Source)
	}
}

// refusedConnection holds that a connection is refused, with words and without its secrets.
func (e *env) refusedConnection(t *testing.T, fields map[string]any, says ...string) {
	t.Helper()
	_, err := e.Client.Logical().Write("cloudpw/config/refused", fields)
	text := harness.Refused(t, err, http.StatusBadRequest)
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("refused with %q, which lacks %q", text, want)
		}
	}
	for _, secret := range []string{"secret_key", "security_token", "password"} {
		if value, _ := fields[secret].(string); value != "" && strings.Contains(text, value) {
			t.Errorf("the refusal has the value of %s", secret)
		}
	}
}

// A temporary key works with its security token, and with none or another it does not.
func TestTemporaryKeyOfHuaweiAndOpenTelekom(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, cloud := range vendors {
		t.Run(string(cloud), func(t *testing.T) {
			key := e.temporaryKey(t, cloud)
			fields := e.signed(cloud, map[string]any{"access_key": key.Access, "secret_key": key.Secret, "security_token": key.Token})
			e.Write(t, "cloudpw/config/"+string(cloud), fields)
			e.readsWindows(t, cloud, string(cloud))
			if shown := e.Read(t, "cloudpw/config/"+string(cloud)).Data; shown["security_token"] != nil {
				t.Error("the security token is read back")
			}
			_, err := e.Client.Logical().Write("cloudpw/rotate-root/"+string(cloud), nil)
			harness.Refused(t, err, http.StatusBadRequest)

			wrong := maps.Clone(fields)
			wrong["security_token"] = "x" + key.Token
			e.refusedConnection(t, wrong, "security_token")
			delete(wrong, "security_token")
			e.refusedConnection(t, wrong)
			secrets := []harness.Secret{{Name: "the secret key", Value: key.Secret}, {Name: "the security token", Value: key.Token}}
			for _, leak := range harness.FindLeaks(t, secrets, e.TraceLog, e.AuditLog, e.ErrorLog) {
				t.Error(leak)
			}
		})
	}
}

// A temporary key that has ended says what to write, and new ones take its place.
func TestTemporaryKeyEnds(t *testing.T) {
	t.Parallel()
	const life = 8 * time.Second
	e := start(t, "-key-lifetime="+life.String())
	for _, cloud := range vendors {
		t.Run(string(cloud), func(t *testing.T) {
			t.Parallel()
			name := "cloudpw/config/" + string(cloud)
			key := e.temporaryKey(t, cloud)
			e.Write(t, name, e.signed(cloud, map[string]any{"access_key": key.Access, "secret_key": key.Secret, "security_token": key.Token}))
			harness.Eventually(t, rotatesWithin, "the end of the key", func() error {
				_, err := e.Client.Logical().List("cloudpw/discover/" + string(cloud))
				if err == nil {
					return errors.New("it still works")
				}
				text := harness.Refused(t, err, http.StatusBadRequest)
				if want := "write a new access_key, secret_key and security_token"; !strings.Contains(text, want) {
					t.Errorf("an ended key is refused with %q, which lacks %q", text, want)
				}
				if strings.Contains(text, key.Token) || strings.Contains(text, key.Secret) {
					t.Error("the refusal has a secret")
				}
				return nil
			})
			account := e.sim.Info.Seeded[cloud]
			e.Write(t, name, map[string]any{"access_key": account.AccessKey, "secret_key": account.SecretKey}) // drops the token
			e.List(t, "cloudpw/discover/"+string(cloud))
		})
	}
}

// An agency is assumed with a user's key, and with a token; no other agency is. Its keys are kept, and renewed before they end.
func TestAgencyOfHuaweiAndOpenTelekom(t *testing.T) {
	t.Parallel()
	e := start(t, "-key-lifetime=40s")
	for _, cloud := range vendors {
		t.Run(string(cloud), func(t *testing.T) {
			t.Parallel()
			account := e.sim.Info.Seeded[cloud]
			for name, own := range map[string]map[string]any{
				"key":  {"access_key": account.AccessKey, "secret_key": account.SecretKey},
				"user": {"username": account.Username, "password": account.Password, "user_domain_name": account.UserDomainName},
			} {
				t.Run(name, func(t *testing.T) { e.assumes(t, cloud, string(cloud)+"-"+name, own) })
			}
		})
	}
}

// assumes has a connection work as the seeded agency until its first keys were renewed.
func (e *env) assumes(t *testing.T, cloud model.Cloud, name string, own map[string]any) {
	account := e.sim.Info.Seeded[cloud]
	fields := e.signed(cloud, own)
	fields["agency_name"], fields["agency_domain_name"] = account.AgencyName, account.AgencyDomainName
	for field, value := range map[string]string{"agency_name": "nobodys", "agency_domain_name": "nowhere"} {
		wrong := maps.Clone(fields)
		wrong[field] = value
		e.refusedConnection(t, wrong, "agency", value)
	}
	e.Write(t, "cloudpw/config/"+name, fields)
	first := e.listsAs(t, cloud, name)
	if own["access_key"] == first {
		t.Error("the connection works as the user, not as the agency")
	}
	if again := e.listsAs(t, cloud, name); again != first {
		t.Error("the agency's keys were got again at once")
	}
	if cloud == model.HuaweiCloud && own["access_key"] != nil { // COC takes the agency's keys, too
		id := e.sim.ServerID(t, cloud, "linux-1")
		e.Write(t, "cloudpw/roles/"+name, map[string]any{"connection": name, "instance_ids": id, "source": "reset"})
		e.first(t, name)
	}
	harness.Eventually(t, rotatesWithin, "other keys of the agency", func() error {
		if e.listsAs(t, cloud, name) == first { // which works all the time
			return errors.New("the keys are the same")
		}
		return nil
	})
}

// listsAs lists a connection's servers, and returns the access key that asked for them.
func (e *env) listsAs(t *testing.T, cloud model.Cloud, name string) (key string) {
	t.Helper()
	before := e.sim.LastEntry(t)
	if found := e.List(t, "cloudpw/discover/"+name); len(found) == 0 {
		t.Error("no servers")
	}
	for _, entry := range e.sim.Since(t, before) {
		if entry.Cloud == cloud && entry.Service == "ecs" {
			key = entry.AccessKey
		}
	}
	return key
}

// A user and a password do on Huawei Cloud what keys do, COC included, and go on when their token has ended.
func TestUserOfHuaweiCloud(t *testing.T) {
	t.Parallel()
	e := start(t)
	account := e.sim.Info.Seeded[model.HuaweiCloud]
	fields := e.connection(model.HuaweiCloud)
	delete(fields, "access_key")
	delete(fields, "secret_key")
	delete(fields, "project_id")
	fields["username"], fields["password"] = account.Username, account.Password
	fields["user_domain_name"], fields["project_name"] = account.UserDomainName, account.ProjectName
	e.Write(t, "cloudpw/config/huaweicloud", fields)
	e.readsWindows(t, model.HuaweiCloud, "huaweicloud")
	id := e.sim.ServerID(t, model.HuaweiCloud, "linux-1")
	e.Write(t, "cloudpw/roles/linux", map[string]any{"connection": "huaweicloud", "instance_ids": id, "source": "reset"})
	secret := e.first(t, "linux")
	if n, err := e.sim.RevokeTokens(t.Context(), model.HuaweiCloud); err != nil || n == 0 {
		t.Fatalf("%d tokens revoked: %v", n, err)
	}
	e.revoke(t, secret.lease)
	e.awaitRotated(t, secret)
	wrong := maps.Clone(fields)
	wrong["password"] = account.Password + "x"
	e.refusedConnection(t, wrong, "password")
}

// The variables of the Vault server are those of the cloud's own tools.
func TestAmbientVariablesOfHuaweiAndOpenTelekom(t *testing.T) {
	t.Parallel()
	bin := harness.FindBinaries(t)
	sim := harness.StartSimulator(t, bin)
	for cloud, names := range map[model.Cloud][3]string{
		model.HuaweiCloud:      {"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"},
		model.OpenTelekomCloud: {"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN"},
	} {
		t.Run(string(cloud), func(t *testing.T) {
			e := &env{sim: sim}
			key := e.temporaryKey(t, cloud)
			e.Vault = harness.StartVault(t, bin, harness.Environment(names[0]+"="+key.Access, names[1]+"="+key.Secret, names[2]+"="+key.Token))
			e.RegisterAndMount(t)
			e.Write(t, "cloudpw/config/"+string(cloud), e.signed(cloud, map[string]any{"use_ambient_credentials": true}))
			e.readsWindows(t, cloud, string(cloud))
		})
	}
}

// securityKey is the path of the metadata service at which an ECS has the keys of its agency.
const securityKey = "/openstack/latest/securitykey"

// An ECS has the keys of its agency at the metadata service. The plugin asks there, and asks again when the cloud does not take
// the keys any more. The address is that of the clouds, so the test takes a network of its own.
func TestMetadataOfHuaweiAndOpenTelekom(t *testing.T) {
	t.Parallel()
	if !harness.InOwnNetwork(t) {
		return
	}
	listener := harness.ListenAt(t, "169.254.169.254:80")
	e := start(t)
	for _, cloud := range vendors {
		t.Run(string(cloud), func(t *testing.T) {
			first, second := e.temporaryKey(t, cloud), e.temporaryKey(t, cloud)
			keys := []temporaryKey{first, second}
			var mu sync.Mutex
			asked := 0
			listener.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Method != http.MethodGet || r.URL.Path != securityKey {
					http.NotFound(w, r)
					return
				}
				key := keys[min(asked, len(keys)-1)]
				asked++
				_ = json.NewEncoder(w).Encode(map[string]temporaryKey{"credential": key})
			})
			e.Write(t, "cloudpw/config/"+string(cloud), e.signed(cloud, map[string]any{"use_ambient_credentials": true}))
			e.readsWindows(t, cloud, string(cloud))
			if err := e.sim.Do(t.Context(), http.MethodDelete, "/v1/access-keys/"+string(cloud)+"/"+first.Access, nil, nil); err != nil {
				t.Fatal(err)
			}
			e.List(t, "cloudpw/discover/"+string(cloud))
			mu.Lock()
			defer mu.Unlock()
			if asked != len(keys) {
				t.Errorf("the metadata service was asked %d times for keys, want %d", asked, len(keys))
			}
		})
	}
}
