package backend

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// clock is the mount's: by it caches age, retries wait and earlier keys and credentials are kept. When a password is
// due, the core's clock says, which watches whether the wall clock is right.
type clock struct {
	now func() time.Time
	// sleep waits, or returns early with the context's error.
	sleep func(ctx context.Context, d time.Duration) error
}

func wallClock() clock { return clock{now: time.Now, sleep: cloud.Sleep} }
