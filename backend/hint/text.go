package hint

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Text is a message for people that keeps its hints. It is never changed in place.
type Text struct{ parts []part }

// part is a piece of a message: a hint, or words.
type part struct {
	words string
	hint  *Hint
}

// Carrier is an error, or another value, whose message may hold hints.
type Carrier interface{ Text() Text }

// Plain is a message without hints.
func Plain(words string) Text {
	if words == "" {
		return Text{}
	}
	return Text{parts: []part{{words: words}}}
}

// Text is a message of nothing but the hint.
func (h Hint) Text() Text { return Text{parts: []part{{hint: &h}}} }

// Textf formats like fmt.Sprintf and keeps the hints of its arguments that are printed with %s or %v: a [Hint], a [Text]
// or an error. The format uses no explicit argument indexes and no *.
func Textf(format string, args ...any) Text {
	carried := make([]Text, len(args))
	any := false
	for i, arg := range args {
		carried[i] = textOf(arg)
		any = any || carried[i].hints()
	}
	if !any {
		return Plain(fmt.Sprintf(format, args...))
	}
	var out Text
	from, first := 0, 0 // what is not formatted yet: of the format, and of the arguments
	for i, arg := 0, 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		start := i
		for i++; i < len(format) && strings.IndexByte("+-# 0123456789.", format[i]) >= 0; i++ {
		}
		if i == len(format) || format[i] == '%' {
			continue
		}
		if arg < len(args) && i == start+1 && (format[i] == 's' || format[i] == 'v') && carried[arg].hints() {
			out = out.Add(Plain(fmt.Sprintf(format[from:start], args[first:arg]...)), carried[arg])
			from, first = i+1, arg+1
		}
		arg++
	}
	return out.Add(Plain(fmt.Sprintf(format[from:], args[min(first, len(args)):]...)))
}

func textOf(arg any) Text {
	switch v := arg.(type) {
	case Text:
		return v
	case Hint:
		return v.Text()
	case error:
		return Of(v)
	}
	return Text{}
}

// Of is the message of an error with the hints that it carries, or those of the first error in its chain that is a
// [Carrier] and whose message the error's own one repeats.
func Of(err error) Text {
	if err == nil {
		return Text{}
	}
	whole := err.Error()
	var carrier Carrier
	if !errors.As(err, &carrier) {
		return Plain(whole)
	}
	inner := carrier.Text()
	before, after, found := strings.Cut(whole, inner.String())
	if !found {
		return Plain(whole)
	}
	return Plain(before).Add(inner, Plain(after))
}

// Within makes of words, in which a hint may stand as its String, a message that keeps it.
func Within(words string, h Hint) Text {
	if h.IsZero() {
		return Plain(words)
	}
	var out Text
	for {
		before, after, found := strings.Cut(words, h.String())
		out = out.Add(Plain(before))
		if !found {
			return out
		}
		out, words = out.Add(h.Text()), after
	}
}

// Add is the message with others behind it.
func (t Text) Add(more ...Text) Text {
	var parts []part
	for _, text := range append([]Text{t}, more...) {
		for _, p := range text.parts {
			if last := len(parts) - 1; p.hint == nil && last >= 0 && parts[last].hint == nil {
				parts[last].words += p.words
				continue
			}
			parts = append(parts, p)
		}
	}
	return Text{parts}
}

// At is the message with its hints at a mount.
func (t Text) At(mount string) string { return t.render(func(h *Hint) string { return h.At(mount) }) }

// String is the message for a log: see [Hint.String].
func (t Text) String() string { return t.render((*Hint).logged) }

// IsZero reports whether the message is empty.
func (t Text) IsZero() bool { return len(t.parts) == 0 }

// Equal reports whether two messages have the same words and hints.
func (t Text) Equal(other Text) bool {
	if len(t.parts) != len(other.parts) {
		return false
	}
	for i, p := range t.parts {
		o := other.parts[i]
		if p.words != o.words || (p.hint == nil) != (o.hint == nil) || p.hint != nil && !p.hint.equal(*o.hint) {
			return false
		}
	}
	return true
}

// hints reports whether the message has any.
func (t Text) hints() bool {
	for _, p := range t.parts {
		if p.hint != nil {
			return true
		}
	}
	return false
}

func (h *Hint) logged() string { return h.String() }

func (t Text) render(command func(*Hint) string) string {
	if len(t.parts) == 1 && t.parts[0].hint == nil {
		return t.parts[0].words
	}
	var out strings.Builder
	for _, p := range t.parts {
		if p.hint != nil {
			out.WriteString(command(p.hint))
			continue
		}
		out.WriteString(p.words)
	}
	return out.String()
}

// MarshalJSON writes a message without hints as a string, and another one as a list of strings and hints.
func (t Text) MarshalJSON() ([]byte, error) {
	if !t.hints() {
		return json.Marshal(t.String())
	}
	parts := make([]any, len(t.parts))
	for i, p := range t.parts {
		if parts[i] = p.words; p.hint != nil {
			parts[i] = p.hint
		}
	}
	return json.Marshal(parts)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = Text{}
	if len(data) > 0 && data[0] != '[' {
		var words string
		err := json.Unmarshal(data, &words)
		*t = Plain(words)
		return err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, raw := range parts {
		var next Text
		if len(raw) > 0 && raw[0] == '{' {
			var h Hint
			if err := json.Unmarshal(raw, &h); err != nil {
				return err
			}
			next = h.Text()
		} else {
			var words string
			if err := json.Unmarshal(raw, &words); err != nil {
				return err
			}
			next = Plain(words)
		}
		*t = t.Add(next)
	}
	return nil
}
