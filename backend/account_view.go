package backend

import (
	"maps"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// accountData is what accounts/ shows: everything about an account but its passwords and the nonces
// of its leases. Times are RFC 3339; a time that is not is left out.
func accountData(v *rotation.View) map[string]any {
	data := map[string]any{
		"connection":          v.ID.Connection,
		"instance_id":         v.ID.InstanceID,
		"username":            v.ID.Username,
		"provider":            v.Provider,
		"role":                v.Role,
		"mode":                string(v.Settings.Mode),
		"source":              string(v.Settings.Source),
		"state":               v.State,
		"instance_name":       v.Shown.Name,
		"platform":            string(v.Facts.Platform),
		"os_name":             v.Shown.OSName,
		"private_ip":          v.Shown.PrivateIP,
		"public_ip":           v.Shown.PublicIP,
		"key_name":            v.Shown.KeyName,
		"current_version":     currentVersion(v),
		"versions":            versionsData(v.Versions),
		"leases":              leasesData(v.Leases),
		"attempts":            v.Attempts,
		"unshown_attempts":    v.Unshown,
		"open_attempts":       v.OpenAttempts,
		"candidates":          v.Candidates,
		"old_unresolved":      v.OldUnresolved,
		"rejected":            v.Rejected,
		"failures":            v.Failures,
		"last_error":          v.LastError,
		"initial_overwritten": v.InitialOverwritten,
		"shared_password":     v.Settings.SharedPassword,
		"last_role":           v.LastRole,
		"move_to":             v.MoveTo,
	}
	maps.Copy(data, verifiedData(v))
	data["place"], data["place_trusted"] = string(v.Place), v.PlaceTrusted
	if v.Due != nil {
		data["due_reason"] = string(v.Due.Reason)
		data["due_since"] = request.Timestamp(v.Due.Since)
		setText(data, "due_requested_by", v.Due.By.DisplayName)
	}
	if v.WaitingFor != rotation.ForNothing {
		data["waiting_for"] = string(v.WaitingFor)
	}
	if !v.ShownInstead.IsZero() {
		data["shown_instead"] = v.ShownInstead
	}
	setTime(data, "launch_time", request.Timestamp(v.Shown.LaunchTime))
	setTime(data, "pending_since", request.Timestamp(v.PendingSince))
	setTime(data, "last_error_time", request.Timestamp(v.LastErrorTime))
	setTime(data, "next_try", request.Timestamp(v.NextTry))
	setTime(data, "last_vault_rotation", request.Timestamp(v.LastRotation))
	setTime(data, "next_vault_rotation", request.Timestamp(v.NextRotation))
	setTime(data, "missed_vault_rotation", request.Timestamp(v.MissedRotation))
	setTime(data, "initial_cleared_time", request.Timestamp(v.InitialCleared))
	if !v.Rebuilt.IsZero() {
		data["rebuilt_time"], data["rebuilt_reason"] = request.Timestamp(v.Rebuilt), v.WhyRebuilt
	}
	setTime(data, "gone_time", request.Timestamp(v.Gone))
	setTime(data, "forgotten_time", request.Timestamp(v.Forgotten))
	if v.Joining {
		data["joining"] = true
	}
	if !v.LeftOut.IsZero() {
		data["left_out_time"], data["left_out_reason"] = request.Timestamp(v.LeftOut), v.LeftOutReason
	}
	return data
}

// groupData is what accounts/ shows of the password that an account shares with others.
func groupData(v *rotation.View) map[string]any {
	all := accountData(v)
	data := map[string]any{}
	for _, field := range []string{"state", "current_version", "versions", "leases", "due_reason", "due_since", "pending_since",
		"failures", "last_error", "last_error_time", "next_try", "waiting_for", "last_vault_rotation", "next_vault_rotation",
		"missed_vault_rotation"} {
		if value, ok := all[field]; ok {
			data[field] = value
		}
	}
	return data
}

func setTime(data map[string]any, field, value string) {
	if value != "" {
		data[field] = value
	}
}

// currentVersion is the number of the current version; 0: there is none yet.
func currentVersion(v *rotation.View) int {
	for _, version := range v.Versions {
		if version.Current {
			return version.Number
		}
	}
	return 0
}

func versionsData(versions []rotation.VersionView) []map[string]any {
	out := make([]map[string]any, 0, len(versions))
	for _, v := range versions {
		data := map[string]any{
			"version":      v.Number,
			"source":       string(v.Source),
			"created_time": request.Timestamp(v.Created),
			"confirmed":    v.Confirmed,
			"current":      v.Current,
			"place":        string(v.Place),
			"roles":        orNone(v.Roles),
		}
		setTime(data, "disclosed_time", request.Timestamp(v.Disclosed))
		setTime(data, "disclosed_until", request.Timestamp(v.Until))
		setTime(data, "ended_time", request.Timestamp(v.Ended))
		addChange(data, v.Change)
		addReaders(data, v.Given)
		out = append(out, data)
	}
	return out
}

// addChange adds why and how a version was made.
func addChange(data map[string]any, c rotation.Change) {
	if c.Reason == "" {
		return // the initial password of a first read
	}
	data["reason"] = string(c.Reason)
	setTime(data, "due_since", request.Timestamp(c.Since))
	setText(data, "requested_by", c.By.DisplayName)
	setText(data, "requested_by_entity_id", c.By.EntityID)
	setTime(data, "begun_time", request.Timestamp(c.Begun))
	if c.Attempts > 0 {
		data["attempts"] = c.Attempts
	}
	setText(data, "request_id", c.RequestID)
	if c.Checked {
		data["confirmed_by_check"] = true
	}
	if c.ForceStop {
		data["force_stop"] = true
	}
}

// changeResponse is the schema of addChange.
func changeResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Description: description}
	}
	return map[string]*framework.FieldSchema{
		"reason":    text("Why it was made: a due_reason of accounts/, restore, or reread. Not for the initial password of a first read."),
		"due_since": request.TimeField(false, "Since when the rotation was due"),
		"requested_by": text(
			"The display name of who asked for the rotation, import, restore or reread; missing if nobody did. The rotation may " +
				"have been due for another reason already."),
		"requested_by_entity_id": text("The id of that client's entity in Vault."),
		"begun_time":             request.TimeField(false, "When the password was made, before the cloud was asked to set it"),
		"attempts": {Type: framework.TypeInt, Description: "How many times it was sent. Missing for an import, and for the password that " +
			"a role's accounts share: each account has its own number."},
		"request_id": text("The cloud's id of the request or command that set it; missing if the cloud gave none."),
		"confirmed_by_check": {Type: framework.TypeBool,
			Description: "Only if true: a check of the server was the proof, since the cloud did not show the outcome."},
		"force_stop": {Type: framework.TypeBool,
			Description: "Only if true: a request allowed the cloud to shut down the server, if that was running."},
	}
}

