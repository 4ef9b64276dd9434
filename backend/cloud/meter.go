package cloud

import "time"

// Meter is implemented by a Limiter that also wants to know how long the requests took that it let pass.
type Meter interface {
	// Took is told of a request that ended: err is what its provider made of the answer, nil for a success.
	Took(action string, took time.Duration, err error)
}

// Measured tells a limiter, if it wants to know, how a request ended that was sent at began. Providers call it once for each
// request, with the action for which they have waited.
func Measured(l Limiter, action string, began time.Time, err error) {
	if m, ok := l.(Meter); ok {
		m.Took(action, time.Since(began), err)
	}
}
