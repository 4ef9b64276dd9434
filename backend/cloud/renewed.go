package cloud

import (
	"context"
	"sync"
	"time"
)

const (
	// renewMargin is how long before its end a value is renewed. A value that lives less than four
	// times as long gives up a quarter of its life.
	renewMargin = 5 * time.Minute
	// lastUse is how long before its end a value is used at all, so that none ends on its way to the
	// cloud.
	lastUse = 30 * time.Second
	// renewPause is how long a failed renewal is not repeated while the old value is still good.
	renewPause = 30 * time.Second
)

// Renewed keeps a value that expires, such as the temporary credentials of a role, and renews it
// before its end. It is safe for concurrent use: one renewal runs at a time, and who still has a good
// value does not wait for it. While a renewal fails, the old value serves to its end.
type Renewed[T any] struct {
	fetch func(context.Context) (T, time.Time, error)
	turn  chan struct{} // holds one element while a renewal runs

	mu      sync.Mutex
	held    bool
	value   T
	renewAt time.Time // zero: never
	end     time.Time // zero: never
}

// NewRenewed makes a Renewed that gets its value and the moment at which that ends, zero for never,
// from fetch. fetch runs with the context of the call that needs the value.
func NewRenewed[T any](fetch func(context.Context) (T, time.Time, error)) *Renewed[T] {
	return &Renewed[T]{fetch: fetch, turn: make(chan struct{}, 1)}
}

// Get returns a value that is good, fetching it if need be. Its error is an *Error of kind Denied,
// Refused, Throttled or Unavailable: whatever became of the fetching, the call that needed the value
// was not sent.
func (r *Renewed[T]) Get(ctx context.Context) (T, error) {
	value, good, fresh := r.current()
	if fresh {
		return value, nil
	}
	if good {
		select {
		case r.turn <- struct{}{}:
		default:
			return value, nil // somebody else renews it
		}
	} else {
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return value, &Error{Kind: Unavailable, Message: "abandoned while another call was fetching the credentials", Err: ctx.Err()}
		}
	}
	defer func() { <-r.turn }()
	if value, good, fresh = r.current(); fresh {
		return value, nil
	}
	fetched, end, err := r.fetch(ctx)
	if err == nil {
		r.store(fetched, end)
		return fetched, nil
	}
	if good {
		r.deferRefresh()
		return value, nil
	}
	return fetched, notSent(err)
}

// Drop forgets the value if it is the one that match recognizes, because the cloud refused it.
func (r *Renewed[T]) Drop(match func(T) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held && match(r.value) {
		var none T
		r.held, r.value = false, none
	}
}

// current returns the value, whether it may still be used, and whether it need not be renewed yet.
func (r *Renewed[T]) current() (value T, good, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	good = r.held && (r.end.IsZero() || now.Before(r.end.Add(-lastUse)))
	fresh = r.held && (r.renewAt.IsZero() || now.Before(r.renewAt))
	return r.value, good, good && fresh
}

func (r *Renewed[T]) store(value T, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, r.value, r.end, r.renewAt = true, value, end, time.Time{}
	if !end.IsZero() {
		r.renewAt = end.Add(-min(renewMargin, max(0, time.Until(end)/4)))
	}
}

func (r *Renewed[T]) deferRefresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.renewAt = time.Now().Add(renewPause)
}

// notSent is an error of a call that prepared another one, as an error of that other one: what was
// not found, say, is the role to assume, and not the instance that the other call is about.
func notSent(err error) error {
	known := AsError(err)
	if known == nil {
		return &Error{Kind: Unavailable, Message: "the credentials could not be fetched", Err: err}
	}
	own := *known
	switch known.Kind {
	case Denied, Refused, Throttled, Unavailable:
	case NotFound:
		own.Kind = Denied
	default:
		own.Kind = Unavailable
	}
	return &own
}
