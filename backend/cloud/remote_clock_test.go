package cloud

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// clocksAt are this machine's clocks, by what has passed since a moment by each of them.
func clocksAt(mono, wall time.Duration) Clocks {
	return Clocks{Mono: time.Unix(1_000_000, 0).Add(mono), Wall: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(wall)}
}

// dateAt is the header of an answer from a cloud whose clock shows that much more than our wall clock did at that moment.
func dateAt(d time.Duration) string { return clocksAt(0, d).Wall.Format(http.TimeFormat) }

func TestRemoteClock(t *testing.T) {
	type learned struct {
		date      string
		sent, got Clocks
	}
	at := func(mono, wall time.Duration) Clocks { return clocksAt(mono, wall) }
	even := func(d time.Duration) Clocks { return at(d, d) } // the clocks agree
	quick := func(date time.Duration) learned { return learned{dateAt(date), even(0), even(time.Second)} }
	for name, c := range map[string]struct {
		learn []learned
		now   Clocks
		want  time.Duration // after our wall clock's zero
		err   error
	}{
		"nothing":                      {nil, even(0), 0, errNoDate},
		"at once":                      {[]learned{quick(0)}, even(time.Second), 0, nil},
		"later":                        {[]learned{quick(0)}, even(31 * time.Second), 30 * time.Second, nil},
		"cut to the second":            {[]learned{quick(1900 * time.Millisecond)}, even(time.Second), time.Second, nil},
		"the cloud is behind":          {[]learned{quick(-4 * time.Minute)}, even(11 * time.Second), -4*time.Minute + 10*time.Second, nil},
		"the cloud is a little ahead":  {[]learned{quick(20 * time.Second)}, even(11 * time.Second), 30 * time.Second, nil},
		"the cloud is ahead, or Date":  {[]learned{quick(32 * time.Second)}, even(time.Second), 0, errClockBehind},
		"the latest counts":            {[]learned{quick(9 * time.Second), quick(3 * time.Second)}, even(time.Second), 3 * time.Second, nil},
		"too old":                      {[]learned{quick(0)}, even(122 * time.Second), 0, errDateTooOld},
		"just not too old":             {[]learned{quick(0)}, even(121 * time.Second), 2 * time.Minute, nil},
		"suspended":                    {[]learned{quick(0)}, at(2*time.Second, 10*time.Second), 0, errClocksDiffer},
		"the wall clock went ahead":    {[]learned{quick(0)}, at(2*time.Second, time.Hour), 0, errClocksDiffer},
		"the wall clock went back":     {[]learned{quick(0)}, at(2*time.Second, -time.Hour), 0, errClocksDiffer},
		"the wall clock is a bit slow": {[]learned{quick(0)}, at(61*time.Second, 60*time.Second), 59 * time.Second, nil},
		"the wall clock is a bit fast": {[]learned{quick(0)}, at(60*time.Second, 61*time.Second), 59 * time.Second, nil},
		"the machine stood still":      {[]learned{quick(0)}, even(time.Second), 0, nil}, // too early, never too late
		"a slow answer":                {[]learned{{dateAt(0), even(0), even(6 * time.Second)}}, even(6 * time.Second), 0, errNoDate},
		"set meanwhile":                {[]learned{{dateAt(0), even(0), at(time.Second, -time.Hour)}}, at(time.Second, -time.Hour), 0, errNoDate},
		"a slow one changes nothing": {[]learned{quick(0), {dateAt(time.Hour),
			even(2 * time.Second), even(9 * time.Second)}},
			even(9 * time.Second), 8 * time.Second, nil},
		"no date":           {[]learned{{"", even(0), even(0)}}, even(0), 0, errNoDate},
		"no readable date":  {[]learned{{"yesterday", even(0), even(0)}}, even(0), 0, errNoDate},
		"clocks of another": {[]learned{quick(0)}, even(-time.Second), 0, errDateTooOld},
	} {
		t.Run(name, func(t *testing.T) {
			var k RemoteClock
			for _, l := range c.learn {
				k.Learn(l.date, l.sent, l.got)
			}
			got, err := k.Earliest(c.now)
			if !errors.Is(err, c.err) || err == nil && !got.Equal(clocksAt(0, c.want).Wall) {
				t.Errorf("%v, %v; want %v, %v", got, err, clocksAt(0, c.want).Wall, c.err)
			}
		})
	}
}

// TestRemoteClockIsNeverAhead: whatever our clocks do between the answer and the question, the cloud's clock has reached what is said.
func TestRemoteClockIsNeverAhead(t *testing.T) {
	steps := []time.Duration{-time.Hour, -time.Minute, -3 * time.Second, -time.Second, 0, time.Second, 3 * time.Second, time.Minute, time.Hour}
	told := 0
	for _, offset := range steps { // of the cloud's clock
		for _, passes := range []time.Duration{0, 700 * time.Millisecond, 5 * time.Second, 100 * time.Second, time.Hour} {
			for _, stopped := range []time.Duration{0, time.Second, 90 * time.Second} { // the monotonic clock meanwhile
				for _, jump := range steps {
					var k RemoteClock
					k.Learn(dateAt(offset+300*time.Millisecond), clocksAt(0, 0), clocksAt(time.Second, time.Second))
					truly := clocksAt(0, offset+time.Second+passes).Wall
					at, err := k.Earliest(clocksAt(time.Second+max(passes-stopped, 0), time.Second+passes+jump))
					if err != nil {
						continue
					}
					told++
					if late := truly.Sub(at); late < 0 || late > RemoteClockError && stopped == 0 {
						t.Errorf("offset %v, %v later, stopped for %v, jump %v: %v behind the cloud's clock", offset, passes, stopped, jump, late)
					}
				}
			}
		}
	}
	if told < 20 {
		t.Errorf("only %d questions had an answer", told)
	}
}
