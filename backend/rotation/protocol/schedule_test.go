package protocol

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNextScheduledTime(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Schedule
		t    string
		from string
		want string
	}{
		{"period counts from its last time", Schedule{Period: time.Hour}, "2026-01-01T10:20:00Z", "2026-01-01T08:15:00Z", "2026-01-01T11:15:00Z"},
		{"a time of the schedule is not after itself", Schedule{Period: time.Hour}, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z",
			"2026-01-01T11:00:00Z"},
		{"cron in UTC by default", Schedule{Cron: "30 3 * * *"}, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "2026-01-02T03:30:00Z"},
		{"day names", Schedule{Cron: "0 3 * * SAT"}, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "2026-01-03T03:00:00Z"},
		{"time zone in winter", Schedule{Cron: "30 3 * * *", Timezone: "Europe/Berlin"}, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z",
			"2026-01-02T02:30:00Z"},
		{"time zone in summer", Schedule{Cron: "30 3 * * *", Timezone: "Europe/Berlin"}, "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z",
			"2026-07-02T01:30:00Z"},
		// Clocks go forward on 2026-03-29 at 02:00 in Berlin: 02:30 does not exist that day.
		{"a time that the clock change leaves out is skipped", Schedule{Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, "2026-03-28T12:00:00Z",
			"2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		// Clocks go back on 2026-10-25 at 03:00 in Berlin: 02:30 happens twice, first at 00:30 UTC.
		{"a time that the clock change repeats", Schedule{Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, "2026-10-24T12:00:00Z",
			"2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"nothing", Schedule{}, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.Timetable().Next(at(t, c.t), at(t, c.from)); !got.Equal(at(t, c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		t    string
		want time.Duration
	}{
		{Schedule{Period: 90 * time.Minute}, "2026-01-01T10:20:00Z", 90 * time.Minute},
		{Schedule{Cron: "*/15 * * * *"}, "2026-01-01T10:20:00Z", 15 * time.Minute},
		{Schedule{Cron: "0 3 * * *"}, "2026-01-01T10:20:00Z", 24 * time.Hour},
		{Schedule{Cron: "0 3 * * SAT"}, "2026-01-01T10:20:00Z", 7 * 24 * time.Hour},
		{Schedule{Cron: "0 0 1 1 *"}, "2026-06-01T00:00:00Z", 365 * 24 * time.Hour},
		{Schedule{Cron: "0 3 * * *", Timezone: "Europe/Berlin"}, "2026-03-28T20:00:00Z", 23 * time.Hour},
		{Schedule{Cron: "0 3 * * *", Disabled: true}, "2026-01-01T10:20:00Z", 0},
		{Schedule{}, "2026-01-01T10:20:00Z", 0},
	} {
		if got := c.s.Timetable().Interval(at(t, c.t)); got != c.want {
			t.Errorf("%+v at %s: got %s, want %s", c.s, c.t, got, c.want)
		}
	}
}

func TestNextAllowed(t *testing.T) {
	s := Schedule{Cron: "0 3 * * *", Window: 2 * time.Hour}
	for _, c := range []struct{ now, want string }{
		{"2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z"},
		{"2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z"},
		{"2026-01-01T04:59:59Z", "2026-01-01T04:59:59Z"},
		{"2026-01-01T05:00:01Z", "2026-01-02T03:00:00Z"},
	} {
		if got := s.Timetable().NextAllowed(at(t, c.now)); !got.Equal(at(t, c.want)) {
			t.Errorf("at %s: opens %s, want %s", c.now, got, c.want)
		}
	}
	if now := at(t, "2026-01-01T10:00:00Z"); !(Schedule{Cron: "0 3 * * *"}).Timetable().NextAllowed(now).Equal(now) {
		t.Error("without a window every time is open")
	}
}

func TestParseSchedule(t *testing.T) {
	for _, c := range []struct{ expression, timezone, wrong string }{
		{"0 3 * * *", "", ""},
		{"0 3 * * *", "Europe/Berlin", ""},
		{"TZ=Europe/Berlin 0 3 * * *", "", "rotation_timezone"},
		{"CRON_TZ=Europe/Berlin 0 3 * * *", "", "rotation_timezone"},
		{"@daily", "", "five fields"},
		{"0 0 3 * * *", "", "five fields"},
		{"61 * * * *", "", "rotation_schedule"},
		{"", "", "rotation_schedule"},
		{"0 0 31 2 *", "", "never happens"},
		{"0 3 * * *", "Mars/Olympus", "rotation_timezone"},
		{"0 3 * * *", "Local", "rotation_timezone"},
	} {
		err := ParseSchedule(c.expression, c.timezone)
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%q in %q: got %v, want %q", c.expression, c.timezone, err, c.wrong)
		}
	}
}

func TestNeighbors(t *testing.T) {
	for _, c := range []struct {
		s                 Schedule
		t, previous, next string
	}{
		{Schedule{Cron: "0 3 * * SAT"}, "2026-01-01T10:20:00Z", "2025-12-27T03:00:00Z", "2026-01-03T03:00:00Z"},
		{Schedule{Cron: "*/20 * * * *"}, "2026-01-01T10:20:00Z", "2026-01-01T10:20:00Z", "2026-01-01T10:40:00Z"},
		{Schedule{Cron: "*/20 * * * *"}, "2026-01-01T10:19:59Z", "2026-01-01T10:00:00Z", "2026-01-01T10:20:00Z"},
		{Schedule{Cron: "0 0 29 2 *"}, "2026-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
		{Schedule{Period: time.Hour}, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		previous, next := c.s.Timetable().Neighbors(at(t, c.t))
		if !previous.Equal(at(t, c.previous)) || !next.Equal(at(t, c.next)) {
			t.Errorf("%+v at %s: %s and %s, want %s and %s", c.s, c.t, previous, next, c.previous, c.next)
		}
	}
}

func TestIntervalRange(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		s               Schedule
		least, greatest time.Duration
	}{
		{Schedule{Cron: "* * * * *"}, time.Minute, time.Minute},
		{Schedule{Cron: "0 3 * * *"}, day, day},
		{Schedule{Cron: "0 3 * * *", Timezone: "Europe/Berlin"}, 23 * time.Hour, 25 * time.Hour},
		{Schedule{Cron: "0 3 * * 1-5"}, day, 3 * day},
		{Schedule{Cron: "* 9-17 * * *"}, time.Minute, 15*time.Hour + time.Minute},
		{Schedule{Cron: "0 0 1 1 *"}, 365 * day, 366 * day},
		{Schedule{}, 0, 0},
	} {
		if least, greatest := c.s.Timetable().IntervalRange(at(t, "2026-01-01T10:20:00Z")); least != c.least || greatest != c.greatest {
			t.Errorf("%+v: %s and %s, want %s and %s", c.s, least, greatest, c.least, c.greatest)
		}
	}
}

// TestTooFarAhead: a stored time that no clock which is right can have stored.
func TestTooFarAhead(t *testing.T) {
	now := at(t, "2026-03-01T10:00:00Z")
	const day = 24 * time.Hour
	for _, c := range []struct {
		s    Schedule
		next time.Time
		want bool
	}{
		{Schedule{Period: time.Hour}, now.Add(time.Hour), false},
		{Schedule{Period: time.Hour}, now.Add(2 * time.Hour), false}, // the clock was set back a little after a rotation
		{Schedule{Period: time.Hour}, now.Add(2*time.Hour + 2), true},
		{Schedule{Period: 200 * 365 * day}, now.Add(200 * 365 * day), false},
		{Schedule{Period: time.Hour}, now.Add(-day), false},
		{Schedule{Period: time.Hour}, time.Time{}, false},
		{Schedule{Cron: "0 3 * * *"}, at(t, "2026-03-02T03:00:00Z"), false},
		{Schedule{Cron: "0 3 * * *"}, at(t, "2026-03-03T03:00:00Z"), false},
		{Schedule{Cron: "0 3 * * *"}, at(t, "2026-03-04T03:00:00Z"), true},
		{Schedule{Cron: "*/5 * * * *"}, now.Add(time.Hour), false}, // soon enough
		{Schedule{Cron: "0 0 29 2 *"}, at(t, "2028-02-29T00:00:00Z"), false},
		{Schedule{Cron: "no schedule"}, now.Add(365 * day), false},
		{Schedule{}, now.Add(365 * day), false},
	} {
		if got := c.s.Timetable().TooFarAhead(c.next, now); got != c.want {
			t.Errorf("%+v at %s: %v, want %v", c.s, c.next, got, c.want)
		}
	}
}

// The plugin must know time zones on a machine without a database of them, which this one may have: so it looks for the
// package that embeds one.
func TestTimeZonesAreEmbedded(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../../cmd/vault-plugin-secrets-cloudpw").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !slices.Contains(strings.Fields(string(out)), "time/tzdata") {
		t.Error("the plugin does not embed time/tzdata")
	}
}

// TestTheTimetableIsParsedWithTheRecord: not at every plan, read and status.
func TestTheTimetableIsParsedWithTheRecord(t *testing.T) {
	a := leasedAccount()
	a.Settings.Cron = "0 3 * * *"
	decoded, err := DecodeAccount([]byte(encoded(t, a)))
	if err != nil {
		t.Fatal(err)
	}
	written := decoded.Settings
	written.Cron = "0 4 * * *"
	bound, err := Transition(decoded, RoleBound{Role: a.Role, Settings: written, Facts: a.Facts, At: t0})
	if err != nil {
		t.Fatal(err)
	}
	for hour, a := range map[int]*Account{3: decoded, 4: bound} {
		if n := testing.AllocsPerRun(10, func() { a.Timetable() }); n != 0 {
			t.Errorf("the timetable of %d o'clock is parsed again: %v allocations", hour, n)
		}
		if next := a.Timetable().Next(t0, t0); next.Hour() != hour {
			t.Errorf("next at %s, want %d o'clock", next, hour)
		}
	}
	decoded.Settings.Cron = "0 5 * * *" // whoever changes it by hand
	if next := decoded.Timetable().Next(t0, t0); next.Hour() != 5 {
		t.Errorf("next at %s, want 5 o'clock", next)
	}
}
