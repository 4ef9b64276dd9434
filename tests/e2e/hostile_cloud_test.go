//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// What only the false cloud shows. A password beside its addresses would be typed into the attacker's server.
const (
	falseName      = "double"
	falsePrivateIP = "198.51.100.66"
	falsePublicIP  = "203.0.113.66"
)

// foreignRequest is what the false cloud shows as the latest operation of its servers: not one of Vault's.
const foreignRequest = "00000000-0000-4000-8000-000000000bad"

// hostile is a Vault with an honest cloud, and with a false one of the attacker's: a second simulated world, whose
// cloud account and servers have the ids of the real ones. What the engine sends there goes through recorders.
type hostile struct {
	*env              // the root's, at the honest cloud
	rogue        *env // the root's, at the false cloud
	admin        *env
	operator     *env
	reader       *env
	falseAccount map[model.Cloud]falseAccount
	record       *transcript
}

// falseAccount is what a connection needs to work in the false cloud.
type falseAccount struct {
	accessKey, secretKey string
	endpoints            map[string]string
}

// transcript writes every request that it passes on to a file, one after the other.
type transcript struct {
	path string
	mu   sync.Mutex
}

// startHostile runs both clouds, and makes a token of each of the three personas of docs/vault-policies.md. The reader may
// read the passwords of the roles in readable.
func startHostile(t *testing.T, readable ...string) *hostile {
	t.Helper()
	honest := start(t)
	h := &hostile{
		env: honest, rogue: &env{sim: harness.StartSimulator(t, harness.FindBinaries(t), "-seed=2"), Vault: honest.Vault},
		falseAccount: map[model.Cloud]falseAccount{}, record: &transcript{path: filepath.Join(t.TempDir(), "sent-to-the-false-cloud")},
	}
	policies := documentedPolicies(t)
	var reader strings.Builder
	for _, role := range readable {
		reader.WriteString(strings.ReplaceAll(policies["reader"], "/web", "/"+role))
	}
	h.reader, h.operator, h.admin = honest.as(t, "reader", reader.String()), honest.as(t, "operator", policies["operator"]),
		honest.as(t, "administrator", policies["administrator"])
	for _, cloud := range []model.Cloud{model.AWS, model.TencentCloud} {
		h.falseAccount[cloud] = h.claimAccount(t, cloud)
	}
	return h
}

// claimAccount makes an account of the real one's id in the false cloud, and lets its endpoints be recorded.
func (h *hostile) claimAccount(t *testing.T, cloud model.Cloud) falseAccount {
	t.Helper()
	honest := h.sim.Info.Seeded[cloud]
	account := model.Account{Cloud: cloud, ID: honest.AccountID, Regions: []string{honest.Region}}
	user := model.User{Cloud: cloud, Name: "attacker", AccountID: honest.AccountID}
	key := model.AccessKey{Cloud: cloud, AccountID: honest.AccountID}
	for path, thing := range map[string]any{"/v1/accounts": &account, "/v1/users": &user} {
		if err := h.rogue.sim.Do(t.Context(), http.MethodPost, path, thing, thing); err != nil {
			t.Fatal(err)
		}
	}
	key.UserID = user.ID
	if err := h.rogue.sim.Do(t.Context(), http.MethodPost, "/v1/access-keys", key, &key); err != nil {
		t.Fatal(err)
	}
	endpoints, fronts := map[string]string{}, map[string]string{}
	for service, address := range h.rogue.sim.Info.Endpoints[cloud] {
		if fronts[address] == "" {
			fronts[address] = h.record.before(t, address)
		}
		endpoints[service] = fronts[address]
	}
	return falseAccount{key.ID, key.Secret, endpoints}
}

