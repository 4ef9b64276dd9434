package backend

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// deleteAnyway ends every refusal to delete an account. Whoever only wants another role or connection for a
// server has to hear first what keeps its passwords.
func deleteAnyway(id rotation.ID) hint.Text {
	return hint.Textf("to let another role serve the server and keep its passwords, leave the account, let it move (%s), and write that "+
		"role with connection=%s; to let another connection of the same cloud account serve it, move it there: %s; force=true deletes the "+
		"account all the same, and its passwords are lost: only for a server whose passwords nobody needs",
		id.MoveHint("ROLE"), id.Connection, id.MoveToHint("CONNECTION", "ROLE"))
}

// deleteAccount forgets an account. Without force it keeps the promise that no password is lost: the
// instance must be gone, unless the account never had a password, and nothing may need the account any
// more. A forced delete is the documented exception, which the server's log records besides Vault's
// audit log.
func (b *backend) deleteAccount(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id, ok := accountID(data)
	if !ok {
		return nil, nil
	}
	force := data.Get("force").(bool)
	view, err := b.core.Inspect(ctx, id)
	if err != nil || view == nil {
		return nil, request.VaultError("", err)
	}
	if !force {
		if err := b.checkUnneeded(ctx, view); err != nil {
			return nil, request.WithWayOut(err, deleteAnyway(id))
		}
	}
	// A role's writer holds the connection's lock for reading, so from here on no role comes to be bound.
	defer b.connections.Lock(id.Connection)()
	if !force {
		now, err := b.core.Inspect(ctx, id)
		if err != nil || now == nil {
			return nil, request.VaultError("", err)
		}
		if err := b.checkUnbound(ctx, now); err != nil {
			return nil, request.WithWayOut(err, deleteAnyway(id))
		}
		if neverHadPassword(view) && !neverHadPassword(now) {
			return nil, request.Conflictf("account %s %s and has a password now; see accounts/%s", id, store.ErrChanged, id)
		}
	}
	if err := b.core.Delete(ctx, id, force); err != nil {
		if request.IsConflict(err) {
			return nil, request.WithWayOut(err, deleteAnyway(id))
		}
		return nil, request.VaultError("", err)
	}
	b.missed.seen(id)
	b.Logger().Warn("an account and its passwords were deleted", "account", id.String(), "forced", force,
		"role", view.Role, "state", view.State, "versions", len(view.Versions), "leases", len(view.Leases))
	return nil, nil
}

// checkUnbound refuses to forget an account that a role is bound to.
func (b *backend) checkUnbound(ctx context.Context, view *rotation.View) error {
	if view.Role == "" {
		return nil
	}
	r, err := b.roles.Get(ctx, view.Role)
	if err != nil {
		return err
	}
	if r.MapsTo(view.ID) {
		return request.Conflictf("account %s belongs to role %s; take the instance out of the role, or delete the role", view.ID, view.Role)
	}
	return nil
}

// checkUnneeded refuses to forget an account that a role is bound to or whose instance may exist. It asks the cloud.
func (b *backend) checkUnneeded(ctx context.Context, view *rotation.View) error {
	if err := b.checkUnbound(ctx, view); err != nil {
		return err
	}
	if neverHadPassword(view) {
		return nil
	}
	instance, err := b.instanceOf(ctx, view.ID)
	if err != nil {
		return request.VaultError("it cannot be told whether instance "+view.ID.InstanceID+" still exists", err)
	}
	switch {
	case instance != nil && instance.State != cloud.StateGone:
		b.missed.seen(view.ID)
		return request.Conflictf("instance %s exists (%s), and the password that it has may be recorded nowhere else; terminate it first",
			instance.ID,
			instance.CloudState)
	case instance != nil || !view.Gone.IsZero(): // the cloud says that it is terminated, or earlier looks have missed it, too
		return nil
	}
	if err := b.core.CheckDeletable(ctx, view.ID); err != nil { // tell at once what a second look would not change
		return err
	}
	if left := b.missed.again(view.ID, b.clock.now()); left > 0 {
		return request.Conflictf("the cloud does not show instance %s now; since its list may be incomplete for some time, it is asked again: "+
			"repeat this in %s, and the account is forgotten if the cloud does not show the instance then either", view.ID.InstanceID,
			left.Round(time.Second))
	}
	return nil
}

// missedOnDelete are the accounts that somebody wanted to have forgotten and whose instances the cloud did not show, with
// the time of the first such look. Passwords are not forgotten on one look, whose list may have been incomplete.
type missedOnDelete struct {
	mu    sync.Mutex
	since map[rotation.ID]time.Time
}

// missedKept is for how long such a look counts.
const missedKept = 24 * time.Hour

// again notes a look at now that misses the account's instance, and returns how long it is until another one is believed;
// 0: this one is.
func (m *missedOnDelete) again(id rotation.ID, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.since, func(_ rotation.ID, since time.Time) bool { return now.Sub(since) > missedKept || since.After(now) })
	since, ok := m.since[id]
	if !ok {
		if m.since == nil {
			m.since = map[rotation.ID]time.Time{}
		}
		m.since[id], since = now, now
	}
	return max(rotation.MissApart-now.Sub(since), 0)
}

// seen notes that the cloud shows the account's instance, or that the account is no more.
func (m *missedOnDelete) seen(id rotation.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.since, id)
}

// neverHadPassword reports whether Vault has no password of the account and has sent none: nothing is lost
// with its record.
func neverHadPassword(v *rotation.View) bool {
	return len(v.Versions) == 0 && v.PendingSince.IsZero() && v.OpenAttempts+v.Candidates == 0 && !v.OldUnresolved
}

// instanceOf asks the cloud for an account's instance. It returns nil if the cloud does not show it.
func (b *backend) instanceOf(ctx context.Context, id rotation.ID) (*cloud.Instance, error) {
	instance, _, err := b.describedBy(ctx, id.Connection, id.InstanceID)
	return instance, err
}

// describedBy asks a connection's cloud for an instance, and says which place has answered. It returns nil if the cloud does not show
// the instance.
func (b *backend) describedBy(ctx context.Context, connection, instance string) (*cloud.Instance, rotation.Place, error) {
	c, _, err := b.connections.Find(ctx, connection)
	if err != nil {
		return nil, "", err
	}
	live, err := b.core.Connected(ctx, connection)
	if err != nil {
		return nil, "", err
	}
	if err := live.Provider.ValidateInstanceID(instance); err != nil {
		return nil, "", err
	}
	// One exchange for a token, one for the answer.
	ctx, cancel := context.WithTimeout(ctx, 2*c.Timeout())
	defer cancel()
	found, err := b.connections.DescribeInstances(ctx, connection, live.Provider, []string{instance})
	if err != nil {
		return nil, "", err
	}
	for _, i := range found {
		if i.ID == instance {
			return &i, live.Place, nil
		}
	}
	return nil, live.Place, nil
}
