package backend

import (
	"cmp"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// rowFields are the fields of an account's row, in the order of columns. Lists and the report have the same.
var rowFields = []string{"connection", "instance_id", "username", "name", "address", "role", "mode", "state", "version", "created_time",
	"age", "confirmed", "due_reason", "due_since", "waiting_for", "next_try", "failures", "last_error", "leases", "holders", "drifted",
	"check_result", "check_user_state", "checked_time", "rebuilt_time"}

// rowWords says what those of them mean that accounts/ has not under the same name.
const rowWords = "name and address (the private one if there is one) of the instance; version, created_time and age (in seconds) of the " +
	"current password, all three missing if there is none yet; leases, their number, including those of a shared_password; " +
	"holders, the display names of those who have them (without one, the entity id), sorted, at most 5, and missing if there are none"

// maxHolders is how many holders a row names.
const maxHolders = 5

// accountRow is an account in a list of many. It has no secret.
func (b *backend) accountRow(v *rotation.View, now time.Time) map[string]any {
	row := map[string]any{
		"connection":  v.ID.Connection,
		"instance_id": v.ID.InstanceID,
		"username":    v.ID.Username,
		"name":        v.Shown.Name,
		"address":     addressOf(v.Shown),
		"role":        v.Role,
		"mode":        string(v.Settings.Mode),
		"state":       v.State,
		"failures":    v.Failures,
		"last_error":  v.Failed(),
		"leases":      b.core.LeaseCount(v),
		"drifted":     v.Drifted,
	}
	if current := v.Current(); current != nil {
		row["version"], row["confirmed"] = current.Number, current.Confirmed
		row["created_time"] = request.Timestamp(current.Created)
		row["age"] = request.Seconds(max(now.Sub(current.Created), 0))
	}
	if v.Due != nil {
		row["due_reason"], row["due_since"] = string(v.Due.Reason), request.Timestamp(v.Due.Since)
	}
	if v.WaitingFor != rotation.ForNothing {
		row["waiting_for"] = string(v.WaitingFor)
	}
	if holders := b.core.Holders(v, maxHolders); len(holders) > 0 {
		row["holders"] = holders
	}
	setText(row, "check_result", string(v.Check.Result))
	setText(row, "check_user_state", string(v.Check.User))
	setTime(row, "checked_time", request.Timestamp(v.Check.Time))
	setTime(row, "rebuilt_time", request.Timestamp(v.Rebuilt))
	setTime(row, "next_try", request.Timestamp(v.NextTry))
	return row
}

// addressOf is the address under which an instance is more likely reached from inside.
func addressOf(f rotation.Facts) string { return cmp.Or(f.PrivateIP, f.PublicIP) }

// infoField describes the details of a list.
func infoField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeMap, Description: description}
}
