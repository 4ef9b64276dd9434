package ssh

import (
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// Bounds of what is remembered of commands that have ended: the core asks within moments, and takes what is shown no more for lost. Each
// has up to sshclient.MaxOutput bytes, 8 MiB in all, and there are at most as many sessions at a time as half of them.
const (
	maxRuns  = 128
	keptRuns = time.Hour
)

// runs remembers how commands ended, as long as this process lives. The zero value is empty.
type runs struct {
	mu    sync.Mutex
	ended map[string]ended
}

type ended struct {
	run guest.Run
	at  time.Time
}

func (r *runs) put(id string, run guest.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		r.ended = map[string]ended{}
	}
	now := time.Now()
	oldest := id
	for other, e := range r.ended {
		if now.Sub(e.at) > keptRuns {
			delete(r.ended, other)
		} else if oldest == id || e.at.Before(r.ended[oldest].at) {
			oldest = other
		}
	}
	if len(r.ended) >= maxRuns {
		delete(r.ended, oldest)
	}
	r.ended[id] = ended{run, now}
}

func (r *runs) get(id string) (guest.Run, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.ended[id]
	return e.run, ok
}
