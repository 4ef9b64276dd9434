package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/aws"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/ownfields"
)

const firstToken = "given-token-0"

// outside is a mount with a cloud that this package's code has never heard of, beside a real one.
type outside struct {
	logical.Backend
	storage logical.Storage
	cloud   *ownfields.Cloud
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{storage: new(logical.InmemStorage), cloud: ownfields.NewCloud(firstToken)}
	registry := cloud.Registry{ownfields.Name: o.cloud.Descriptor(), aws.Name: aws.Descriptor()}
	mount, err := backend.NewMount(t.Context(), mountConfig(o.storage), registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mount.Cleanup(context.WithoutCancel(t.Context())) })
	o.Backend = mount
	return o
}

func mountConfig(storage logical.Storage) *logical.BackendConfig {
	system := &logical.StaticSystemView{
		DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour, PluginEnvironment: &logical.PluginEnvironment{VaultVersion: "1.21.2"},
	}
	return &logical.BackendConfig{Logger: hclog.NewNullLogger(), System: system, StorageView: storage, BackendUUID: "test"}
}

// send makes a request. It returns the data and warnings of the answer, or the status and text of an error.
func (o *outside) send(t *testing.T, op logical.Operation, path string, data map[string]any) (map[string]any, int, string) {
	t.Helper()
	resp, err := o.HandleRequest(t.Context(), &logical.Request{Operation: op, Path: path, Data: data, Storage: o.storage})
	var coded logical.HTTPCodedError
	switch {
	case errors.As(err, &coded):
		return nil, coded.Code(), err.Error()
	case err != nil:
		t.Fatalf("%s %s: %v", op, path, err)
	case resp == nil:
		return nil, http.StatusOK, ""
	}
	return resp.Data, http.StatusOK, strings.Join(resp.Warnings, "; ")
}

func (o *outside) ok(t *testing.T, op logical.Operation, path string, data map[string]any) map[string]any {
	t.Helper()
	answer, status, message := o.send(t, op, path, data)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", op, path, status, message)
	}
	return answer
}

// refused checks that a request is refused for what it says, and that the answer holds no secret.
func (o *outside) refused(t *testing.T, op logical.Operation, path string, data map[string]any, status int, says ...string) {
	t.Helper()
	_, got, message := o.send(t, op, path, data)
	for _, text := range says {
		if got != status || !strings.Contains(message, text) {
			t.Errorf("%s %s %v: %d %q, want %d and %q", op, path, data, got, message, status, text)
		}
	}
	if strings.Contains(message, "-token-") {
		t.Errorf("%s %s: the answer holds the token: %s", op, path, message)
	}
}

func written(client, token string) map[string]any {
	return map[string]any{"provider": ownfields.Name, "nimbus_client": client, "nimbus_token": token}
}

// TestAProviderOwnsItsFields: what a mount does with the fields of a provider, it does by the provider's descriptor.
func TestAProviderOwnsItsFields(t *testing.T) {
	o := newOutside(t)
	const path, write, bad = "config/c", logical.UpdateOperation, http.StatusBadRequest

	// Checks of the fields, each and together, and whose fields they are.
	o.refused(t, write, path, map[string]any{"provider": ownfields.Name}, bad, "nimbus_client: required, for example client-7")
	o.refused(t, write, path, written("me", firstToken), bad, "nimbus_client: must be client- and a number")
	o.refused(t, write, path, written("client-0", `"given-token-0"`), bad, "nimbus_token: character 1 is a quotation mark")
	o.refused(t, write, path, map[string]any{"provider": ownfields.Name, "access_key": "AK"}, bad,
		"access_key: provider nimbus does not use it", "its own fields are: nimbus_client, nimbus_token")
	o.refused(t, write, path, map[string]any{"provider": aws.Name, "nimbus_token": "x"}, bad,
		"nimbus_token: provider aws does not use it", "its own fields are: region, access_key, secret_key")
	o.refused(t, write, path, map[string]any{"provider": ownfields.Name, "nimbus_tokem": "x"}, bad, "did you mean nimbus_token?")
	o.refused(t, write, path, written("client-0", "other-token-0"), bad, "was not stored", "nimbus_token=@nimbus-token.txt")

	// Writing, reading, and how a patch is to be written.
	o.ok(t, write, path, written("client-0", firstToken))
	read := o.ok(t, logical.ReadOperation, path, nil)
	if _, secret := read["nimbus_token"]; secret || read["nimbus_client"] != "client-0" || read["max_requests_per_second"] != 5.0 {
		t.Errorf("the connection reads %v", read)
	}
	if _, foreign := read["region"]; foreign || strings.Contains(fmt.Sprint(read), firstToken) {
		t.Errorf("the connection reads %v", read)
	}
	patch := map[string]any{"nimbus_client": "client-0", "nimbus_token": firstToken}
	o.refused(t, logical.PatchOperation, path, patch, http.StatusMethodNotAllowed,
		"vault write cloudpw/config/c nimbus_client=client-0 nimbus_token=@nimbus-token.txt")

	// A change of who asks needs the secret; it is no other place.
	place := o.ok(t, logical.ReadOperation, "place/c", nil)
	o.refused(t, write, path, map[string]any{"nimbus_client": "client-9"}, bad, "nimbus_client: a change decides", "same write: nimbus_token")
	if place["account_id"] != "nimbus-account" || place["proven"] != true {
		t.Errorf("the place is %v", place)
	}

	// What the credentials may do, and their replacement.
	if check := o.ok(t, logical.ReadOperation, "check/c", nil); check["verdict"] != "granted" {
		t.Errorf("check: %v", check)
	}
	rotated := o.ok(t, write, "rotate-root/c", nil)
	if rotated["credential_id"] != "client-1" || rotated["previous_credential_id"] != "client-0" {
		t.Errorf("rotate-root: %v", rotated)
	}
	if clients := o.cloud.Clients(); len(clients) != 1 || clients[0] != "client-1" {
		t.Errorf("after rotate-root the cloud has %v", clients)
	}
	read = o.ok(t, logical.ReadOperation, path, nil)
	if read["nimbus_client"] != "client-1" || strings.Contains(fmt.Sprint(read), "-token-") {
		t.Errorf("after rotate-root the connection reads %v", read)
	}
	o.ok(t, logical.ReadOperation, "check/c", nil)
	if again := o.ok(t, logical.ReadOperation, "place/c", nil); again["place"] != place["place"] {
		t.Errorf("rotate-root led to another place: %v, before %v", again, place)
	}
	o.refused(t, write, path, map[string]any{"nimbus_client": "client-9"}, bad, "only Vault knows them")
}

