package model

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Call describes one request to a cloud, after its authentication.
type Call struct {
	Cloud   Cloud
	Service string // "ec2", "cvm", "ecs", "compute", ...
	Action  string // the API's own name of the call
	Region  string
	// Source is the client's network address, without the port.
	Source string
	// Account is who is billed; rate limits count per account and action.
	Account string
	// AccessKey is the access key id or user id.
	AccessKey string
	Instances []string
	// Params are worth logging. They may hold passwords.
	Params map[string]string
	// Password is the password the call wants to set, if any.
	Password string
	// Unauthenticated marks a request whose signature or token was refused:
	// it is logged, but meets no faults and counts for no limit.
	Unauthenticated bool
}

// RefusalKind says how a request is refused before anything was done.
type RefusalKind string

// Kinds of refusal.
const (
	// Throttled: answer as the cloud does when requests come too fast.
	Throttled RefusalKind = "throttled"
	// ServerError: answer with the cloud's internal error.
	ServerError RefusalKind = "server_error"
	// Coded: answer with Code, Message, Status in the cloud's error shape.
	Coded RefusalKind = "coded"
	// Dropped: drop the connection.
	Dropped RefusalKind = "dropped"
	// Late: drop the connection and handle the request After later (see
	// World.Later), answering to nobody.
	Late RefusalKind = "late"
)

// Refusal is what to answer instead of doing what was asked.
type Refusal struct {
	Kind          RefusalKind
	Code, Message string
	Status        int
	After         time.Duration
	// Limit is the requests a second that a throttled call may make, by its own limit; 0 for none.
	Limit int
}

// Exchange is one request on its way through the simulator.
type Exchange struct {
	w      *World
	call   Call
	seq    int
	faults []Fault
	// throttled is set when the rate limit was exceeded on arrival.
	throttled bool
}

type hold struct {
	fault   int
	release chan struct{}
}

// Begin logs a request, counts it and looks up the faults it meets.
func (w *World) Begin(c Call) *Exchange {
	defer w.enter()()
	c.Instances, c.Params = slices.Clone(c.Instances), maps.Clone(c.Params)
	x := &Exchange{w: w, call: c}
	if !c.Unauthenticated {
		x.faults, x.throttled = w.hit(c), !w.admit(c)
	}
	x.seq = w.addEntry(c, x.faults)
	if !c.Unauthenticated {
		w.addAttempts(c, x.seq)
	}
	return x
}

// Before waits out delays and holds. It returns how the request is to be
// refused, or nil to go on. It does not stop when the client goes away: the
// cloud has the request.
func (x *Exchange) Before() *Refusal {
	for _, f := range x.faults {
		switch f.Kind {
		case FaultDelay:
			x.w.pause(f.Delay)
		case FaultHoldBefore:
			x.w.hold(f.ID)
		case FaultGone:
			for _, id := range x.call.Instances {
				if f.Instance == "" || f.Instance == id {
					x.w.gone(id)
				}
			}
		}
	}
	for _, f := range x.faults {
		switch f.Kind {
		case FaultThrottle:
			return &Refusal{Kind: Throttled, Limit: x.w.limit(x.call)}
		case FaultServerError:
			return &Refusal{Kind: ServerError}
		case FaultRefuse:
			status := f.Status
			if status == 0 {
				status = http.StatusBadRequest
			}
			return &Refusal{Kind: Coded, Code: f.Code, Message: f.Message, Status: status}
		case FaultDropBefore:
			return &Refusal{Kind: Dropped}
		case FaultLateArrival:
			return &Refusal{Kind: Late, After: f.Delay}
		}
	}
	if x.throttled {
		return &Refusal{Kind: Throttled, Limit: x.w.limit(x.call)}
	}
	return nil
}

// Fault is the first fault of a kind that the request meets; false for none.
func (x *Exchange) Fault(kind FaultKind) (Fault, bool) {
	for _, f := range x.faults {
		if f.Kind == kind {
			return f, true
		}
	}
	return Fault{}, false
}

// After holds the answer back while a fault says so, and tells whether the
// connection is to be dropped instead of answering.
func (x *Exchange) After() (drop bool) {
	for _, f := range x.faults {
		switch f.Kind {
		case FaultHoldAfter:
			x.w.hold(f.ID)
		case FaultDropAfter:
			drop = true
		}
	}
	return drop
}

// Done completes the log entry: HTTP status (0 = dropped), the cloud's error
// code or "", and the request id.
func (x *Exchange) Done(status int, code, requestID string) {
	defer x.w.enter()()
	x.w.complete(x.seq, status, code, requestID)
}

// gone terminates a server as the fault of that name; Keystone and Tencent
// clouds forget it at once, EC2 shows it as terminated for a while.
func (w *World) gone(id string) {
	if s, ok := w.Server(id); ok && s.Cloud != AWS {
		_ = w.Remove(id) // somebody else removed it meanwhile: fine
		return
	}
	_ = w.Terminate(id)
}

// hold blocks until the holds of a fault are released or the world closes.
func (w *World) hold(faultID int) {
	leave := w.enter()
	w.holdSeq++
	id, h := w.holdSeq, &hold{fault: faultID, release: make(chan struct{})}
	w.holds[id] = h
	leave()
	select {
	case <-h.release:
	case <-w.done:
	}
	defer w.enter()()
	delete(w.holds, id)
}

// ReleaseHolds lets all held requests and answers go on and returns how many
// there were. The faults that held them stay.
func (w *World) ReleaseHolds() int {
	defer w.enter()()
	return w.releaseHolds()
}

func (w *World) releaseHolds() int {
	n := 0
	for id, h := range w.holds {
		close(h.release)
		delete(w.holds, id)
		n++
	}
	return n
}
