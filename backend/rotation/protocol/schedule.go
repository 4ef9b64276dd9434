package protocol

// When scheduled rotations happen.

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the plugin must know time zones on machines that have no database of them

	"github.com/robfig/cron/v3"
)

// Schedule is when an account's rotations happen, or in leased mode may happen.
type Schedule struct {
	// Period is the time between rotations; 0: none.
	Period time.Duration `json:"rotation_period,omitempty"`
	// Cron has five fields: minute, hour, day of the month, month, weekday. Empty: none.
	Cron string `json:"rotation_schedule,omitempty"`
	// Timezone is an IANA name; empty: UTC. It applies to Cron.
	Timezone string `json:"rotation_timezone,omitempty"`
	// Window is how long after a time of Cron a rotation may still start; 0: at any time.
	Window time.Duration `json:"rotation_window,omitempty"`
	// Disabled keeps the schedule from making the account due.
	Disabled bool `json:"disable_automated_rotation,omitempty"`
}

// ParseSchedule checks a cron expression and its time zone; its errors name the field.
func ParseSchedule(expression, timezone string) error {
	_, err := Schedule{Cron: expression, Timezone: timezone}.parse()
	return err
}

func (s Schedule) parse() (*cron.SpecSchedule, error) {
	if strings.Contains(s.Cron, "=") {
		return nil, fmt.Errorf("rotation_schedule: %q: a time zone inside the expression is refused; use rotation_timezone", s.Cron)
	}
	if strings.HasPrefix(s.Cron, "@") {
		return nil, fmt.Errorf("rotation_schedule: %q: give five fields, as in \"0 3 * * SAT\"", s.Cron)
	}
	// The parser is asked for exactly the five fields, without descriptors such as @daily.
	known := sundaysAsZero(s.Cron)
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(known)
	if err != nil && unknownWeekday(known) {
		return nil, fmt.Errorf("rotation_schedule: %q: a weekday must be a digit from 0 to 7 (0 and 7 are Sunday) or a name such as SAT", s.Cron)
	}
	if err != nil {
		return nil, fmt.Errorf(
			"rotation_schedule: %q: %w; give five fields (minute, hour, day of the month, month, weekday), as in \"0 3 * * SAT\"", s.Cron, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("rotation_schedule: %q is no five-field cron expression", s.Cron)
	}
	spec.Location = time.UTC
	if s.Timezone != "" {
		if s.Timezone == "Local" {
			return nil, fmt.Errorf("rotation_timezone: Local differs from node to node; give an IANA name such as Europe/Berlin")
		}
		if spec.Location, err = time.LoadLocation(s.Timezone); err != nil {
			return nil, fmt.Errorf("rotation_timezone: %q is no IANA name such as Europe/Berlin", s.Timezone)
		}
	}
	if spec.Next(someTime).IsZero() {
		return nil, fmt.Errorf("rotation_schedule: %q never happens", s.Cron)
	}
	return spec, nil
}

// someTime stands for all times where only that an expression has any matters: within the years that are searched for the
// next one there is every day of every month.
var someTime = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// Timetable is a schedule whose cron expression has been parsed.
type Timetable struct {
	Schedule
	spec *cron.SpecSchedule // nil: no expression, or none that happens
}

// Timetable parses the cron expression. One that cannot be parsed has no times: roles are checked when they are written.
func (s Schedule) Timetable() Timetable {
	t := Timetable{Schedule: s}
	if s.Cron != "" {
		t.spec, _ = s.parse()
	}
	return t
}

// scheduled reports whether the schedule makes accounts due.
func (s Schedule) scheduled() bool { return !s.Disabled && (s.Period > 0 || s.Cron != "") }

// Next returns the first time of the schedule after t, or zero. from is a time of the schedule of
// which periods are counted.
func (s Timetable) Next(t, from time.Time) time.Time {
	switch {
	case s.spec != nil:
		return s.spec.Next(t).UTC()
	case s.Cron != "":
		return time.Time{}
	}
	if s.Period <= 0 {
		return time.Time{}
	}
	next := from
	if !next.After(t) {
		periods := int64(t.Sub(from)/s.Period) + 1
		next = from.Add(time.Duration(periods) * s.Period)
	}
	return next
}

// farAhead is how far away a time of a cron expression must be to be doubted. Nearer ones are not worth
// the look.
const farAhead = 24 * time.Hour

// TooFarAhead reports whether a stored next time is further away than the schedule's next two times: a clock
// that was ahead then has stored it, and nothing would be rotated until it comes. One time more is
// allowed, since a clock that is set back a little may come before a time again that is done.
func (s Timetable) TooFarAhead(next, now time.Time) bool {
	away := next.Sub(now)
	if s.Cron == "" {
		return s.Period > 0 && away/2 > s.Period
	}
	if away <= farAhead {
		return false
	}
	first := s.Next(now, now)
	return !first.IsZero() && next.After(s.Next(first, first))
}

// Interval is the distance between the schedule's times around t: the period, or for a cron expression
// that between the previous and the next time. 0: no schedule.
func (s Timetable) Interval(t time.Time) time.Duration {
	switch previous, next := s.Neighbors(t); {
	case s.Disabled:
		return 0
	case s.Cron == "":
		return s.Period
	case next.IsZero():
		return 0
	case previous.IsZero():
		return next.Sub(t)
	default:
		return next.Sub(previous)
	}
}

// Neighbors returns the last time of the cron expression that is not after t, and the first one after t;
// zero where there is none. Between the two, Interval does not change.
func (s Timetable) Neighbors(t time.Time) (previous, next time.Time) {
	if s.spec == nil {
		return previous, next
	}
	next = s.spec.Next(t)
	// The previous time is found by looking from further and further back.
	for back := time.Minute; back < 5*366*24*time.Hour; back *= 2 {
		at := s.spec.Next(t.Add(-back))
		if at.After(t) || at.IsZero() {
			continue
		}
		for !at.After(t) && !at.IsZero() {
			previous, at = at.UTC(), s.spec.Next(at)
		}
		break
	}
	if !next.IsZero() {
		next = next.UTC()
	}
	return previous, next
}

// Bounds of IntervalRange: enough for the minutes of a day, and for the leap days of a century's turn.
const (
	distancesTried   = 2000
	distancesHorizon = 10 * 366 * 24 * time.Hour
)

// IntervalRange returns the least and the greatest distance between two times of the cron expression that
// follow each other, as far as they can be seen from t. 0, 0: it has no two such times.
func (s Timetable) IntervalRange(t time.Time) (least, greatest time.Duration) {
	if s.spec == nil {
		return 0, 0
	}
	last := s.spec.Next(t)
	for range distancesTried {
		next := s.spec.Next(last)
		if next.IsZero() {
			break
		}
		distance := next.Sub(last)
		if least == 0 || distance < least {
			least = distance
		}
		greatest = max(greatest, distance)
		if next.Sub(t) > distancesHorizon {
			break
		}
		last = next
	}
	return least, greatest
}

// opened returns when the present window opened, or when the next one will; zero: there is no window.
func (s Timetable) opened(now time.Time) time.Time {
	if s.Window <= 0 || s.Cron == "" {
		return time.Time{}
	}
	return s.Next(now.Add(-s.Window), now)
}

// NextAllowed returns when a reset may be sent: now, or when the next window opens.
func (s Timetable) NextAllowed(now time.Time) time.Time {
	if s.Window <= 0 || s.Cron == "" {
		return now
	}
	start := s.Next(now.Add(-s.Window), now)
	if start.IsZero() || !start.After(now) {
		return now
	}
	return start
}
