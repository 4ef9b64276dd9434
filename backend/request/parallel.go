package request

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
)

// workers is how many accounts of a role are written at a time: storage takes some milliseconds
// for each.
const workers = 16

// InParallel calls do for 0 to n-1, several at a time. After an error it begins no more calls, and
// returns the first.
func InParallel(log hclog.Logger, n int, do func(i int) error) error {
	var group errgroup.Group
	var failed atomic.Bool
	group.SetLimit(workers)
	for i := range n {
		if failed.Load() {
			break
		}
		group.Go(func() error {
			if failed.Load() {
				return nil // it has waited for one that failed
			}
			err := guard.Do(log, "work side by side", func() error { return do(i) })
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}
