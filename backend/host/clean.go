package host

import (
	"context"
	"errors"
	"time"
)

// cleanAfter is the age at which an entry that a login made by itself is deleted if no account needs it: the account that the login was
// for exists by then, or never will.
const cleanAfter = 24 * time.Hour

// tombstone keeps of a host what must not change while its accounts exist.
func (r *Record) tombstone(now time.Time) *Record {
	t := newRecord(now)
	t.Connection, t.LoginUser, t.Serial, t.Created = r.Connection, r.LoginUser, r.Serial, r.Created
	t.HostKey, t.KeyPinned, t.KeyTime = r.HostKey, r.KeyPinned, r.KeyTime
	t.Deleted = now.UTC()
	return t
}

// Clean deletes tombstones without accounts, and entries without accounts that logins made by themselves for servers of clouds. It is
// to be called where storage may be written, and returns how many it deleted.
func (s *Store) Clean(ctx context.Context) (deleted int, err error) {
	if err := s.index.load(ctx); err != nil {
		return 0, err
	}
	for _, name := range s.index.cleanable(s.Now()) {
		done, err2 := s.cleanOne(ctx, name)
		if done {
			deleted++
		}
		err = errors.Join(err, err2)
		if ctx.Err() != nil {
			break
		}
	}
	return deleted, err
}

func (s *Store) cleanOne(ctx context.Context, name string) (bool, error) {
	defer s.Lock(name)()
	r, err := s.index.get(ctx, name)
	if err != nil || r == nil || !r.cleanable(s.Now()) {
		return false, err
	}
	use, err := s.Use(ctx, r.Connection, name)
	if err != nil || use.Accounts > 0 {
		return false, err
	}
	return true, s.index.remove(ctx, name)
}

// cleanable reports whether the entry is kept for accounts only.
func (r *Record) cleanable(now time.Time) bool {
	return !r.living() || r.ByFirstUse && now.Sub(r.Created) >= cleanAfter
}

// cleanable are the names of entries that are kept for accounts only.
func (x *index) cleanable(now time.Time) (names []string) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for name, r := range x.known {
		if r.cleanable(now) {
			names = append(names, name)
		}
	}
	return names
}
