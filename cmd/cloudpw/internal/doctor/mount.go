package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// mountInfo is what Vault tells of a mount to whoever has any right on it.
type mountInfo struct {
	Type           string `json:"type"`
	RunningVersion string `json:"running_plugin_version"`
	PluginVersion  string `json:"plugin_version"`
}

func (d *Doctor) mount(ctx context.Context) {
	var m mountInfo
	mount := d.Client.Mount()
	err := d.read(ctx, "sys/internal/ui/mounts/"+mount, &m)
	switch {
	case statusOf(err) == http.StatusForbidden:
		d.add(partMount, Wrong, "vault secrets list, and --mount PATH or CLOUDPW_MOUNT", mount+"/ is no mount, or this token has no right on it "+
			"at all")
		return
	case err != nil:
		d.add(partMount, Wrong, "vault secrets list, and --mount PATH or CLOUDPW_MOUNT", mount+"/: "+messages(err))
		return
	}
	version := m.RunningVersion
	if version == "" {
		version = m.PluginVersion
	}
	if !strings.Contains(m.Type, "cloudpw") {
		d.add(partMount, Note, "vault secrets list, and --mount PATH or CLOUDPW_MOUNT", fmt.Sprintf("%s/ is a mount of the plugin %s; is that "+
			"cloudpw's?", mount, m.Type))
	}
	switch {
	case version == "":
		d.add(partMount, Note, "vault secrets list -detailed", mount+"/ does not tell the plugin's version")
	case sameVersion(version, d.Version):
		d.add(partMount, OK, "", fmt.Sprintf("%s/, plugin %s, as this command", mount, version))
	case isDevelopment(d.Version) || isDevelopment(version):
		d.add(partMount, Note, "", fmt.Sprintf("%s/, plugin %s; this command is %s", mount, version, d.Version))
	default:
		d.add(partMount, Wrong, "install the command of release "+output.Word(version)+", or upgrade the plugin (docs/operations.md)",
			fmt.Sprintf("%s/ has plugin %s, and this command is %s: fields of one may be unknown to the other", mount, version, d.Version))
	}
}

func sameVersion(a, b string) bool { return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v") }

// isDevelopment reports whether a version is that of no release.
func isDevelopment(v string) bool { return sameVersion(v, "0.0.0-dev") }
