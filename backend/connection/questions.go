package connection

import (
	"context"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// What clients may start as often as they like, and what may cost a lot of memory, is bounded twice. Of each connection
// only a few verifications and descriptions of instances are under way, the others wait: an endpoint that hangs holds
// up its own connection and no other. And of the whole mount only a few large answers are decoded at once (see
// cloud.Answers), for which no network is waited.
const (
	// QuestionsAtOnce is for one connection.
	QuestionsAtOnce = 4
	// AnswersAtOnce is for the mount.
	AnswersAtOnce = 4
	// answerTime is kept of a request's own time for saying that it has waited in vain.
	answerTime = 2 * time.Second
)

// questions lets only so many questions of each connection pass at once.
type questions struct {
	mu sync.Mutex
	by map[string]*questionPlaces
}

type questionPlaces struct {
	taken chan struct{}
	users int // those that have a place or wait for one
}

// enter waits for a place and returns what gives it back, and the context of the question. Requests of clients that have
// gone wait no longer.
func (f *questions) enter(ctx context.Context, connection string) (asking context.Context, leave func(), err error) {
	places := f.places(connection)
	wait, cancel := ctx, func() {}
	if end, ok := ctx.Deadline(); ok {
		wait, cancel = context.WithDeadline(ctx, end.Add(-answerTime))
	}
	defer cancel()
	select {
	case places.taken <- struct{}{}:
	case <-wait.Done():
		f.left(connection, places)
		return nil, nil, request.Unavailablef(
			"connection %s has %d verifications and listings of instances under way, which have not ended while this one waited; "+
				"its cloud is slow, or does not answer: try again in a moment", connection, QuestionsAtOnce)
	}
	asking, done := cloud.Decoding(ctx)
	return asking, func() {
		done()
		<-places.taken
		f.left(connection, places)
	}, nil
}

func (f *questions) places(connection string) *questionPlaces {
	f.mu.Lock()
	defer f.mu.Unlock()
	places := f.by[connection]
	if places == nil {
		if f.by == nil {
			f.by = map[string]*questionPlaces{}
		}
		places = &questionPlaces{taken: make(chan struct{}, QuestionsAtOnce)}
		f.by[connection] = places
	}
	places.users++
	return places
}

// left forgets a connection that nobody asks any more.
func (f *questions) left(connection string, places *questionPlaces) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if places.users--; places.users == 0 {
		delete(f.by, connection)
	}
}
