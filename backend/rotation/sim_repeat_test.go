package rotation

import (
	"fmt"
	"strings"
	"testing"
)

// TestHistoriesRepeat: a seed is worth printing only if it gives the same history again.
func TestHistoriesRepeat(t *testing.T) {
	for name, play := range map[string]func(*testing.T, uint64) *world{"accounts": playRandom, "groups": playGroup} {
		for seed := *simFrom; seed < *simFrom+50; seed++ {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				sameTrace(t, play(t, seed).trace(), play(t, seed).trace())
			})
		}
	}
}

func sameTrace(t *testing.T, first, second string) {
	t.Helper()
	if first == second {
		return
	}
	a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d of the traces differs:\n%s\n%s\nafter\n%s", i+1, a[i], b[i], strings.Join(a[:i], "\n"))
		}
	}
	t.Fatalf("one trace has %d lines, the other %d", len(a), len(b))
}
