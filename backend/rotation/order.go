package rotation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Order is what somebody wants done with many accounts. Whoever gives it keeps the list of them, and has it carried out for one
// after the other; that can be repeated after a crash.
type Order struct {
	// Check: the servers are to be looked at. Else the accounts are to be rotated.
	Check bool
	// Reason is why they are to be rotated: DueManual or DueReader.
	Reason Reason
	// Role: only accounts that are bound to that role still; empty: all.
	Role string
	// Gone: servers that are thought to be gone are tried again.
	Gone bool
	// Action is what to do with an account whose server has another password; empty: what its role says.
	Action DriftAction
	Given  time.Time
}

// Ordered is an account that an order is about; or a group, which stands for its members.
type Ordered struct {
	ID ID
	// Accounts is how many it stands for.
	Accounts int
	// Before is the number of the newest version when the order was given. Follow is set where a value was on its way then which
	// has to be replaced as well, so that the version after the next is the first that will do.
	Before int
	Follow bool
}

// passed reports whether an account has a version that the order wanted, whatever made it.
func (o *Ordered) passed(a *Account) bool {
	if o.Follow {
		return a.LastVersion > o.Before+1
	}
	return a.LastVersion > o.Before
}

// SkipReason is why an order leaves an account out.
type SkipReason string

// Reasons to leave an account out.
const (
	SkipDeleted  SkipReason = "deleted"        // there is no record of it any more
	SkipGone     SkipReason = "gone"           // its server does not exist any more
	SkipNoReset  SkipReason = "no_reset"       // nothing can set its password
	SkipNoCheck  SkipReason = "not_checkable"  // nothing can look at its server, or it has no password yet
	SkipNotBound SkipReason = "not_bound"      // it belongs to another role than the one that was named
	SkipNotDue   SkipReason = "not_due"        // what it was due for has been dropped
	SkipNoAnswer SkipReason = "check_replaced" // what the server had was recorded otherwise, so that no check was needed
)

// orderOf begins an order about an account.
func orderOf(a *Account, reason Reason) Ordered {
	return Ordered{ID: a.ID, Accounts: 1, Before: a.LastVersion, Follow: mustFollow(a, reason)}
}

