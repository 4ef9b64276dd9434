package rotation

import (
	"context"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Import records, on an operator's word, the password that the server has (rule 14), and makes the
// account due unless skipRotation or where nothing can reset.
func (c *Core) Import(ctx context.Context, id ID, password string, skipRotation bool) (*View, error) {
	return c.recordVersion(ctx, id, protocol.DueImport, skipRotation, func(*Account) (string, Source, error) {
		return password, FromImport, nil
	})
}

// Restore makes an older version the current one, on an operator's word that the server has it again
// (rule 14).
func (c *Core) Restore(ctx context.Context, id ID, version int, skipRotation bool) (*View, error) {
	return c.recordVersion(ctx, id, protocol.Restored, skipRotation, func(a *Account) (string, Source, error) {
		v := a.Version(version)
		if v == nil {
			return "", "", protocol.Errorf(NotFound,
				"account %s has no version %d (it may have been pruned, see max_versions); for those that it has: %s", id, version, id.VersionsHint())
		}
		return v.Password, v.Source, nil
	})
}

func (c *Core) recordVersion(ctx context.Context, id ID, reason protocol.Reason, skipRotation bool,
	value func(*Account) (string, Source, error),
) (*View, error) {
	if a, err := c.get(ctx, id); err != nil {
		return nil, err
	} else if a == nil {
		return nil, noRecord(id)
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
		return nil, noRecord(id)
	}
	password, source, err := value(e.rec)
	if err != nil {
		return nil, err
	}
	ev := protocol.PasswordRecorded{Password: password, Source: source, MakeDue: e.rec.Settings.CanReset && !skipRotation, At: c.opts.Now(),
		Reason: reason, By: requester(ctx)}
	if _, err := c.updateLocked(ctx, e, ev); err != nil {
		return nil, err
	}
	return c.view(e), nil
}

// Password returns a version with its password, and notes who was given it. The current version of a leased account is
// handed out only under a lease.
func (c *Core) Password(ctx context.Context, id ID, version int, to Client) (*Version, error) {
	a, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, noRecord(id)
	}
	v := a.Version(version)
	switch {
	case v == nil:
		return nil, protocol.Errorf(NotFound, "account %s has no version %d; for those that it has: %s", id, version, id.VersionsHint())
	case a.Settings.Mode == Leased && v.Number == a.Current().Number:
		return nil, protocol.Errorf(Conflict, "version %d is the current one of a leased account: read it through creds/: %s", version,
			a.ReadHint())
	}
	if err := c.apply(ctx, c.entry(id), protocol.VersionShown{Version: version, Client: to, At: c.opts.Now()}); err != nil {
		return nil, err
	}
	out := *v
	out.Change.RequestID = text.Line(v.Change.RequestID, maxID, v.Password)
	return &out, nil
}

// Delete forgets an account. force is the operator's word that its passwords may be lost. A
// tombstone remembers whether the cloud's initial password was overwritten (rule 14).
func (c *Core) Delete(ctx context.Context, id ID, force bool) error {
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return err
	}
	key := bindingKey(a.Provider, id)
	claim := locksutil.LockForKey(c.bindings, key)
	claim.Lock()
	defer claim.Unlock()
	if err := c.finishMoves(ctx, key, id); err != nil {
		return err
	}
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
		if err := e.rec.CheckDeletable(c.opts.Now()); err != nil {
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
	return a.CheckDeletable(c.opts.Now())
}

// erase leaves a tombstone in the account's place and deletes the record. gone is whether its server does not exist any
// more. The caller holds the binding's lock and e.mu, and the record is loaded.
func (c *Core) erase(ctx context.Context, e *entry, gone bool) error {
	a := e.rec
	if err := c.bury(ctx, a); err != nil {
		return err
	}
	if err := c.remove(ctx, e); err != nil {
		return err
	}
	if gone && a.InitialKey != "" {
		if err := c.initials.forget(ctx, a); err != nil { // it is remembered for longer
			c.opts.Logger.Warn("what is known of an initial password was not forgotten with its account", "account", e.id.String(), "error", err)
		}
	}
	return nil
}
