package password

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	users := []User{
		{Host: "i-1", Name: "root", Rules: Rules{MinLength: 8, MaxLength: 30}},
		{Host: "i-2", Name: "admin", Rules: Rules{MinLength: 12, MaxLength: 30}},
	}
	for name, c := range map[string]struct {
		made   []string // one after the other; the last one is repeated
		tries  int
		want   string
		misfit string
	}{
		"the first":      {[]string{"Correct-Horse"}, 1, "Correct-Horse", ""},
		"the second":     {[]string{"Correct-8", "Correct-Horse"}, 2, "Correct-Horse", ""},
		"none in time":   {[]string{"Correct-8", "Correct-Horse"}, 1, "", "i-2"},
		"none at all":    {[]string{"Short"}, 20, "", "i-1"},
		"for the second": {[]string{"Short", "Correct-8"}, 20, "", "i-2"},
	} {
		n := 0
		got, err := Fit(c.tries, func() (string, error) { n++; return c.made[min(n, len(c.made))-1], nil }, users)
		var misfit *MisfitError
		if got != c.want || errors.As(err, &misfit) != (c.misfit != "") || n > c.tries {
			t.Errorf("%s: %q after %d tries, error %v", name, got, n, err)
		}
		if misfit == nil {
			continue
		}
		var rule *RuleError
		if misfit.User.Host != c.misfit || !errors.As(err, &rule) || !strings.Contains(err.Error(), c.misfit) ||
			slices.ContainsFunc(c.made, func(value string) bool { return strings.Contains(err.Error(), value) }) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	broken := errors.New("no policy")
	if _, err := Fit(3, func() (string, error) { return "", broken }, users); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
