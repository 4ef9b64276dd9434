package role

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Defaults of role fields.
const (
	defaultTTL         = time.Hour
	defaultMaxTTL      = 24 * time.Hour
	defaultMaxVersions = 10
	// defaultForcedInterval is min_reset_interval's default where a reset may stop a running server.
	defaultForcedInterval = 10 * time.Minute
)

// source is the role's source as in force with a provider.
func (r *Record) source(d cloud.Descriptor) rotation.Source {
	switch {
	case r.Source != "":
		return r.Source
	case d.HasInitialPassword:
		return rotation.FromInitial
	}
	return rotation.FromReset
}

// defaultMode is the mode of a new role that names none.
func defaultMode(source rotation.Source) rotation.Mode {
	if source == rotation.FromReset {
		return rotation.Leased
	}
	return rotation.Static
}

// resetMethod is the way in which the role has passwords set; false if it never does: where the provider
// cannot, or people do it, and in a static role about initial passwords unless it names a method. Reading what the cloud
// has already must not need, or use, the right to change it. The role's mode is settled.
func (r *Record) resetMethod(d cloud.Descriptor) (cloud.ResetMethod, bool) {
	switch {
	case r.source(d) == rotation.FromImport:
		return cloud.ResetMethod{}, false
	case r.ResetMethod != "":
		return d.ResetMethod(r.ResetMethod)
	case !d.CanReset(), r.Mode == rotation.Static && r.source(d) == rotation.FromInitial:
		return cloud.ResetMethod{}, false
	}
	return d.ResetMethods[0], true
}

// resets reports whether the role ever has passwords set.
func (r *Record) resets(d cloud.Descriptor) bool {
	_, ok := r.resetMethod(d)
	return ok
}

func (r *Record) forceStop() bool { return r.ForceStop != nil && *r.ForceStop }

func (r *Record) minResetInterval() time.Duration {
	switch {
	case r.MinResetInterval != nil:
		return *r.MinResetInterval
	case r.forceStop():
		return defaultForcedInterval
	}
	return 0
}

func (r *Record) checkout() rotation.Checkout {
	if r.Checkout == "" {
		return rotation.Shared
	}
	return r.Checkout
}

// rotateOnRevoke is which lease's end rotates.
func (r *Record) rotateOnRevoke() rotation.RotateOnRevoke {
	if r.RotateOnRevoke == "" {
		return rotation.LastLease
	}
	return r.RotateOnRevoke
}

func (r *Record) maxVersions() int {
	if r.MaxVersions == 0 {
		return defaultMaxVersions
	}
	return r.MaxVersions
}

// EffectiveTTL is ttl, as given or by default.
func (r *Record) EffectiveTTL() time.Duration { return request.ValueOr(r.TTL, defaultTTL) }

// EffectiveMaxTTL is max_ttl, as given or by default.
func (r *Record) EffectiveMaxTTL() time.Duration { return request.ValueOr(r.MaxTTL, defaultMaxTTL) }

// Shared reports whether the role's accounts have one password.
func (r *Record) Shared() bool { return request.ValueOr(r.SharedPassword, false) }

// skipImportRotation is whether writing the role leaves new accounts alone: by default where a reset
// may stop the server.
func (r *Record) skipImportRotation() bool {
	if r.SkipImportRotation != nil {
		return *r.SkipImportRotation
	}
	return r.forceStop()
}

// Settings are what the role's accounts need to know of it.
func (r *Record) Settings(d cloud.Descriptor) rotation.Settings {
	method, resets := r.resetMethod(d)
	s := rotation.Settings{
		Mode:             r.Mode,
		Source:           r.source(d),
		Key:              r.Key,
		PasswordPolicy:   r.PasswordPolicy,
		ForceStop:        r.forceStop(),
		MinResetInterval: r.minResetInterval(),
		MaxVersions:      r.maxVersions(),
		ClearInitial:     request.ValueOr(r.ClearInitial, false),
		CanReset:         resets,
		ResetMethod:      method.Name,
		SharedPassword:   r.Shared(),
		Schedule:         r.schedule(),
		RotateOnRead:     r.rotateOnRead(),
		CheckMethod:      r.CheckMethod,
	}
	if s.CheckMethod != "" {
		s.VerifyPeriod, s.DriftAction, s.ReadDrifted = request.ValueOr(r.VerifyPeriod, 0), r.driftAction(), request.ValueOr(r.ReadDrifted, false)
	}
	if s.CheckMethod == cloud.CheckSSH && !d.HasHosts {
		s.CheckAddress, s.CheckPort, s.CheckFirstUse = r.CheckAddress, r.CheckPort, r.checkFirstUse()
	}
	if s.RotateOnRead {
		s.RotateOnReadCooldown = r.readCooldown()
	}
	if r.Mode == rotation.Leased {
		s.Checkout, s.TTL, s.MaxTTL = r.checkout(), r.EffectiveTTL(), r.EffectiveMaxTTL()
		s.RotateOnRevoke = r.rotateOnRevoke()
	}
	return s
}
