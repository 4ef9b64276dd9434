package role

import (
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// resetFields are the fields that only roles have use for that set passwords.
var resetFields = slices.Concat([]string{"password_policy", "min_reset_interval", "force_stop", "shared_password"}, scheduleFields)

// resetField returns a field of resetFields that the role still has a value for, or "".
func (r *Record) resetField() string {
	s := r.schedule()
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"password_policy", r.PasswordPolicy != ""}, {"min_reset_interval", r.MinResetInterval != nil}, {"force_stop", r.ForceStop != nil},
		{"rotation_period", s.Period > 0}, {"rotation_schedule", s.Cron != ""}, {"rotate_on_read", r.rotateOnRead()},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

// checkResetFields checks the fields about resets.
func checkResetFields(r, _ *Record, in request.Fields, d cloud.Descriptor) error {
	method, resets := r.resetMethod(d)
	switch {
	case r.ResetMethod != "" && !d.CanReset():
		return request.Invalidf("reset_method: provider %s cannot reset passwords; leave it out", d.Name)
	case r.ResetMethod != "" && !resets:
		return request.Invalidf("reset_method: provider %s has no %.40q; use %s", d.Name, r.ResetMethod,
			strings.Join(d.ResetMethodNames(), " or "))
	case !resets:
		return checkNoResetFields(r, in, d)
	case method.MayStop && r.ForceStop == nil:
		return request.Invalidf("force_stop: required with provider %s, which resets the password of a running server by shutting it down: "+
			"true allows that, false resets only stopped servers. Decide it: %s", d.Name, in.Again("roles/", "force_stop=true"))
	case !method.MayStop && r.ForceStop != nil:
		return request.Invalidf("force_stop: provider %s stops no server with reset_method=%s; leave it out, or give an empty value to drop it",
			d.Name,
			method.Name)
	case r.minResetInterval() > longestTTL:
		return request.Invalidf("min_reset_interval: must be at most %dh", int(longestTTL.Hours()))
	}
	return nil
}

// checkNoResetFields refuses what has no use in a role that sets no passwords.
func checkNoResetFields(r *Record, in request.Fields, d cloud.Descriptor) error {
	field := r.resetField()
	for _, f := range resetFields {
		if f == "shared_password" && d.CanReset() {
			continue // checkSharedPassword has the better reason
		}
		if field == "" && in.Gives(f) {
			field = f
		}
	}
	if field == "" && r.SkipImportRotation != nil && !*r.SkipImportRotation {
		field = "skip_import_rotation"
	}
	switch {
	case field == "":
		return nil
	case r.source(d) == rotation.FromImport:
		return request.Invalidf("%s: passwords of a role with source=%s are set by people, so nothing rotates; leave it out", field,
			rotation.FromImport)
	case !d.CanReset():
		return request.Invalidf("%s: provider %s cannot reset passwords, so nothing rotates; leave it out", field, d.Name)
	}
	return request.Invalidf(
		"%s: this role only reads initial passwords and sets none; give reset_method=%s too, or an empty value to drop the field",
		field, d.ResetMethods[0].Name)
}
