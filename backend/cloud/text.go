package cloud

import (
	"strings"
	"unicode"
)

// OneLine makes foreign text fit for a message: one line of printable characters, at most n of them
// and "..." where there were more.
func OneLine(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > n {
		runes = append(runes[:n], []rune("...")...)
	}
	return string(runes)
}
