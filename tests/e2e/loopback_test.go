//go:build e2e

package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestLoopbackIsClosedByDefault: a Vault that nobody has prepared for simulators sends nothing to services of its own
// machine; the operator's word at the plugin's registration opens that.
func TestLoopbackIsClosedByDefault(t *testing.T) {
	t.Parallel()
	bin := harness.FindBinaries(t)
	v := harness.StartVault(t, bin, harness.WithoutLoopbackHTTP)
	v.RegisterAndMount(t)
	connection := map[string]any{
		"provider": "aws", "region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "not-a-real-key",
		"verify_connection": false,
		"endpoints":         map[string]string{"ec2": v.Address},
	}
	_, err := v.Client.Logical().WriteWithContext(t.Context(), "cloudpw/config/here", connection)
	if text := harness.Refused(t, err, http.StatusBadRequest); !strings.Contains(text, "endpoints.ec2") ||
		!strings.Contains(text, "CLOUDPW_ALLOW_LOOPBACK_HTTP") {
		t.Errorf("the write is refused with %q", text)
	}
	sum := harness.Checksum(t, bin.Plugin)
	if bin.OpenBao { // its command has no -env
		v.Write(t, "sys/plugins/catalog/secret/"+harness.PluginName, map[string]any{
			"sha256": sum, "version": bin.PluginVersion, "command": filepath.Base(bin.Plugin), "env": []string{"CLOUDPW_ALLOW_LOOPBACK_HTTP=true"},
		})
	} else {
		v.CLI(t, "plugin", "register", "-sha256="+sum, "-version="+bin.PluginVersion, "-command="+filepath.Base(bin.Plugin),
			"-env=CLOUDPW_ALLOW_LOOPBACK_HTTP=true", "secret", harness.PluginName)
	}
	v.ReloadPlugin(t)
	v.Write(t, "cloudpw/config/here", connection)
}
