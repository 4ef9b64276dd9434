package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Standing is how far an order has come with an account, or with all those that a group stands for.
type Standing struct {
	// Done, Waiting and Skipped count accounts. What waits has been ordered, and has not failed since.
	Done, Waiting, Skipped int
	// Unordered counts those for which nothing was done yet.
	Unordered int
	// Failed are the accounts, or the group, whose last try failed, and FailedAccounts how many accounts that are. They are tried
	// again.
	Failed         []*View
	FailedAccounts int
	// Reason is why they were skipped.
	Reason SkipReason
	// Result is what the check has shown.
	Result CheckResult
}

// Final reports whether all that the order wanted of it is done, or will never be.
func (s *Standing) Final() bool { return s.Waiting+s.Unordered+s.FailedAccounts == 0 }

// Standing tells how far an order has come. carried says that the order was carried out for it: else nothing but a version
// that it has already shows that there is nothing to be done. Records are looked at in memory where they are there.
func (c *Core) Standing(ctx context.Context, order Order, o Ordered, carried bool) (Standing, error) {
	a, e, err := c.latest(ctx, o.ID)
	switch {
	case err != nil:
		return Standing{}, err
	case !carried && (a == nil || order.Check || !o.passed(a)):
		return Standing{Unordered: o.Accounts}, nil
	case a == nil:
		return Standing{Skipped: o.Accounts, Reason: SkipDeleted}, nil
	case order.Check:
		return c.checkStanding(e, a, order), nil
	case o.passed(a):
		return c.leftOut(o), nil
	case !a.Gone.IsZero():
		return Standing{Skipped: o.Accounts, Reason: SkipGone}, nil
	case a.Due == nil && a.Pending == nil && !c.groupIsDue(a):
		if a.LastVersion > o.Before { // the value to be replaced was never confirmed, or has been replaced otherwise
			return Standing{Done: o.Accounts}, nil
		}
		return Standing{Skipped: o.Accounts, Reason: SkipNotDue}, nil
	}
	return c.dueStanding(e, a, o), nil
}

// latest is the record that was known last, which is read if there is none, or nil.
func (c *Core) latest(ctx context.Context, id ID) (*Account, *entry, error) {
	if e := c.inMemory(id); e != nil {
		if a := e.snapshot.Load(); a != nil {
			return a, e, nil
		}
	}
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return nil, nil, err
	}
	return a, c.entry(id), nil
}

// groupIsDue reports whether an account waits for its group.
func (c *Core) groupIsDue(a *Account) bool {
	id, member := a.Group()
	if !member {
		return false
	}
	g := c.inMemory(id)
	if g == nil {
		return false
	}
	rec := g.snapshot.Load()
	return rec != nil && (rec.Due != nil || rec.Pending != nil)
}

// dueStanding is that of what is still to be rotated.
func (c *Core) dueStanding(e *entry, a *Account, o Ordered) Standing {
	s := Standing{Waiting: o.Accounts}
	if a.Braked() || fails(e, a) {
		s.fail(c.known(e), o.Accounts)
		return s
	}
	for _, m := range c.membersInMemory(o.ID) {
		if rec := m.snapshot.Load(); rec != nil && (rec.Braked() || fails(m, rec)) {
			s.fail(c.known(m), 1)
		}
	}
	return s
}

// leftOut is the standing of what has the version, but for the members of a group for which the others did not wait.
func (c *Core) leftOut(o Ordered) Standing {
	s := Standing{Waiting: o.Accounts}
	for _, m := range c.membersInMemory(o.ID) {
		if rec := m.snapshot.Load(); rec != nil && !rec.LeftOut.IsZero() && rec.Gone.IsZero() {
			s.fail(c.known(m), 1)
		}
	}
	s.Done, s.Waiting = s.Waiting, 0
	return s
}

// fail counts so many of those that wait as failed.
func (s *Standing) fail(v *View, accounts int) {
	accounts = min(accounts, s.Waiting)
	if v == nil || accounts == 0 {
		return
	}
	s.Failed = append(s.Failed, v)
	s.Waiting, s.FailedAccounts = s.Waiting-accounts, s.FailedAccounts+accounts
}

// membersInMemory are the accounts of a group, as far as they are in memory; none of what is no group.
func (c *Core) membersInMemory(id ID) []*entry {
	g := c.inMemory(id)
	if g == nil || !id.IsGroup() {
		return nil
	}
	rec := g.snapshot.Load()
	if rec == nil {
		return nil
	}
	var members []*entry
	for _, member := range rec.Members {
		if e := c.inMemory(member); e != nil {
			members = append(members, e)
		}
	}
	return members
}

func (c *Core) checkStanding(e *entry, a *Account, order Order) Standing {
	check := a.Checked()
	made := !check.Time.Before(order.Given)
	switch {
	case made && check.Asked.IsZero():
		return Standing{Done: 1, Result: check.Result}
	case a.NotCheckable() != nil:
		if !a.Gone.IsZero() {
			return Standing{Skipped: 1, Reason: SkipGone}
		}
		return Standing{Skipped: 1, Reason: SkipNoCheck}
	case check.Asked.IsZero():
		return Standing{Skipped: 1, Reason: SkipNoAnswer}
	}
	s := Standing{Waiting: 1}
	if made || fails(e, a) {
		s.fail(c.known(e), 1)
	}
	return s
}

// Trouble says why an account of an order fails: its last failure, what the cloud showed instead of an outcome, or why a check
// that was ordered could not be made.
func (v *View) Trouble() hint.Text {
	switch failed := v.Failed(); {
	case !failed.IsZero():
		return failed
	case !v.ShownInstead.IsZero():
		return v.ShownInstead
	case !v.Check.Asked.IsZero() && !v.Check.Reason.IsZero():
		return v.Check.Reason
	}
	return hint.Plain("the last try failed")
}
