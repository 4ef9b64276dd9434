package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
)

// Rotate makes an account due on an operator's word and returns its state, after waiting for the
// rotation's end for up to wait. An account that nothing can reset is a Conflict.
func (c *Core) Rotate(ctx context.Context, id ID, wait time.Duration) (*View, error) {
	return c.makeDue(ctx, id, protocol.DueManual, wait)
}

// RotateNew makes a static account due because its role was written: it has no version yet that
// Vault made.
func (c *Core) RotateNew(ctx context.Context, id ID) error {
	a, err := c.get(ctx, id)
	if err != nil {
		return err
	}
	reason := protocol.DueFirst
	if a != nil && a.Current() != nil {
		reason = protocol.DueImport
	}
	_, err = c.makeDue(ctx, id, reason, 0)
	return err
}

func (c *Core) makeDue(ctx context.Context, id ID, reason protocol.Reason, wait time.Duration) (*View, error) {
	a, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	} else if a == nil {
		return nil, protocol.Errorf(NotFound, "there is no account %s", id)
	}
	if reason == protocol.DueManual && id.IsGroup() {
		if err := c.forgive(ctx, id); err != nil {
			return nil, err
		}
	}
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, err
	}
	switch {
	case e.rec == nil:
		return nil, protocol.Errorf(NotFound, "there is no account %s", id)
	case reason == protocol.DueManual && e.rec.Role != "" && e.rec.Settings.SharedPassword && !id.IsGroup():
		return nil, protocol.Errorf(Conflict, "account %s shares its password with the others of role %s; rotate the role as a whole", id,
			e.rec.Role)
	case !e.rec.Settings.CanReset:
		return nil, protocol.Errorf(Conflict, "account %s cannot be rotated: its role has no reset_method, or provider %s cannot reset "+
			"passwords; change it inside the server, then record it: %s", id, e.rec.Provider, id.ImportHint())
	}
	asked := reason == protocol.DueManual
	if len(e.rec.Versions) == 0 {
		reason = protocol.DueFirst
	}
	if asked {
		e.delayed, e.delays, e.delayCause = protocol.Waiting{}, 0, hint.Text{}
		c.liftBrake(e.rec)
	}
	rec, err := c.updateLocked(ctx, e, protocol.RotationRequested{Reason: reason, Forced: asked, At: c.opts.Now()})
	switch {
	case errors.Is(err, protocol.ErrNoChange):
		c.schedule(e) // it may have been held back
	case err != nil:
		return nil, err
	}
	if wait > 0 {
		c.hurry(e)
	}
	before := rec.LastVersion
	for deadline := time.Now().Add(wait); e.rec != nil && e.rec.LastVersion == before && e.rec.Due != nil; {
		left := min(time.Until(deadline), until(ctx))
		if left <= 0 {
			break
		}
		changed := e.nextChange()
		e.mu.Unlock()
		_ = awaitChange(ctx, changed, left) // an ended context is looked at below
		c.opts.turn(ctx, id)
		e.mu.Lock()
		if err := c.load(ctx, e); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if e.rec == nil {
		return nil, protocol.Errorf(NotFound, "account %s was deleted meanwhile", id)
	}
	return c.view(e), nil
}

// liftBrake lets the connection of a braked account begin rotations again, on an operator's word for that.
func (c *Core) liftBrake(a *Account) {
	if n := c.connection(a.Connection); a.Braked() && n.brake.lift() {
		c.resume(n)
	}
}

// Import records, on an operator's word, the password that the server has (rule 14), and makes the
// account due unless skipRotation or where nothing can reset.
func (c *Core) Import(ctx context.Context, id ID, password string, skipRotation bool) (*View, error) {
	return c.recordVersion(ctx, id, skipRotation, func(*Account) (string, Source, error) {
		return password, FromImport, nil
	})
}

