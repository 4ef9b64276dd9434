// Package text holds the one rule for text that people and clouds supply: it is printable, or it is refused
// where it comes in ([Check]) and shown replaced where it goes out ([Shown], [Line]). Text of a cloud may repeat
// what was sent to it, so [Line] and [Redact] keep secrets out of it, however they are written there.
package text
