package cloud

import (
	"slices"
	"strings"
)

// HasTags reports whether the instance has every one of the tags, with exactly that value.
func (i Instance) HasTags(tags map[string]string) bool {
	for key, want := range tags {
		if have, ok := i.Tags[key]; !ok || have != want {
			return false
		}
	}
	return true
}

// CompareInstances orders instances by id, for [slices.SortFunc].
func CompareInstances(a, b Instance) int { return strings.Compare(a.ID, b.ID) }

// CheckInstanceIDs refuses the ids of a request that the cloud would refuse: none, more than most, one that is not
// valid, or one that is given twice. what names the request in messages.
func CheckInstanceIDs(what string, ids []string, most int, valid func(id string) error) error {
	switch n := len(ids); {
	case n == 0:
		return Errorf(Refused, "%s: no instance given", what)
	case n > most:
		return Errorf(Refused, "%s: %d instances given; one request takes at most %d", what, n, most)
	}
	for i, id := range ids {
		if err := valid(id); err != nil {
			return Errorf(Refused, "%s: %v", what, err)
		}
		if slices.Contains(ids[:i], id) {
			return Errorf(Refused, "%s: instance %s is given twice", what, id)
		}
	}
	return nil
}
