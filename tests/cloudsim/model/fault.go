package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FaultKind says what a fault does.
type FaultKind string

// Faults of a request.
const (
	// FaultDelay makes the cloud think for Delay before it does anything.
	FaultDelay FaultKind = "delay"
	// FaultThrottle answers that too many requests came in. Nothing is done.
	FaultThrottle FaultKind = "throttle"
	// FaultServerError answers with the cloud's internal error. Nothing is done.
	FaultServerError FaultKind = "server_error"
	// FaultRefuse answers with Code, Message and Status. Nothing is done.
	FaultRefuse FaultKind = "refuse"
	// FaultDropBefore drops the connection. Nothing is done.
	FaultDropBefore FaultKind = "drop_before"
	// FaultDropAfter does what was asked and drops the connection.
	FaultDropAfter FaultKind = "drop_after"
	// FaultHoldBefore holds the request until ReleaseHolds, then goes on.
	FaultHoldBefore FaultKind = "hold_before"
	// FaultHoldAfter does what was asked and holds the answer until
	// ReleaseHolds.
	FaultHoldAfter FaultKind = "hold_after"
	// FaultLateArrival drops the connection at once and does what was asked
	// Delay later, as if the request had hung in the network.
	FaultLateArrival FaultKind = "late_arrival"
	// FaultGone terminates the instances the request names, then goes on.
	FaultGone FaultKind = "gone"
)

// Faults of the operation or command that a request starts.
const (
	// FaultLateApply accepts and lets the operation run Delay longer before
	// it is applied.
	FaultLateApply FaultKind = "late_apply"
	// FaultStuck accepts, but the operation does not end until Release.
	FaultStuck FaultKind = "stuck"
	// FaultFailedApplied changes the password and reports FAILED.
	FaultFailedApplied FaultKind = "failed_applied"
	// FaultFailedNotApplied changes nothing and reports FAILED.
	FaultFailedNotApplied FaultKind = "failed_not_applied"
	// FaultLagRecord shows the operation before it for Delay.
	FaultLagRecord FaultKind = "lag_record"
	// FaultForeign lets another operation overwrite the record the moment
	// that this one ends.
	FaultForeign FaultKind = "foreign"
)

// Faults of the command that a request starts.
const (
	// FaultLate lets the agent fetch the command Delay later, whatever the delivery timeout says: where that is over by then, the
	// record says that the command was never run, and goes on to say so.
	FaultLate FaultKind = "late"
	// FaultAgain lets the agent run the command once more, Delay after it has ended. The record does not change.
	FaultAgain FaultKind = "again"
	// FaultAgentSilent lets the agent run the command and never report it: the record says that it runs, until it timed out.
	FaultAgentSilent FaultKind = "agent_silent"
	// FaultOutputCut keeps only the first Bytes bytes of the command's output.
	FaultOutputCut FaultKind = "output_cut"
	// FaultRecordLost lets the cloud forget the command's record, Delay after it was queued (0: at once). It runs all the same.
	FaultRecordLost FaultKind = "record_lost"
	// FaultStopServer stops the server the moment that it has the command, before its agent fetches it: where the cloud waits for
	// ever, the command is run at the next start.
	FaultStopServer FaultKind = "stop_server"
	// FaultNotRun lets the agent fail to run the command: it reports ExitCode and Message instead.
	FaultNotRun FaultKind = "not_run"
	// FaultStatusLost runs the command and loses what came of it: where a cloud has a word for that, its record says so.
	FaultStatusLost FaultKind = "status_lost"
	// FaultPreempted lets something else end the operation that brings the command to the server. It is run all the same.
	FaultPreempted FaultKind = "preempted"
)

// FaultSlowDelete lets the deletion of a record that a request asks for take Delay longer.
const FaultSlowDelete FaultKind = "slow_delete"

// Fault is something that goes wrong for the requests it matches. Empty
// Cloud, Service, Action, Instance match everything.
type Fault struct {
	ID       int       `json:"id"`
	Cloud    Cloud     `json:"cloud,omitempty"`
	Service  string    `json:"service,omitempty"`
	Action   string    `json:"action,omitempty"`
	Instance string    `json:"instance,omitempty"`
	Kind     FaultKind `json:"kind"`
	// Skip is how many matching requests pass unharmed first.
	Skip int `json:"skip,omitempty"`
	// Count is how many are hit after that; 0 means all.
	Count int `json:"count,omitempty"`
	// Delay belongs to delay, late_arrival, late_apply, lag_record, late, again, slow_delete; also to record_lost.
	Delay time.Duration `json:"delay,omitempty"`
	// Bytes belongs to output_cut; 0 means that nothing is kept.
	Bytes int `json:"bytes,omitempty"`
	// ExitCode belongs to not_run.
	ExitCode int `json:"exit_code,omitempty"`
	// Code, Message, Status belong to refuse; Message also to failed_* and not_run.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"`
	// Hits counts the requests it has hit.
	Hits int `json:"hits"`
}

type fault struct {
	Fault
	skipped int
}

// needsDelay are the kinds that do nothing without Delay.
var needsDelay = []FaultKind{FaultDelay, FaultLateArrival, FaultLateApply, FaultLagRecord, FaultLate, FaultAgain, FaultSlowDelete}

