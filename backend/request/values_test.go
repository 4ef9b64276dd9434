package request

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

func TestSomeOf(t *testing.T) {
	names := strings.Split("a b c d e f g h i j k l", " ")
	if got := Summarize(names[:10]); got != "a, b, c, d, e, f, g, h, i, j" {
		t.Error(got)
	}
	if got := Summarize(names); got != "a, b, c, d, e, f, g, h, i, j and 2 more" {
		t.Error(got)
	}
	var warnings []hint.Text
	for _, name := range names {
		warnings = append(warnings, hint.Plain(name))
	}
	if got := TruncateWarnings(warnings); len(got) != 11 || got[10].String() != "and 2 warnings more" || warnings[10].String() != "k" {
		t.Error(got)
	}
}
