package rotation

// What a group's worker does next, as a pure function of the group's record and its members' (rule 16). It
// sends nothing: the members queue in their connection's queue like any account, with the group's record as
// the source of their value (plan.go), except where the cloud takes many of them in one request.

import "time"

// groupMember is an account of a group, and what its process knows beyond the record.
type groupMember struct {
	*Account
	// joint is set where the reset method takes many accounts in one request.
	joint bool
	// held is set after a failure that left no trace in the record, and heldUntil holds the member back then.
	held      bool
	heldUntil time.Time
}

// rollout is what a group's worker is to do now.
type rollout struct {
	// supersede are members whose value under way is not the group's any more.
	supersede []*Account
	// leaveOut are members for which the others wait no longer.
	leaveOut []*Account
	// replace says that the batch was refused, and another one is to be made.
	replace bool
	// agree says that the batch is to become the group's version.
	agree bool
	// due says that another value is needed: somebody waits to join, or cannot have the present one.
	due bool
	// together are members that are to be sent the value in joint requests.
	together []*Account
	// awaited counts the members without which the group does not agree yet.
	awaited int
	// next is when to look again though no member changes; zero: when one does.
	next time.Time
}

// awaits reports whether the group does not agree without this member: it is to have the batch, has not
// confirmed it, and was not left out.
func (a *Account) awaits(batch string) bool {
	st := a.toward(batch)
	return st != hasIt && st != isJoining && a.LeftOut.IsZero()
}

// planRollout decides about a group whose batch is under way, or which is at rest.
func planRollout(g *Account, members []groupMember, now time.Time) rollout {
	var r rollout
	o := g.offers()
	if o.batch == "" {
		return r // its first value is made when it is due
	}
	look := func(at time.Time) {
		if at.After(now) && (r.next.IsZero() || at.Before(r.next)) {
			r.next = at
		}
	}
	opens := o.opens(now)
	shut := opens.After(now)
	have, hopeful, joining := 0, 0, 0
	refused, replaced := false, false
	var again time.Time // when all that have refused may be tried again
	for _, m := range members {
		st := m.toward(o.batch)
		switch st {
		case hasIt:
			have++
			continue
		case isJoining:
			if m.waitsToJoin(g) {
				joining++
			}
			continue
		case hasRefused:
			refused = true
			again = later(again, m.backsOff(now))
			switch {
			case m.Refusals < maxRefusals:
				replaced = true
				r.awaited++
			case m.LeftOut.IsZero():
				r.leaveOut = append(r.leaveOut, m.Account)
			}
			continue
		case isObsolete:
			r.supersede = append(r.supersede, m.Account)
		case isReady:
			if !m.joint || m.Backoff != nil {
				break
			}
			if m.heldUntil.After(now) {
				look(m.heldUntil)
			} else {
				r.together = append(r.together, m.Account)
			}
		}
		until := m.waitedForUntil(g, st, now, shut)
		switch {
		case !m.LeftOut.IsZero():
		case until.IsZero() || until.After(now):
			r.awaited++
			hopeful++
			look(until)
		default:
			r.leaveOut = append(r.leaveOut, m.Account)
		}
	}
	if have == 0 {
		// Nobody has it: it is the value, the connection or the cloud. There is nobody to be readable without them.
		r.awaited += len(r.leaveOut)
		r.leaveOut = nil
		if hopeful == 0 {
			// So it is if all for whom the batch was made have left since.
			replaced = replaced || (refused || joining > 0) && !again.After(now)
			look(again)
		}
	}
	if shut {
		// Until the window opens members only finish what has begun.
		look(opens)
		look(now.Add(time.Minute))
		replaced, r.together = false, nil
	}
	underWay := g.Pending != nil
	r.replace = underWay && replaced
	r.agree = underWay && !replaced && have > 0 && r.awaited == 0
	r.due = !underWay && (joining > 0 || replaced)
	return r
}

// waitedForUntil is when the others stop waiting for a member that has not confirmed; zero: not while it
// waits for nothing but its turn in the queue, or for the rotation window.
func (m groupMember) waitedForUntil(g *Account, st standing, now time.Time, shut bool) time.Time {
	var since time.Time
	switch p := m.Pending; {
	case p != nil && p.Batch == g.offers().batch:
		since = p.Created
	case shut, st == isReady && m.Backoff == nil && !m.held:
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
	return since.Add(laggardPatience)
}
