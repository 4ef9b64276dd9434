package output

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// invisible are characters that are printable to Unicode and show nothing.
var invisible = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector}

const braillePatternBlank = 0x2800

// printable reports whether a character shows as itself. Controls, escapes, characters that change the direction of text, and
// invisible ones do not.
func printable(c rune) bool {
	return unicode.IsPrint(c) && c != utf8.RuneError && c != braillePatternBlank && !unicode.In(c, invisible...)
}

// Clean makes one line of a text from outside: blanks of any kind become one blank each, and each character that a terminal would
// obey, or that would hide what is there, becomes the replacement character U+FFFD.
func Clean(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case !printable(c):
			return utf8.RuneError
		}
		return c
	}, s)
}

// CleanLines is Clean for a text of several lines: it keeps line feeds.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// Plain reports whether a text consists of characters that no shell gives a meaning, so that it can be a part of a command as it is.
func Plain(s string) bool {
	for i, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && strings.ContainsRune("._:@/+,-", c):
		default:
			return false
		}
	}
	return s != ""
}

// Word is a text as a word of a command that a person may copy into a POSIX shell.
func Word(s string) string {
	s = Clean(s)
	if Plain(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
