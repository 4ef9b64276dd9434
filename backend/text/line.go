package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// considered bounds, in bytes, what is looked at of a foreign text for a message. Secrets are looked for in as
// much again, so that one which begins in the part that is shown is found whole.
const considered = 8 << 10

// Line makes foreign text fit for a message: without the secrets, one line of printable characters, at most n of
// them and "..." where there were more. Blanks and line breaks of all kinds become one blank, every other
// character that is not printable U+FFFD.
func Line(s string, n int, secrets ...string) string {
	long := len(s) > considered
	s = redact(s[:min(len(s), 2*considered)], considered, secrets)
	var out strings.Builder
	for _, c := range s {
		switch {
		case unicode.IsSpace(c):
			c = ' '
		case !Printable(c):
			c = utf8.RuneError
		}
		out.WriteRune(c)
	}
	s = strings.Join(strings.Fields(out.String()), " ")
	if long && utf8.RuneCountInString(s) <= n {
		return s + "..."
	}
	return cut(s, n)
}
