package rootcred

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// A connection with rotation_period has its credential replaced unattended, in the same durable steps as on an operator's word. What
// a step leaves unfinished is finished by FinishAll, or by an operator, as ever; only the beginning of a rotation is decided here.

// RotateDue replaces the credential of that connection whose rotation has been due for the longest time, if there is one. It is
// called now and then, where storage may be written.
func (r *Rotator) RotateDue(ctx context.Context) error {
	names, err := r.Connections.List(ctx)
	if err != nil {
		return err
	}
	first, since := "", time.Time{}
	for _, name := range names {
		c, err := r.Connections.Get(ctx, name)
		if err != nil || c == nil || !r.isDue(name, c) {
			continue
		}
		if next := c.RootSchedule(name, r.Now()).Next; first == "" || next.Before(since) {
			first, since = name, next
		}
	}
	if first == "" {
		return nil
	}
	return r.rotateDue(ctx, first)
}

// isDue reports whether a rotation is to begin unattended now.
func (r *Rotator) isDue(name string, c *connection.Record) bool {
	s := c.RootSchedule(name, r.Now())
	return c.RootRotation == nil && s.Period > 0 && !r.Now().Before(s.Next)
}

func (r *Rotator) rotateDue(ctx context.Context, name string) error {
	w, end, err := r.start(ctx, name)
	if err != nil {
		return nil // somebody is at it, or the connection is gone
	}
	defer end()
	if !r.isDue(name, w.c) { // it was changed meanwhile
		return nil
	}
	result, err := w.rotate(ctx, "rotation_period")
	err = request.VaultError("", err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil // the mount ends, which says nothing of the cloud
	}
	r.tried(name, err, r.Now())
	if err == nil {
		r.Log().Info("the credential of a connection was replaced, since its rotation_period has passed", "connection", name,
			"credential", result.NewID, "deleted", result.OldID)
		return nil
	}
	r.Log().Warn("the credential of a connection could not be replaced, though its rotation_period has passed; it is tried again",
		"connection", name, "error", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return w.save(ctx, func(c *connection.Record) {
		if c.RootRotation != nil || r.isDue(name, c) { // else its last write has landed, although storage said that it failed
			c.FailRoot(err, r.Now())
		}
	})
}
