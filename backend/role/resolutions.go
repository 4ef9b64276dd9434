package role

import (
	"maps"
	"sync"
	"time"
)

// resolutions remembers when the tags of a role were last resolved, so that reads of unknown
// instances cannot be used to flood the cloud.
type resolutions struct {
	mu sync.Mutex
	at map[string]time.Time
}

// resolutionInterval is the least time between two resolutions that reads ask for.
const resolutionInterval = 10 * time.Second

// begin reports whether the role's tags may be resolved now, and notes that they are.
func (r *resolutions) begin(role string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.at[role]; ok && now.Sub(last) < resolutionInterval {
		return false
	}
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	maps.DeleteFunc(r.at, func(_ string, at time.Time) bool { return now.Sub(at) >= resolutionInterval })
	r.at[role] = now
	return true
}
