package connection

import (
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// ListingAge is how long a connection's list of instances serves further pages and further roles
// of one round.
const ListingAge = 30 * time.Second

// listings remember for a moment what connections see.
type listings struct {
	mu sync.Mutex
	by map[string]listing
}

type listing struct {
	at    time.Time
	of    *Record // the configuration that was asked; a changed one is another
	found map[string]cloud.Instance
}

// of returns what a connection saw, if that is of its present configuration and no older than maxAge.
func (l *listings) of(name string, c *Record, maxAge time.Duration, now time.Time) (found map[string]cloud.Instance, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.by[name]
	return known.found, ok && known.of == c && now.Sub(known.at) < maxAge
}

// remember keeps what a connection saw at a time.
func (l *listings) remember(name string, seen listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]listing{}
	}
	l.by[name] = seen
}

// expire forgets what is too old to be used.
func (l *listings) expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, known := range l.by {
		if now.Sub(known.at) >= ListingAge {
			delete(l.by, name)
		}
	}
}

// WithTags are the instances that carry all the tags, sorted by id.
func WithTags(found map[string]cloud.Instance, tags map[string]string) []cloud.Instance {
	var some []cloud.Instance
	for _, i := range found {
		if i.HasTags(tags) {
			some = append(some, i)
		}
	}
	slices.SortFunc(some, cloud.CompareInstances)
	return some
}
