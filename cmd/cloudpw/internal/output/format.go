package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Format is how results are printed.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
)

// Formats are all formats, for help and completion.
func Formats() []string { return []string{string(Table), string(JSON), string(CSV)} }

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if s == f {
			return Format(f), nil
		}
	}
	return "", fmt.Errorf("-o, --output: %q is none of %s", s, strings.Join(Formats(), ", "))
}

// WriteJSON writes a value as JSON with line feeds. What a terminal would obey is escaped, so the value is exact and harmless.
func WriteJSON(w io.Writer, value any) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, escaped(buffer.String()))
	return err
}

// escaped replaces what does not show as itself, which JSON has in strings only, by its escape.
func escaped(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for _, c := range s {
		switch {
		case c == '\n' || printable(c):
			out.WriteRune(c)
		case c > 0xFFFF:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	return out.String()
}
