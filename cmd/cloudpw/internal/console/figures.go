package console

import "time"

const (
	day = 24 * time.Hour
	// shownDays is how many days the chart of rotations has.
	shownDays = 30
)

// span is a bar of the chart of ages: passwords at least From and less than To days old. To is 0 in the last one.
type span struct {
	From  int `json:"from_days"`
	To    int `json:"to_days,omitempty"`
	Count int `json:"count"`
}

// spanEnds are where one bar ends and the next begins, in days.
var spanEnds = []int{0, 1, 7, 14, 30, 60, 90, 180, 365}

// madeOn is a bar of the chart of rotations.
type madeOn struct {
	Day   string `json:"day"` // as 2006-01-02, in UTC
	Count int    `json:"count"`
}

// figures are what the charts show. Each account counts once, by its current password.
type figures struct {
	Ages    []span   `json:"ages"`
	Days    []madeOn `json:"days"`
	Earlier int      `json:"earlier"` // passwords that were made before the first day
	None    int      `json:"none"`    // accounts without a password
	States  []count  `json:"states"`
	Total   int      `json:"total"`
}

// figures counts the ages at the time now.
func (s *snapshot) figures(now time.Time) figures {
	out := figures{Ages: make([]span, len(spanEnds)), Days: make([]madeOn, shownDays), States: s.choices().States, Total: len(s.rows)}
	for i, from := range spanEnds {
		out.Ages[i].From = from
		if i+1 < len(spanEnds) {
			out.Ages[i].To = spanEnds[i+1]
		}
	}
	today := now.UTC().Truncate(day)
	for i := range out.Days {
		out.Days[i].Day = today.Add(-time.Duration(shownDays-1-i) * day).Format(time.DateOnly)
	}
	for i := range s.rows {
		made := s.rows[i].CreatedTime
		if made.IsZero() {
			out.None++
			continue
		}
		age := int(now.Sub(made) / day) // below zero, which is none, if the clocks differ
		bar := 0
		for bar+1 < len(spanEnds) && age >= spanEnds[bar+1] {
			bar++
		}
		out.Ages[bar].Count++
		back := int(today.Sub(made.UTC().Truncate(day)) / day)
		if back >= shownDays {
			out.Earlier++
		} else {
			out.Days[shownDays-1-max(back, 0)].Count++
		}
	}
	return out
}
