package protocol

// Barriers: what a change of an account's reset method or place has to wait for (rules 10, 18).

import (
	"slices"
	"strings"
	"time"
)

// MustRotate reports whether the account is on its way to a new value, or its present one is known to clients who
// must not know it any more, or must not once their lease has ended.
func (a *Account) MustRotate() bool {
	if a.Pending != nil {
		return true
	}
	if cur := a.Current(); cur != nil && a.leased(cur.Number) {
		return true
	}
	return a.Due != nil && a.Due.Reason.ForbidsReading() && a.Due.Reason != DueFirst
}

// placeFence begins the ids of barriers that a change of the place has raised.
const placeFence = "fence/place/"

// fenceMethod notes, when the reset method is about to change, that attempts of the old one may still
// set their value, unless the end of every one of them is known.
func (a *Account) fenceMethod(at time.Time) {
	open, fence := a.ClosedByTimeout || len(a.OldUnresolved) > 0, a.TimeoutFence
	for _, t := range a.OldUnresolved {
		fence = max(fence, t.FenceWindow)
	}
	if a.Pending != nil {
		for _, t := range a.Pending.Attempts {
			open, fence = true, max(fence, t.FenceWindow)
		}
	}
	if method := a.Settings.ResetMethod; open && method != "" {
		a.ClosedByTimeout, a.TimeoutFence = false, 0
		a.addFence("fence/"+method+"/", at, fence)
	}
}

// addFence puts a barrier among the attempts whose outcome is not resolved. With fence 0 the connection tells
// its window.
func (a *Account) addFence(kind string, at time.Time, fence time.Duration) {
	a.OldUnresolved = append(a.OldUnresolved, Attempt{
		ID: kind + at.UTC().Format(time.RFC3339Nano), Method: a.Settings.ResetMethod, Started: at, IsFence: true,
		Place: a.Place, Window: fence, FenceWindow: fence,
	})
}

// Fenced reports whether attempts of an earlier reset method, or at an earlier place, may still set their value, and so whether
// nothing may be sent by the present one. Even a retry of the same pending must wait: a value that it
// replaced may come late, and once pending is confirmed nobody would know that one any more.
func (a *Account) Fenced() bool {
	for _, t := range a.OldUnresolved {
		if t.IsFence {
			return true
		}
	}
	return false
}

// leavePlace raises a barrier for what was sent to the place that the connection leaves: another place need not
// order its operations with those of this one (rules 10, 18).
func (a *Account) leavePlace(at time.Time) {
	open, fence := a.ClosedByTimeout, a.TimeoutFence
	note := func(t Attempt) {
		if !t.IsFence && t.Place.Same(a.Place) {
			open, fence = true, max(fence, t.FenceWindow)
		}
	}
	for _, t := range a.OldUnresolved {
		note(t)
	}
	if a.Pending != nil {
		for _, t := range a.Pending.Attempts {
			note(t)
		}
	}
	if open {
		a.ClosedByTimeout, a.TimeoutFence = false, 0
		a.addFence(placeFence, at, fence)
	}
}

// returnToPlace takes back the barriers of the place that the connection leads to again. While they stood nothing was
// sent to another one, so it is as if the connection had never left.
func (a *Account) returnToPlace() {
	a.OldUnresolved = slices.DeleteFunc(a.OldUnresolved, func(t Attempt) bool {
		back := t.IsFence && strings.HasPrefix(t.ID, placeFence) && t.Place.Same(a.Place) && t.Method == a.Settings.ResetMethod
		if back {
			a.ClosedByTimeout, a.TimeoutFence = true, max(a.TimeoutFence, t.FenceWindow)
		}
		return back
	})
	if len(a.OldUnresolved) == 0 {
		a.OldUnresolved = nil
	}
}
