package role

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// checkSchedule checks the fields about when accounts are rotated. That the role has passwords
// set is checked before (see checkResetFields).
func (all *Store) checkSchedule(r, _ *Record, in request.Fields, d cloud.Descriptor) error {
	if !r.resets(d) {
		return nil
	}
	s := r.schedule()
	switch {
	case s.Period > 0 && s.Cron != "":
		return request.Invalidf("rotation_schedule: not together with rotation_period; give one of them, and an empty value to drop the other")
	case s.Cron == "" && s.Timezone != "":
		return request.Invalidf(
			"rotation_timezone: belongs to rotation_schedule, and there is none; give that too, or an empty value to drop this one")
	case s.Cron == "" && s.Window > 0:
		return request.Invalidf(
			"rotation_window: belongs to rotation_schedule, whose times open it, and there is none; give that too, or an empty " +
				"value to drop this one")
	}
	if r.Mode == rotation.Leased {
		if err := checkLeasedSchedule(s, in); err != nil {
			return err
		}
	} else if err := checkStaticSchedule(r, s); err != nil {
		return err
	}
	if s.Cron == "" {
		return nil
	}
	if err := rotation.ParseSchedule(s.Cron, s.Timezone); err != nil {
		return request.Invalidf("%s", err)
	}
	// In UTC: the two odd days of a zone that changes its clocks are nobody's mistake.
	least, greatest := rotation.Schedule{Cron: s.Cron}.Timetable().IntervalRange(all.Now())
	switch every := r.minResetInterval(); {
	case s.Window > 0 && s.Window < minRotationWindow:
		return request.Invalidf("rotation_window: must be at least %s, so that a reset can begin in it",
			request.FormatDuration(minRotationWindow))
	case s.Window > 0 && greatest > 0 && s.Window >= greatest:
		return request.Invalidf("rotation_window: %s is no limit, since the times of rotation_schedule are never more than %s apart; "+
			"give a shorter one, or leave it out to allow resets at any time", request.FormatDuration(s.Window), request.FormatDuration(greatest))
	case r.Mode == rotation.Static && least > 0 && least < every:
		return request.Invalidf(
			"rotation_schedule: some of its times are only %s apart, and min_reset_interval is %s; make one of them fit the other",
			request.FormatDuration(least), request.FormatDuration(every))
	}
	return nil
}

// checkLeasedSchedule checks a role whose leases say what is rotated, and whose schedule only limits
// when that may happen.
func checkLeasedSchedule(s rotation.Schedule, in request.Fields) error {
	if in.Gives("rotation_period") {
		return request.Invalidf("rotation_period: belongs to static roles; a leased role rotates when its leases end, " +
			"and rotation_schedule with rotation_window limits when that may happen. Leave it out")
	}
	for _, field := range []string{"rotate_on_read", "rotate_on_read_cooldown"} {
		if in.Gives(field) {
			return request.Invalidf("%s: belongs to static roles; a leased role rotates when its leases end. Leave it out", field)
		}
	}
	if in.Gives("disable_automated_rotation") {
		return request.Invalidf("disable_automated_rotation: belongs to static roles; the end of a lease always rotates. Leave it out")
	}
	if s.Cron != "" && s.Window == 0 {
		return request.Invalidf(
			"rotation_schedule: limits in a leased role when resets may begin, and needs rotation_window to say for how long; " +
				"give that too, or an empty value to drop this one")
	}
	return nil
}

// checkStaticSchedule checks what only static roles have.
func checkStaticSchedule(r *Record, s rotation.Schedule) error {
	switch every := r.minResetInterval(); {
	case s.Period > 0 && s.Period < minRotationPeriod:
		return request.Invalidf("rotation_period: must be at least %s", minRotationPeriod)
	case s.Period > longestTTL:
		return request.Invalidf("rotation_period: must be at most %dh", int(longestTTL.Hours()))
	case s.Period > 0 && s.Period < every:
		return request.Invalidf("rotation_period: %s is below min_reset_interval, which is %s; make one of them fit the other",
			request.FormatDuration(s.Period),
			request.FormatDuration(every))
	case s.Disabled && s.Period == 0 && s.Cron == "":
		return request.Invalidf("disable_automated_rotation: the role has no rotation_period and no rotation_schedule, so there is nothing to " +
			"disable; leave it out, or give an empty value to drop it")
	case !r.rotateOnRead() && r.RotateOnReadCooldown != nil:
		return request.Invalidf("rotate_on_read_cooldown: belongs to rotate_on_read=true; give that too, or an empty value to drop this one")
	case r.readCooldown() > longestTTL:
		return request.Invalidf("rotate_on_read_cooldown: must be at most %dh", int(longestTTL.Hours()))
	}
	return nil
}
