package protocol

// The value that is on its way to a server, the attempts to set it, and the values that it has replaced.

import (
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Attempt is one cloud call that may set a password and that has not been closed.
type Attempt struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Method is the reset method that it used.
	Method string `json:"method,omitempty"`
	// RequestID is the cloud's id of the accepted request; empty: not known to be accepted.
	RequestID string `json:"request_id,omitempty"`
	// SeenOperation is the operation id that the cloud showed before the call.
	SeenOperation string `json:"seen_operation,omitempty"`
	// Overwritten is set when the cloud's record shows another operation instead: this attempt's
	// outcome will never be shown.
	Overwritten bool `json:"overwritten,omitempty"`
	// IsFence is set for a barrier, which is no call of its own. It stands in OldUnresolved for all that calls
	// of an earlier reset method may still do after the method was changed: a cloud orders at most the
	// operations of one method, so a late one of the old method could follow one of the new.
	IsFence bool `json:"is_fence,omitempty"`
	// Place is where it was sent.
	Place Place `json:"place,omitempty"`
	// Window is its settle window, and FenceWindow that of a barrier for it, both as they were when the attempt
	// was recorded: later changes of the connection do not shorten them. 0: the connection tells.
	Window      time.Duration `json:"window,omitempty"`
	FenceWindow time.Duration `json:"fence_window,omitempty"`
	// Serial is set where the cloud orders it with the next one, so that its window does not contain its end.
	Serial bool `json:"serial,omitempty"`
	// Cleans is set while the cloud may have a record of it that is to be removed once its outcome is known (rule 21).
	Cleans bool `json:"cleans,omitempty"`
	// Name is our own id of the request, where the cloud lets us choose one (rule 20); empty: it does not.
	Name string `json:"name,omitempty"`
	// Order is its value's order number (rule 19); 0: the server keeps no order of what the method sends.
	Order int64 `json:"order,omitempty"`
	// Ended is set once the cloud has shown an end other than success of an attempt with an Order: nothing more will be shown, but
	// the server's agent may run its command again.
	Ended bool `json:"ended,omitempty"`
}

// Polled reports whether the cloud may still show the attempt's outcome.
func (t Attempt) Polled() bool {
	return (t.RequestID != "" || t.Name != "") && !t.Overwritten && !t.Ended
}

// blocks reports whether another value must wait for the attempt's end: what it sent may still set its own value. A server
// that keeps the order refuses that, once it has a later one.
func (t Attempt) blocks() bool { return t.IsFence || t.Order == 0 }

// anyBlocks reports whether another value must wait for one of the attempts.
func anyBlocks(attempts []Attempt) bool { return slices.ContainsFunc(attempts, Attempt.blocks) }

// Leftover is the record that the cloud has of an attempt whose outcome is known here: it is to be removed (rule 21).
type Leftover struct {
	// Method, Place, RequestID and Name are those of the attempt, and Sent is when it was started.
	Method    string    `json:"method"`
	Place     Place     `json:"place,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Name      string    `json:"name,omitempty"`
	Sent      time.Time `json:"sent"`
}

// Pending is the next version before the cloud has confirmed it.
type Pending struct {
	Password string    `json:"password"`
	Created  time.Time `json:"created"`
	// Why is the due that the value was made for, as it was then.
	Why Due `json:"why"`
	// ForceStop is set once an attempt allowed the cloud to shut down a running server.
	ForceStop bool `json:"force_stop,omitempty"`
	// Attempts are the attempts that are not closed.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Tried counts all attempts.
	Tried int `json:"tried,omitempty"`
	// Order is the value's order number (rule 19); 0: it was not sent by a method that keeps one.
	Order int64 `json:"order,omitempty"`
	// Failures counts the attempts that the cloud reported as failed.
	Failures int `json:"failures,omitempty"`
	// Uncertain is set when an attempt was closed without the certainty that it changed nothing.
	Uncertain bool `json:"uncertain,omitempty"`
	// Brake counts the attempts whose outcome the cloud did not show (rule 25).
	Brake Brake `json:"brake,omitzero"`
	// Spent is the start of the newest attempt that may have reset the server without success; zero: none did,
	// or an operator has let the next one go.
	Spent time.Time `json:"spent,omitzero"`
	// Rejected is set when the value is not sent any more.
	Rejected bool `json:"rejected,omitempty"`
	// Batch is the id of the group's batch that the value comes from; empty: none.
	Batch string `json:"batch,omitempty"`
	// Place is the one for which the value was made; it is sent nowhere else (rule 18).
	Place Place `json:"place,omitempty"`
	// Disclosed and Until are set for a group's batch that was handed out for an instance which has it
	// already, before all instances have it.
	Disclosed time.Time `json:"disclosed,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	// Known is set when a lease of it has ended: a client knows it.
	Known bool `json:"known,omitempty"`
	// Roles are the roles to whose readers the value may have been given already: it is a group's.
	Roles RoleSet `json:"roles,omitempty"`
	// Given is to whom it was given before it is a version.
	Given Given `json:"given,omitzero"`
	// Again makes the account due once more when the value is confirmed: somebody knows it who must not any more.
	Again *Due `json:"again,omitempty"`
}

// maybeSet reports whether the server may have the value, or may have it yet.
func (p *Pending) maybeSet() bool { return p.Uncertain || len(p.Attempts) > 0 }

// NotEnded counts the open attempts of which no end has been shown.
func (p *Pending) NotEnded() (n int) {
	for _, t := range p.Attempts {
		if !t.Ended {
			n++
		}
	}
	return n
}

// AnyPolled reports whether any attempt's outcome may still be shown.
func (p *Pending) AnyPolled() bool {
	for _, t := range p.Attempts {
		if t.Polled() {
			return true
		}
	}
	return false
}

// Brake counts the attempts of a rotation whose outcome the cloud did not show. It outlives the value that
// they sent: one that replaces a rejected value goes on with it.
type Brake struct {
	Unshown int `json:"unshown"`
	// Last is when the last of them was given up.
	Last time.Time `json:"last"`
	// NotBefore is until when nothing is sent because of them; zero: they are too few.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Shown is what the cloud showed instead, for people; it holds no secret.
	Shown hint.Text `json:"shown"`
}

// Candidate is a replaced pending that the server may have.
type Candidate struct {
	Password string    `json:"password"`
	Created  time.Time `json:"created"`
	// Place is where the server may have it.
	Place Place `json:"place,omitempty"`
}
