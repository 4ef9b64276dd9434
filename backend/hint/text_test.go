package hint

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// carrying is an error whose message has a hint, as those of the packages that use this one.
type carrying struct{ message Text }

func (e *carrying) Error() string { return e.message.String() }
func (e *carrying) Text() Text    { return e.message }

func TestHint(t *testing.T) {
	for _, c := range []struct {
		hint        Hint
		mount       string
		want, inLog string
	}{
		{New("read", "check/prod"), "cloudpw/", "vault read cloudpw/check/prod", "read check/prod"},
		{New("list -detailed", "discover/c"), "team/servers/", "vault list -detailed team/servers/discover/c", "list -detailed discover/c"},
		{New("lease revoke -prefix", "creds/r"), "x/", "vault lease revoke -prefix x/creds/r", "lease revoke -prefix creds/r"},
		{New("secrets tune -max-lease-ttl=60s", ""), "x/", "vault secrets tune -max-lease-ttl=60s x/", "secrets tune -max-lease-ttl=60s"},
		{New("read", "a"), "two words/", "vault read 'two words/'a", "read a"},
		{New("read", "a"), "$1/", "vault read '$1/'a", "read a"},
		{New("read", "accounts/c/i/two words"), "x/", "vault read x/accounts/c/i/'two words'", "read accounts/c/i/'two words'"},
		{New("read", "accounts/c/i/jürgen"), "x/", "vault read x/accounts/c/i/jürgen", "read accounts/c/i/jürgen"},
		{New("write", "import/c/i/u", "password="+File("new_password"), "it's"), "x/",
			`vault write x/import/c/i/u password=@new-password.txt 'it'\''s'`,
			`write import/c/i/u password=@new-password.txt 'it'\''s'`},
	} {
		if got := c.hint.At(c.mount); got != c.want {
			t.Errorf("at %q: %s, want %s", c.mount, got, c.want)
		}
		if got := c.hint.String(); got != c.inLog {
			t.Errorf("in a log: %s, want %s", got, c.inLog)
		}
	}
}

// What is printed by %s or %v keeps its hints, at any depth, and all else is what fmt makes of it.
func TestTextf(t *testing.T) {
	h := New("read", "a")
	inner := &carrying{Textf("see: %s", h)}
	for _, c := range []struct {
		text Text
		want string
	}{
		{Textf("nothing"), "nothing"},
		{Textf("100%% of %d%% %q", 5, "x"), `100% of 5% "x"`},
		{Textf("%s", h), "vault read m/a"},
		{Textf("%d%% of %s: %v, %.3q", 7, "x", h, "abcdef"), `7% of x: vault read m/a, "abc"`},
		{Textf("%s%s", h, h), "vault read m/avault read m/a"},
		{Textf("%[1]s", "plain"), "plain"},
		{Textf("%q", h), `"read a"`},
		{Textf("%s; %s", Textf("first %s", h), "then"), "first vault read m/a; then"},
		{Textf("left out: %s", inner), "left out: see: vault read m/a"},
		{Textf("left out: %v", fmt.Errorf("because: %w (twice)", inner)), "left out: because: see: vault read m/a (twice)"},
		{Textf("%d and %s", 1, errors.New("plain")), "1 and plain"},
		{Textf("%+v of %-5s|%s", 1, "x", h), "1 of x    |vault read m/a"},
		{Plain("say ").Add(Textf("%s", h), Plain(" now")), "say vault read m/a now"},
		{Of(nil), ""},
		{Of(inner), "see: vault read m/a"},
		{Of(errors.Join(errors.New("one"), inner)), "one\nsee: vault read m/a"},
	} {
		if got := c.text.At("m/"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// An error that does not repeat its cause's message says none of its hints.
func TestOfAnErrorThatHidesItsCause(t *testing.T) {
	if got := Of(&hiding{&carrying{Textf("see: %s", New("read", "a"))}}).At("m/"); got != "hidden" {
		t.Error(got)
	}
}

type hiding struct{ cause error }

func (*hiding) Error() string   { return "hidden" }
func (e *hiding) Unwrap() error { return e.cause }

func TestWithin(t *testing.T) {
	h := New("read", "check/prod")
	for words, want := range map[string]string{
		"":                                    "",
		"nothing":                             "nothing",
		"read check/prod":                     "vault read m/check/prod",
		"a: read check/prod (Denied)":         "a: vault read m/check/prod (Denied)",
		"read check/prod, or read check/prod": "vault read m/check/prod, or vault read m/check/prod",
	} {
		if got := Within(words, h).At("m/"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := Within("words", Hint{}).At("m/"); got != "words" {
		t.Error(got)
	}
}

// A stored message keeps its hints, and is shown with the path that the mount has then.
func TestTextIsStored(t *testing.T) {
	for stored, text := range map[string]Text{
		`""`:     {},
		`"only"`: Plain("only"),
		`["see: ",{"verb":"write","path":"roles/r","fields":["key=k"]},"."]`: Textf("see: %s.", New("write", "roles/r", "key=k")),
		`[{"verb":"read","path":"a"}]`:                                       New("read", "a").Text(),
	} {
		raw, err := json.Marshal(text)
		if err != nil || string(raw) != stored {
			t.Errorf("stored as %s (%v), want %s", raw, err, stored)
		}
		var again Text
		if err := json.Unmarshal(raw, &again); err != nil || !again.Equal(text) || again.At("m/") != text.At("m/") ||
			again.IsZero() != text.IsZero() {
			t.Errorf("%s was read as %q (%v)", raw, again.At("m/"), err)
		}
	}
	for _, wrong := range []string{`1`, `{}`, `[1]`, `[{"verb":1}]`, `["a"`} {
		if err := json.Unmarshal([]byte(wrong), new(Text)); err == nil {
			t.Errorf("%s was read", wrong)
		}
	}
}

func TestTextsAreEqual(t *testing.T) {
	a := Textf("see: %s", New("read", "a"))
	for _, other := range []Text{{}, Plain("see: read a"), Textf("see: %s", New("read", "b")), Textf("see: %s.", New("read", "a")),
		Textf("look: %s", New("read", "a")),
		Textf("see: %s", New("read", "a", "wait=1s"))} {
		if a.Equal(other) || other.Equal(a) {
			t.Errorf("%q equals %q", a, other)
		}
	}
	if !a.Equal(Plain("see").Add(Plain(": "), New("read", "a").Text())) {
		t.Error("a text differs from itself in pieces")
	}
}

// Adding to a message changes neither it nor what else was made of it.
func TestAddCopies(t *testing.T) {
	base := Plain("a").Add(New("read", "x").Text())
	one, two := base.Add(Plain("1")), base.Add(Plain("2"))
	if base.String() != "aread x" || one.String() != "aread x1" || two.String() != "aread x2" {
		t.Errorf("%s, %s, %s", base, one, two)
	}
}
