package connection

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// A provider whose new credential has to be brought to many places, such as a key pair to the hosts that let it in, needs the
// previous one until that is done. It is in the fields with cloud.Field.Internal, from step RootStored until the end of the rotation.

// KeepsPrevious reports whether the connection has what a rotation under way still needs of the credential that it replaces.
func (c *Record) KeepsPrevious(d cloud.Descriptor) bool {
	for _, f := range d.Fields {
		if f.Internal && c.Own.Text(f) != "" {
			return true
		}
	}
	return false
}

// forgetPrevious empties what only a rotation needs.
func (c *Record) forgetPrevious(d cloud.Descriptor) {
	emptied := cloud.Values{}
	for _, f := range d.Fields {
		if f.Internal {
			emptied[f.Name] = ""
		}
	}
	if len(emptied) > 0 {
		c.Own = c.Own.With(emptied)
	}
}

// EndRotation notes that a rotation is complete.
func (c *Record) EndRotation(d cloud.Descriptor, now time.Time) {
	c.RootRotation, c.LastRootRotation, c.RootFailure = nil, now.UTC(), nil
	c.forgetPrevious(d)
}

// checkPreviousKept refuses a write that would forget a previous credential which is still needed: with another credential, or for
// another place, the rotation cannot be finished. Whoever insists says so in the same write.
func checkPreviousKept(name string, d cloud.Descriptor, old, next *Record, in request.Fields) error {
	if !old.KeepsPrevious(d) || SameCredentials(d, old, next) || in.Has("verify_connection") && !next.Verifies() {
		return nil
	}
	changed := changedFields(d, old, next, func(k cloud.FieldKind) bool { return k == cloud.FieldSecret || k.BindsSecrets() })
	refusal := request.Conflictf("%s: rotate-root/%s is not finished, and some servers may let in only the previous credential, which this "+
		"write would forget; finish it first: %s; what remains, and why: %s", request.Summarize(changed), name,
		hint.New("write -force", "rotate-root/"+name), hint.New("read", "config/"+name))
	return request.WithWayOut(refusal, "to abandon it all the same, add verify_connection=false: servers that let in neither what you write "+
		"nor the new credential are then to be repaired by hand")
}
