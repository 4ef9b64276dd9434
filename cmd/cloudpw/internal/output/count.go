package output

import "strconv"

// Digits is a number with commas between thousands.
func Digits(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count is a number with the words for one, or for more of them.
func Count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return Digits(n) + " " + more
}
