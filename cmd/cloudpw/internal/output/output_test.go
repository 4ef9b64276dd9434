package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// hostile is what somebody may call a server: escapes, controls, a change of direction, an invisible character, half a character.
const hostile = "a\x1b[31mb\x07c\td\u202ee\u2066f\u200bg\x9bh\xffi\nj\u00adk\U000E0041l"

func TestClean(t *testing.T) {
	want := "a\uFFFD[31mb\uFFFDc d\uFFFDe\uFFFDf\uFFFDg\uFFFDh\uFFFDi j\uFFFDk\uFFFDl"
	if got := Clean(hostile); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := CleanLines("a\x1bb\nc\u202ed"); got != "a\uFFFDb\nc\uFFFDd" {
		t.Errorf("lines %q", got)
	}
	for _, fine := range []string{"", "web-1", "Zürich 東京", "#1 (a/b) <script>", "“quoted”"} {
		if Clean(fine) != fine {
			t.Errorf("%q became %q", fine, Clean(fine))
		}
	}
}

// TestJSONIsExactAndHarmless: a program reads what was there; a terminal gets nothing to obey.
func TestJSONIsExactAndHarmless(t *testing.T) {
	var out bytes.Buffer
	text := strings.ToValidUTF8(hostile, "\uFFFD")
	if err := WriteJSON(&out, map[string]string{"name": text, "html": "<b>&"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range out.String() {
		if c != '\n' && !printable(c) {
			t.Errorf("the JSON has %U", c)
		}
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["name"] != text || back["html"] != "<b>&" {
		t.Errorf("read back %q, %v", back["name"], err)
	}
}

// TestCSV: what a spreadsheet might take for a formula begins with an apostrophe.
func TestCSV(t *testing.T) {
	for text, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "' =1", "\r=1": "' =1",
		"a=1": "a=1", "": "", "a\x1bb": "a\uFFFDb"} {
		if got := Cell(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	rows := Rows{Headings: []string{"a", "b"}}
	rows.Add("=x", "1,\"2\"")
	var out bytes.Buffer
	if err := rows.WriteCSV(&out); err != nil || out.String() != "a,b\n'=x,\"1,\"\"2\"\"\"\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestTable(t *testing.T) {
	rows := Rows{Headings: []string{"server", "empty", "state"}}
	rows.Add("web\x1b[1m", "", "ready")
	rows.Add("a-longer-name", "", "due")
	var out bytes.Buffer
	if err := rows.WriteTable(&out, 0); err != nil {
		t.Fatal(err)
	}
	if want := "SERVER         STATE\nweb\uFFFD[1m        ready\na-longer-name  due\n"; out.String() != want {
		t.Errorf("the table:\n%s\nwant:\n%s", out.String(), want)
	}
	out.Reset()
	if err := rows.WriteTable(&out, 10); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 10 {
			t.Errorf("a line of %d characters for a terminal of 10: %q", n, line)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{"web-1": "web-1", "a b": "'a b'", "$(id)": "'$(id)'", "it's": `'it'\''s'`, "": "''",
		"-rf": "'-rf'", "prod/i-1/root": "prod/i-1/root", "a\x1bb": "'a\uFFFDb'", "DOM\\u": `'DOM\u'`} {
		if got := Word(text); got != want {
			t.Errorf("%q became %s, want %s", text, got, want)
		}
	}
}

func TestAges(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m", 61 * time.Second: "1m1s",
		12*time.Minute + time.Second: "12m", 90 * time.Minute: "1h30m", 11 * time.Hour: "11h", 47 * time.Hour: "47h", 48 * time.Hour: "2d",
		900 * time.Hour: "37d"} {
		if got := Age(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	if got := Ago(now.Add(-time.Hour), now); got != "2026-11-25 08:00:00 UTC (1h ago)" {
		t.Error(got)
	}
	if got := Ago(now.Add(time.Hour), now); got != "2026-11-25 10:00:00 UTC (in 1h)" {
		t.Error(got)
	}
	if Ago(time.Time{}, now) != "" {
		t.Error("no time has words")
	}
}

// TestProgress: without a terminal a line for each change; on one a bar on one line.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, false, "rotating\x1b")
	p.Update(1, 3, "1 done")
	p.Update(1, 3, "1 done")
	p.Note("Vault\nis away")
	p.Update(3, 3, "3 done")
	p.Stop()
	if want := "rotating\uFFFD\n  1 done\n  Vault is away\n  3 done\n"; out.String() != want || p.Terminal() {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p = NewProgress(&out, true, "rotating")
	p.Note("begins")
	p.Update(1, 2, "half \x1b[31m"+strings.Repeat("x", 100))
	p.Note("away")
	p.Update(2, 2, "all")
	p.Stop()
	p.Stop()
	half := "[############............] half \uFFFD[31m"
	half += strings.Repeat("x", 78-len([]rune(half))) + "~"
	want := "rotating\n  begins\n\r" + half + "\x1b[K\r" + "\x1b[K  away\n\r" + half + "\x1b[K\r[########################] all\x1b[K\n"
	if out.String() != want || !p.Terminal() {
		t.Errorf("%q, want\n%q", out.String(), want)
	}
	for total, bars := range map[[2]int]string{{0, 0}: "[" + strings.Repeat(".", 24) + "]", {9, 3}: "[" + strings.Repeat("#", 24) + "]"} {
		if got := bar(total[0], total[1]); got != bars {
			t.Errorf("%v: %s", total, got)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{
		0: "0 servers have", 1: "1 server has", 2: "2 servers have", 999: "999 servers have", 1000: "1,000 servers have",
		1234567: "1,234,567 servers have", -1000: "-1,000 servers have", -100: "-100 servers have",
	} {
		if got := Count(n, "server has", "servers have"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
