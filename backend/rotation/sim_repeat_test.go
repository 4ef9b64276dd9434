package rotation

import (
	"fmt"
	"strings"
	"testing"
)

// TestHistoriesRepeat: a seed is worth printing only if it gives the same history again. Which of two clients that ask for
// one record at the same moment gets its lock first is up to the machine, once in thousands of histories: where two differ,
// four of five further ones have to be the same.
func TestHistoriesRepeat(t *testing.T) {
	for name, play := range map[string]func(*testing.T, uint64) *world{"accounts": playRandom, "groups": playGroup} {
		for seed := *simFrom; seed < *simFrom+50; seed++ {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				first, second := play(t, seed).trace(), play(t, seed).trace()
				if first == second {
					return
				}
				same, most := map[string]int{}, 0
				for range 5 {
					trace := play(t, seed).trace()
					same[trace]++
					most = max(most, same[trace])
				}
				if most < 4 {
					sameTrace(t, first, second)
				}
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