// OrderConnection lists the accounts of a connection that can be rotated, those whose password somebody knows first. Accounts
// that share a password are one, their group.
func (c *Core) OrderConnection(ctx context.Context, connection string) ([]Ordered, error) {
	var known, unknown []ID
	accounts := map[ID]*Ordered{}
	err := c.every(ctx, connection, func(a *Account) {
		if !a.Settings.CanReset || !a.Gone.IsZero() {
			return
		}
		o := orderOf(a, DueManual)
		if group, ok := a.Group(); ok {
			o = Ordered{ID: group, Accounts: 1}
		}
		if had := accounts[o.ID]; had != nil {
			had.Accounts++
			return
		}
		accounts[o.ID] = &o
		if cur := a.Current(); cur != nil && (cur.Batch != "" || !cur.Disclosed.IsZero()) {
			known = append(known, o.ID)
		} else {
			unknown = append(unknown, o.ID)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(known, CompareIDs)
	slices.SortFunc(unknown, CompareIDs)
	return c.listOrdered(ctx, append(known, unknown...), accounts, DueManual)
}

// listOrdered makes the list of an order. What is ordered of a group is asked of its own record.
func (c *Core) listOrdered(ctx context.Context, ids []ID, accounts map[ID]*Ordered, reason Reason) ([]Ordered, error) {
	list := make([]Ordered, 0, len(ids))
	for _, id := range ids {
		o := *accounts[id]
		if id.IsGroup() {
			g, err := c.get(ctx, id)
			if err != nil {
				return nil, err
			}
			if g == nil {
				continue
			}
			o.Before, o.Follow = g.LastVersion, mustFollow(g, reason)
		}
		list = append(list, o)
	}
	return list, nil
}

// OrderGiven lists what GivenTo finds and can be rotated, those first that are known to be given to the reader.
func (c *Core) OrderGiven(ctx context.Context, who Requester) (*GivenAccounts, []Ordered, error) {
	found, err := c.GivenTo(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	var list []Ordered
	for _, id := range slices.Concat(found.Known, found.Possible) {
		a, err := c.get(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if a == nil {
			continue
		}
		o := orderOf(a, DueReader)
		o.Accounts = found.Count([]ID{id})
		list = append(list, o)
	}
	return found, list, nil
}

// OrderRole lists accounts of a role, or its group, that can be rotated. For the others it says why not.
func (c *Core) OrderRole(ctx context.Context, role string, ids []ID) ([]Ordered, map[ID]error, error) {
	var list []Ordered
	refused := map[ID]error{}
	for _, id := range ids {
		a, err := c.get(ctx, id)
		switch {
		case err != nil:
			return nil, nil, err
		case a == nil:
			refused[id] = noRecord(id)
		case a.Role != role:
			refused[id] = &Error{Kind: Unbound, HolderRole: a.Role}
		case !a.Settings.CanReset:
			refused[id] = cannotReset(a)
		default:
			o := orderOf(a, DueManual)
			if id.IsGroup() {
				o.Accounts = max(1, len(a.Members))
			}
			list = append(list, o)
		}
	}
	return list, refused, nil
}

// OrderChecks lists the accounts of a connection, or only of a role, whose servers can be looked at, and counts the others.
func (c *Core) OrderChecks(ctx context.Context, connection, role string) (list []Ordered, not int, err error) {
	err = c.every(ctx, connection, func(a *Account) {
		switch {
		case role != "" && a.Role != role, !a.Gone.IsZero():
		case a.NotCheckable() != nil:
			not++
		default:
			list = append(list, orderOf(a, ""))
		}
	})
	slices.SortFunc(list, func(a, b Ordered) int { return CompareIDs(a.ID, b.ID) })
	return list, not, err
}

// every visits the records of a connection's accounts, or of all, in no order. Once all have been loaded, storage is not asked
// for their names.
func (c *Core) every(ctx context.Context, connection string, visit func(*Account)) error {
	if !c.isRunning() || c.isLoading() {
		prefix := connection
		if prefix != "" {
			prefix += "/"
		}
		return c.each(ctx, prefix, visit)
	}
	for _, e := range c.below(connection) {
		if e.id.IsGroup() {
			continue
		}
		a, err := c.get(ctx, e.id)
		if err != nil {
			return err
		}
		if a != nil {
			visit(a)
		}
	}
	return nil
}

// CarryOut does what an order wants of one account: it makes it due, or has its server looked at. An account that has a newer
// version than the order asks for is left as it is, so that to do it again rotates nothing twice. It returns why the account is
// left out, if it is.
func (c *Core) CarryOut(ctx context.Context, order Order, o *Ordered) (SkipReason, error) {
	a, err := c.get(ctx, o.ID)
	switch {
	case err != nil:
		return "", err
	case a == nil:
		return SkipDeleted, nil
	case !a.Gone.IsZero() && !order.Gone:
		return SkipGone, nil
	case order.Role != "" && a.Role != order.Role:
		return SkipNotBound, nil
	case order.Check:
		return c.orderCheck(ctx, a, order)
	case a.LastVersion < o.Before:
		o.Before, o.Follow = a.LastVersion, mustFollow(a, order.Reason) // it was deleted and created again
	}
	if group, member := a.Group(); member && !o.passed(a) {
		_, err = c.makeDue(ctx, group, order.Reason, 0) // it has joined a group since
	} else {
		err = c.orderRotation(ctx, order, o)
	}
	return skipFor(err, SkipNoReset)
}

// skipFor is why an account is left out to which that has happened.
func skipFor(err error, conflict SkipReason) (SkipReason, error) {
	var failed *Error
	switch {
	case errors.As(err, &failed) && failed.Kind == NoRecord:
		return SkipDeleted, nil
	case errors.As(err, &failed) && failed.Kind == Conflict:
		return conflict, nil
	}
	return "", err
}

func (c *Core) orderRotation(ctx context.Context, order Order, o *Ordered) error {
	e := c.entry(o.ID)
	if o.ID.IsGroup() {
		if g, err := c.get(ctx, o.ID); err != nil || g == nil || o.passed(g) {
			return err
		}
		if err := c.forgive(ctx, o.ID); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return err
	}
	if e.rec == nil {
		return noRecord(o.ID)
	}
	if o.passed(e.rec) {
		return nil
	}
	// Only a value that was on its way before the order was carried out is replaced as well, and only once.
	follow := e.rec.LastVersion == o.Before && mustFollow(e.rec, order.Reason)
	o.Follow = o.Follow || follow
	_, err := c.requestLocked(ctx, e, order.Reason, follow)
	return err
}

func (c *Core) orderCheck(ctx context.Context, a *Account, order Order) (SkipReason, error) {
	if !a.Checked().Time.Before(order.Given) && a.Checked().Asked.IsZero() {
		return "", nil
	}
	if why := a.NotCheckable(); why != nil {
		return SkipNoCheck, nil //nolint:nilerr // it is the answer
	}
	return skipFor(c.apply(ctx, c.entry(a.ID), protocol.CheckRequested{At: c.opts.Now(), Action: order.Action, By: requester(ctx)}),
		SkipNoCheck)
}

// Hurry has accounts go before others of their connections, because a client waits for them.
func (c *Core) Hurry(ids []ID) {
	for _, id := range ids {
		if e := c.inMemory(id); e != nil {
			c.hurry(e)
		}
	}
}

// AwaitRotation returns an account's state once it has another version than before, is not due any more, or was waited for.
func (c *Core) AwaitRotation(ctx context.Context, id ID, before int, wait time.Duration) (*View, error) {
	if wait > 0 {
		c.Hurry([]ID{id})
	}
	return c.awaitRotation(ctx, c.entry(id), before, wait)
}
