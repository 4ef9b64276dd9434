package role

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Defaults and bounds of the fields about scheduled rotation.
const (
	defaultTimezone     = "UTC"
	defaultReadCooldown = 10 * time.Minute
	// minRotationPeriod is a bound against slips of the keyboard: a reset alone takes seconds.
	minRotationPeriod = 10 * time.Second
	// minRotationWindow leaves time for the first retries of a reset, and is the least distance of cron.
	minRotationWindow = time.Minute
)

// scheduleFields are the fields about when accounts are rotated, all of which need a cloud that can
// reset passwords.
var scheduleFields = []string{
	"rotation_period", "rotation_schedule", "rotation_timezone", "rotation_window",
	"rotate_on_read", "rotate_on_read_cooldown", "disable_automated_rotation",
}

// schedule is when the role's accounts are rotated or, in leased mode, may be.
func (r *Record) schedule() rotation.Schedule {
	return rotation.Schedule{
		Period:   request.ValueOr(r.RotationPeriod, 0),
		Cron:     r.RotationSchedule,
		Timezone: r.RotationTimezone,
		Window:   request.ValueOr(r.RotationWindow, 0),
		Disabled: request.ValueOr(r.DisableAutomatedRotation, false),
	}
}

func (r *Record) rotateOnRead() bool { return request.ValueOr(r.RotateOnRead, false) }

func (r *Record) readCooldown() time.Duration {
	return request.ValueOr(r.RotateOnReadCooldown, defaultReadCooldown)
}
