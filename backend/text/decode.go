package text

import (
	"bytes"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder returns what stands at the beginning of a text and how many bytes of it that takes; 0 where nothing is
// encoded.
type decoder func(string) (string, int)

// decoders are the encodings in which servers repeat input.
var decoders = []decoder{percent, percentPlus, escaped, entity}

// readings are a text as it is, decoded once and decoded twice, each without what is not seen of it.
func readings(s string) []view {
	var plain view
	for i := range len(s) {
		plain.add(s[i:i+1], span{i, i + 1})
	}
	all := []view{plain}
	for range 2 {
		for _, v := range all {
			for _, decode := range decoders {
				next, changed := v.decoded(decode)
				if changed && !slices.ContainsFunc(all, func(known view) bool { return bytes.Equal(known.bytes, next.bytes) }) {
					all = append(all, next)
				}
			}
		}
	}
	for i := range all {
		all[i] = all[i].seen()
	}
	return all
}

// decoded applies a decoder throughout, and reports whether it found anything.
func (v view) decoded(decode decoder) (view, bool) {
	s := string(v.bytes)
	var out view
	changed := false
	for i := 0; i < len(s); {
		b, n := decode(s[i:])
		if n == 0 {
			b, n = s[i:i+1], 1
		} else {
			changed = true
		}
		out.add(b, span{v.from[i].start, v.from[i+n-1].end})
		i += n
	}
	return out, changed
}

// percent reads a URL's %41.
func percent(s string) (string, int) {
	if c, ok := hexadecimal(s, "%", 2); ok {
		return string([]byte{byte(c)}), 3
	}
	return "", 0
}

// percentPlus is percent where + is a blank.
func percentPlus(s string) (string, int) {
	if s[0] == '+' {
		return " ", 1
	}
	return percent(s)
}

// escaped reads the escapes of JSON and of programming languages.
func escaped(s string) (string, int) {
	if len(s) < 2 || s[0] != '\\' {
		return "", 0
	}
	if i := strings.IndexByte(`"\/'bfnrt`, s[1]); i >= 0 {
		return "\"\\/'\b\f\n\r\t"[i : i+1], 2
	}
	if c, ok := hexadecimal(s, `\x`, 2); ok {
		return string(rune(c)), 4
	}
	c, ok := hexadecimal(s, `\u`, 4)
	if !ok {
		return "", 0
	}
	if utf16.IsSurrogate(rune(c)) {
		if low, ok := hexadecimal(s[6:], `\u`, 4); ok {
			if whole := utf16.DecodeRune(rune(c), rune(low)); whole != utf8.RuneError {
				return string(whole), 12
			}
		}
	}
	return string(rune(c)), 6
}

// maxEntity is the longest name of a character in HTML that is looked for.
const maxEntity = 10

// entity reads HTML's and XML's &lt; and &#60;.
func entity(s string) (string, int) {
	if s[0] != '&' {
		return "", 0
	}
	end := strings.IndexByte(s[:min(len(s), maxEntity)], ';')
	if end < 0 {
		return "", 0
	}
	if c := html.UnescapeString(s[:end+1]); c != s[:end+1] {
		return c, end + 1
	}
	return "", 0
}

// hexadecimal reads so many digits after a prefix.
func hexadecimal(s, prefix string, digits int) (uint64, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) < digits {
		return 0, false
	}
	c, err := strconv.ParseUint(rest[:digits], 16, 32)
	return c, err == nil
}