func setText(data map[string]any, field, value string) {
	if value != "" {
		data[field] = value
	}
}

// orNone is a list that is never null.
func orNone(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

func leasesData(leases []rotation.LeaseView) []map[string]any {
	out := make([]map[string]any, 0, len(leases))
	for _, l := range leases {
		data := map[string]any{
			"version":     l.Version,
			"issue_time":  request.Timestamp(l.Issued),
			"expire_time": request.Timestamp(l.Expires),
		}
		addClient(data, l.Client)
		out = append(out, data)
	}
	return out
}

// waitingForWords explains the words of waiting_for.
const waitingForWords = "backoff (the pause after a failure), brake (the cloud did not show the outcome of several attempts), " +
	"connection_brake (nor the outcome of attempts of several accounts of the connection), min_reset_interval, rotation_window, " +
	"settle_window (an earlier request may still take effect), turn (another user of the instance is being rotated), " +
	"operation (another operation runs on the instance), outcome (the cloud is asked for the outcome), connection (the connection does not " +
	"work), group (the role's shared password), members (the role's instances), lease (the end of an exclusive one) or queue (only its " +
	"place in the queue)."

// accountResponse is the schema of accountData.
func accountResponse() map[string]*framework.FieldSchema {
	field := func(t framework.FieldType, required bool, description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: t, Required: required, Description: description}
	}
	text := func(description string) *framework.FieldSchema {
		return field(framework.TypeString, true, description)
	}
	number := func(description string) *framework.FieldSchema {
		return field(framework.TypeInt, true, description)
	}
	flag := func(description string) *framework.FieldSchema {
		return field(framework.TypeBool, true, description)
	}
	all := map[string]*framework.FieldSchema{
		"connection":  text("The connection that serves the instance."),
		"instance_id": text("Id of the instance."),
		"username":    text("The user."),
		"provider":    text("The connection's provider."),
		"role":        text("The role that the account is bound to; empty if none."),
		"last_role": text(
			"The role that the account last belonged to, if it is bound to none; empty if nobody can know a password of it."),
		"move_to": text("The role that an operator has allowed to have the account, but that does not have it yet; empty if none."),
		"mode":    text("Mode of the role: leased or static."),
		"source":  text("Source of version 1: initial, reset or import."),
		"state": text("ready, due, rotating, braked (the cloud does not show the outcome of its resets, so nothing is sent " +
			"for a while), settling (an earlier reset is not settled yet), empty (no password yet) or gone."),
		"instance_name":   text("Name of the instance in the cloud."),
		"platform":        text("windows or linux; empty if the cloud does not tell."),
		"os_name":         text("The cloud's name for the operating system."),
		"private_ip":      text("Private address, as last seen."),
		"public_ip":       text("Public address, as last seen."),
		"key_name":        text("Name of the instance's key pair in the cloud."),
		"current_version": number("Number of the current version; 0: none yet."),
		"versions": field(framework.TypeSlice, true, "The versions without their passwords, oldest first: version, source, "+
			"created_time, confirmed, current, roles (whose readers were given it), place, disclosed_time, disclosed_until, ended_time; why "+
			"and how it was made, as in versions/: reason, due_since, requested_by, requested_by_entity_id, begun_time, attempts, request_id, "+
			"force_stop; and "+readersWords+"."),
		"leases": field(framework.TypeSlice, true, "The live leases: version, issue_time, expire_time; and who "+
			"has each of them, as far as Vault told: entity_id, display_name, remote_address. If more than 100 clients have leases, the others "+
			"are not named."),
		"attempts": number("Attempts of the running rotation."),
		"unshown_attempts": number(
			"Attempts of the running rotation whose outcome the cloud did not show; from 3 on, there are long pauses between them."),
		"open_attempts": number("Attempts whose outcome is not known."),
		"candidates":    number("Passwords of failed rotations that the server may have."),
		"old_unresolved": flag("Whether an attempt of a confirmed password may still arrive. This delays imports and restores, and the next " +
			"rotation unless the server itself refuses older passwords."),
		"rejected":            flag("Whether the cloud refused the rotation's password."),
		"failures":            number("Failures in a row."),
		"last_error":          text("The last failure; empty if the last try succeeded."),
		"initial_overwritten": flag("Whether it is known that the server no longer has the cloud's initial password."),
		"shared_password":     flag("Whether the account shares its password with the other accounts of its role."),
		"group": field(framework.TypeMap, false, "Only with shared_password: state, versions, leases, due_reason, due_since "+
			"and further fields, as here, of the password that the role's accounts share."),
		"joining": field(framework.TypeBool, false, "Only with shared_password: true while the account waits for the next "+
			"password of its role. It does not get the one that the others have."),
		"left_out_time": request.TimeField(false, "Only with shared_password: since when the role's other accounts do not wait for this one"),
		"left_out_reason": field(framework.TypeString, false,
			"Why they do not. cloudpw keeps trying it, and includes it again once it has confirmed their password."),
		"place":         text("Fingerprint of the place where the connection leads, as last recorded; see place/."),
		"place_trusted": flag("Whether what that place says about existing servers is trusted."),
		"due_reason": field(framework.TypeString, false,
			"Why a rotation is due: first, revoked, deadline, leaver, joiner, moved, schedule, manual, import, read, reader, place or drifted."),
		"due_since": request.TimeField(false, "Since when a rotation is due"),
		"due_requested_by": field(framework.TypeString, false,
			"The display name of the client that last asked for the rotation that is due; missing if nobody did."),
		"launch_time":     request.TimeField(false, "When the instance was launched"),
		"pending_since":   request.TimeField(false, "When the running rotation began"),
		"last_error_time": request.TimeField(false, "When the last failure happened"),
		"next_try":        request.TimeField(false, "Only while a rotation is due: when it continues, at the earliest"),
		"waiting_for": field(framework.TypeString, false, "Only while a rotation is due: what it waits for until next_try. "+
			waitingForWords),
		"shown_instead": field(framework.TypeString, false,
			"Only if unshown_attempts is above 0: what the cloud showed instead of the last one's outcome."),
		"last_vault_rotation": request.TimeField(false, "When Vault last rotated the account"),
		"next_vault_rotation": request.TimeField(false, "When the next scheduled rotation is"),
		"missed_vault_rotation": request.TimeField(false,
			"The last scheduled time whose rotation_window passed without a rotation, for example while Vault was sealed"),
		"initial_cleared_time": request.TimeField(false, "When the cloud's copy of the initial password was deleted"),
		"gone_time":            request.TimeField(false, "When the cloud said that the instance no longer exists"),
		"rebuilt_time": request.TimeField(false, "When a look at the cloud showed that the server seems to have been rebuilt since the "+
			"current password was recorded, so that it may have another one"),
		"rebuilt_reason": field(framework.TypeString, false, "Only with rebuilt_time: what the cloud has shown, and what helps."),
		"forgotten_time": request.TimeField(false, "Only if the instance is gone, and no role, lease or unsettled reset keeps the account: when "+
			"it is forgotten, see the connection's forget_gone_after"),
	}
	maps.Copy(all, verifiedResponse())
	return all
}
