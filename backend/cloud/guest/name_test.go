package guest

import (
	"strings"
	"testing"
)

// A name is one more line, which no script takes for anything, and only the whole of it counts.
func TestNamedScripts(t *testing.T) {
	script := Script{Interpreter: Shell, Text: "#!/bin/sh\nhash='x'\nmain\n", Sealed: "x"}
	named := script.Named("abc-1")
	if got, ok := strings.CutPrefix(named.Text, script.Text); !ok || got != "# cloudpw: abc-1\n" || named.Sealed != script.Sealed ||
		named.Interpreter != script.Interpreter {
		t.Errorf("named: %q added", got)
	}
	if script.Named("") != script {
		t.Error("no name adds something")
	}
	for text, want := range map[string]bool{
		named.Text: true, strings.ReplaceAll(named.Text, "\n", "\r\n"): true, strings.TrimSuffix(named.Text, "\n"): true,
		named.Text + "\r\n": true, script.Text: false, script.Named("abc-12").Text: false, script.Named("xabc-1").Text: false,
		named.Text + "true\n": false, "": false,
	} {
		if got := HasName(text, "abc-1"); got != want {
			t.Errorf("a script that ends with %q: %t", text[max(0, len(text)-30):], got)
		}
	}
	if HasName(script.Text, "") {
		t.Error("no name is a name")
	}
}
