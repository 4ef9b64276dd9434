package text

import (
	"unicode"
	"unicode/utf8"
)

// span is a part of a text, in bytes.
type span struct{ start, end int }

// view is one reading of a text: bytes, each with the part of the text that it was read from.
type view struct {
	bytes []byte
	from  []span
}

func (v *view) add(b string, from span) {
	for i := range len(b) {
		v.bytes = append(v.bytes, b[i])
		v.from = append(v.from, from)
	}
}

// seen drops what is not seen.
func (v view) seen() view {
	var out view
	for i := 0; i < len(v.bytes); {
		c, n := utf8.DecodeRune(v.bytes[i:])
		if isSeen(c) {
			out.bytes = append(out.bytes, v.bytes[i:i+n]...)
			out.from = append(out.from, v.from[i:i+n]...)
		}
		i += n
	}
	return out
}

// isSeen reports whether a character is seen by itself: no blank, no mark, and printable.
func isSeen(c rune) bool { return Printable(c) && !unicode.IsSpace(c) && !unicode.IsMark(c) }
