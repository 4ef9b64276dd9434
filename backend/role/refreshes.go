package role

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

const (
	// refreshInterval is how often the instances of a role are looked at.
	refreshInterval = 10 * time.Minute
	// refreshedAtOnce bounds one round.
	refreshedAtOnce = 50
)

// refreshes remember, on the active node, when roles were looked at, what was missing then, and which looks
// failed.
type refreshes struct {
	mu               sync.Mutex
	at               map[string]time.Time
	forgot           time.Time             // when accounts to forget were last looked for
	untagged, absent misses                // see lost
	failed           map[string]FailedLook // role -> its last look, if that failed
}

// FailedLook is why the instances of a role could not be looked at.
type FailedLook struct {
	At    time.Time
	Since time.Time // of the first failure in a row
	Cause hint.Text
}

// due returns the roles to look at now, those first that have waited longest, and forgets roles that
// do not exist.
func (r *refreshes) due(roles []string, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := make(map[string]time.Time, len(roles))
	untagged, absent := misses{}, misses{}
	failed := make(map[string]FailedLook)
	var due []string
	for _, name := range roles {
		at[name] = r.at[name]
		if f, ok := r.failed[name]; ok {
			failed[name] = f
		}
		if m := r.untagged[name]; m != nil {
			untagged[name] = m
		}
		if m := r.absent[name]; m != nil {
			absent[name] = m
		}
		if now.Sub(r.at[name]) >= refreshInterval {
			due = append(due, name)
		}
	}
	r.at, r.untagged, r.absent, r.failed = at, untagged, absent, failed
	slices.SortStableFunc(due, func(a, b string) int {
		if c := at[a].Compare(at[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return due[:min(len(due), refreshedAtOnce)]
}

func (r *refreshes) done(role string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[role] = now
}

// ended notes how a look at a role's instances ended.
func (r *refreshes) ended(role string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.failed, role)
		return
	}
	f := FailedLook{At: now, Since: now, Cause: hint.Of(err)}
	if before, ok := r.failed[role]; ok {
		f.Since = before.Since
	}
	if r.failed == nil {
		r.failed = map[string]FailedLook{}
	}
	r.failed[role] = f
}

// failures are the roles whose last look failed.
func (r *refreshes) failures() map[string]FailedLook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.failed)
}

// missApart is the least time between two looks that both miss an instance, for it to be believed.
const missApart = rotation.MissApart

// misses are, by role and instance, since when every look has missed it.
type misses map[string]map[string]time.Time

// note returns those of the instances which are missing now that have been since a look that is missApart or
// more ago, and forgets the role's others.
func (m misses) note(role string, missing []string, now time.Time) map[string]bool {
	before, since, believed := m[role], map[string]time.Time{}, map[string]bool{}
	for _, id := range missing {
		since[id] = now
		if first, ok := before[id]; ok && !first.After(now) {
			since[id] = first
			believed[id] = now.Sub(first) >= missApart
		}
	}
	m[role] = since
	return believed
}

// lost notes which instances of a role its tags do not find now, and which of them the cloud does not show by
// their ids either, and returns those of each kind that were missing before too.
func (r *refreshes) lost(role string, untagged, absent []string, now time.Time) (believedUntagged, believedAbsent map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.untagged == nil {
		r.untagged, r.absent = misses{}, misses{}
	}
	return r.untagged.note(role, untagged, now), r.absent.note(role, absent, now)
}

// mayForget reports whether it is time to look for accounts to forget, and notes that it is done.
func (r *refreshes) mayForget(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.forgot); since >= 0 && since < refreshInterval {
		return false
	}
	r.forgot = now
	return true
}
