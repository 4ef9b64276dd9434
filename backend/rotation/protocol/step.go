package protocol

// The steps of a plan, and what a plan depends on.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Step is what a worker does next for an account.
type Step int

const (
	StepNone     Step = iota
	StepExpire        // end leases and versions past their deadline, and correct times that a wrong clock has stored
	StepSchedule      // the stored rotation time has come
	StepPlace         // the connection leads elsewhere, or is trusted now
	StepMove          // finish the move of the account to another connection
	StepSettle        // close attempts whose settle window has passed
	StepRollout       // look at a group's members, and do what needs no cloud
	StepBegin         // record a new pending with its first attempt, and send it
	StepRetry         // record another attempt of the same pending, and send it
	StepPoll          // look at the cloud's record of an accepted attempt
	StepJoint         // send a group's value to many members in one request
	StepClear         // delete the cloud's copy of the initial password
	StepCheck         // look at the server's password
	StepClean         // remove the cloud's record of an attempt
)

// CallsCloud reports whether the step needs the cloud, and so the connection's breaker and workers.
func (s Step) CallsCloud() bool { return s >= StepBegin }

// String is for logs and traces.
func (s Step) String() string {
	return [...]string{"none", "expire", "schedule", "place", "move", "settle", "rollout", "begin", "retry", "poll", "joint", "clear",
		"check", "clean"}[s]
}

// PlanInput is what a plan depends on besides the record.
type PlanInput struct {
	Now time.Time
	// Clock is what the clocks say; zero: now is not doubted.
	Clock ClockReading
	// OwnSchedule is set if this process has stored the next scheduled rotation, by the clock that it has
	// watched since.
	OwnSchedule bool
	// Settles is when an open attempt's settle window ends.
	Settles func(Attempt) time.Time
	// Traits of the connection's reset methods; nil while the connection is not known. It returns nil
	// for a method that the provider does not have.
	Traits func(method string) *cloud.ResetTraits
	// Held holds cloud steps back after failures that left no trace in the record.
	Held Waiting
	// Turn is until when another account of the server has its turn (rule 24); a time that has passed, or
	// zero: none has.
	Turn time.Time
	// Stopped holds rotations back that have not begun, while the connection's brake is on (rule 25).
	Stopped Waiting
	// Breaker is until when the connection's breaker is open. It is for people: the queue asks it itself.
	Breaker Waiting
	// CheckHeld is before when the server is not looked at again: a look of this process was of no use.
	CheckHeld time.Time
	// CleanHeld is before when no record at the cloud is removed: the last try failed.
	CleanHeld time.Time
	// NoSpare asks for what there is to do besides what may wait for long: a check, and the removal of records.
	NoSpare bool
	// NextPoll is when the record may be looked at again.
	NextPoll time.Time
	// Look is when a group's members are to be looked at; zero: not before one changes.
	Look time.Time
	// Together is set while members of a group are to be sent its value in a joint request.
	Together bool
	// Group is a member's group; nil while it is not known.
	Group *Account
	// Joint tells of a member whether its reset method takes it in one request with others. nil: not known.
	Joint func(*Account) bool
	// Place is where the connection leads, once it is known.
	Place *PlaceChanged
}

// earliest is now by the clock that is behind.
func (s *PlanInput) earliest() time.Time {
	if s.Clock.Now.IsZero() {
		return s.Now
	}
	return s.Clock.Earliest()
}

// Method is the reset method that a step uses: that of the attempt which it asks about, else the role's.
func (a *Account) Method(st Step) string {
	if st == StepPoll {
		for _, t := range a.Pending.Attempts {
			if t.Polled() {
				return t.Method
			}
		}
	}
	return a.Settings.ResetMethod
}
