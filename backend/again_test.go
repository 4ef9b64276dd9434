package backend

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// A write that is refused for one field is repeated with that field put right, and with no secret in it.
func TestRefusedWriteTellsItsCorrection(t *testing.T) {
	h := roleMount(t)
	h.refusedWrite(t, "roles/r", map[string]any{"connection": initialCloud, "instance_ids": []any{"srv-1"}, "mode": "leased",
		"custom_metadata": map[string]any{"b": "it's", "a": 1}},
		"vault write cloudpw/roles/r connection="+initialCloud+` custom_metadata=a=1 'custom_metadata=b=it'\''s' instance_ids=srv-1 mode=static`)

	h.cloud.fail("Verify", cloud.Errorf(cloud.Denied, "the credentials are wrong"))
	data := connectionData(resetCloud)
	data["endpoints"] = map[string]any{"compute": "https://example.com"}
	h.refusedWrite(t, "config/new", data, "was not stored",
		"then write it again: vault write cloudpw/config/new access_key=@access-key.txt endpoints=compute=https://example.com "+
			"provider="+resetCloud+" region=r-1 secret_key=@secret-key.txt (to store it all the same, add verify_connection=false)")

	h.refusedWrite(t, "config/new", merged(data, map[string]any{"endpoints": map[string]any{"compute": "http://example.com"}}),
		"endpoints.compute: plain http", "use https; vault write cloudpw/config/new ", " endpoints=compute=https://example.com")
	data["endpoints"] = []any{"compute=https://example.com"} // what the vault command makes of endpoints given twice
	h.refusedWrite(t, "config/new", data, " endpoints=compute=https://example.com provider=")
	for _, url := range []string{"http://user:pw@example.com", "http://example.com/\n"} {
		_, message := statusOf(h.request(t, logical.UpdateOperation, "config/new",
			merged(data, map[string]any{"endpoints": map[string]any{"compute": url}})))
		if strings.Contains(message, "pw@") || strings.Contains(message, "\n") {
			t.Errorf("the refusal of %q repeats it: %s", url, message)
		}
	}
}

func TestMisspeltField(t *testing.T) {
	h := newHarness(t)
	for field, want := range map[string]string{
		"max_tll":     "did you mean max_ttl?",
		"instance_id": "did you mean instance_ids?",
		"instnce_ids": "did you mean instance_ids?",
		"password":    "custom_metadata, disable_automated_rotation",
	} {
		h.refusedWrite(t, "roles/web", map[string]any{field: "s3cr3t"}, "unknown field", want, "vault path-help cloudpw/roles/web")
	}
	_, message := statusOf(h.request(t, logical.UpdateOperation, "roles/web", map[string]any{"password": "s3cr3t"}))
	if strings.Contains(message, "did you mean") || strings.Contains(message, "s3cr3t") {
		t.Errorf("a field that is near to none: %s", message)
	}
}