// Restore makes an older version the current one, on an operator's word that the server has it again
// (rule 14).
func (c *Core) Restore(ctx context.Context, id ID, version int, skipRotation bool) (*View, error) {
	return c.recordVersion(ctx, id, skipRotation, func(a *Account) (string, Source, error) {
		v := a.Version(version)
		if v == nil {
			return "", "", protocol.Errorf(NotFound,
				"account %s has no version %d (it may have been pruned, see max_versions); for those that it has: %s", id, version, id.VersionsHint())
		}
		return v.Password, v.Source, nil
	})
}

func (c *Core) recordVersion(ctx context.Context, id ID, skipRotation bool, value func(*Account) (string, Source, error)) (*View, error) {
	if a, err := c.get(ctx, id); err != nil {
		return nil, err
	} else if a == nil {
		return nil, protocol.Errorf(NotFound, "there is no account %s", id)
	}
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, err
	}
	if e.rec == nil {
		return nil, protocol.Errorf(NotFound, "there is no account %s", id)
	}
	password, source, err := value(e.rec)
	if err != nil {
		return nil, err
	}
	ev := protocol.PasswordRecorded{Password: password, Source: source, MakeDue: e.rec.Settings.CanReset && !skipRotation, At: c.opts.Now()}
	if _, err := c.updateLocked(ctx, e, ev); err != nil {
		return nil, err
	}
	return c.view(e), nil
}

// Password returns a version with its password. The current version of a leased account is handed
// out only under a lease.
func (c *Core) Password(ctx context.Context, id ID, version int) (*Version, error) {
	a, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, protocol.Errorf(NotFound, "there is no account %s", id)
	}
	v := a.Version(version)
	switch {
	case v == nil:
		return nil, protocol.Errorf(NotFound, "account %s has no version %d; for those that it has: %s", id, version, id.VersionsHint())
	case a.Settings.Mode == Leased && v.Number == a.Current().Number:
		return nil, protocol.Errorf(Conflict, "version %d is the current one of a leased account: read it through creds/: %s", version,
			a.ReadHint())
	}
	out := *v
	return &out, nil
}

// Delete forgets an account. force is the operator's word that its passwords may be lost. A
// tombstone remembers whether the cloud's initial password was overwritten (rule 14).
func (c *Core) Delete(ctx context.Context, id ID, force bool) error {
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return err
	}
	claim := locksutil.LockForKey(c.bindings, bindingKey(a.Provider, id))
	claim.Lock()
	defer claim.Unlock()
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return err
	}
	if e.rec == nil {
		return nil
	}
	if !force {
		if err := e.rec.CheckDeletable(); err != nil {
			return err
		}
	}
	// Without force, the cloud has said that the server is gone, or there was no password.
	return c.erase(ctx, e, !force || !e.rec.Gone.IsZero())
}

// CheckDeletable returns what keeps an account from being deleted without force, but for what the cloud says of its instance.
func (c *Core) CheckDeletable(ctx context.Context, id ID) error {
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return err
	}
	return a.CheckDeletable()
}

// erase leaves a tombstone in the account's place and deletes the record. gone is whether its server does not exist any
// more. The caller holds the binding's lock and e.mu, and the record is loaded.
func (c *Core) erase(ctx context.Context, e *entry, gone bool) error {
	a := e.rec
	if err := c.bury(ctx, a); err != nil {
		return err
	}
	if err := deleteRecord(ctx, c.opts.Storage, accountKey(e.id)); err != nil {
		e.rec, e.loaded = nil, false
		return storageError("deleting", e.id, err)
	}
	c.setRecord(e, nil)
	c.noteBrake(e, nil)
	c.keepTurn(e)
	e.notify()
	c.unschedule(e)
	if gone && a.InitialKey != "" {
		if err := c.forgetInitial(ctx, a); err != nil { // it is remembered for longer
			c.opts.Logger.Warn("what is known of an initial password was not forgotten with its account", "account", e.id.String(), "error", err)
		}
	}
	return nil
}
