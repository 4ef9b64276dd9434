package password

import (
	"errors"
	"strings"
	"testing"
)

// Rules of real clouds, as their providers may state them. They are samples:
// these tests are about the checker.
var (
	serverRules = Rules{
		MinLength: 8, MaxLength: 30, MinClasses: 3,
		Special: "()`~!@#$%^&*-+=_|{}[]:;'<>,.?/", ForbidFirst: "/",
	}
	windowsRules = Rules{
		MinLength: 12, MaxLength: 30, MinClasses: 3,
		Special: "()`~!@#$%^&*-+=_|{}[]:;'<>,.?/ ", ForbidFirst: "/", ForbidUsername: true,
	}
	strictRules = Rules{
		MinLength: 8, MaxLength: 26, MinClasses: 3,
		Special: "!@%-_=+[]:./?", ForbidUsername: true, ForbidUsernameReversed: true, ForbidUsernameRun: 3,
	}
)

func TestRulesCheck(t *testing.T) {
	tests := map[string]struct {
		rules              Rules
		password, username string
		want               Rule // empty: accepted
	}{
		"no rules accept one letter":           {Rules{}, "x", "", ""},
		"no rules accept a blank":              {Rules{}, "two words", "", ""},
		"no rules accept every special":        {Rules{}, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "", ""},
		"no rules accept the user name":        {Rules{}, "root", "root", ""},
		"no rules accept 255 characters":       {Rules{}, strings.Repeat("x", 255), "", ""},
		"empty":                                {Rules{}, "", "", RuleLength},
		"256 characters":                       {Rules{}, strings.Repeat("x", 256), "", RuleLength},
		"letter outside ASCII":                 {Rules{}, "Straße12", "", RuleCharacters},
		"broken UTF-8":                         {Rules{}, "abc\xff", "", RuleCharacters},
		"line break":                           {Rules{}, "abc\ndef", "", RuleCharacters},
		"NUL":                                  {Rules{}, "abc\x00", "", RuleCharacters},
		"delete":                               {Rules{}, "abc\x7f", "", RuleCharacters},
		"least length":                         {serverRules, "Abcdef12", "", ""},
		"below the least length":               {serverRules, "Abcde12", "", RuleLength},
		"greatest length":                      {serverRules, strings.Repeat("aB1", 10), "", ""},
		"above the greatest length":            {serverRules, strings.Repeat("aB1", 10) + "x", "", RuleLength},
		"two classes of three":                 {serverRules, "abcdefgh12", "", RuleClasses},
		"three classes with special":           {serverRules, "abcdefgh12_", "", ""},
		"four classes wanted, three there":     {Rules{MinClasses: 4}, "aB1aB1", "", RuleClasses},
		"four classes":                         {Rules{MinClasses: 4}, "aB1-", "", ""},
		"special not in the list":              {strictRules, "Abcdef12#", "", RuleSpecial},
		"blank not in the list":                {serverRules, "Abcdef 12", "", RuleSpecial},
		"blank in the list":                    {windowsRules, "Abcdefgh 1234", "", ""},
		"forbidden first":                      {serverRules, "/Abcdef12", "", RuleFirst},
		"forbidden first elsewhere":            {serverRules, "Abcdef12/", "", ""},
		"user name inside":                     {windowsRules, "Xroot1234567", "root", RuleUsername},
		"user name in another case":            {windowsRules, "XaDmInIsTrAtOr1", "Administrator", RuleUsername},
		"user name outside ASCII":              {windowsRules, "Abcdefgh1234", "Größe", ""},
		"part of the user name":                {windowsRules, "Xadmin123456", "Administrator", ""},
		"no user name given":                   {strictRules, "Abcdef12", "", ""},
		"three in a row":                       {strictRules, "Xmin12345", "Administrator", RuleUsernameRun},
		"three in a row in another case":       {strictRules, "XMIN12345a", "Administrator", RuleUsernameRun},
		"three in a row at the start":          {strictRules, "adM12345-", "Administrator", RuleUsernameRun},
		"three in a row at the end":            {strictRules, "x12345-Tor", "Administrator", RuleUsernameRun},
		"two in a row":                         {strictRules, "Xmi-ni-st12", "Administrator", ""},
		"user name shorter than the run":       {Rules{ForbidUsernameRun: 3}, "oppop", "op", ""},
		"user name backwards":                  {Rules{ForbidUsernameReversed: true}, "xTOOR1", "root", RuleUsernameReversed},
		"user name backwards, but only a part": {Rules{ForbidUsernameReversed: true}, "xtoo1", "root", ""},
		"user name forwards, backwards asked":  {Rules{ForbidUsernameReversed: true}, "xroot1", "root", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.rules.Check(tt.password, tt.username)
			var broken *RuleError
			switch {
			case tt.want == "":
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
			case !errors.As(err, &broken) || broken.Rule != tt.want:
				t.Fatalf("got %v, want rule %q", err, tt.want)
			case len(tt.password) > 1 && strings.Contains(err.Error(), tt.password):
				t.Fatalf("the error holds the password: %v", err)
			}
		})
	}
}

// TestRuleErrorsSayWhatIsNeeded pins the words that a client reads.
func TestRuleErrorsSayWhatIsNeeded(t *testing.T) {
	tests := map[string]struct {
		password string
		want     string
	}{
		"too short": {"Ab1", "password must have at least 8 characters"},
		"too long":  {strings.Repeat("Ab1", 9), "password must have at most 26 characters"},
		"special":   {"Abcdef12#", "password may contain no special characters but !@%-_=+[]:./?"},
		"run":       {"Xroo12345", "password must not contain 3 consecutive characters of the user name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := strictRules.Check(tt.password, "root"); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRulesValidate(t *testing.T) {
	tests := map[string]struct {
		rules Rules
		want  string // empty: valid
	}{
		"none":                        {Rules{}, ""},
		"server":                      {serverRules, ""},
		"windows":                     {windowsRules, ""},
		"strict":                      {strictRules, ""},
		"negative length":             {Rules{MinLength: -1}, "negative"},
		"negative run":                {Rules{ForbidUsernameRun: -1}, "negative"},
		"least above greatest":        {Rules{MinLength: 9, MaxLength: 8}, "above the greatest"},
		"five classes":                {Rules{MinClasses: 5}, "5 character classes"},
		"more classes than length":    {Rules{MaxLength: 2, MinClasses: 3}, "cannot be of 3 classes"},
		"too long":                    {Rules{MaxLength: 256}, "above 255"},
		"letter among the specials":   {Rules{Special: "-a"}, "special characters"},
		"control among the specials":  {Rules{Special: "-\t"}, "special characters"},
		"specials outside ASCII":      {Rules{Special: "-§"}, "special characters"},
		"least length above our most": {Rules{MinLength: 300}, "above 255"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for what, err := range map[string]error{
				"Validate": tt.rules.Validate(), "Check": tt.rules.Check("Abcdefgh-12345", ""),
			} {
				var broken *RuleError
				if tt.want == "" {
					if what == "Validate" && err != nil {
						t.Errorf("%s: %v", what, err)
					}
				} else if err == nil || errors.As(err, &broken) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s = %v, want %q", what, err, tt.want)
				}
			}
			if _, err := Generate(tt.rules, "", 0); (err != nil) != (tt.want != "") {
				t.Errorf("Generate: %v", err)
			}
		})
	}
}
