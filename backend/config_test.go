package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// Connections that each real provider accepts.
var realConnections = map[string]map[string]any{
	"aws":          {"provider": "aws", "region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "s3cr3t-aws"},
	"tencentcloud": {"provider": "tencentcloud", "region": "eu-frankfurt", "access_key": "AKIDexample", "secret_key": "s3cr3t-tencent"},
	"alibabacloud": {"provider": "alibabacloud", "region": "cn-hangzhou", "access_key": "LTAIexample", "secret_key": "s3cr3t-alibaba"},
	"azure": {"provider": "azure", "tenant_id": "contoso.onmicrosoft.com", "client_id": "5a1d3d1c-30ba-4b52-9d63-0a4a3f8d2f60",
		"client_secret": "s3cr3t-azure", "subscription_id": "0b1f6471-1bf0-4dda-aec3-cb9272f09590", "cloud": "usgovernment"},
	"huaweicloud": {"provider": "huaweicloud", "region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef",
		"access_key": "AKHUAWEI", "secret_key": "s3cr3t-huawei"},
	"opentelekomcloud": {"provider": "opentelekomcloud", "region": "eu-de", "project_id": "0123456789abcdef0123456789abcdef",
		"access_key": "AKOTC", "secret_key": "s3cr3t-otc", "security_token": "s3cr3t-token"},
	"openstack": {"provider": "openstack", "auth_url": "https://keystone.example.com/v3",
		"application_credential_id": "0123456789abcdef0123456789abcdef", "application_credential_secret": "s3cr3t-application"},
	"aws2": {"provider": "aws", "region": "eu-central-1", "use_ambient_credentials": true,
		"role_arn": "arn:aws:iam::123456789012:role/cloudpw", "external_id": "x-1"},
	"huaweicloud2": {"provider": "huaweicloud", "region": "cn-north-4", "username": "u", "password": "s3cr3t-user",
		"project_id": "0123456789abcdef0123456789abcdef", "user_domain_name": "hw-1", "agency_name": "cloudpw", "agency_domain_name": "hw-2"},
	"huaweicloud3": {"provider": "huaweicloud", "region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef",
		"use_ambient_credentials": true, "agency_name": "cloudpw", "agency_domain_name": "hw-2"},
	"opentelekomcloud2": {"provider": "opentelekomcloud", "region": "eu-de", "project_name": "eu-de", "username": "u",
		"password": "s3cr3t-user", "user_domain_name": "OTC-1", "auth_url": "https://iam.eu-de.otc.t-systems.com/v3"},
	"fleet": {"provider": "ssh", "login_user": "cloudpw", "generate_key": true, "sudo": "tty", "max_sessions": "4"},
}

// newRealHarness is a mount with the real providers. Its connections are not verified.
func newRealHarness(t *testing.T) *harness {
	t.Helper()
	return newHarnessWith(t, new(logical.InmemStorage), newFakeCloud(), providers())
}

func TestRealProvidersConnections(t *testing.T) {
	h := newRealHarness(t)
	for name, data := range realConnections {
		h.write(t, "config/"+name, merged(data, map[string]any{"verify_connection": false}))
		got := h.read(t, "config/"+name)
		for field, want := range data {
			switch field {
			case "access_key", "secret_key", "security_token", "password", "client_secret", "application_credential_secret", "generate_key":
				if _, ok := got[field]; ok {
					t.Errorf("%s: %s is read back", name, field)
				}
			default:
				if got[field] != want {
					t.Errorf("%s: %s = %v, want %v", name, field, got[field], want)
				}
			}
		}
		if got["max_requests_per_second"].(float64) <= 0 || got["request_timeout"] != int64(30) || got["verify_connection"] != false {
			t.Errorf("%s: defaults %v", name, got)
		}
		if strings.Contains(fmt.Sprint(got), "s3cr3t") {
			t.Errorf("%s: a secret is read back: %v", name, got)
		}
	}
	if style := h.read(t, "config/opentelekomcloud")["signature_style"]; style != "scoped" {
		t.Errorf("signature_style of opentelekomcloud is %v by default", style)
	}
	if style := h.read(t, "config/huaweicloud")["signature_style"]; style != "direct" {
		t.Errorf("signature_style of huaweicloud is %v by default", style)
	}
	if got, want := h.list(t, "config/"), slices.Sorted(maps.Keys(realConnections)); !reflect.DeepEqual(got, want) {
		t.Errorf("config/ lists %v, want %v", got, want)
	}
	if got := h.list(t, "config", "after", "openstack", "limit", "1"); fmt.Sprint(got) != "[opentelekomcloud]" {
		t.Errorf("a page of config/ is %v", got)
	}
}

func TestProviderOfAConnection(t *testing.T) {
	h := newRealHarness(t)
	h.refusedWrite(t, "config/x", map[string]any{"region": "eu-de"}, "provider", "required",
		"aws, azure, huaweicloud, openstack, opentelekomcloud, ssh, tencentcloud")
	h.refusedWrite(t, "config/x", map[string]any{"provider": "nimbus"}, "provider", "nimbus", "unknown")
	h.refusedWrite(t, "config/a..b", realConnections["aws"], "name", "..")
	h.refusedWrite(t, "config/"+strings.Repeat("x", 129), realConnections["aws"], "name", "128")
	h.absent(t, "config/a..b")
}

// A real provider's own validation decides, and its message arrives.
func TestRealProvidersRefuse(t *testing.T) {
	h := newRealHarness(t)
	for name, c := range map[string]struct {
		of     string
		change map[string]any
		says   string
	}{
		"aws without a secret":          {"aws", map[string]any{"secret_key": nil}, "secret_key"},
		"aws in no region":              {"aws", map[string]any{"region": "evil.example.com/"}, "region"},
		"tencentcloud without keys":     {"tencentcloud", map[string]any{"access_key": nil, "secret_key": nil}, "access_key"},
		"alibabacloud in no region":     {"alibabacloud", map[string]any{"region": "evil.example.com/"}, "region"},
		"azure without a secret":        {"azure", map[string]any{"client_secret": nil}, "client_secret"},
		"azure without a subscription":  {"azure", map[string]any{"subscription_id": nil}, "subscription_id"},
		"azure in no cloud":             {"azure", map[string]any{"cloud": "germany"}, "cloud"},
		"azure with too many":           {"azure", map[string]any{ambientField: true}, ambientField},
		"huaweicloud without a project": {"huaweicloud", map[string]any{"project_id": nil}, "project_id"},
		"huaweicloud in a new style":    {"huaweicloud", map[string]any{"signature_style": "baroque"}, "signature_style"},
		"otc with both credentials":     {"opentelekomcloud", map[string]any{"username": "u", "password": "p"}, "username"},
		"aws with no keys at all":       {"aws", map[string]any{"access_key": nil, "secret_key": nil}, ambientField},
		"openstack with both":           {"openstack", map[string]any{"username": "u", "password": "p"}, "username"},
		"otc without a domain":          {"opentelekomcloud2", map[string]any{"user_domain_name": nil}, "user_domain_name"},
		"an odd endpoint":               {"opentelekomcloud", map[string]any{"endpoints": "ec2=https://example.com"}, "endpoints"},
	} {
		t.Run(name, func(t *testing.T) {
			h.refusedWrite(t, "config/x", merged(merged(realConnections[c.of], map[string]any{"verify_connection": false}), c.change), c.says)
			h.absent(t, "config/x")
		})
	}
}

func TestUnusedConnectionFieldIsAnError(t *testing.T) {
	h := newRealHarness(t)
	for name, data := range realConnections {
		provider := data["provider"].(string)
		for field, uses := range connection.OwnFields(providers()) {
			if _, own := providers()[provider].Field(field); own {
				continue
			}
			var value any = "something"
			if uses[0].Type == cloud.FieldFlag {
				value = true
			}
			h.refusedWrite(t, "config/"+name, merged(data, map[string]any{"verify_connection": false, field: value}), field+": provider "+provider+
				" does not use it; leave it out",
				"its own fields are: "+strings.Join(connection.FieldNames(providers()[provider]), ", "))
		}
	}
}

// connectionCases hold, for each field of config/<name>, what it accepts and what it refuses. The
// connection is one of the in-memory cloud that resets.
var connectionCases = map[string]struct {
	set     any    // accepted
	reads   any    // what it reads back as; nil: as written; "-": not at all
	unset   any    // what it reads back as after an empty write; nil: refused
	refused []any  // values
	says    string // in the refusals besides the field's name
}{
	"provider":             {set: resetCloud, refused: []any{"", "nimbus", initialCloud, []string{"aws"}}, says: "provider"},
	"region":               {set: "r-2", refused: []any{"a\nb", strings.Repeat("x", 3000), ""}},
	"project_id":           {set: "p1", unset: "", refused: []any{"p\x00"}},
	"access_key":           {set: "AK2", reads: "-", unset: "-", refused: []any{"A\nK"}},
	"secret_key":           {set: "SK2", reads: "-", unset: "-", refused: []any{"S\rK", map[string]any{"a": "b"}, []string{"a"}, true}},
	"security_token":       {set: "ST2", reads: "-", unset: "-", refused: []any{"S\nT", strings.Repeat("x", 17<<10), []any{"x"}}},
	"agency_name":          {set: "a-1", unset: "", refused: []any{"a\n"}},
	"agency_domain_name":   {set: "ad-1", unset: "", refused: []any{"a\x00"}},
	"auth_url":             {set: "https://iam.example.com/v3", unset: "", refused: []any{"https://\x01"}},
	"username":             {set: "u", unset: "", refused: []any{"u\t"}},
	"password":             {set: "pw", reads: "-", unset: "-", refused: []any{"p\nw", []any{"x"}}},
	"user_domain_name":     {set: "d", unset: "", refused: []any{"d\n"}},
	"project_name":         {set: "eu-de", unset: "", refused: []any{"p\n"}},
	"project_domain_name":  {set: "d", unset: "", refused: []any{"d\n"}},
	"signature_style":      {set: "scoped", unset: "direct", refused: []any{"di\nrect"}},
	"tenant_id":            {set: "t-1", unset: "", refused: []any{"t\n"}},
	"client_id":            {set: "c-1", unset: "", refused: []any{"c\n"}},
	"client_secret":        {set: "cs", reads: "-", unset: "-", refused: []any{"c\ns", []any{"x"}}},
	"subscription_id":      {set: "s-1", unset: "", refused: []any{"s\n"}},
	"cloud":                {set: "china", unset: "public", refused: []any{"germany", "chi\nna"}},
	"role_arn":             {set: "arn:cloud:iam::1:role/r", unset: "", refused: []any{"arn\n"}},
	"external_id":          {set: "x-1", unset: "", refused: []any{"x\x00"}},
	ambientField:           {set: true, unset: false, refused: []any{"perhaps"}},
	applicationIDField:     {set: "ac-1", unset: "", refused: []any{"a\nc"}},
	applicationSecretField: {set: "acs", reads: "-", unset: "-", refused: []any{"a\nc", []any{"x"}, map[string]any{"a": "b"}}},
	"required_tags": {set: map[string]any{"team": "ops"}, unset: map[string]string{}, refused: []any{"team", map[string]any{"": "x"},
		map[string]any{"a\n": "x"}, map[string]any{"a": strings.Repeat("x", 300)}, manyTags(21)}},
	"endpoints": {set: map[string]any{"compute": "https://ecs.example.com"}, unset: map[string]string{},
		refused: []any{"compute=http://example.com", "compute=https://169.254.169.254", "compute=https://u:p@example.com",
			"storage=https://example.com", "compute"}},
	"ca_certificate":          {set: testCA, unset: "", refused: []any{"no certificate", strings.Repeat("x", 300<<10)}},
	"allowed_roles":           {set: "web,db-*", reads: []string{"web", "db-*"}, unset: []string{}, refused: nil},
	"max_requests_per_second": {set: 2.5, unset: float64(1000), refused: []any{-1, 0, 1001, "many", "NaN", "Inf", 1e-9, 0.09}},
	"request_timeout": {set: "20s", reads: int64(20), unset: int64(30), refused: []any{"3m", "1500ms", "0", "-1s", "later", 20.5,
		json.Number("20.5")}},
	"forget_gone_after": {set: "48h", reads: int64(48 * 3600), unset: int64(720 * 3600),
		refused: []any{"-1s", "1500ms", "never", "87601h", 1.5, json.Number("1e30")}},
	"rotation_period": {set: "0", reads: int64(0), unset: int64(0),
		refused: []any{"-1s", "1500ms", "never", "23h", "86399", "87601h", "48h"}},
	"password_policy":   {set: "strong", unset: "", refused: []any{"none", "a\nb"}},
	"verify_connection": {set: false, unset: true, refused: []any{"perhaps"}},
}

func TestConnectionFields(t *testing.T) {
	fields := connection.Schemas(newFakeCloud().registry())
	for name := range fields {
		if _, ok := connectionCases[name]; !ok && name != "name" {
			t.Errorf("field %s has no case", name)
		}
	}
	secrets := map[string]any{"secret_key": "again", "password": "again", "client_secret": "again", applicationSecretField: "again"}
	for name, c := range connectionCases {
		t.Run(name, func(t *testing.T) {
			if fields[name] == nil {
				t.Fatal("is no field")
			}
			h := newHarness(t)
			h.system.SetPasswordPolicy("strong", func() (string, error) { return "Correct-Horse-7-Battery", nil })
			h.connection(t, "c", resetCloud)
			before := h.settings(t, "config/c")
			for _, bad := range c.refused {
				h.refusedWrite(t, "config/c", merged(secrets, map[string]any{name: bad}), name, c.says)
				if after := h.settings(t, "config/c"); !reflect.DeepEqual(after, before) {
					t.Fatalf("the refused %v changed %v to %v", bad, before, after)
				}
			}
			h.write(t, "config/c", merged(secrets, map[string]any{name: c.set}))
			after := h.settings(t, "config/c")
			checkField(t, name, after, c.set, c.reads)
			delete(before, name)
			delete(after, name)
			if !reflect.DeepEqual(after, before) {
				t.Errorf("setting it changed others: %v, before %v", after, before)
			}
			if c.unset == nil {
				h.refusedWrite(t, "config/c", merged(secrets, map[string]any{name: ""}), name)
				return
			}
			h.write(t, "config/c", merged(secrets, map[string]any{name: ""}))
			checkField(t, name, h.settings(t, "config/c"), "", c.unset)
			if fields[name].Type == framework.TypeString {
				h.write(t, "config/c", merged(secrets, map[string]any{name: c.set}))
				h.write(t, "config/c", merged(secrets, map[string]any{name: " "}))
				checkField(t, name, h.settings(t, "config/c"), "", c.unset)
			}
		})
	}
}

// TestDeletedConnectionOwesRotations: a lease that has ended is only worth something once its password has.
// settings is what reading a connection returns of what was written, without what is told of its credential.
func (h *harness) settings(t *testing.T, path string) map[string]any {
	t.Helper()
	data := h.read(t, path)
	for field := range connection.CredentialSchemas() {
		delete(data, field)
	}
	return data
}

func TestDeletedConnectionOwesRotations(t *testing.T) {
	h, lease := unboundAccount(t)
	h.cloud.fail("StartReset", cloud.Errorf(cloud.Throttled, "later"))
	h.revoke(t, lease)
	resp := h.ok(t, logical.DeleteOperation, "config/prod", nil)
	if resp == nil || len(resp.Warnings) != 1 ||
		!strings.Contains(resp.Warnings[0], "were to be rotated, which does not happen without the connection: 1;") {
		t.Errorf("the answer is %+v", resp)
	}
	h.cloud.fail("StartReset", nil)
	h.write(t, "config/prod", connectionData(resetCloud))
	h.hasVersion(t, "srv-1", 2)
	if resp := h.ok(t, logical.DeleteOperation, "config/prod", nil); resp != nil {
		t.Errorf("once everything is rotated the answer is %+v", resp)
	}
}

// TestARecreatedConnectionSeesItsAccounts: what a connection's accounts mean does not change by deleting it.
func TestARecreatedConnectionSeesItsAccounts(t *testing.T) {
	h, lease := unboundAccount(t)
	h.revoke(t, lease)
	h.hasVersion(t, "srv-1", 2)
	h.delete(t, "config/prod")
	h.cloud.hide("srv-1") // as another cloud account would show it
	h.refused(t, logical.UpdateOperation, "config/prod", connectionData(resetCloud), http.StatusConflict, "another cloud account", "srv-1")
	h.refused(t, logical.UpdateOperation, "config/prod", merged(connectionData(bothCloud), map[string]any{"verify_connection": false}),
		http.StatusConflict, "provider:", resetCloud)
	h.absent(t, "config/prod")
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.write(t, "config/prod", connectionData(resetCloud))
}

// manyTags is n tags.
func manyTags(n int) map[string]any {
	tags := map[string]any{}
	for i := range n {
		tags[fmt.Sprintf("k%d", i)] = "v"
	}
	return tags
}

func checkField(t *testing.T, name string, data map[string]any, set, reads any) {
	t.Helper()
	if reads == "-" {
		if got, ok := data[name]; ok {
			t.Errorf("it is read back: %v", got)
		}
		return
	}
	want := set
	if reads != nil {
		want = reads
	}
	if m, ok := want.(map[string]any); ok {
		text := map[string]string{}
		for k, v := range m {
			text[k] = v.(string)
		}
		want = text
	}
	if !reflect.DeepEqual(data[name], want) {
		t.Errorf("%s reads back as %#v, want %#v", name, data[name], want)
	}
}

func TestVerifyConnection(t *testing.T) {
	h := newHarness(t)
	h.cloud.fail("Verify", &cloud.Error{Kind: cloud.Denied, Code: "AuthFailure", Message: "wrong key", RequestID: "r-9"})
	h.refusedWrite(t, "config/c", connectionData(resetCloud), "not stored", "AuthFailure", "r-9", "verify_connection=false")
	h.absent(t, "config/c")
	h.cloud.fail("Verify", cloud.Errorf(cloud.Unavailable, "no route"))
	h.refused(t, logical.UpdateOperation, "config/c", connectionData(resetCloud), http.StatusServiceUnavailable, "no route")
	h.absent(t, "config/c")
	h.write(t, "config/c", merged(connectionData(resetCloud), map[string]any{"verify_connection": false}))
	h.cloud.fail("Verify", nil)
	before := h.cloud.count("Verify")
	h.write(t, "config/c", map[string]any{"verify_connection": true})
	if h.cloud.count("Verify") != before+1 {
		t.Error("the write made no or several calls to verify")
	}
}

// The attack: somebody who may write the connection, and does not know its secrets, points it at a
// server of his own.
func TestSecretsAreResentWithTheirTarget(t *testing.T) {
	h := newHarness(t)
	h.write(t, "config/c", merged(connectionData(resetCloud), map[string]any{
		"username": "u", "password": "pw", "auth_url": "https://iam.example.com", applicationIDField: "ac", applicationSecretField: "acs",
	}))
	for field, value := range map[string]any{
		"endpoints": "compute=https://evil.example.com", "auth_url": "https://evil.example.com", "ca_certificate": testCA,
	} {
		h.refusedWrite(t, "config/c", map[string]any{field: value}, field, "secret_key", "password", applicationSecretField, "same write")
		h.refusedWrite(t, "config/c", map[string]any{field: value, "secret_key": "x", applicationSecretField: "x"}, field, "password")
		h.write(t, "config/c", map[string]any{field: value, "secret_key": "s2", "password": "p2", applicationSecretField: "a2"})
		h.write(t, "config/c", map[string]any{field: value}) // no change: nothing to resend
		h.refusedWrite(t, "config/c", map[string]any{field: ""}, field, "secret_key")
	}
	last := h.cloud.configs[len(h.cloud.configs)-1]
	if last.Values["secret_key"] != "s2" || last.Values["password"] != "p2" || last.Values[applicationSecretField] != "a2" {
		t.Errorf("the provider got %q, %q and %q", last.Values["secret_key"], last.Values["password"], last.Values[applicationSecretField])
	}
}

func TestConnectionIsFixedWhileAccountsExist(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1"})
	h.connection(t, "c", resetCloud)
	h.write(t, "config/c", map[string]any{"region": "r-2", "secret_key": "again"})
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0})
	for _, change := range []map[string]any{{"region": "r-3"}, {"project_id": "p"}} {
		h.refused(t, logical.UpdateOperation, "config/c", change, http.StatusConflict, "accounts", "another connection")
	}
	h.write(t, "config/c", map[string]any{"secret_key": "new", "region": "r-2"})
	h.refused(t, logical.DeleteOperation, "config/c", nil, http.StatusConflict, "roles", "r")
	lease := h.lease(t, "creds/r")
	h.delete(t, "roles/r")
	h.refused(t, logical.DeleteOperation, "config/c", nil, http.StatusConflict, "1 leases")
	h.revoke(t, lease)
	h.delete(t, "config/c")
	h.absent(t, "config/c")
	h.delete(t, "config/c") // nothing to do is success
}

