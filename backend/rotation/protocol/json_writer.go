package protocol

import (
	"encoding/json"
	"strconv"
	"time"
)

// jsonWriter appends JSON. Its methods write a member of an object or, list and end aside, nothing: those whose names begin with
// some, and flag, leave the zero value out.
type jsonWriter struct {
	out []byte
	err error // the first one
}

// list begins an object or an array.
func (w *jsonWriter) list(open byte) {
	w.comma()
	w.out = append(w.out, open)
}

func (w *jsonWriter) end(closing byte) { w.out = append(w.out, closing) }

// comma separates a member from what stands before it.
func (w *jsonWriter) comma() {
	if len(w.out) == 0 {
		return
	}
	switch w.out[len(w.out)-1] {
	case '{', '[', ':', ',':
	default:
		w.out = append(w.out, ',')
	}
}

// name writes a member's name, which must need no escapes; key writes any.
func (w *jsonWriter) name(name string) {
	w.comma()
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

func (w *jsonWriter) key(name string) {
	w.comma()
	w.quote(name)
	w.out = append(w.out, ':')
}

func (w *jsonWriter) text(name, value string) {
	w.name(name)
	w.quote(value)
}

func (w *jsonWriter) someText(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *jsonWriter) number(name string, value int64) {
	w.name(name)
	w.out = strconv.AppendInt(w.out, value, 10)
}

func (w *jsonWriter) someNumber(name string, value int64) {
	if value != 0 {
		w.number(name, value)
	}
}

func (w *jsonWriter) flag(name string, value bool) {
	if value {
		w.name(name)
		w.out = append(w.out, "true"...)
	}
}

// time writes a time as time.Time.MarshalJSON does, which refuses years that RFC 3339 cannot tell.
func (w *jsonWriter) time(name string, value time.Time) {
	w.name(name)
	w.out = append(w.out, '"')
	out, err := value.AppendText(w.out)
	if err != nil {
		w.fail(err)
		return
	}
	w.out = append(out, '"')
}

func (w *jsonWriter) someTime(name string, value time.Time) {
	if !value.IsZero() {
		w.time(name, value)
	}
}

func (w *jsonWriter) quote(s string) {
	if needsEscapes(s) {
		quoted, err := json.Marshal(s)
		w.fail(err)
		w.out = append(w.out, quoted...)
		return
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, s...)
	w.out = append(w.out, '"')
}

func (w *jsonWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// needsEscapes reports whether characters must be escaped in a JSON string; for some that need not be it says so as well.
func needsEscapes(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return true
		}
	}
	return false
}
