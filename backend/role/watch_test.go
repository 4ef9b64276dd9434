package role

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestRoundsAreBounded(t *testing.T) {
	var r refreshes
	var names []string
	for n := range refreshedAtOnce + 10 {
		names = append(names, fmt.Sprintf("r%03d", n))
	}
	now := time.Now()
	first := r.due(names, now)
	if len(first) != refreshedAtOnce || first[0] != "r000" {
		t.Fatalf("%d roles in a round, from %s", len(first), first[0])
	}
	for _, name := range first {
		r.done(name, now)
	}
	if second := r.due(names, now.Add(time.Minute)); len(second) != 10 || slices.Contains(first, second[0]) {
		t.Errorf("the next round has %v", second)
	}
	if third := r.due(names[:1], now.Add(refreshInterval)); !slices.Equal(third, names[:1]) || len(r.at) != 1 {
		t.Errorf("later %v; %d roles are remembered, which are 1", third, len(r.at))
	}
}

// TestMissesMustBeInARow: two looks that miss an instance count only if none between them has seen it.
func TestMissesMustBeInARow(t *testing.T) {
	var r refreshes
	now := time.Now()
	for i, look := range []struct {
		missing  []string
		after    time.Duration
		believed bool
	}{
		{[]string{"x"}, 0, false},
		{nil, missApart, false},
		{[]string{"x"}, missApart, false},
		{[]string{"x"}, missApart - 1, false},
		{[]string{"x"}, 1, true},
		{[]string{"x"}, -time.Hour, false}, // the clock was set back
	} {
		now = now.Add(look.after)
		untagged, absent := r.lost("role", look.missing, nil, now)
		if untagged["x"] != look.believed || len(absent) != 0 {
			t.Errorf("look %d: %v %v", i, untagged, absent)
		}
	}
}
