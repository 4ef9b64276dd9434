package model

import "time"

// rateWindow is what "a second" means for a limit. It is a little shorter, so
// that a client which spaces its requests correctly is not refused because
// the network moved two of them closer together.
const rateWindow = 950 * time.Millisecond

// DefaultRateLimits are the documented limits in requests a second of the calls of Tencent Cloud that the
// simulator knows, per account and action. The API pages name them (213/33240, 1147/46677, 1150/49443,
// 598/32222). DescribeInstances has had 10, 20 and 40 over time, and the least of them is played. The cloud
// counts per sub-user and place of access (1278/109059), so for one user of an account it is the same.
func DefaultRateLimits() map[string]int {
	return map[string]int{
		"tencentcloud:cvm:ResetInstancesPassword":  10,
		"tencentcloud:cvm:DescribeInstances":       10,
		"tencentcloud:tat:RunCommand":              20,
		"tencentcloud:tat:DescribeInvocationTasks": 20,
		"tencentcloud:sts:GetCallerIdentity":       20,
		"tencentcloud:sts:AssumeRole":              600,
		"tencentcloud:cam:ListAccessKeys":          20,
		"tencentcloud:cam:CreateAccessKey":         5,
		"tencentcloud:cam:UpdateAccessKey":         5,
		"tencentcloud:cam:DeleteAccessKey":         5,
	}
}

// limitKey names the limit of a call.
func limitKey(c Call) string { return string(c.Cloud) + ":" + c.Service + ":" + c.Action }

// limit is how many requests a second a call may make; 0 for any number.
func (w *World) limit(c Call) int { return w.opts.RateLimits[limitKey(c)] }

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
	key := limitKey(c)
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
	if limit := w.limit(c); limit > 0 && len(r.admitted) >= limit {
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
