package tencentapi

import (
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	const linux, windows = false, true
	for name, c := range map[string]struct {
		windows  bool
		user     string
		password string
		want     string // part of the reason, "" = accepted
	}{
		"linux, shortest":           {linux, "root", "Abcdef12", ""},
		"linux, too short":          {linux, "root", "Abcde12", "8 to 30"},
		"linux, longest":            {linux, "root", "Aa1" + strings.Repeat("x", 27), ""},
		"linux, too long":           {linux, "root", "Aa1" + strings.Repeat("x", 28), "8 to 30"},
		"linux, two classes":        {linux, "root", "abcdef1234", "three of"},
		"linux, three with special": {linux, "root", "abcdef12_3", ""},
		"linux, starts with slash":  {linux, "root", "/Abcdef1234", "start with /"},
		"linux, blank":              {linux, "root", "Abcdef 1234", "not allowed"},
		"linux, quote mark":         {linux, "root", `Abcdef"1234`, "not allowed"},
		"linux, backslash":          {linux, "root", `Abcdef\1234`, "not allowed"},
		"linux, umlaut":             {linux, "root", "Abcdef1234ä", "not allowed"},
		"linux, all specials":       {linux, "root", "Aa1()`~!@#$%^&*-+=_|{}[]:;'<", ""},
		"linux, holds the user":     {linux, "root", "Root1234x", ""},
		"windows, shortest":         {windows, "Administrator", "Abcdefgh1234", ""},
		"windows, too short":        {windows, "Administrator", "Abcdefgh123", "12 to 30"},
		"windows, blank":            {windows, "Administrator", "Abcdefgh 1234", ""},
		"windows, holds the user":   {windows, "ada", "xxADAxxxx12345", "user name"},
	} {
		t.Run(name, func(t *testing.T) {
			got := checkPassword(c.password, c.user, c.windows)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
