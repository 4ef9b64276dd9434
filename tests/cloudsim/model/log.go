package model

import (
	"slices"
	"time"
)

// Entry is one request in the log. Password and Params are in clear: this is
// the evidence of a test, not a production log.
type Entry struct {
	Seq       int               `json:"seq"`
	Time      time.Time         `json:"time"`
	Cloud     Cloud             `json:"cloud"`
	Service   string            `json:"service"`
	Action    string            `json:"action"`
	Region    string            `json:"region,omitempty"`
	Source    string            `json:"source,omitempty"` // the client's network address
	Account   string            `json:"account,omitempty"`
	AccessKey string            `json:"access_key,omitempty"`
	Instances []string          `json:"instances,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Password  string            `json:"password,omitempty"`
	Faults    []FaultKind       `json:"faults,omitempty"`
	// Finished is zero while the request is being handled.
	Finished  time.Time `json:"finished,omitzero"`
	Status    int       `json:"status,omitempty"` // 0: dropped, or not finished
	Code      string    `json:"code,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
}

// Attempt is a request that wanted to set a server's password, whatever
// became of it.
type Attempt struct {
	Seq       int            `json:"seq"` // of the log entry
	Time      time.Time      `json:"time"`
	Password  string         `json:"password"`
	User      string         `json:"user,omitempty"`
	RequestID string         `json:"request_id,omitempty"` // when accepted
	Applied   time.Time      `json:"applied,omitzero"`     // operation clock
	State     OperationState `json:"state,omitempty"`      // "" = not accepted
}

// addEntry logs a call and returns its number.
func (w *World) addEntry(c Call, faults []Fault) int {
	w.logSeq++
	e := Entry{
		Seq: w.logSeq, Time: w.opts.Now(), Cloud: c.Cloud, Service: c.Service, Action: c.Action, Region: c.Region,
		Source: c.Source, Account: c.Account, AccessKey: c.AccessKey, Instances: c.Instances, Params: c.Params, Password: c.Password,
	}
	for _, f := range faults {
		e.Faults = append(e.Faults, f.Kind)
	}
	if len(w.log) >= w.opts.LogLimit {
		// Drop a tenth at a time, so that a full log stays cheap.
		w.log = slices.Clone(w.log[w.opts.LogLimit/10+1:])
	}
	w.log = append(w.log, e)
	return e.Seq
}

func (w *World) complete(seq, status int, code, requestID string) {
	i, ok := slices.BinarySearchFunc(w.log, seq, func(e Entry, n int) int { return e.Seq - n })
	if !ok {
		return // pushed out of the log
	}
	e := &w.log[i]
	e.Finished, e.Status, e.Code, e.RequestID = w.opts.Now(), status, code, requestID
}

// Log returns the entries after a number, oldest first.
func (w *World) Log(after int) []Entry {
	defer w.enter()()
	i, found := slices.BinarySearchFunc(w.log, after, func(e Entry, n int) int { return e.Seq - n })
	if found {
		i++
	}
	return slices.Clone(w.log[i:])
}

// addAttempts records a request to set passwords, before its outcome is known.
func (w *World) addAttempts(c Call, seq int) {
	if c.Password == "" {
		return
	}
	for _, id := range c.Instances {
		w.attempts[id] = append(w.attempts[id], &Attempt{Seq: seq, Time: w.opts.Now(), Password: c.Password})
	}
}

// accept marks the attempt of a request on a server as accepted.
func (w *World) accept(x *Exchange, server, user string, r Reset) *Attempt {
	var found *Attempt
	for _, a := range w.attempts[server] {
		if x != nil && a.Seq == x.seq {
			found = a
		}
	}
	if found == nil {
		found = &Attempt{Time: w.opts.Now(), Password: r.Password}
		w.attempts[server] = append(w.attempts[server], found)
	}
	found.User, found.RequestID, found.State = user, r.RequestID, Operating
	return found
}

// Attempts lists the attempts to set a server's password, oldest first.
func (w *World) Attempts(server string) []Attempt {
	defer w.enter()()
	out := make([]Attempt, 0, len(w.attempts[server]))
	for _, a := range w.attempts[server] {
		out = append(out, *a)
	}
	return out
}
