package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable reports whether a character may stand in text: letters, marks, numbers, punctuation, symbols and the
// ASCII blank. Those of them that no screen shows, and U+FFFD, which stands where text was lost, may not.
func Printable(c rune) bool { return unicode.IsPrint(c) && c != utf8.RuneError && !notVisible(c) }

// notVisible reports whether a mark or symbol shows nothing by itself.
func notVisible(c rune) bool {
	return unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || c == braillePatternBlank
}

// braillePatternBlank is a Braille cell without a dot: a symbol to Unicode, a blank to the eye.
const braillePatternBlank = 0x2800

// Error says which character of a text is not printable. It holds nothing else of the text.
type Error struct {
	// Position counts characters from 1.
	Position int
	// Char is the character; -1 if the text is not UTF-8 there.
	Char rune
}

// Error names the character, and the way out where one is known.
func (e *Error) Error() string {
	if e.Char < 0 {
		return fmt.Sprintf("character %d is not UTF-8; save or send the text as UTF-8", e.Position)
	}
	s := fmt.Sprintf("character %d is U+%04X (%s)", e.Position, e.Char, name(e.Char))
	if way := wayOut(e.Char); way != "" {
		s += "; " + way
	}
	return s
}

// Check returns an [*Error] about the first character of a text that is not printable, or nil.
func Check(s string) error {
	position := 0
	for i, c := range s {
		position++
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return &Error{Position: position, Char: -1}
			}
		}
		if !Printable(c) {
			return &Error{Position: position, Char: c}
		}
	}
	return nil
}

// names are those of the characters that slip into text most often (Unicode Character Database, names and aliases).
var names = map[rune]string{
	0x00: "null", '\t': "tab", '\n': "line feed", '\r': "carriage return", 0x1B: "escape", 0x7F: "delete", 0x85: "next line",
	0xA0: "no-break space", 0xAD: "soft hyphen", 0x034F: "combining grapheme joiner", 0x061C: "Arabic letter mark",
	0x200B: "zero width space", 0x200C: "zero width non-joiner", 0x200D: "zero width joiner",
	0x200E: "left-to-right mark", 0x200F: "right-to-left mark", 0x2028: "line separator", 0x2029: "paragraph separator",
	0x202A: "left-to-right embedding", 0x202B: "right-to-left embedding", 0x202C: "pop directional formatting",
	0x202D: "left-to-right override", 0x202E: "right-to-left override", 0x202F: "narrow no-break space", 0x2060: "word joiner",
	0x2066: "left-to-right isolate", 0x2067: "right-to-left isolate", 0x2068: "first strong isolate", 0x2069: "pop directional isolate",
	0x2800: "Braille pattern blank", 0x3000: "ideographic space", 0x3164: "Hangul filler",
	0xFEFF: "byte order mark", 0xFFFD: "replacement character",
}

// name names a character that is not printable, or its kind.
func name(c rune) string {
	if known, ok := names[c]; ok {
		return known
	}
	switch {
	case c >= 0xE0000 && c <= 0xE007F:
		return "tag character"
	case unicode.IsControl(c):
		return "control character"
	case unicode.Is(unicode.Cf, c):
		return "format character"
	case unicode.Is(unicode.Co, c):
		return "private use"
	case unicode.IsSpace(c) || unicode.Is(unicode.Zs, c):
		return "a blank other than U+0020"
	case unicode.Is(unicode.Variation_Selector, c):
		return "variation selector"
	case notVisible(c):
		return "not visible"
	}
	return "not assigned"
}

// wayOut says how text comes to have a character, and how to have it without.
func wayOut(c rune) string {
	switch c {
	case 0xFEFF:
		return "save the file as UTF-8 without a byte order mark; in PowerShell: [IO.File]::WriteAllText('FILE', 'TEXT')"
	case utf8.RuneError:
		return "the text was not UTF-8 before it was sent; convert its file, such as: iconv -f WINDOWS-1252 -t UTF-8 FILE"
	case '\n', '\r':
		return "a file given with @ must not end in a line break; write it with: printf %s 'TEXT' >FILE"
	case 0x00:
		return "if the file is UTF-16, convert it: iconv -f UTF-16 -t UTF-8 FILE"
	}
	return "only printable characters are allowed, and of blanks U+0020; type it again instead of pasting it"
}

// Shown replaces every character that is not printable by U+FFFD, one by one, so that text which [Check] accepts
// never equals text in which something was replaced.
func Shown(s string) string {
	if Check(s) == nil {
		return s
	}
	var out strings.Builder
	for _, c := range s {
		if !Printable(c) {
			c = utf8.RuneError
		}
		out.WriteRune(c)
	}
	return out.String()
}

// Name is [Shown] cut off after n characters: for names, ids and other short words of a cloud.
func Name(s string, n int) string { return cut(Shown(s[:min(len(s), utf8.UTFMax*(n+1))]), n) }

// cut shortens a text to n characters, and says so.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "..."
}
