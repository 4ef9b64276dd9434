package protocol

// Shared passwords (rule 16). A group is the record of a role whose accounts have one password. It is
// an Account whose instance id is "*" and whose user name is the role: its versions are the batches
// that all members have agreed on, its pending is the batch that is being brought to them, and its
// due, leases and deadlines are those of the shared password, under the same transitions. It makes no
// attempts of its own: members do, each in its own record, and confirm one by one.

import "time"

// groupInstance stands where an account has its instance id. No cloud has such an id.
const groupInstance = "*"

// GroupID names the group of a role.
func GroupID(connection, role string) ID { return ID{connection, groupInstance, role} }

// IsGroup reports whether the name is that of a group.
func (id ID) IsGroup() bool { return id.InstanceID == groupInstance }

// Group returns the account's group, if it belongs to one.
func (a *Account) Group() (ID, bool) {
	if a.IsGroup() || !a.Settings.SharedPassword || a.Role == "" {
		return ID{}, false
	}
	return GroupID(a.Connection, a.Role), true
}

// Confirmed reports whether the member has confirmed a batch, and nothing else is under way.
func (a *Account) Confirmed(batch string) bool {
	cur := a.Current()
	return cur != nil && cur.Batch == batch && a.Pending == nil
}

// RolloutInterval is the least time between two looks at a group's members.
const RolloutInterval = time.Second

// NumberOf is the number that a batch has or will have among the group's versions.
func (g *Account) NumberOf(batch string) int {
	for _, v := range g.Versions {
		if v.Batch == batch {
			return v.Number
		}
	}
	return g.LastVersion + 1
}

// Offer is the value that a group's members are to have: its batch, or the current version.
type Offer struct {
	Role, Password, Batch string
	Reason                Reason
	Why                   Due // what the value was made for
	Forced                bool
	settings              Settings
	Place                 Place // the one for which it was made
}

// Offers returns what a group offers; a batch of "" is none.
func (g *Account) Offers() Offer {
	o := Offer{Role: g.Role, settings: g.Settings, Reason: DueManual, Forced: g.Due != nil && g.Due.Forced}
	switch cur := g.Current(); {
	case g.Pending != nil:
		o.Password, o.Batch, o.Place = g.Pending.Password, g.Pending.Batch, g.Pending.Place
		o.Why = g.Pending.Why
		if g.Due != nil {
			o.Reason = g.Due.Reason
		}
	case cur != nil:
		o.Password, o.Batch, o.Place = cur.Password, cur.Batch, cur.Place
		o.Why = cur.Change.due()
	}
	return o
}

// opens is when the group's rotation window lets members be reset.
func (o Offer) opens(now time.Time) time.Time {
	if o.Forced {
		return now
	}
	return o.settings.Timetable().NextAllowed(now)
}

// mayBeSent reports whether a batch may be sent to the member: it was made for it, or sent to it already.
func (a *Account) mayBeSent(batch string) bool {
	return a.Joining == "" || a.Joining == batch || a.Pending != nil && a.Pending.Batch == batch
}

// Standing is how far a member is on its way to a value.
type Standing int

const (
	hasIt      Standing = iota // it has confirmed it, and nothing else is under way
	hasRefused                 // its cloud or guest has refused it
	isJoining                  // it must not be given it
	underWay                   // an attempt's outcome is awaited
	isObsolete                 // it has another value under way, which is to be given up
	isBlocked                  // something may still arrive, rules 9 and 10
	IsReady                    // it may be sent
)

// Standing is how far the member is on its way to a batch.
func (a *Account) Standing(batch string) Standing {
	p := a.Pending
	switch {
	case a.Confirmed(batch):
		return hasIt
	case p != nil && p.Batch == batch && p.Rejected:
		return hasRefused
	case !a.mayBeSent(batch):
		return isJoining
	case p != nil && p.AnyPolled():
		return underWay
	case p != nil && p.Batch != batch && !p.Rejected:
		return isObsolete
	case p != nil && p.Batch != batch && a.mustSettle(p), anyBlocks(a.OldUnresolved):
		return isBlocked
	}
	return IsReady
}

// WaitsToJoin reports whether the member waits for a value that is made for it. If it has left and come back
// meanwhile, the value that it has already will do.
func (a *Account) WaitsToJoin(g *Account) bool {
	if a.Joining == "" {
		return false
	}
	if o := g.Offers(); o.Batch != "" {
		return !a.Confirmed(o.Batch) && !a.mayBeSent(o.Batch)
	}
	return true
}

// waitsForHolder reports whether a group's rotation is only for a joiner, and waits because the present password
// is checked out exclusively.
func (g *Account) waitsForHolder() bool {
	return g.IsGroup() && g.Due != nil && g.Due.Reason == DueJoiner && !g.Due.Forced && g.Settings.Checkout == Exclusive && len(g.Leases) > 0
}
