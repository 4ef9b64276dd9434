package rotation

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestGateKeepsTheLimitAtTheCloud: the network delays each request by another time. Still no second at the
// cloud sees more requests than the limit, and nearly all of the limit is used.
func TestGateKeepsTheLimitAtTheCloud(t *testing.T) {
	const jitter = 40 * time.Millisecond
	for _, limit := range []int{1, 2, 10, 20, 100} {
		for seed := range uint64(5) {
			synctest.Test(t, func(t *testing.T) {
				g, delays := newLimiter(float64(limit)), rand.New(rand.NewPCG(seed, uint64(limit)))
				var mu sync.Mutex
				var left, arrived []time.Time
				var workers sync.WaitGroup
				for range 8 {
					workers.Go(func() {
						for range 1 + 10*limit/8 {
							if err := g.Wait(t.Context(), "reset"); err != nil {
								t.Error(err)
							}
							mu.Lock()
							now := time.Now()
							left = append(left, now)
							arrived = append(arrived, now.Add(time.Duration(delays.Int64N(int64(jitter)))))
							mu.Unlock()
						}
					})
				}
				workers.Wait()
				slices.SortFunc(arrived, time.Time.Compare)
				for i := range arrived[limit:] {
					if within := arrived[i+limit].Sub(arrived[i]); within <= time.Second {
						t.Fatalf("limit %d, seed %d: the cloud sees %d requests within %s", limit, seed, limit+1, within)
					}
				}
				slices.SortFunc(left, time.Time.Compare)
				rate := float64(len(left)-1) / left[len(left)-1].Sub(left[0]).Seconds()
				if share := rate / float64(limit); share < 0.93 || share > 1 {
					t.Errorf("limit %d: requests take %.3f of it", limit, share)
				}
			})
		}
	}
}
