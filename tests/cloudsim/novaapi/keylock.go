package novaapi

import "time"

// keyLock counts the consecutive wrong signatures of an access key.
type keyLock struct {
	failures int
	until    time.Time
}

// locked says whether the gateway refuses an access key unseen.
func (c *Cloud) locked(accessKey string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.locks[accessKey]
	return l != nil && c.world.Now().Before(l.until)
}

// tried records the outcome of a signature's verification.
func (c *Cloud) tried(accessKey string, right bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if right || c.opts.LockAfter <= 0 {
		delete(c.locks, accessKey)
		return
	}
	l := c.locks[accessKey]
	if l == nil {
		l = &keyLock{}
		c.locks[accessKey] = l
	}
	l.failures++
	if l.failures > c.opts.LockAfter {
		l.failures, l.until = 0, c.world.Now().Add(c.opts.LockTime)
	}
}
