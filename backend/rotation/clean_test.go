package rotation

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRecordsAreRemovedBehindResets: a cloud that keeps few records of each server takes many more resets than that, also where it
// cannot remove one for some time.
func TestRecordsAreRemovedBehindResets(t *testing.T) {
	for name, o := range map[string]odds{"nothing fails": {}, "removals fail": {refuse: 0.5}, "answers are lost": {lost: 0.8}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, orderedMethod, o)
				w.start()
				id := w.bind(staticSettings())
				w.ensureBound(ctx)
				for range 2 * simMostRecords {
					w.manual(ctx, id, 45*time.Second)
					pass(time.Hour)
				}
				w.converge(ctx)
				kept := 0
				w.cloud.locked(func() { kept = len(w.cloud.of(id).commands) })
				if resets := len(w.cloud.allValues(id.InstanceID)); resets <= simMostRecords || kept > 0 {
					t.Errorf("%d resets, %d records are left", resets, kept)
				}
				if len(w.violations()) > 0 {
					w.fail(t, name)
				}
				w.node.core.Stop()
			})
		})
	}
}
