package protocol

// The order of values, which servers keep (rule 19).

import "time"

// MaxOrder is the largest order number: what ten digits hold. The last ones are left for what follows a number that a server shows.
const MaxOrder = 9_999_999_999

// maxServerOrder is the largest order number that is believed of a server.
const maxServerOrder = MaxOrder - 1_000_000

// NextOrder is the order number of the account's next attempt: that of its value, if the server can be expected to take that one,
// else one that is larger than all before it, and than the time in seconds.
func (a *Account) NextOrder(now time.Time, same bool) int64 {
	if p := a.Pending; same && p != nil && p.Order > 0 && p.Order == a.LastOrder {
		return p.Order
	}
	return max(now.Unix(), a.LastOrder+1)
}

// follows reports whether an attempt has an order number that the rule allows, or none as its method keeps none. same says that it
// is another attempt of pending's value.
func (a *Account) follows(t Attempt, same bool) bool {
	switch {
	case t.Order == 0:
		return true
	case same && a.Pending.Order > 0 && t.Order == a.Pending.Order:
		return true
	}
	return t.Order > a.LastOrder
}

// mustSettle reports whether pending's attempts must have ended before another value replaces it: one of them has no order
// that the server keeps, or another place may not know it.
func (a *Account) mustSettle(p *Pending) bool {
	return anyBlocks(p.Attempts) || len(p.Attempts) > 0 && a.Misplaced()
}

// ended notes that the cloud has shown an attempt's end, by which it set nothing or may have: it is closed, unless its command may
// be run again. That stays among the open ones, which block no other value but leave it open which one the server has.
func (a *Account) ended(i int) {
	p := a.Pending
	a.leave(p.Attempts[i])
	if p.Attempts[i].Order == 0 {
		p.Attempts = append(p.Attempts[:i:i], p.Attempts[i+1:]...)
		return
	}
	p.Attempts[i].Cleans = false // its record is removed now
	p.Attempts[i].Ended, p.Uncertain = true, true
}
