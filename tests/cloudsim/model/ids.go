package model

import (
	"fmt"
	"strings"
)

const (
	hexDigits = "0123456789abcdef"
	base36    = "0123456789abcdefghijklmnopqrstuvwxyz"
	upper36   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// random draws n characters of an alphabet from the seeded source. The
// caller holds the lock.
func (w *World) random(alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[w.ids.IntN(len(alphabet))])
	}
	return b.String()
}

// uuid draws a version 4 UUID from the seeded source.
func (w *World) uuid() string {
	h := w.random(hexDigits, 30)
	return fmt.Sprintf("%s-%s-4%s-%c%s-%s", h[:8], h[8:12], h[12:15], "89ab"[w.ids.IntN(4)], h[15:18], h[18:30])
}

// NewUUID draws a UUID, for request ids, tokens and the like.
func (w *World) NewUUID() string {
	defer w.enter()()
	return w.uuid()
}

// NewBase36 draws n digits and lower-case letters.
func (w *World) NewBase36(n int) string {
	defer w.enter()()
	return w.random(base36, n)
}

// NewHex draws n lower-case hexadecimal digits.
func (w *World) NewHex(n int) string {
	defer w.enter()()
	return w.random(hexDigits, n)
}

// serverID makes an id in the cloud's own form.
func (w *World) serverID(c Cloud) string {
	switch c {
	case AWS:
		return "i-" + w.random(hexDigits, 17)
	case TencentCloud:
		return "ins-" + w.random(base36, 8)
	case AlibabaCloud:
		return "i-" + w.random(base36, 20)
	default:
		return w.uuid()
	}
}

// accessKeyPair makes an access key id and secret in the cloud's own form.
func (w *World) accessKeyPair(c Cloud) (id, secret string) {
	const mixed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	switch c {
	case AWS:
		return "AKIA" + w.random(upper36, 16), w.random(mixed, 40)
	case TencentCloud:
		return "AKID" + w.random(mixed, 32), w.random(mixed, 32)
	case AlibabaCloud:
		return "LTAI5t" + w.random(mixed, 18), w.random(mixed, 30)
	case Azure:
		return w.uuid(), w.random(mixed, 3) + "8Q~" + w.random(mixed, 34)
	default:
		return w.random(upper36, 20), w.random(mixed, 40)
	}
}

// initialPassword makes a password that all the simulated clouds' guests
// would make: 14 characters of four classes.
func (w *World) initialPassword() string {
	return w.random("abcdefghijkmnopqrstuvwxyz", 4) + w.random("ABCDEFGHJKLMNPQRSTUVWXYZ", 4) +
		w.random("23456789", 3) + w.random("!@%-_=+.", 3)
}
