package backend

import "context"

// fewAtOnce is how many verifications and listings a mount has under way: what a client may start as often as it
// likes, and what an answer may cost a lot of memory.
const fewAtOnce = 4

// few lets only so many pass at once.
type few chan struct{}

// enter waits for a place and returns what gives it back. Requests of clients that have gone wait no longer.
func (f few) enter(ctx context.Context) (leave func(), err error) {
	select {
	case f <- struct{}{}:
		return func() { <-f }, nil
	case <-ctx.Done():
		return nil, unavailablef("too many verifications and listings of instances are under way; try again in a moment")
	}
}
