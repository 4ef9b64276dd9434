package azureapi

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limit is a bucket of tokens, one of which each request takes.
type Limit struct {
	// Refill is how many come back a minute, and Size how many there can be.
	Refill, Size int
}

// Names of limits. Those of Compute are for one VM and for one subscription (and region), those of Resource Manager for one principal
// in one subscription.
const (
	limitUpdate      = "UpdateVM" // run commands: PUT, PATCH, DELETE
	limitLowCost     = "LowCostGet"
	limitHighCost    = "HighCostGet"
	limitOperation   = "GetOperation"
	ofResource       = "Resource"
	ofSubscription   = "Subscription"
	limitReads       = "subscription-reads"
	limitWrites      = "subscription-writes"
	limitDeletes     = "subscription-deletes"
	remainingCompute = "X-Ms-Ratelimit-Remaining-Resource"
	remainingManager = "X-Ms-Ratelimit-Remaining-"
)

// DefaultLimits are the documented ones (compute-throttling-limits, request-limits-and-throttling). That tokens come back one by one is
// unconfirmed.
func DefaultLimits() map[string]Limit {
	return map[string]Limit{
		limitUpdate + ofResource: {4, 12}, limitUpdate + ofSubscription: {500, 1500},
		limitLowCost + ofResource: {12, 36}, limitLowCost + ofSubscription: {8000, 24000},
		limitHighCost + ofSubscription: {300, 900},
		limitOperation + ofResource:    {15, 45}, limitOperation + ofSubscription: {5000, 15000},
		limitReads: {1500, 250}, limitWrites: {600, 200}, limitDeletes: {600, 200},
	}
}

// bucket is a limit's state: how many tokens there were at a time of the operation clock.
type bucket struct {
	left float64
	at   time.Time
}

// claim is a limit that a request falls under.
type claim struct{ name, of string }

// take takes a token for each claim, or none: then it says of which there are none, and for how long. Tokens left are by name.
func (a *API) take(claims ...claim) (left map[string]int, empty string, wait time.Duration) {
	now := a.world.OperationNow()
	a.mu.Lock()
	defer a.mu.Unlock()
	left = map[string]int{}
	var all []*bucket
	for _, c := range claims {
		limit, ok := a.opts.Limits[c.name]
		if !ok {
			continue
		}
		id := c.name + "\n" + strings.ToLower(c.of)
		b := a.buckets[id]
		if b == nil {
			b = &bucket{float64(limit.Size), now}
			a.buckets[id] = b
		}
		b.left, b.at = min(float64(limit.Size), b.left+now.Sub(b.at).Minutes()*float64(limit.Refill)), now
		// A token that is there but for rounding is there.
		if missing := 1 - b.left; missing > 1e-6 && empty == "" {
			empty, wait = c.name, time.Duration(missing/float64(limit.Refill)*float64(time.Minute))
		}
		all = append(all, b)
		left[c.name] = int(math.Round(math.Floor(b.left - 1 + 1e-6)))
	}
	if empty != "" {
		maps.DeleteFunc(left, func(string, int) bool { return true })
		left[empty] = 0
		return left, empty, wait
	}
	for _, b := range all {
		b.left--
	}
	return left, "", 0
}

// throttleManager refuses what is too much for Resource Manager, per principal.
func (r *request) throttleManager() *failure {
	name, word := limitWrites, "write"
	switch r.route.method {
	case http.MethodGet:
		name, word = limitReads, "read"
	case http.MethodDelete:
		name, word = limitDeletes, "delete"
	}
	left, empty, wait := r.api.take(claim{name, r.place.subscription + "/" + r.who.Key.ID})
	if n, ok := left[name]; ok {
		r.header[remainingManager+name] = strconv.Itoa(n)
	}
	if empty == "" {
		return nil
	}
	return r.tooMany(word, wait)
}

// tooMany is Resource Manager's own refusal, as in public reports (velero-io/velero#9171).
func (r *request) tooMany(word string, wait time.Duration) *failure {
	f := fail(http.StatusTooManyRequests, "SubscriptionRequestsThrottled", fmt.Sprintf("Number of '%s' requests for subscription '%s' "+
		"actor '%s' exceeded. Please try again after '%d' seconds after additional tokens are available. Refer to "+
		"https://aka.ms/arm-throttling for additional information.", word, r.place.subscription, r.who.ObjectID, seconds(wait)))
	f.after = wait
	return f
}

// throttle refuses what is too much for Compute: for one VM, if it is named, or for the subscription. The page on throttling shows the
// refusal without a wrapper; the simulator has it so for a subscription, and wrapped for a VM, as clients must read both.
func (r *request) throttle(group, vm string) *failure {
	claims := []claim{{group + ofSubscription, r.place.subscription + "/" + r.vm.Region}}
	if vm != "" {
		claims = append(claims, claim{group + ofResource, vm})
	}
	left, empty, wait := r.api.take(claims...)
	var all []string
	for _, c := range claims {
		if n, ok := left[c.name]; ok {
			// The page on throttling shows the subscription's without a suffix; what one VM's is called is unconfirmed.
			all = append(all, compute+"/"+strings.TrimSuffix(c.name, ofSubscription)+";"+strconv.Itoa(n))
		}
	}
	if len(all) > 0 {
		r.header[remainingCompute] = strings.Join(all, ",")
	}
	if empty == "" {
		return nil
	}
	limit := r.api.opts.Limits[empty]
	f := fail(http.StatusTooManyRequests, "OperationNotAllowed",
		"The server rejected the request because too many requests have been received for this subscription.")
	f.details = []errorBody{{Code: "TooManyRequests", Target: group, Message: fmt.Sprintf(
		`{"operationGroup":%q,"startTime":%q,"endTime":%q,"allowedRequestCount":%d,"measuredRequestCount":%d}`, group,
		stamp(r.world.OperationNow().Add(-time.Minute)), stamp(r.world.OperationNow()), limit.Size, limit.Size+1)}}
	f.bare, f.after = strings.HasSuffix(empty, ofSubscription), wait
	return f
}

// seconds rounds a wait up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
