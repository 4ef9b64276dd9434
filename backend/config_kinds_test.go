package backend

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// otherValues holds a second value for each field that binds the secrets, beside those of connectionCases.
var otherValues = map[string]any{
	"region": "r-3", "project_id": "p-3", "access_key": "AK3", "auth_url": "https://iam3.example.com/v3", "username": "u3",
	"user_domain_name": "d3",
	"project_name":     "n3", "project_domain_name": "d3", "role_arn": "arn:cloud:iam::3:role/r", "external_id": "x-3",
	applicationIDField: "ac-3",
	"tenant_id":        "t-3", "client_id": "c-3", "subscription_id": "s-3", "cloud": "public",
	"agency_name": "a3", "agency_domain_name": "ad3",
	ambientField: true,
	"endpoints":  "compute=https://three.example.com", "ca_certificate": testCA,
}

// boundFields are those fields that every provider has and that decide where the secrets are sent.
var boundFields = []string{"endpoints", "ca_certificate"}

// fieldsAndKinds are the fields of config/<name> in a mount with the clouds in memory, and what each decides.
func fieldsAndKinds() map[string]cloud.FieldKind {
	kinds := map[string]cloud.FieldKind{}
	for name := range connection.CommonSchemas(nil) {
		kinds[name] = cloud.FieldSetting
	}
	for _, name := range boundFields {
		kinds[name] = cloud.FieldPlace
	}
	for _, f := range fakeFields() {
		kinds[f.Name] = f.Kind
	}
	delete(kinds, "name")
	return kinds
}

// TestOwnFieldsAreNotThoseOfEveryProvider: a name has one meaning, and what is bound is a field.
func TestOwnFieldsAreNotThoseOfEveryProvider(t *testing.T) {
	common := connection.CommonSchemas(providers())
	for _, name := range boundFields {
		if common[name] == nil {
			t.Errorf("%s binds the secrets and is no field", name)
		}
	}
	for name, schema := range connection.Schemas(providers()) {
		uses, own := connection.OwnFields(providers())[name]
		if own == (common[name] != nil) {
			t.Errorf("field %s belongs to providers: %v, to all connections: %v", name, own, common[name] != nil)
		}
		if own && request.IsSensitive(schema) != (uses[0].Kind == cloud.FieldSecret) {
			t.Errorf("field %s of kind %s is sensitive: %v", name, uses[0].Kind, request.IsSensitive(schema))
		}
	}
}

// TestSecretsAreResentWithWhatTheyAreBoundTo: whoever may write a connection and does not know its secrets
// changes neither where they go nor in whose name they act, whether or not it has accounts.
func TestSecretsAreResentWithWhatTheyAreBoundTo(t *testing.T) {
	all := map[string]any{"secret_key": "again", "password": "again", "client_secret": "again", applicationSecretField: "again"}
	for field, kind := range fieldsAndKinds() {
		t.Run(field, func(t *testing.T) {
			h := newHarness(t)
			h.system.SetPasswordPolicy("strong", func() (string, error) { return "Correct-Horse-7-Battery", nil })
			h.write(t, "config/c", merged(connectionData(resetCloud), map[string]any{
				"project_id": "p", "username": "u-9", "password": "pw", "auth_url": "https://iam.example.com", "user_domain_name": "d-9",
				"project_name":        "n",
				"project_domain_name": "d-9", "role_arn": "arn:cloud:iam::9:role/r", "external_id": "x-9", applicationIDField: "ac",
				applicationSecretField: "acs", "tenant_id": "t-9", "client_id": "c-9", "client_secret": "cs", "subscription_id": "s-9",
				"cloud": "usgovernment", "agency_name": "a-9", "agency_domain_name": "ad-9",
			}))
			stored := h.stored(t, connection.Prefix)
			if !kind.BindsSecrets() {
				if kind == cloud.FieldSetting {
					h.write(t, "config/c", map[string]any{field: connectionCases[field].set})
				}
				return
			}
			values := []any{otherValues[field], connectionCases[field].set}
			if connectionCases[field].unset != nil && field != ambientField {
				values = append(values, "", nil, " ")
			}
			for _, value := range values {
				if value == "" && h.read(t, "config/c")[field] == "" {
					continue
				}
				if (field == "endpoints" || field == "ca_certificate" || field == ambientField) && (value == "" || value == nil || value == " ") {
					continue // it is empty already
				}
				h.refusedWrite(t, "config/c", map[string]any{field: value}, field+": ", "secret_key, client_secret, password, "+applicationSecretField,
					"same write")
				h.refusedWrite(t, "config/c", map[string]any{field: value, "verify_connection": false}, field+": ")
				for left := range all {
					part := maps.Clone(all)
					delete(part, left)
					part[field] = value
					h.refusedWrite(t, "config/c", part, field+": ", left)
				}
				if now := h.stored(t, connection.Prefix); now != stored {
					t.Fatalf("a refused write of %v changed what is stored", value)
				}
			}
			h.write(t, "config/c", merged(all, map[string]any{field: otherValues[field]}))
			h.write(t, "config/c", map[string]any{field: otherValues[field]}) // no change
		})
	}
}

