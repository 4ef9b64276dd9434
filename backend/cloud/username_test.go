package cloud

import (
	"strings"
	"testing"
)

func TestUsernames(t *testing.T) {
	for name, c := range map[string]struct{ windows, linux bool }{
		"root":                   {true, true},
		"svc-1$":                 {true, true},
		"a.b_c-d":                {true, true},
		"Администратор":          {true, true},
		"Administratör":          {true, true},
		"Administrato\u0308r":    {true, true}, // a letter and its mark
		"Build User":             {true, true},
		"管理者":                    {true, true},
		"مدير":                   {true, true},
		"O'Brien":                {true, false},
		"a (b) & c%d!":           {true, false},
		"`id`":                   {true, false},
		"$(id)":                  {true, false},
		"{{user}}":               {true, false},
		"-a":                     {true, false},
		"1000":                   {true, false},
		"a.":                     {false, true},
		BuiltinAdministrator:     {true, false},
		strings.Repeat("a", 20):  {true, true},
		strings.Repeat("ж", 20):  {true, true},
		strings.Repeat("a", 21):  {false, true},
		strings.Repeat("ж", 32):  {false, true},
		strings.Repeat("a", 33):  {false, false},
		strings.Repeat("𝒜", 11):  {false, true}, // two units of UTF-16 each
		"":                       {false, false},
		" a":                     {false, false},
		"a ":                     {false, false},
		"a..b":                   {false, false},
		"...":                    {false, false},
		"a/b":                    {false, false},
		`CORP\a`:                 {false, false},
		"a@corp":                 {false, false},
		"@builtin-Administrator": {false, false},
		"@administrator":         {false, false},
		"a\x00b":                 {false, false},
		"a\nb":                   {false, false},
		"a\u0085b":               {false, false},
		"a\u00a0b":               {false, false},
		"a\u200bb":               {false, false},
		"a\u202eb":               {false, false},
		"\ufeffa":                {false, false},
		"a\ufffdb":               {false, false},
		"a\U000e0061":            {false, false},
		"a\xff":                  {false, false},
	} {
		for platform, fits := range map[Platform]bool{Windows: c.windows, Linux: c.linux, "": c.windows || c.linux} {
			err := CheckUsername(platform, name)
			if fits != (err == nil) || err != nil && (KindOf(err) != Refused || !strings.Contains(err.Error(), "username: ")) {
				t.Errorf("%q on %q: %v, want it to fit: %v", name, platform, err, fits)
			}
			if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x200b || r == 0x202e || r == 0xfeff }) {
				t.Errorf("%q: the error shows what cannot be printed: %q", name, err)
			}
		}
	}
	for _, c := range windowsForbidden {
		if err := CheckUsername(Windows, "a"+string(c)+"b"); err == nil {
			t.Errorf("%q is taken", c)
		}
	}
}

func TestUsernamesFoldForAllScripts(t *testing.T) {
	for a, b := range map[string]string{
		"Administrator": "ADMINISTRATOR", "Администратор": "АДМИНИСТРАТОР", "Administratör": "administratÖr",
		"ΣΑΣ": "σας", "Build User": "build user",
	} {
		if FoldUsername(a) != FoldUsername(b) {
			t.Errorf("%s and %s are two users", a, b)
		}
	}
	for a, b := range map[string]string{"a": "b", "é": "e", "ж": "з"} {
		if FoldUsername(a) == FoldUsername(b) {
			t.Errorf("%s and %s are one user", a, b)
		}
	}
	for name, want := range map[string]bool{"administrator": true, "АДМИНИСТРАТОР": true, BuiltinAdministrator: true,
		"root": false, "admin": false} {
		if MayBeBuiltinAdministrator(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
