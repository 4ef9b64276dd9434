package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Sunday is 0 and 7, alone, in a list and at the end of a range (crontab(5)).
func TestScheduleTakesSundayAsSeven(t *testing.T) {
	for field, want := range map[string]string{
		"7": "[Sun]", "0": "[Sun]", "SUN": "[Sun]", "sun": "[Sun]", "1,7": "[Sun Mon]", "7,0": "[Sun]",
		"5-7": "[Sun Fri Sat]", "0-7": "[Sun Mon Tue Wed Thu Fri Sat]", "1-7": "[Sun Mon Tue Wed Thu Fri Sat]", "6-7": "[Sun Sat]",
		"7-7":   "[Sun]",
		"1-7/2": "[Sun Mon Wed Fri]", "1-7/3": "[Sun Mon Thu]", "0-7/7": "[Sun]", "FRI-SUN": "[Sun Fri Sat]", "Fri-0": "[Sun Fri Sat]",
		"SAT-7":   "[Sun Sat]",
		"MON-FRI": "[Mon Tue Wed Thu Fri]", "*": "[Sun Mon Tue Wed Thu Fri Sat]", "*/7": "[Sun]", "1-5,7": "[Sun Mon Tue Wed Thu Fri]",
	} {
		s := Schedule{Cron: "0 3 * * " + field}
		if err := ParseSchedule(s.Cron, ""); err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		on := map[time.Weekday]bool{}
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for range 14 {
			at = s.Timetable().Next(at, at)
			on[at.Weekday()] = true
		}
		days := []string{}
		for day := time.Sunday; day <= time.Saturday; day++ {
			if on[day] {
				days = append(days, day.String()[:3])
			}
		}
		if got := fmt.Sprint(days); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
	for _, field := range []string{"8", "07", "7-1", "7-8", "-7", "7-", "1-7/0", "1-7/x", "FRI-MON", "SOL", "5-7-9", "7/"} {
		if err := ParseSchedule("0 3 * * "+field, ""); err == nil {
			t.Errorf("%s is taken", field)
		}
	}
	// The other fields have no such day.
	for _, expression := range []string{"0 24 * * 7", "0 3 * 0 7", "7 7 7 7 7 7"} {
		if err := ParseSchedule(expression, ""); err == nil {
			t.Errorf("%s is taken", expression)
		}
	}
}

// A weekday that is none is answered with what a weekday is; the parser, which knows no 7, would say 6.
func TestUnknownWeekdayIsExplained(t *testing.T) {
	for _, field := range []string{"8", "1-9", "MON,8", "8/2"} {
		err := ParseSchedule("0 3 * * "+field, "")
		if err == nil || !strings.Contains(err.Error(), "rotation_schedule") || !strings.Contains(err.Error(), "from 0 to 7") ||
			strings.Contains(err.Error(), "maximum") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for expression, says := range map[string]string{"0 24 * * 7": "(24) above maximum (23)", "0 3 * * SOL": "SOL", "0 3 * *": "five fields"} {
		if err := ParseSchedule(expression, ""); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "0 to 7") {
			t.Errorf("%s: %v", expression, err)
		}
	}
}
