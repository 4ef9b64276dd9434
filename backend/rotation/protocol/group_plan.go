package protocol

// What a group's worker does next, as a pure function of the group's record and its members' (rule 16). It
// sends nothing: the members queue in their connection's queue like any account, with the group's record as
// the source of their value (plan_rotation.go), except where the cloud takes many of them in one request.

import "time"

// GroupMember is an account of a group, and what its process knows beyond the record.
type GroupMember struct {
	*Account
	// Joint is set where the reset method takes many accounts in one request.
	Joint bool
	// Held is set after a failure that left no trace in the record, and HeldUntil holds the member back then.
	Held      bool
	HeldUntil time.Time
}

// Rollout is what a group's worker is to do now.
type Rollout struct {
	// Supersede are members with a value under way that is not the group's any more.
	Supersede []*Account
	// LeaveOut are members for which the others wait no longer.
	LeaveOut []*Account
	// Replace says that the batch was refused, and another one is to be made.
	Replace bool
	// Agree says that the batch is to become the group's version.
	Agree bool
	// Due says that another value is needed: somebody waits to join, or cannot have the present one.
	Due bool
	// Together are members that are to be sent the value in joint requests.
	Together []*Account
	// Awaited counts the members without which the group does not agree yet.
	Awaited int
	// Next is when to look again though no member changes; zero: when one does.
	Next time.Time
}

// Awaits reports whether the group does not agree without this member: it is to have the batch, has not
// confirmed it, and was not left out.
func (a *Account) Awaits(batch string) bool {
	st := a.Standing(batch)
	return st != hasIt && st != isJoining && a.LeftOut.IsZero()
}

// PlanRollout decides about a group whose batch is under way, or which is at rest.
func PlanRollout(g *Account, members []GroupMember, now time.Time) Rollout {
	var r Rollout
	o := g.Offers()
	if o.Batch == "" {
		return r // its first value is made when it is due
	}
	look := func(at time.Time) {
		if at.After(now) && (r.Next.IsZero() || at.Before(r.Next)) {
			r.Next = at
		}
	}
	opens := o.opens(now)
	shut := opens.After(now)
	have, hopeful, joining := 0, 0, 0
	refused, replaced := false, false
	var again time.Time // when all that have refused may be tried again
	for _, m := range members {
		st := m.Standing(o.Batch)
		switch st {
		case hasIt:
			have++
			continue
		case isJoining:
			if m.WaitsToJoin(g) {
				joining++
			}
			continue
		case hasRefused:
			refused = true
			again = Latest(again, m.backsOff(now))
			switch {
			case m.Refusals < MaxRefusals:
				replaced = true
				r.Awaited++
			case m.LeftOut.IsZero():
				r.LeaveOut = append(r.LeaveOut, m.Account)
			}
			continue
		case isObsolete:
			r.Supersede = append(r.Supersede, m.Account)
		case IsReady:
			if !m.Joint || m.Backoff != nil {
				break
			}
			if m.HeldUntil.After(now) {
				look(m.HeldUntil)
			} else {
				r.Together = append(r.Together, m.Account)
			}
		}
		until := m.waitedForUntil(g, st, now, shut)
		switch {
		case !m.LeftOut.IsZero():
		case until.IsZero() || until.After(now):
			r.Awaited++
			hopeful++
			look(until)
		default:
			r.LeaveOut = append(r.LeaveOut, m.Account)
		}
	}
	if have == 0 {
		// No member has it: the value, the connection or the cloud is to blame. None could be read without the others.
		r.Awaited += len(r.LeaveOut)
		r.LeaveOut = nil
		if hopeful == 0 {
			// The same if all members for which the batch was made have left since.
			replaced = replaced || (refused || joining > 0) && !again.After(now)
			look(again)
		}
	}
	if shut {
		// Until the window opens members only finish what has begun.
		look(opens)
		look(now.Add(time.Minute))
		replaced, r.Together = false, nil
	}
	underWay := g.Pending != nil
	r.Replace = underWay && replaced
	r.Agree = underWay && !replaced && have > 0 && r.Awaited == 0
	r.Due = !underWay && (joining > 0 || replaced)
	return r
}

// waitedForUntil is when the others stop waiting for a member that has not confirmed; zero: not while it
// waits for nothing but its turn in the queue, or for the rotation window.
func (m GroupMember) waitedForUntil(g *Account, st Standing, now time.Time, shut bool) time.Time {
	var since time.Time
	switch p := m.Pending; {
	case p != nil && p.Batch == g.Offers().Batch:
		since = p.Created
	case shut, st == IsReady && m.Backoff == nil && !m.Held:
		return time.Time{}
	case g.Pending != nil:
		since = g.Pending.Created
	case m.Due != nil:
		since = m.Due.Since
	default:
		return time.Time{}
	}
	if since.After(now) {
		return now // the clock was set back since: waiting for that time could take as long as the step
	}
	return since.Add(LaggardPatience)
}
