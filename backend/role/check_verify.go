package role

import (
	"cmp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// minVerifyPeriod keeps servers from being asked all the time: a check is a command in the guest, or a login.
const minVerifyPeriod = 10 * time.Minute

// verifyFields are the fields that only roles have use for whose servers are looked at.
var verifyFields = []string{"verify_period", "drift_action", "read_drifted"}

// loginFields are the fields that only roles have use for whose servers are looked at by a login.
var loginFields = []string{"check_address", "check_port", "check_trust_on_first_use"}

// maxPort is the last port of TCP.
const maxPort = 65535

func badCheckPort() error {
	return request.Invalidf("check_port: must be 1 to %d; an empty value restores the default, %d", maxPort, cloud.SSHPort)
}

// checkAddress and checkPort are those fields, as given or by default.
func (r *Record) checkAddress() cloud.AddressKind {
	return cmp.Or(r.CheckAddress, cloud.AddressPrivate)
}

func (r *Record) checkPort() int { return cmp.Or(r.CheckPort, cloud.SSHPort) }

func (r *Record) checkFirstUse() bool { return request.ValueOr(r.CheckFirstUse, false) }

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
		return request.Invalidf("check_method: provider %s has no %.40q; use %s", d.Name, r.CheckMethod,
			strings.Join(d.AllCheckMethods(), " or "))
	case r.VerifyPeriod != nil && *r.VerifyPeriod < minVerifyPeriod:
		return request.Invalidf("verify_period: must be at least %s, since a check is a command on each server, or a login there; give an "+
			"empty value for none", request.FormatDuration(minVerifyPeriod))
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
	return checkLoginFields(r, in, d)
}

// checkLoginFields checks the fields about logins at the servers.
func checkLoginFields(r *Record, in request.Fields, d cloud.Descriptor) error {
	if r.CheckMethod != cloud.CheckSSH || d.HasHosts {
		for _, field := range loginFields {
			switch {
			case !in.Gives(field):
			case r.CheckMethod != cloud.CheckSSH:
				return request.Invalidf("%s: belongs to check_method=%s, and this role has check_method=%s; leave it out", field, cloud.CheckSSH,
					r.CheckMethod)
			default:
				return request.Invalidf("%s: servers of provider %s have that in hosts/; write it there, and leave it out here", field, d.Name)
			}
		}
		r.CheckAddress, r.CheckPort, r.CheckFirstUse = "", 0, nil
		return nil
	}
	switch {
	case !r.checkAddress().Known():
		return request.Invalidf("check_address: %.40q is unknown; use %s, %s or %s", r.CheckAddress, cloud.AddressPrivate, cloud.AddressPublic,
			cloud.AddressName)
	case r.CheckPort < 0 || r.CheckPort > maxPort:
		return badCheckPort()
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
	for _, field := range loginFields {
		if in.Gives(field) {
			return request.Invalidf("%s: belongs to check_method=%s; give that too, or leave this out", field, cloud.CheckSSH)
		}
	}
	r.VerifyPeriod, r.DriftAction, r.ReadDrifted = nil, "", nil
	r.CheckAddress, r.CheckPort, r.CheckFirstUse = "", 0, nil
	return nil
}

// checkLookable is nil if the role's check method can look at an instance's user, as far as can be told without asking.
func (v *fitter) checkLookable(i cloud.Instance, username string) error {
	checker := v.checker()
	if checker == nil {
		return nil
	}
	if err := checker.CanCheck(i, username); err != nil {
		return request.Invalidf("instance %s: check_method: %v", i.ID, err)
	}
	kind := v.role.checkAddress()
	mayHave := kind == cloud.AddressPublic && i.State != cloud.StateRunning // clouds take it from servers that are stopped
	if v.role.CheckMethod == cloud.CheckSSH && !v.cloud.HasHosts && kind.Of(i) == "" && !mayHave {
		return request.Invalidf("instance %s: check_address: it has no %s; use another one of %s, %s and %s, or leave check_method empty", i.ID,
			kind, cloud.AddressPrivate, cloud.AddressPublic, cloud.AddressName)
	}
	return nil
}

// checker is the role's check method; nil if it has none.
func (v *fitter) checker() cloud.PasswordChecker {
	if v.role.CheckMethod == "" {
		return nil
	}
	if v.role.CheckMethod == cloud.CheckSSH && v.login != nil {
		return v.login
	}
	if p, ok := v.provider.(cloud.PasswordCheckers); ok {
		return p.Checker(v.role.CheckMethod)
	}
	return nil
}

// readVerify is the part of what reading the role returns that is about looks at its servers.
func (r *Record) readVerify(d cloud.Descriptor) map[string]any {
	data := map[string]any{"check_method": r.CheckMethod}
	if r.CheckMethod != "" {
		data["verify_period"] = request.Seconds(request.ValueOr(r.VerifyPeriod, 0))
		data["drift_action"] = string(r.driftAction())
		data["read_drifted"] = request.ValueOr(r.ReadDrifted, false)
	}
	if r.CheckMethod == cloud.CheckSSH && !d.HasHosts {
		data["check_address"], data["check_port"], data["check_trust_on_first_use"] = string(r.checkAddress()), r.checkPort(), r.checkFirstUse()
	}
	return data
}
