package text

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckNamesWhatIsNotPrintable(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Plain text, with blanks: äöü Ж 漢字 \U0001F600 e\u0301", ""},
		{"a\nb", "character 2 is U+000A (line feed)"},
		{"\uFEFFpassword", "character 1 is U+FEFF (byte order mark); save the file as UTF-8 without a byte order mark"},
		{"pässw\uFFFDrd", "character 6 is U+FFFD (replacement character); the text was not UTF-8"},
		{"p\xe4ss", "character 2 is not UTF-8"},
		{"a\u200Bb", "character 2 is U+200B (zero width space)"},
		{"ab\u0085", "character 3 is U+0085 (next line)"},
		{"ab\u009B", "character 3 is U+009B (control character)"},
		{"a\u2028", "character 2 is U+2028 (line separator)"},
		{"a\u202Eb", "character 2 is U+202E (right-to-left override)"},
		{"a\u2066b", "character 2 is U+2066 (left-to-right isolate)"},
		{"a\U000E0041", "character 2 is U+E0041 (tag character)"},
		{"a\u00A0b", "character 2 is U+00A0 (no-break space)"},
		{"a\u00ADb", "character 2 is U+00AD (soft hyphen)"},
		{"a\u3164", "character 2 is U+3164 (Hangul filler)"},
		{"a\uFE0F", "character 2 is U+FE0F (variation selector)"},
		{"a\U000E0100", "character 2 is U+E0100 (variation selector)"},
		{"a\u2800", "character 2 is U+2800 (Braille pattern blank)"},
		{"a\uE000", "character 2 is U+E000 (private use)"},
		{"a\u2003", "character 2 is U+2003 (a blank other than U+0020)"},
		{"a\x00", "character 2 is U+0000 (null)"},
		{"a\x1b", "character 2 is U+001B (escape)"},
	} {
		err := Check(c.text)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestShownReplacesOneByOne(t *testing.T) {
	if got := Shown("a\u200Bb\x1b[31m\n\xffé"); got != "a\uFFFDb\uFFFD[31m\uFFFD\uFFFDé" {
		t.Errorf("%q", got)
	}
	if got := Name("abc\u202Edefgh", 5); got != "abc\uFFFDd..." {
		t.Errorf("%q", got)
	}
}

func TestLineIsOnePrintableLine(t *testing.T) {
	if got := Line("  a\r\n\tb\u2028c\u00A0d \x1b[2J\u202Ee\u200B.\xff  ", 100); got != "a b c d \uFFFD[2J\uFFFDe\uFFFD.\uFFFD" {
		t.Errorf("%q", got)
	}
	if got := Line(strings.Repeat("ä", 20), 5); got != "äääää..." {
		t.Errorf("%q", got)
	}
	if got := Line(strings.Repeat("\n", 100_000)+"late", 5); got != "..." {
		t.Errorf("%q", got)
	}
}

// TestLineKnowsSecretsInEveryForm has secrets as servers repeat them.
func TestLineKnowsSecretsInEveryForm(t *testing.T) {
	jsonText := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b[1 : len(b)-1])
	}
	for _, secret := range []string{`Str0ng<&>"pass\word+`, "Pa$$w0rd/with blank", "ÄÖ-ключ-漢字-\U0001F600",
		"e\u0301te\u0301-2026!"} {
		forms := map[string]string{
			"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
			"JSON": jsonText(secret), "JSON in JSON": jsonText(jsonText(secret)), "JSON in a query": url.QueryEscape(jsonText(secret)),
			"HTML": html.EscapeString(secret), "query in HTML": html.EscapeString(url.QueryEscape(secret)),
			"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 of a URL": base64.RawURLEncoding.EncodeToString([]byte(secret)),
			"hexadecimal": hex.EncodeToString([]byte(secret)), "hexadecimal, upper case": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		}
		for _, c := range secret {
			forms["references"] += fmt.Sprintf("&#%d;", c)
		}
		for name, form := range forms {
			if got, want := Line("before "+form+" after "+form, 500, "", secret), "before [redacted] after [redacted]"; got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		for _, before := range []string{"password=", "user:pw=", "x"} {
			got := Line("Basic "+base64.StdEncoding.EncodeToString([]byte(before+secret+"&more")), 500, secret)
			if !strings.Contains(got, "[redacted]") {
				t.Errorf("base64 after %s: %q", before, got)
			}
		}
	}
	if got := Line("an abc text", 100, "abc", "", strings.Repeat("x", 20)); got != "an abc text" {
		t.Errorf("%q", got)
	}
}

// TestLineKnowsSecretsWithCharactersInserted has what a hostile server puts into a secret, so that it is not
// recognized until something else drops it again.
func TestLineKnowsSecretsWithCharactersInserted(t *testing.T) {
	const secret = "Correct-Horse-7"
	for _, inserted := range []string{"\u200B", "\x00", "\u200B\x00", "\n", " ", "\uFEFF", "\U000E0041", "\u202E", "\u034F", "\uFE0F", "\xff",
		"\u0301", "%00", "%E2%80%8B", "\\u200b", "&#8203;", "\\n"} {
		for _, every := range []int{1, 3, 7} {
			var broken strings.Builder
			for i := range len(secret) {
				if i > 0 && i%every == 0 {
					broken.WriteString(inserted)
				}
				broken.WriteByte(secret[i])
			}
			if got := Line("no: "+broken.String()+" is refused", 300, secret); got != "no: [redacted] is refused" {
				t.Errorf("%q every %d: %q", inserted, every, got)
			}
		}
	}
}

// TestLineRedactsWhatTheCutWouldShow has a secret across the end of what is shown and of what is looked at.
func TestLineRedactsWhatTheCutWouldShow(t *testing.T) {
	const secret = "Correct-Horse-7"
	for _, filler := range []string{"x", "\n", "\u200B"} {
		for before := considered - 20; before < considered+5; before++ {
			got := Line(strings.Repeat(filler, before/len(filler))+secret, considered, secret)
			if strings.Contains(got, "Corr") {
				t.Fatalf("after %d bytes: %.20q", before, got[max(0, len(got)-20):])
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("the password Correct-Horse-7 is refused", "Correct-Horse-7")
	f.Add("%43orrect\\u002dHorse&#45;7", "Correct-Horse-7")
	f.Add("\xff\u200B%", "aaaa")
	f.Add("aaaaaaaaaaaaa%%", "aaa%")
	f.Fuzz(func(t *testing.T, s, secret string) {
		got := Line(s, 300, secret)
		if err := Check(strings.ReplaceAll(got, "\uFFFD", "?")); err != nil || utf8.RuneCountInString(got) > 303 {
			t.Errorf("%q: %v", got, err)
		}
		// What Line itself writes may complete a secret by chance: its mark (no secret has a line break) and its dots.
		rest := strings.ReplaceAll(strings.TrimSuffix(got, "..."), redacted, "\n")
		wanted := len(secret) >= minSecret && Check(secret) == nil && onlySeen(secret) == secret
		if wanted && strings.Contains(rest, secret) {
			t.Errorf("%q holds %q", got, secret)
		}
	})
}
