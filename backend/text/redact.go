package text

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// minSecret is the length in bytes below which a secret is not looked for: it would only shred the text.
const minSecret = 4

// redact removes secrets from foreign text: as they are, with characters inserted that are blank or that no
// screen shows, and in the forms in which servers repeat input: JSON, URL, HTML, two of these in one another,
// base64 (of a longer text, too) and hexadecimal. A text is redacted before it is shortened, as a part of a secret
// is not recognized: of the result, what begins in the first bytes is returned.
func redact(s string, shown int, secrets []string) string {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(secret string) bool { return len(secret) < minSecret })
	shown = min(shown, len(s))
	if len(secrets) == 0 {
		return s[:shown]
	}
	var found []span
	views := readings(s)
	for _, secret := range secrets {
		found = append(found, occurrences(views, secret)...)
	}
	slices.SortFunc(found, func(a, b span) int { return a.start - b.start })
	var out strings.Builder
	at := 0
	for i := 0; i < len(found); {
		f := found[i]
		for i++; i < len(found) && found[i].start < f.end; i++ { // they overlap
			f.end = max(f.end, found[i].end)
		}
		if f.start >= shown {
			break
		}
		out.WriteString(s[at:f.start])
		out.WriteString(redacted)
		at = f.end
	}
	if at < shown {
		out.WriteString(s[at:shown])
	}
	return out.String()
}

// occurrences are the parts of a text in which a secret stands. The first view is the text as it is.
func occurrences(views []view, secret string) []span {
	var found []span
	for _, v := range views {
		found = append(found, v.find(onlySeen(secret), 0, false)...)
	}
	plain := views[0]
	for offset := range 3 {
		if offset > 0 && len(secret) < 6 {
			break // a few characters of base64 are too common
		}
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			found = append(found, plain.find(within(encoding, secret, offset), min(offset, 1), (offset+len(secret))%3 != 0)...)
		}
	}
	lower := view{bytes: make([]byte, len(plain.bytes)), from: plain.from}
	for i, c := range plain.bytes {
		if 'A' <= c && c <= 'F' {
			c += 'a' - 'A'
		}
		lower.bytes[i] = c
	}
	return append(found, lower.find(hex.EncodeToString([]byte(secret)), 0, false)...)
}

// within is what stands for a secret in the base64 of a text in which it begins at an offset, modulo 3: without
// the characters at its ends, which stand for other bytes as well.
func within(encoding *base64.Encoding, secret string, offset int) string {
	all := encoding.EncodeToString([]byte("\x00\x00"[:offset] + secret))
	return all[(offset*8+5)/6 : (offset+len(secret))*8/6]
}

// find returns where a form of a secret stands. So many bytes before it are part of it as well; if open, so is
// the byte after it, with the signs that fill up base64.
func (v view) find(form string, before int, open bool) []span {
	if len(form) < minSecret {
		return nil
	}
	var found []span
	s := string(v.bytes)
	for at := 0; ; {
		i := strings.Index(s[at:], form)
		if i < 0 {
			return found
		}
		first, end := max(at+i-before, 0), at+i+len(form)
		for open && end < len(s) && (end == at+i+len(form) || s[end] == '=') {
			end++
		}
		found = append(found, span{v.from[first].start, v.from[end-1].end})
		at += i + 1
	}
}

// onlySeen is a secret as [view.seen] leaves a text.
func onlySeen(secret string) string {
	return strings.Map(func(c rune) rune {
		if !isSeen(c) {
			return -1
		}
		return c
	}, secret)
}
