package contract

import (
	"context"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// CountLimiter lets every request through and counts them by action, for the providers' own tests. The zero value is ready.
type CountLimiter struct {
	mu     sync.Mutex
	waited map[string]int
}

// Wait implements cloud.Limiter.
func (l *CountLimiter) Wait(ctx context.Context, action string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waited == nil {
		l.waited = map[string]int{}
	}
	l.waited[action]++
	return cloud.Unlimited{}.Wait(ctx, action)
}

// Count is how many requests of an action were let through.
func (l *CountLimiter) Count(action string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waited[action]
}
