package cloud

import (
	"errors"
	"slices"
	"testing"
)

func TestHasTags(t *testing.T) {
	instance := Instance{Tags: map[string]string{"env": "prod", "flag": ""}}
	for _, test := range []struct {
		wanted map[string]string
		ok     bool
	}{
		{nil, true},
		{map[string]string{"env": "prod"}, true},
		{map[string]string{"env": "prod", "flag": ""}, true},
		{map[string]string{"env": "Prod"}, false},
		{map[string]string{"env": "prod", "role": "web"}, false},
		{map[string]string{"missing": ""}, false},
	} {
		if got := instance.HasTags(test.wanted); got != test.ok {
			t.Errorf("HasTags(%v) = %v, want %v", test.wanted, got, test.ok)
		}
	}
}

func TestCompareInstances(t *testing.T) {
	some := []Instance{{ID: "i-3"}, {ID: "i-1"}, {ID: "i-2"}}
	slices.SortFunc(some, CompareInstances)
	if some[0].ID != "i-1" || some[2].ID != "i-3" {
		t.Errorf("sorted to %v", some)
	}
}

func TestCheckInstanceIDs(t *testing.T) {
	valid := func(id string) error {
		if id == "" {
			return errors.New("no id")
		}
		return nil
	}
	for name, c := range map[string]struct {
		ids  []string
		fits bool
	}{
		"none":      {nil, false},
		"one":       {[]string{"a"}, true},
		"two":       {[]string{"a", "b"}, true},
		"too many":  {[]string{"a", "b", "c"}, false},
		"not valid": {[]string{"a", ""}, false},
		"twice":     {[]string{"a", "a"}, false},
	} {
		if err := CheckInstanceIDs("ssm SendCommand", c.ids, 2, valid); (err == nil) != c.fits || err != nil && KindOf(err) != Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