var faultKinds = []FaultKind{
	FaultDelay, FaultThrottle, FaultServerError, FaultRefuse, FaultDropBefore, FaultDropAfter, FaultHoldBefore,
	FaultHoldAfter, FaultLateArrival, FaultGone, FaultLateApply, FaultStuck, FaultFailedApplied,
	FaultFailedNotApplied, FaultLagRecord, FaultForeign, FaultLate, FaultAgain, FaultAgentSilent, FaultOutputCut, FaultRecordLost,
	FaultStopServer, FaultNotRun, FaultStatusLost, FaultPreempted, FaultSlowDelete,
}

// AddFault adds a fault and returns its id.
func (w *World) AddFault(f Fault) (int, error) {
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return 0, fmt.Errorf("fault kind %q is unknown; use one of %v", f.Kind, faultKinds)
	case f.Delay <= 0 && slices.Contains(needsDelay, f.Kind):
		return 0, fmt.Errorf("fault kind %q needs a delay", f.Kind)
	case f.Kind == FaultRefuse && f.Code == "":
		return 0, fmt.Errorf("fault kind %q needs a code", f.Kind)
	case f.Kind == FaultNotRun && f.ExitCode == 0:
		return 0, fmt.Errorf("fault kind %q needs an exit code", f.Kind)
	case f.Skip < 0 || f.Count < 0 || f.Bytes < 0:
		return 0, fmt.Errorf("fault kind %q: skip, count and bytes cannot be negative", f.Kind)
	}
	defer w.enter()()
	w.faultSeq++
	f.ID, f.Hits = w.faultSeq, 0
	w.faults = append(w.faults, &fault{Fault: f})
	return f.ID, nil
}

// RemoveFault removes a fault; false means no such fault.
func (w *World) RemoveFault(id int) bool {
	defer w.enter()()
	n := len(w.faults)
	w.faults = slices.DeleteFunc(w.faults, func(f *fault) bool { return f.ID == id })
	return len(w.faults) < n
}

// ClearFaults removes all faults and releases all held requests.
func (w *World) ClearFaults() {
	defer w.enter()()
	w.faults = nil
	w.releaseHolds()
}

// Faults lists the faults with their hits.
func (w *World) Faults() []Fault {
	defer w.enter()()
	out := make([]Fault, 0, len(w.faults))
	for _, f := range w.faults {
		out = append(out, f.Fault)
	}
	return out
}

// hit returns the faults that a call meets, and counts them as hit. The
// caller holds the lock.
func (w *World) hit(c Call) []Fault {
	var out []Fault
	for _, f := range w.faults {
		if !f.matches(c) || f.Count > 0 && f.Hits >= f.Count {
			continue
		}
		if f.skipped < f.Skip {
			f.skipped++
			continue
		}
		f.Hits++
		out = append(out, f.Fault)
	}
	return out
}

func (f *fault) matches(c Call) bool {
	return (f.Cloud == "" || f.Cloud == c.Cloud) &&
		(f.Service == "" || strings.EqualFold(f.Service, c.Service)) &&
		(f.Action == "" || strings.EqualFold(f.Action, c.Action)) &&
		(f.Instance == "" || slices.Contains(c.Instances, f.Instance))
}

// bend is how faults change one server's operation or command.
type bend struct {
	late, lag         time.Duration
	stuck             bool
	fail, failApplied bool
	foreign           bool
	message           string

	// Of a command: how much later it is fetched, and run again; nil for not at all.
	fetch, again *time.Duration
	silent       bool
	cut          *int           // how much of its output is kept
	lost         *time.Duration // when its record is
	// stop is set if its server stops first, statusLost if nobody learns what came of it, preempted if the operation around it is
	// ended; notRun is what the agent reports instead of running it.
	stop, statusLost, preempted bool
	notRun                      *Fault
}

// operationFaults are the faults of the operation on one server. A fault that
// names an instance bends only that instance's operation.
func (x *Exchange) operationFaults(id string) bend {
	var b bend
	if x == nil {
		return b
	}
	for _, f := range x.faults {
		if f.Instance != "" && f.Instance != id {
			continue
		}
		switch f.Kind {
		case FaultLateApply:
			b.late += f.Delay
		case FaultLagRecord:
			b.lag += f.Delay
		case FaultStuck:
			b.stuck = true
		case FaultForeign:
			b.foreign = true
		case FaultFailedApplied, FaultFailedNotApplied:
			b.fail, b.failApplied = true, f.Kind == FaultFailedApplied
			b.message = cmp.Or(f.Message, "the operation failed")
		case FaultLate:
			b.fetch = &f.Delay
		case FaultAgain:
			b.again = &f.Delay
		case FaultAgentSilent:
			b.silent = true
		case FaultOutputCut:
			b.cut = &f.Bytes
		case FaultRecordLost:
			b.lost = &f.Delay
		case FaultStopServer:
			b.stop = true
		case FaultNotRun:
			b.notRun = &f
		case FaultStatusLost:
			b.statusLost = true
		case FaultPreempted:
			b.preempted = true
		}
	}
	return b
}
