package connection

import (
	"context"
	"time"
)

// askedEvery is how often the background asks at most.
const askedEvery = 24 * time.Hour

// StoreTold stores what the cloud said of a connection's credential, unless that is another one now.
func (s *Store) StoreTold(ctx context.Context, name string, asked *Record, told *ToldCredential) error {
	defer s.Lock(name)()
	c, err := s.Get(ctx, name)
	if err != nil || c == nil || c.Provider != asked.Provider || !sameCredential(s.registry[c.Provider], asked, c) {
		return err
	}
	next := c.Clone()
	next.Tell(told)
	return s.Put(ctx, name, next)
}

// AskAll asks the clouds of all connections that were not asked for a day.
func (s *Store) AskAll(ctx context.Context) error {
	names, err := s.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		c, err := s.Get(ctx, name)
		if err != nil || c == nil || len(SecretFields(s.registry[c.Provider], c)) == 0 || ctx.Err() != nil {
			continue
		}
		// A time to come was noted by a clock that was set back since.
		if now := s.now(); c.Told != nil && !c.Told.Asked.After(now) && now.Sub(c.Told.Asked) < askedEvery {
			continue
		}
		if err := s.ask(ctx, name, c); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the cloud of one connection, whose record it is given, and stores the answer.
func (s *Store) ask(ctx context.Context, name string, c *Record) error {
	provider, err := s.core.Provider(ctx, name)
	if err != nil {
		return nil //nolint:nilerr // a connection that cannot be used says so elsewhere
	}
	told := AskCredential(ctx, provider, s.now())
	if told == nil {
		return nil
	}
	if err := ctx.Err(); err != nil { // that says nothing of the cloud
		return err
	}
	return s.StoreTold(ctx, name, c, told)
}
