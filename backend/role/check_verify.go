package role

import (
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// minVerifyPeriod keeps servers from being asked all the time: a check is a command in the guest.
const minVerifyPeriod = 10 * time.Minute

// verifyFields are the fields that only roles have use for whose servers are looked at.
var verifyFields = []string{"verify_period", "drift_action", "read_drifted"}

// driftAction is drift_action, as given or by default.
func (r *Record) driftAction() rotation.DriftAction {
	if r.DriftAction == "" {
		return rotation.DriftReport
	}
	return r.DriftAction
}

// checkVerifyFields checks the fields about looks at the servers.
func checkVerifyFields(r, _ *Record, in request.Fields, d cloud.Descriptor) error {
	switch {
	case r.CheckMethod == "":
		return checkNoVerifyFields(r, in)
	case !d.CanCheck():
		return request.Invalidf("check_method: provider %s cannot look at a server's password; leave it out", d.Name)
	case !d.HasCheckMethod(r.CheckMethod):
		return request.Invalidf("check_method: provider %s has no %.40q; use %s", d.Name, r.CheckMethod, strings.Join(d.CheckMethods, " or "))
	case r.VerifyPeriod != nil && *r.VerifyPeriod < minVerifyPeriod:
		return request.Invalidf("verify_period: must be at least %s, since a check is a command on each server; give an empty value for none",
			request.FormatDuration(minVerifyPeriod))
	case request.ValueOr(r.VerifyPeriod, 0) > longestTTL:
		return request.Invalidf("verify_period: must be at most %dh", int(longestTTL.Hours()))
	}
	switch action := r.driftAction(); {
	case action != rotation.DriftReport && action != rotation.DriftRestore && action != rotation.DriftRotate:
		return request.Invalidf("drift_action: %.40q is unknown; use %s, %s or %s", action, rotation.DriftReport, rotation.DriftRestore,
			rotation.DriftRotate)
	case action == rotation.DriftRotate && r.source(d) == rotation.FromImport:
		return request.Invalidf("drift_action: %s sets passwords, and those of a role with source=%s are set by people; use %s or %s", action,
			rotation.FromImport, rotation.DriftReport, rotation.DriftRestore)
	case action == rotation.DriftRotate && !r.resets(d):
		return request.Invalidf("drift_action: %s needs a role that sets passwords; give reset_method too, or use %s", action,
			rotation.DriftReport)
	case action != rotation.DriftReport && r.Shared():
		return request.Invalidf("drift_action: a role with shared_password is only told of a server that has another password: %s would reset "+
			"all of them; use %s, and rotate the role when it suits", action, rotation.DriftReport)
	}
	return nil
}

// checkNoVerifyFields refuses what has no use in a role whose servers are not looked at.
func checkNoVerifyFields(r *Record, in request.Fields) error {
	for _, field := range verifyFields {
		if in.Gives(field) {
			return request.Invalidf("%s: belongs to check_method; give that too, or leave this out", field)
		}
	}
	r.VerifyPeriod, r.DriftAction, r.ReadDrifted = nil, "", nil
	return nil
}

// checkLookable is nil if the role's check method can look at an instance's user, as far as can be told without asking.
func (v *fitter) checkLookable(i cloud.Instance, username string) error {
	p, ok := v.provider.(cloud.PasswordCheckers)
	if v.role.CheckMethod == "" || !ok {
		return nil
	}
	checker := p.Checker(v.role.CheckMethod)
	if checker == nil {
		return nil
	}
	if err := checker.CanCheck(i, username); err != nil {
		return request.Invalidf("instance %s: check_method: %v", i.ID, err)
	}
	return nil
}

// readVerify is the part of what reading the role returns that is about looks at its servers.
func (r *Record) readVerify() map[string]any {
	data := map[string]any{"check_method": r.CheckMethod}
	if r.CheckMethod != "" {
		data["verify_period"] = request.Seconds(request.ValueOr(r.VerifyPeriod, 0))
		data["drift_action"] = string(r.driftAction())
		data["read_drifted"] = request.ValueOr(r.ReadDrifted, false)
	}
	return data
}
