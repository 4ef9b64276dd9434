package cloud

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is copied out of a console or read from a file comes with quotes and blanks. A cloud would answer that the
// key is wrong, some of them lock it for that, and nobody sees why.

// quotes are those of keyboards and of word processors.
const quotes = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"

// checkCopied refuses a credential that has what is no part of it. One that is generated has no blank, no quote and
// nothing but ASCII; others are chosen by people, and may have both inside. The error names the character and its place, and shows
// nothing else of the value.
func checkCopied(value string, generated bool) error {
	refuse := func(position int, c rune, where string) error {
		return fmt.Errorf("character %d is %s, %s; give the value without it; "+
			"a file given with @ holds nothing else, as written by: printf %%s 'VALUE' >FILE",
			position, characterName(c), where)
	}
	if generated {
		position := 0
		for _, c := range value {
			position++
			if c == ' ' || c > unicode.MaxASCII || strings.ContainsRune(quotes, c) {
				return refuse(position, c, "which no such key has")
			}
		}
		return nil
	}
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	count := utf8.RuneCountInString(value)
	switch {
	case first == ' ':
		return refuse(1, first, "at the beginning")
	case last == ' ':
		return refuse(count, last, "at the end")
	case count > 1 && enclosing(first, last):
		return refuse(1, first, "as if to quote the value, and so is the last one")
	}
	return nil
}

func enclosing(first, last rune) bool {
	if first == last {
		return strings.ContainsRune("\"'`", first)
	}
	return first == '\u201c' && last == '\u201d' || first == '\u2018' && last == '\u2019' || first == '\u201e' && last == '\u201c'
}

func characterName(c rune) string {
	switch {
	case c == ' ':
		return "a blank (U+0020)"
	case !strings.ContainsRune(quotes, c):
		return fmt.Sprintf("U+%04X, which is not ASCII, though it may look like it", c)
	}
	return fmt.Sprintf("a quotation mark (%c, U+%04X)", c, c)
}
