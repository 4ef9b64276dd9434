package rotation

import (
	"testing"
	"time"
)

// TestBrokenCores shows that the simulation can fail: each breakage of the protocol is caught.
func TestBrokenCores(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules rules
	}{
		{"01 cloud call before the write", rules{callBeforeWrite: true}},
		{"02 new password on retry", rules{newPasswordOnRetry: true}},
		{"03 refusal of one attempt clears pending", rules{refusalClearsPending: true}},
		{"04 a reported failure clears pending", rules{failureClearsPending: true}},
		{"05 unknown outcome treated as failed", rules{unknownIsFailure: true}},
		{"06 success accepted without the id", rules{successWithoutID: true}},
		{"07 promotion forgets open attempts", rules{promoteForgetsOpen: true}},
		{"08 new value sent while old_unresolved", rules{sendWhileUnresolved: true}},
		{"09 settle window too short", rules{shortSettleWindow: true}},
		{"10 rejected password not kept as a candidate", rules{noCandidates: true}},
		{"11 candidate pruned by max_versions", rules{pruneCandidates: true}},
		{"12 nonce written after the answer", rules{nonceAfterAnswer: true}},
		{"13 revoke ignores the version", rules{revokeIgnoresVersion: true}},
		{"14 exclusive counts the current version's nonces only", rules{exclusiveCurrentOnly: true}},
		{"15 deadline without slack", rules{noSlack: true}},
		{"16 import while an attempt is open", rules{importWhileOpen: true}},
		{"17 queue item lost on error", rules{dropFailedItems: true}},
		{"18 schedule rebuilt from a missing last rotation", rules{scheduleFromZeroStart: true}},
		{"19 a change of the reset method waits for nothing", rules{noBarrier: true}},
		{"20 a joint write without its joiners' changes", rules{joinersUnwritten: true}},
		{"27 a version is read by another role's readers than those who know it", rules{movedReadable: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			for seed := uint64(1); seed <= 20000; seed++ {
				if w := playRandom(t, seed, c.rules); len(w.violations()) > 0 {
					t.Logf("caught by %v at seed %d after %s", w.violations()[0], seed, time.Since(start).Round(time.Millisecond))
					return
				}
			}
			t.Fatal("the simulation does not see this breakage")
		})
	}
}
