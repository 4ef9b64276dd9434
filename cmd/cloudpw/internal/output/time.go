package output

import (
	"fmt"
	"time"
)

// Age is a duration for people: its largest unit, or two if it is short of ten of that.
func Age(d time.Duration) string {
	d = max(d, 0)
	days := int(d / (24 * time.Hour))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute && d%time.Minute >= time.Second:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 10*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", days)
}

// Time is a time for people, in UTC as Vault's are. A zero time is empty.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Ago is a time with how long ago it was, or how far ahead it is.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t.After(now) {
		return fmt.Sprintf("%s (in %s)", Time(t), Age(t.Sub(now)))
	}
	return fmt.Sprintf("%s (%s ago)", Time(t), Age(now.Sub(t)))
}
