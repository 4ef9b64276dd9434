package model

import "time"

// rateWindow is what "a second" means for a limit. It is a little shorter, so
// that a client which spaces its requests correctly is not refused because
// the network moved two of them closer together.
const rateWindow = 950 * time.Millisecond

// DefaultRateLimits are the documented limits in requests a second, per
// account and action: 10 for each call of Tencent's CVM that the simulator
// knows.
func DefaultRateLimits() map[string]int {
	return map[string]int{
		"tencentcloud:cvm:ResetInstancesPassword": 10,
		"tencentcloud:cvm:DescribeInstances":      10,
	}
}

// rate counts the requests for one action of one account.
type rate struct {
	admitted []time.Time // within the last rateWindow
	arrived  []time.Time // within the last second
	total    int
	refused  int
	peak     int // most arrivals in any one second
}

// admit counts a request and says whether the rate limit lets it in. The
// caller holds the lock.
func (w *World) admit(c Call) bool {
	key := string(c.Cloud) + ":" + c.Service + ":" + c.Action
	r := w.rates[key+"@"+c.Account]
	if r == nil {
		r = &rate{}
		w.rates[key+"@"+c.Account] = r
	}
	now := w.opts.Now()
	r.total++
	r.arrived = append(since(r.arrived, now.Add(-time.Second)), now)
	r.peak = max(r.peak, len(r.arrived))
	r.admitted = since(r.admitted, now.Add(-rateWindow))
	if limit := w.opts.RateLimits[key]; limit > 0 && len(r.admitted) >= limit {
		r.refused++
		return false
	}
	r.admitted = append(r.admitted, now)
	return true
}

// since drops the times up to and including the start of a window.
func since(times []time.Time, start time.Time) []time.Time {
	i := 0
	for i < len(times) && !times[i].After(start) {
		i++
	}
	return times[i:]
}
