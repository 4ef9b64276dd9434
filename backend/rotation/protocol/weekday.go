package protocol

// Cron's weekday field, in which Sunday is 0 and, at the end of a range too, 7 (crontab(5)). The parser knows
// 0 to 6 only.

import (
	"slices"
	"strconv"
	"strings"
)

var weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// sundaysAsZero is a cron expression of five fields with a weekday field that the parser takes. One that is not
// understood here stays as it is, for the parser to refuse.
func sundaysAsZero(expression string) string {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return expression
	}
	var days []string
	for _, part := range strings.Split(fields[4], ",") {
		expanded, ok := expandedWeekdays(part)
		if !ok {
			expanded = []string{part}
		}
		for _, day := range expanded {
			if !slices.Contains(days, day) {
				days = append(days, day)
			}
		}
	}
	fields[4] = strings.Join(days, ",")
	return strings.Join(fields, " ")
}

// expandedWeekdays are the days of a part that has a 7, or a range that ends on a Sunday; false for every other part.
func expandedWeekdays(part string) ([]string, bool) {
	span, stepText, stepped := strings.Cut(part, "/")
	first, last, ranged := strings.Cut(span, "-")
	from, fromOK := weekday(first)
	to, toOK := from, fromOK
	if ranged {
		if to, toOK = weekday(last); to == 0 && from > 0 {
			to = 7
		}
	}
	if !fromOK || !toOK || from > to || from != 7 && to != 7 {
		return nil, false
	}
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil || n < 1 {
			return nil, false
		}
		step = n
	}
	var days []string
	for day := from; day <= to; day += step {
		days = append(days, strconv.Itoa(day%7))
	}
	return days, true
}

// weekday is the number of a day, 0 to 7.
func weekday(text string) (int, bool) {
	if n := slices.Index(weekdayNames, strings.ToUpper(text)); n >= 0 {
		return n, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && len(text) == 1 && n >= 0 && n <= 7
}

// unknownWeekday reports whether the weekday field of what sundaysAsZero returned has a number that is no day. The parser's own error
// is about a field without a 7.
func unknownWeekday(expression string) bool {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return false
	}
	for _, part := range strings.Split(fields[4], ",") {
		span, _, _ := strings.Cut(part, "/")
		for _, day := range strings.Split(span, "-") {
			if n, err := strconv.Atoi(day); err == nil && n > 6 {
				return true
			}
		}
	}
	return false
}