// before starts a server that records what it passes on to a URL, and returns its own URL.
func (r *transcript) before(t *testing.T, address string) string {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = target.Scheme, target.Host
		p.Out.Host = p.In.Host // which is signed
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if err := r.keep(request); err != nil {
			t.Errorf("record a request: %v", err)
		}
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

func (r *transcript) keep(request *http.Request) error {
	dump, err := httputil.DumpRequest(request, true)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(append(dump, '\n')); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// asked counts the requests that name something: an instance, say.
func (r *transcript) asked(t *testing.T, name string) int {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := os.ReadFile(r.path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), name)
}

// server adds a server to the honest cloud.
func (h *hostile) server(t *testing.T, server model.Server) model.Server {
	t.Helper()
	account := h.sim.Info.Seeded[server.Cloud]
	server.AccountID, server.Region = account.AccountID, account.Region
	added, err := h.sim.AddServer(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	return added.Server
}

// double adds a server of the same id to the false cloud. It has passwords and addresses of its own, and its latest
// operation is nothing that Vault asked for.
func (h *hostile) double(t *testing.T, honest model.Server, ciphertext string) {
	t.Helper()
	if _, err := h.rogue.sim.AddServer(t.Context(), model.Server{
		Cloud: honest.Cloud, ID: honest.ID, AccountID: honest.AccountID, Region: honest.Region, Name: falseName,
		Platform: honest.Platform, OSName: honest.OSName,
		PrivateIP: falsePrivateIP, PublicIP: falsePublicIP, Ciphertext: ciphertext,
		Latest: model.Operation{Name: "ResetInstancesPassword", RequestID: foreignRequest, State: model.Succeeded},
	}); err != nil {
		t.Fatal(err)
	}
}

// honestly are the fields of a connection to the honest cloud, falsely those that lead it to the false one: other endpoints,
// and keys that work there.
func (h *hostile) honestly(cloud model.Cloud) map[string]any { return h.connection(cloud) }

func (h *hostile) falsely(cloud model.Cloud, more map[string]any) map[string]any {
	account := h.falseAccount[cloud]
	fields := map[string]any{"endpoints": account.endpoints, "access_key": account.accessKey, "secret_key": account.secretKey}
	maps.Copy(fields, more)
	return fields
}

// falselyNew are the fields of a connection that does not exist yet.
func (h *hostile) falselyNew(cloud model.Cloud) map[string]any {
	return h.falsely(cloud, map[string]any{"provider": string(cloud), "region": h.sim.Info.Seeded[cloud].Region})
}

// reaches fails the test unless the connection leads to the double of a server: else an attack would show nothing.
func (h *hostile) reaches(t *testing.T, connection, id string) {
	t.Helper()
	found, err := h.admin.Client.Logical().ListWithContext(t.Context(), "cloudpw/discover/"+connection)
	if err != nil || found == nil {
		t.Fatalf("discover through %s: %v", connection, err)
	}
	info, _ := found.Data["key_info"].(map[string]any)
	if !strings.Contains(fmt.Sprint(info[id]), falseName) {
		t.Fatalf("connection %s does not lead to the false cloud: it finds %v", connection, found.Data["keys"])
	}
}

// openers are all values that open the server, or once did or may have.
func (h *hostile) openers(t *testing.T, id string) []string {
	t.Helper()
	server, err := h.sim.Server(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	values := h.passwords(t, id)
	for _, login := range server.Logins {
		values = append(values, login)
	}
	values = append(values, server.InitialPassword)
	var known []string
	for _, value := range values {
		if value != "" { // a command's outcome, of which the simulator knows a hash
			known = append(known, value)
		}
	}
	return known
}

// kept fails the test if the false cloud was sent anything that opens the real server: in any form in a request, decrypted
// by its own guest, or as a hash that its guest has.
func (h *hostile) kept(t *testing.T, id, user string, more ...string) {
	t.Helper()
	values := append(h.openers(t, id), more...)
	secrets := make([]harness.Secret, len(values))
	for i, value := range values {
		secrets[i] = harness.Secret{Name: fmt.Sprintf("value %d of %s", i+1, id), Value: value}
	}
	for _, leak := range harness.FindLeaks(t, secrets, h.record.path) {
		t.Errorf("the false cloud was sent a password of the real server: %s", leak)
	}
	double, err := h.rogue.sim.Server(t.Context(), id)
	if err != nil {
		return // it has none
	}
	for _, value := range values {
		if h.rogue.sim.Login(t, id, user, value) == nil {
			t.Errorf("the double of %s accepts a password of the real server", id)
		}
	}
	for _, value := range slices.AppendSeq(h.rogue.passwords(t, id), maps.Values(double.Logins)) {
		if value != "" && h.sim.Login(t, id, user, value) == nil {
			t.Errorf("the real server %s accepts what the false cloud was sent", id)
		}
	}
}
