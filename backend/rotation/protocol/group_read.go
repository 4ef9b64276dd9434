package protocol

// Handing out a shared password (rules 11, 16).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckMemberReadable says why a member has no password of the group to hand out now; nil: it has one.
func (a *Account) CheckMemberReadable(g *Account, now time.Time) error {
	cur, shared := a.Current(), g.Current()
	switch {
	case a.Pending == nil && cur != nil && cur.Batch != "" && (cur.Batch == g.Offers().Batch || shared != nil && cur.Batch == shared.Batch):
		return nil
	case !a.LeftOut.IsZero():
		return &Error{Kind: NotReadable, RetryAfter: max(retryInterval, a.backsOff(now).Sub(now)), Poll: RolloutInterval, Message: hint.Textf(
			"account %s does not have the password of role %s and is left out since %s: %s", a.ID, g.Role, a.LeftOut.UTC().Format(time.RFC3339),
			a.WhyLeftOut())}
	case a.WaitsToJoin(g):
		return g.waitsForNext(a, now)
	}
	if err := a.CheckReadable(now); err != nil {
		return err
	}
	return g.NotAgreedError()
}

// waitsForNext says that a joiner waits for the group's next value, and for what that waits.
func (g *Account) waitsForNext(a *Account, now time.Time) error {
	e := &Error{Kind: NotReadable, RetryAfter: retryInterval, Poll: RolloutInterval, Message: hint.Textf(
		"account %s has joined role %s and is not given the password that the others have: it waits for the next one", a.ID, g.Role)}
	switch {
	case g.Pending != nil:
		e.Message = e.Message.Add(hint.Plain(", which is made once the others have the one that is under way"))
	case g.Due != nil && g.waitsForHolder():
		e.Message = e.Message.Add(hint.Plain(", which is made when the exclusive lease of the present one has ended"))
		e.RetryAfter = time.Minute
	case g.Due != nil:
		w := g.WaitsFor(PlanInput{Now: now})
		e.Message = e.Message.Add(w.says(g, now))
		e.RetryAfter = max(retryInterval, w.Until.Sub(now))
	}
	return e
}

// NotAgreedError is what a member or its group answers while the members have no password in common.
func (a *Account) NotAgreedError() error {
	return &Error{Kind: NotReadable, RetryAfter: 10 * time.Second, Poll: RolloutInterval, Message: hint.Textf(
		"the accounts of role %s are being brought to one password", a.Role)}
}

// MemberDisclosed is VersionDisclosed for one member of a group: the password that this very instance has, which
// during a rotation is the batch's or still the current one.
type MemberDisclosed struct {
	VersionDisclosed
	Batch string
}

func (e MemberDisclosed) apply(a *Account) error {
	if err := a.CheckServes(e.Role); err != nil {
		return err
	}
	switch cur := a.Current(); {
	case a.Pending != nil && a.Pending.Batch == e.Batch:
		p := a.Pending
		p.Roles = p.Roles.With(a.Role)
		p.Given.note(e.Client, e.At)
		if p.Disclosed.IsZero() {
			p.Disclosed = e.At
			if a.Settings.Mode == Leased {
				p.Until = e.At.Add(a.Settings.MaxTTL)
			}
		}
		if a.Settings.Mode != Leased {
			return nil
		}
		return a.lease(e.VersionDisclosed, a.LastVersion+1, end(p.Disclosed, p.Until, e.At))
	case cur == nil || cur.Batch != e.Batch || a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.NotAgreedError()
	}
	pending := a.Pending
	a.Pending = nil // the instance has not been given it yet
	err := e.VersionDisclosed.apply(a)
	a.Pending = pending
	return err
}