func TestChangedConnectionIsUsedAtOnce(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	h.write(t, "config/prod", map[string]any{"secret_key": "changed"})
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	last := h.cloud.configs[len(h.cloud.configs)-1]
	if last.Values["secret_key"] != "changed" || last.Limiter == nil || last.HTTPClient == nil {
		t.Errorf("the rotation used %q", last.Values["secret_key"])
	}
	if _, ok := last.Limiter.(cloud.Unlimited); ok {
		t.Error("the core's provider is not paced")
	}
}

// Credentials may change, but not to those of another cloud account.
func TestCredentialsStayInTheCloudAccount(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "config/prod", map[string]any{"access_key": "AK2", "secret_key": "again"})
	before := h.cloud.count("DescribeInstances")
	h.write(t, "config/prod", map[string]any{"secret_key": "again"})
	if h.cloud.count("DescribeInstances") != before {
		t.Error("a new secret of the same access key was checked against the instances")
	}
	h.cloud.hide("srv-1")
	for _, change := range []map[string]any{{"access_key": "AK3"}, {"role_arn": "arn:x"}, {ambientField: true}, {"username": "u"}} {
		h.refused(t, logical.UpdateOperation, "config/prod", merged(change, map[string]any{"secret_key": "again"}), http.StatusConflict,
			"another cloud account", "srv-1", "accounts/prod/")
	}
	h.cloud.fail("DescribeInstances", &cloud.Error{Kind: cloud.Denied, Message: "no permission"})
	h.refusedWrite(t, "config/prod", map[string]any{"access_key": "AK3", "secret_key": "again"}, "not stored", "no permission")
	h.write(t, "config/prod", map[string]any{"access_key": "AK3", "secret_key": "again", "verify_connection": false})
}