// TestBoundFieldsNeedTheSecretsOfRealProvidersToo: for each provider, with fields of its own.
func TestBoundFieldsNeedTheSecretsOfRealProvidersToo(t *testing.T) {
	h := newRealHarness(t)
	unverified := map[string]any{"verify_connection": false}
	for name, change := range map[string]map[string]any{
		"aws": {"region": "eu-west-1", "role_arn": "arn:aws:iam::999999999999:role/x", "access_key": "AKIAIOSFODNN7OTHER00",
			"endpoints": "ec2=https://ec2.example.com"},
		"tencentcloud": {"region": "ap-singapore", "role_arn": "qcs::cam::uin/9:roleName/x", "access_key": "AKIDother"},
		"alibabacloud": {"region": "eu-central-1", "role_arn": "acs:ram::9:role/x", "access_key": "LTAIother"},
		"huaweicloud":  {"region": "cn-north-1", "project_id": "1123456789abcdef0123456789abcdef", "access_key": "AKOTHER"},
		"huaweicloud2": {"username": "v", "user_domain_name": "hw-2", "region": "cn-north-1", "agency_name": "other",
			"agency_domain_name": "other"},
		"opentelekomcloud": {"region": "eu-nl", "project_id": "1123456789abcdef0123456789abcdef"},
		"openstack": {"region": "RegionTwo", "auth_url": "https://keystone.example.org/v3",
			applicationIDField: "1123456789abcdef0123456789abcdef"},
		"opentelekomcloud2": {"username": "v", "user_domain_name": "OTC-2", "project_name": "eu-de_x", "project_domain_name": "OTC-2",
			"region": "eu-nl"},
	} {
		h.write(t, "config/"+name, merged(realConnections[name], unverified))
		for field, value := range change {
			h.refusedWrite(t, "config/"+name, map[string]any{field: value}, field+": ", "same write")
		}
	}
	// With ambient credentials there are none to be sent again.
	h.write(t, "config/aws2", merged(realConnections["aws2"], unverified))
	h.write(t, "config/aws2", map[string]any{"external_id": "x-2"})
}

// TestRotatedSecretsAreNamed: nobody can send again what rotate-root made, so the refusal says what to do.
func TestRotatedSecretsAreNamed(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "c", resetCloud)
	c, err := h.connections.Get(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	rotated := c.Clone()
	rotated.LastRootRotation = h.clock.now()
	if err := h.connections.Put(t.Context(), "c", rotated); err != nil {
		t.Fatal(err)
	}
	h.refusedWrite(t, "config/c", map[string]any{"region": "r-2"}, "secret_key", "rotate-root", "make new ones")
}

// TestEmptyAllowedRolesMeansNobody: a list that was emptied, by whatever way of writing nothing, lets nobody
// in; everybody is said as *.
func TestEmptyAllowedRolesMeansNobody(t *testing.T) {
	roleData := map[string]any{"connection": "c", "instance_ids": "srv-1", "force_stop": true}
	for name, empty := range map[string]any{
		"empty list": []any{}, "empty text": "", "comma": ",", "null": nil, "blank": " ", "blanks": "   ", "commas and blanks": " , ,, ",
		"empty element": []any{""}, "blank elements": []any{" ", "  "}, "json in text": "[]", "strings": []string{},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.cloud.launch(cloud.Instance{ID: "srv-1"})
			data := merged(connectionData(resetCloud), nil)
			data["allowed_roles"] = empty
			h.write(t, "config/c", data)
			if got, ok := h.read(t, "config/c")["allowed_roles"].([]string); !ok || got == nil || len(got) != 0 {
				t.Fatalf("a new connection reads back %#v", got)
			}
			h.refusedWrite(t, "roles/r", roleData, "connection", "does not allow", "allowed_roles=r")

			h.write(t, "config/c", map[string]any{"allowed_roles": "*"})
			h.write(t, "roles/r", roleData)
			h.lease(t, "creds/r")
			resp := h.write(t, "config/c", map[string]any{"allowed_roles": empty})
			if resp == nil || len(resp.Warnings) != 1 {
				t.Errorf("nobody was warned that the role is left out: %+v", resp)
			}
			h.write(t, "config/c", map[string]any{"request_timeout": 20}) // leaves the list alone
			h.refused(t, logical.ReadOperation, "creds/r", nil, http.StatusBadRequest, "allowed_roles")
			h.refusedWrite(t, "roles/r2", roleData, "does not allow")

			again := newHarnessOn(t, h.storage, h.cloud)
			again.refused(t, logical.ReadOperation, "creds/r", nil, http.StatusBadRequest, "allowed_roles")
		})
	}
	h := newHarness(t)
	h.connection(t, "c", resetCloud)
	if got := h.read(t, "config/c")["allowed_roles"].([]string); !slices.Equal(got, []string{"*"}) {
		t.Errorf("a connection whose write does not name the list reads back %v", got)
	}
	if c, err := connection.Decode([]byte(`{"schema":1,"provider":"resetcloud"}`)); err != nil || c.Allows("anybody") {
		t.Errorf("a stored connection without the list lets roles in (%v)", err)
	}
}
