package rotation

import (
	"cmp"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// look is one account's question for an operation record.
type look struct {
	ref      cloud.ResetRef
	resetter cloud.PasswordResetter
	timeout  time.Duration
	answer   chan<- lookAnswer
}

type lookAnswer struct {
	record cloud.ResetRecord
	found  bool
	err    error
}

// lookQueue are the questions of one connection's accounts that wait for the next request.
type lookQueue struct {
	mu         sync.Mutex
	waiting    []look
	collecting bool // somebody sends requests until nothing waits
}

// add adds a question, and reports whether the caller is to have them collected.
func (q *lookQueue) add(l look) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, l)
	first = !q.collecting
	q.collecting = true
	return first
}

// fail ends all questions, whose collector ends with them.
func (q *lookQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.waiting {
		l.answer <- lookAnswer{err: err}
	}
	q.waiting, q.collecting = nil, false
}

// next takes the questions of the next request; with none, the collector has ended.
func (q *lookQueue) next() []look {
	q.mu.Lock()
	defer q.mu.Unlock()
	// One instance may be asked about twice with different request ids; a request answers by
	// instance, so the second waits for the next round. So does one of a newer configuration.
	var now, rest []look
	asked := map[string]bool{}
	for _, l := range q.waiting {
		if len(now) == 0 || len(now) < pollBatch(now[0].resetter) && !asked[l.ref.InstanceID] && l.resetter == now[0].resetter {
			asked[l.ref.InstanceID] = true
			now = append(now, l)
		} else {
			rest = append(rest, l)
		}
	}
	q.waiting = rest
	if len(now) == 0 {
		q.collecting = false
	}
	return now
}

func pollBatch(r cloud.PasswordResetter) int {
	t := r.ResetTraits()
	return max(cmp.Or(t.PollBatch, t.BatchSize), 1)
}
