package cloud

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

func TestRedactKnowsEveryForm(t *testing.T) {
	const secret = `Str0ng<&>"pass\word+"`
	for name, form := range map[string]string{
		"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"JSON":         `Str0ng\u003c\u0026\u003e\"pass\\word+\"`,
		"JSON, no web": `Str0ng<&>\"pass\\word+\"`,
		"base64":       base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 URL":   base64.URLEncoding.EncodeToString([]byte(secret)),
	} {
		if got, want := Redact("before "+form+" after "+form, "", secret), "before [redacted] after [redacted]"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := Redact("an abc text", "abc", "", strings.Repeat("x", 20)); got != "an abc text" {
		t.Errorf("%q", got)
	}
}