// TestAProvidersFieldsAreDescribed: in the help, in OpenAPI and on the API page.
func TestAProvidersFieldsAreDescribed(t *testing.T) {
	o := newOutside(t)
	const meaning = "Name of the API client. A change needs the secrets in the same write. Required."
	help := o.ok(t, logical.HelpOperation, "config/c", nil)
	for _, text := range []string{
		"nimbus  nimbus_client, nimbus_token\n", "nimbus_token (string)",
		"nimbus: token of the API client. Never read back. Required with nimbus_client.",
	} {
		if told, _ := help["help"].(string); !strings.Contains(strings.Join(strings.Fields(told), " "), strings.Join(strings.Fields(text), " ")) {
			t.Errorf("the help does not say %q: %s", text, told)
		}
	}

	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type, Description string
					DisplayAttrs      struct {
						Name      string
						Sensitive bool
					} `json:"x-vault-displayAttrs"`
				}
			}
		}
	}
	raw, err := json.Marshal(o.ok(t, logical.HelpOperation, "", map[string]any{"requestResponsePrefix": "cloudpw"})["openapi"])
	if err == nil {
		err = json.Unmarshal(raw, &document)
	}
	if err != nil {
		t.Fatal(err)
	}
	request := document.Components.Schemas["CloudpwConfigureConnectionRequest"].Properties
	response := document.Components.Schemas["CloudpwReadConnectionResponse"].Properties
	token, client := request["nimbus_token"], request["nimbus_client"]
	if token.Type != "string" || !token.DisplayAttrs.Sensitive || token.DisplayAttrs.Name != "Client's token" {
		t.Errorf("the token of a write is %+v", token)
	}
	if client.DisplayAttrs.Sensitive || client.DisplayAttrs.Name != "Nimbus client" || client.Description != "nimbus: n"+meaning[1:] {
		t.Errorf("the client of a write is %+v", client)
	}
	if _, told := response["nimbus_client"]; !told {
		t.Errorf("a read answers with %v", response)
	}
	if _, told := response["nimbus_token"]; told {
		t.Error("OpenAPI says that the token is read back")
	}

	page := filepath.Join(t.TempDir(), "config.md")
	blank := "## Write a connection\n\n| Method | Path |\n| --- | --- |\n| `POST` | `/cloudpw/config/:name` |\n\n### Parameters\n\n"
	if err := os.WriteFile(page, []byte(blank), 0o600); err != nil {
		t.Fatal(err)
	}
	text := backend.WrittenPage(t, o.Backend, page)
	for _, line := range []string{
		"- `nimbus_client` `(string: <required>)` – nimbus: name of the API client. A change needs the secrets in the same write.",
		"- `nimbus_token` `(string: <required with nimbus_client>)` – nimbus: token of the API client. Never read back.",
		"- `provider` `(string: <required>)` – The cloud: `aws` or `nimbus`. Cannot be changed.",
		"- `max_requests_per_second` `(number: 10 on aws; 5 on nimbus)`",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the page does not say %q:\n%s", line, text)
		}
	}
}

// TestMountRefusesDescriptorsThatDisagree: two providers cannot mean different things by a name.
func TestMountRefusesDescriptorsThatDisagree(t *testing.T) {
	d := ownfields.NewCloud(firstToken).Descriptor()
	d.Fields = append(d.Fields, cloud.Field{Name: "access_key", Kind: cloud.FieldSetting, Description: "Another thing.", Default: "none"})
	registry := cloud.Registry{ownfields.Name: d, aws.Name: aws.Descriptor()}
	_, err := backend.NewMount(t.Context(), mountConfig(new(logical.InmemStorage)), registry)
	if err == nil || !strings.Contains(err.Error(), "provider nimbus: field access_key") {
		t.Errorf("the mount took the descriptors: %v", err)
	}
}
