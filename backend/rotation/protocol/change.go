package protocol

// Why a password was changed, for whom, and how: what an operator asks a month later.

import "time"

// Change tells how a version came to be. It is kept with the version. The initial password of a first read has none: its source says
// it.
type Change struct {
	// Reason is why the rotation was due when the value was made, Since since when, and By who had asked for it.
	Reason Reason    `json:"reason"`
	Since  time.Time `json:"since"`
	By     Requester `json:"by,omitzero"`
	// Begun is when the value was made; zero: it was recorded.
	Begun time.Time `json:"begun,omitzero"`
	// Attempts is how often it was sent; 0: never by this record, which is a group's or was told the value.
	Attempts int `json:"attempts,omitempty"`
	// RequestID is the cloud's id of the request whose success it showed; empty: its answer was the proof and had none.
	RequestID string `json:"request_id,omitempty"`
	// Checked is set where a check of the server was the proof.
	Checked bool `json:"checked,omitempty"`
	// ForceStop is whether a request allowed the cloud to shut down the server if it was running.
	ForceStop bool `json:"force_stop,omitempty"`
}

// made tells how the pending became a version by the attempt of that id; "": by none of its own.
func (p *Pending) made(attempt string) Change {
	c := Change{Reason: p.Why.Reason, Since: p.Why.Since, By: p.Why.By, Begun: p.Created, ForceStop: p.ForceStop}
	for _, t := range p.Attempts {
		if t.ID == attempt {
			c.Attempts, c.RequestID = p.Tried, t.RequestID
		}
	}
	return c
}

// due is the change as the reason for which others are due: the members of a group that lack the value.
func (c Change) due() Due { return Due{Reason: c.Reason, Since: c.Since, By: c.By} }
