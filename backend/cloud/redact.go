package cloud

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// minSecret is the length in bytes below which a secret is not looked for: it would only shred the text.
const minSecret = 4

// Redact removes secrets from foreign text, as they are and in the forms in which servers echo input: JSON,
// URL and base64. Text is to be redacted before it is shortened, as a part of a secret is not recognized.
func Redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		for _, form := range []string{
			s, jsonText(s, true), jsonText(s, false), url.QueryEscape(s), url.PathEscape(s),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s)),
		} {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}

// jsonText is a string as JSON writes it, without its quotes. Servers differ in whether they write <, > and &
// as they are.
func jsonText(s string, html bool) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(html)
	if e.Encode(s) != nil { // strings always encode
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(out.String(), "\n"), `"`), `"`)
}
