package model

import (
	"errors"
	"fmt"
	"time"
)

// OperationState is the state of an operation in the cloud's record.
type OperationState string

// States of an operation record.
const (
	Operating OperationState = "OPERATING"
	Succeeded OperationState = "SUCCESS"
	Failed    OperationState = "FAILED"
)

// Operation is the cloud's record of a server's latest operation.
type Operation struct {
	Name      string         `json:"name,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	State     OperationState `json:"state,omitempty"`
	ErrorMsg  string         `json:"error_msg,omitempty"`
	Started   time.Time      `json:"started,omitzero"`
	Ended     time.Time      `json:"ended,omitzero"` // zero while it runs
}

// running is an operation that has not ended.
type running struct {
	op        Operation
	cancelled bool // its server is gone
	stuck     bool // never ends until released
	// resume continues a stuck operation.
	resume func()
}

// Refusals of an operation.
var (
	// ErrBusy: the server runs another operation.
	ErrBusy = errors.New("the server runs another operation")
	// ErrState: the server's state does not allow the operation.
	ErrState = errors.New("the server's state does not allow this")
)

// Reset asks for a new password for users of servers.
type Reset struct {
	RequestID string
	ServerIDs []string
	// User is the account; "" takes each server's DefaultUser.
	User     string
	Password string
	// ForceStop lets a running server be shut down for it.
	ForceStop bool
	// Action is the record's operation name, "ResetInstancesPassword".
	Action string
}

// RefusedError tells which server an operation was refused for and why; Err
// is ErrNoServer, ErrBusy or ErrState.
type RefusedError struct {
	ServerID string
	State    State
	Err      error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("server %q (%s): %v", e.ServerID, e.State, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// StartReset accepts a reset for all its servers or, with a *RefusedError,
// for none. A running server is stopped, gets the password and is started
// again; a stopped one stays stopped. Each server goes its own way from here:
// its record shows Operating until the reset has ended.
//
// x is the request that asked for it, whose faults may bend the operation.
func (w *World) StartReset(x *Exchange, r Reset) error {
	defer w.enter()()
	for _, id := range r.ServerIDs {
		s := w.servers[id]
		switch {
		case s == nil:
			return &RefusedError{ServerID: id, Err: ErrNoServer}
		case s.op != nil:
			return &RefusedError{ServerID: id, State: s.State, Err: ErrBusy}
		case s.State == StateStopped, s.State == StateRunning && r.ForceStop:
		default:
			return &RefusedError{ServerID: id, State: s.State, Err: ErrState}
		}
	}
	for _, id := range r.ServerIDs {
		w.startReset(x, w.servers[id], r, x.operationFaults(id))
	}
	return nil
}

// startReset queues the steps of one server's reset: thirds of the operation
// time for stopping, setting, starting.
func (w *World) startReset(x *Exchange, s *server, r Reset, bend bend) {
	user := r.User
	if user == "" {
		user = s.DefaultUser()
	}
	attempt := w.accept(x, s.ID, user, r)
	wasRunning := s.State == StateRunning
	run := w.begin(s, r.Action, r.RequestID, bend.lag)

	third := w.opts.OperationTime / 3
	apply := func() {
		name, _, known := s.Login(user)
		switch {
		case !known:
			bend.fail, bend.message = true, fmt.Sprintf("user %s does not exist in the instance", user)
		case bend.fail && !bend.failApplied:
		default:
			s.setLogin(name, r.Password, "")
			attempt.Applied = w.now()
		}
	}
	finish := func() {
		if wasRunning {
			s.State = StateRunning
		}
		state, message := Succeeded, ""
		if bend.fail {
			state, message = Failed, bend.message
		}
		attempt.State = state
		w.end(s, run, state, message)
		if bend.foreign {
			w.overwrite(s, "RebootInstances")
		}
	}

	if wasRunning {
		s.State = StateStopping
		w.step(run, third, func() { s.State = StateStopped })
	}
	proceed := func() {
		w.step(run, 2*third+bend.late, func() {
			apply()
			if wasRunning {
				s.State = StateStarting
			}
		})
		w.step(run, 3*third+bend.late, finish)
	}
	if bend.stuck {
		run.stuck, run.resume = true, proceed
		return
	}
	proceed()
}

// Stop shuts a running server down, as an operator would at the console. It
// is an operation of its own and overwrites the record.
func (w *World) Stop(id string) error {
	return w.power(id, "StopInstances", StateRunning, StateStopping, StateStopped)
}

// Start starts a stopped server, likewise.
func (w *World) Start(id string) error {
	return w.power(id, "StartInstances", StateStopped, StateStarting, StateRunning)
}

func (w *World) power(id, name string, from, via, to State) error {
	defer w.enter()()
	s := w.servers[id]
	switch {
	case s == nil:
		return &RefusedError{ServerID: id, Err: ErrNoServer}
	case s.op != nil:
		return &RefusedError{ServerID: id, State: s.State, Err: ErrBusy}
	case s.State != from:
		return &RefusedError{ServerID: id, State: s.State, Err: ErrState}
	}
	run := w.begin(s, name, w.uuid(), 0)
	s.State = via
	w.step(run, w.opts.OperationTime, func() {
		s.State = to
		if to == StateRunning {
			s.Started = w.now()
		}
		w.end(s, run, Succeeded, "")
	})
	return nil
}

// Overwrite replaces the record of a server's latest operation by one that
// somebody else started and that has succeeded.
func (w *World) Overwrite(id, name string) error {
	return w.change(id, func(s *server) { w.overwrite(s, name) })
}

// Release lets a stuck operation and stuck commands go on; false means that none is stuck.
func (w *World) Release(id string) (bool, error) {
	released := false
	err := w.change(id, func(s *server) {
		released = w.releaseCommands(s)
		if s.op != nil && s.op.stuck {
			s.op.stuck = false
			// The steps count from the operation's start, so they are due soon
			// or at once, in their order.
			s.op.resume()
			released = true
		}
		w.settle()
	})
	return released, err
}

// begin opens an operation; its record appears after lag.
func (w *World) begin(s *server, name, requestID string, lag time.Duration) *running {
	run := &running{op: Operation{Name: name, RequestID: requestID, State: Operating, Started: w.now()}}
	s.op = run
	w.counters.started++
	if lag <= 0 {
		s.Latest = run.op
		return run
	}
	rec := run.op
	s.hidden = &rec
	w.at(w.now().Add(lag), func() {
		if s.hidden != nil {
			s.Latest, s.hidden = *s.hidden, nil
		}
	})
	return run
}

// step queues f at a time counted from the operation's start.
func (w *World) step(run *running, after time.Duration, f func()) {
	w.at(run.op.Started.Add(after), func() {
		if !run.cancelled {
			f()
		}
	})
}

// end closes an operation and its record, hidden or not.
func (w *World) end(s *server, run *running, state OperationState, message string) {
	run.op.State, run.op.ErrorMsg, run.op.Ended = state, message, w.now()
	s.op = nil
	w.counters.ended++
	if s.hidden != nil {
		*s.hidden = run.op
		return
	}
	s.Latest = run.op
}

func (w *World) overwrite(s *server, name string) {
	now := w.now()
	s.hidden = nil
	s.Latest = Operation{Name: name, RequestID: w.uuid(), State: Succeeded, Started: now, Ended: now}
}
