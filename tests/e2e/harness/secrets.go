package harness

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// shortestSecret is how long a secret must be to be searched for: a shorter one would be found by chance.
const shortestSecret = 8

// Secret is a value that no log and no error may hold.
type Secret struct {
	// Name is what a failing test prints in its place.
	Name  string
	Value string
}

// Leak is a secret found where it must not be.
type Leak struct {
	Secret   string // the secret's name
	Encoding string // the form in which it was found
	File     string
	Line     int // counted from 1
}

func (l Leak) String() string {
	return fmt.Sprintf("%s, %s, in %s line %d", l.Secret, l.Encoding, l.File, l.Line)
}

// FindLeaks searches files for secrets: as they are, quoted for JSON or Go, URL-encoded, in hex, and in base64 at any
// offset of a longer text. Of a secret with several lines, such as a private key, each long line counts as well.
func FindLeaks(tb testing.TB, secrets []Secret, files ...string) []Leak {
	tb.Helper()
	var leaks []Leak
	for _, file := range files {
		content, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // a log that nothing was written to
		}
		if err != nil {
			tb.Fatalf("search for secrets: %v", err)
		}
		for _, secret := range secrets {
			found, err := findSecret(content, secret)
			if err != nil {
				tb.Fatalf("search for secrets: %v", err)
			}
			if found != nil {
				found.File = file
				leaks = append(leaks, *found)
			}
		}
	}
	return leaks
}

// findSecret returns the first place where content holds the secret, or nil.
func findSecret(content []byte, secret Secret) (*Leak, error) {
	if len(secret.Value) < shortestSecret {
		return nil, fmt.Errorf("%s has %d bytes, too few to be told from chance; use one of at least %d", secret.Name, len(secret.Value),
			shortestSecret)
	}
	values := []string{secret.Value}
	for line := range strings.Lines(secret.Value) {
		const longLine = 32
		if line = strings.TrimSpace(line); len(line) >= longLine && line != secret.Value {
			values = append(values, line)
		}
	}
	for _, value := range values {
		for _, form := range formsOf(value) {
			if at := bytes.Index(content, []byte(form.text)); at >= 0 {
				return &Leak{Secret: secret.Name, Encoding: form.name, Line: 1 + bytes.Count(content[:at], []byte("\n"))}, nil
			}
		}
	}
	return nil, nil //nolint:nilnil // not found is no error
}

type form struct{ name, text string }

// formsOf lists the texts in which a value may appear.
func formsOf(value string) []form {
	forms := []form{
		{"raw", value},
		{"quoted", strings.Trim(strconv.Quote(value), `"`)},
		{"URL-encoded (query)", url.QueryEscape(value)},
		{"URL-encoded (path segment)", url.PathEscape(value)},
		{"URL-encoded (path)", (&url.URL{Path: value}).EscapedPath()},
		{"URL-encoded (strict)", percentEncode(value)},
		{"URL-encoded (strict, lower case)", strings.ToLower(percentEncode(value))},
		{"hex", hex.EncodeToString([]byte(value))},
		{"hex, upper case", strings.ToUpper(hex.EncodeToString([]byte(value)))},
	}
	if quoted, err := json.Marshal(value); err == nil {
		forms = append(forms, form{"JSON", strings.Trim(string(quoted), `"`)})
	}
	for _, alphabet := range []struct {
		name     string
		encoding *base64.Encoding
	}{{"base64", base64.RawStdEncoding}, {"base64 (URL alphabet)", base64.RawURLEncoding}} {
		for offset := range 3 {
			forms = append(forms, form{alphabet.name, base64Core(alphabet.encoding, value, offset)})
		}
	}
	return forms
}

// base64Core returns the characters that the base64 of any text has where value stands at a byte position of offset
// modulo 3: those that encode bits of value alone.
func base64Core(encoding *base64.Encoding, value string, offset int) string {
	encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + value))
	first := (offset*8 + 5) / 6
	end := (offset + len(value)) * 8 / 6
	return encoded[first:end]
}

// percentEncode escapes everything but RFC 3986's unreserved characters, as request signers do.
func percentEncode(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
