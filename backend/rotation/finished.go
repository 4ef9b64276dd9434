package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxID is how many characters of an id from a cloud are shown.
const maxID = 100

// logRotated is the one line that a finished rotation leaves in the log.
func (x *executor) logRotated(a *Account) {
	v := a.Current()
	if v == nil {
		return
	}
	how := v.Change
	x.opts.Logger.Info("account rotated", "account", a.String(), "version", v.Number, "reason", string(how.Reason),
		"due_since", how.Since.UTC().Format(time.RFC3339), "requested_by", how.By.DisplayName, "attempts", how.Attempts,
		"request_id", text.Line(how.RequestID, maxID, v.Password), "force_stop", how.ForceStop)
}
