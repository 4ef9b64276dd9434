package rotation

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaitDoesNotWaitForNothing: where no rotation is under way or due, a read with wait is answered at once, so that a
// client learns what to do instead of waiting in vain again and again.
func TestWaitDoesNotWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.start()
		id := w.bind(staticSettings())
		w.ensureBound(t.Context())
		began := time.Now()
		_, err := w.node.core.Read(t.Context(), id, Reader{}, 45*time.Second)
		var e *Error
		if !errors.As(err, &e) || e.Kind != NotReadable {
			t.Fatalf("an account without a password was read: %v", err)
		}
		is(t, "time", time.Since(began), time.Duration(0))
	})
}
