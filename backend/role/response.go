package role

import (
	"maps"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// ResponseData is what reading the role returns, with defaults filled in. Fields of the other mode, and those
// that the provider has no use for, are left out.
func (r *Record) ResponseData(d cloud.Descriptor) map[string]any {
	data := map[string]any{
		"connection":      r.Connection,
		"instance_ids":    r.InstanceIDs,
		"instance_tags":   r.InstanceTags,
		"username":        r.Username,
		"mode":            string(r.Mode),
		"source":          string(r.source(d)),
		"max_versions":    r.maxVersions(),
		"custom_metadata": r.CustomMetadata,
	}
	if r.InstanceIDs == nil {
		data["instance_ids"] = []string{}
	}
	if r.InstanceTags != nil {
		data["waiting"] = r.waiting()
	}
	for _, field := range []string{"instance_tags", "custom_metadata"} {
		if m, ok := data[field].(map[string]string); ok && m == nil {
			data[field] = map[string]string{}
		}
	}
	if r.Mode == rotation.Leased {
		data["checkout"] = string(r.checkout())
		data["rotate_on_revoke"] = string(r.rotateOnRevoke())
		data["ttl"] = request.Seconds(r.EffectiveTTL())
		data["max_ttl"] = request.Seconds(r.EffectiveMaxTTL())
	}
	if r.source(d) == rotation.FromInitial {
		data["key"] = r.Key
		if d.CanClearInitial {
			data["clear_initial"] = request.ValueOr(r.ClearInitial, false)
		}
	}
	method, resets := r.resetMethod(d)
	if d.CanReset() {
		data["reset_method"] = method.Name
	}
	if resets {
		data["password_policy"] = r.PasswordPolicy
		data["min_reset_interval"] = request.Seconds(r.minResetInterval())
		data["shared_password"] = r.Shared()
		if r.Mode == rotation.Static {
			data["skip_import_rotation"] = r.skipImportRotation()
		}
		maps.Copy(data, r.readSchedule())
	}
	if d.CanCheck() {
		maps.Copy(data, r.readVerify(d))
	}
	if method.MayStop {
		data["force_stop"] = r.forceStop()
	}
	return data
}

// waiting are the instances that the role's tags match and that it does not have, and those that it has only
// until somebody has them moved.
func (r *Record) waiting() []map[string]any {
	waiting := []map[string]any{}
	for _, c := range slices.Concat(r.Conflicts, r.Kept) {
		waiting = append(waiting, map[string]any{"instance_id": c.InstanceID, "username": c.Username, "reason": c.Reason})
	}
	return waiting
}

// readSchedule is the part of what reading the role returns that is about its schedule. The provider
// can reset passwords.
func (r *Record) readSchedule() map[string]any {
	s := r.schedule()
	data := map[string]any{
		"rotation_schedule": s.Cron,
		"rotation_timezone": s.Timezone,
		"rotation_window":   request.Seconds(s.Window),
	}
	if s.Timezone == "" {
		data["rotation_timezone"] = defaultTimezone
	}
	if r.Mode == rotation.Static {
		data["rotation_period"] = request.Seconds(s.Period)
		data["rotate_on_read"] = r.rotateOnRead()
		data["rotate_on_read_cooldown"] = request.Seconds(r.readCooldown())
		data["disable_automated_rotation"] = s.Disabled
	}
	return data
}
