//go:build realssh && bench

package realssh

import (
	"flag"
	"testing"
	"time"
)

var (
	fleetServers = flag.Int("servers", mostServers, "how many sshd run in TestFleet; each has five names")
	fleetPace    = flag.Float64("pace", 10, "the connection's max_requests_per_second in TestFleet")
)

// TestFleet measures how fast a fleet rotates whose hosts all live, and one of which a tenth is dead in three ways. `make bench-ssh` runs
// it.
func TestFleet(t *testing.T) {
	Need(t)
	v := startVault(t, map[string]any{"max_requests_per_second": *fleetPace})
	began := time.Now()
	servers := startFleet(t, v, *fleetServers)
	t.Logf("%d servers started in %s", len(servers), time.Since(began).Round(time.Second))
	const within = 30 * time.Minute
	report := func(what string, living int, took time.Duration) {
		t.Logf("%s: %d accounts in %.1f s, %.1f a second of %g allowed", what, living, took.Seconds(), float64(living)/took.Seconds(), *fleetPace)
	}
	living, _ := v.enlist(t, servers, false)
	report("the first passwords, all alive", living, v.rotateAll(t, living, within))
	report("a rotation, all alive", living, v.rotateAll(t, living, within))
	living, dead := v.enlist(t, servers, true)
	t.Logf("%d dead hosts more", dead)
	report("a rotation beside the dead", living, v.rotateAll(t, living, within))
	v.acceptsSome(t, servers, 37)
}
