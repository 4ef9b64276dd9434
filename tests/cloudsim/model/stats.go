package model

import "maps"

// counters count what happened since the world began.
type counters struct {
	started, ended int
	marks, hits    int
	logins         map[string]LoginCount
}

// RateStats are the figures of one action of one account.
type RateStats struct {
	Requests  int `json:"requests"`
	Throttled int `json:"throttled"`
	// PeakPerSecond is the most requests that arrived in any one second.
	PeakPerSecond int `json:"peak_per_second"`
}

// LoginCount counts SSH logins of one server.
type LoginCount struct {
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
}

// Stats are figures of the whole world.
type Stats struct {
	// Rates by "cloud:service:action@account".
	Rates map[string]RateStats `json:"rates"`
	// InFlight counts operations and commands that have not ended; Held counts requests and answers
	// that are held back.
	InFlight int `json:"in_flight"`
	Held     int `json:"held"`
	// OperationsStarted and OperationsEnded since the beginning.
	OperationsStarted int `json:"operations_started"`
	OperationsEnded   int `json:"operations_ended"`
	// Marks counts calls of Mark, MarksInFlight those that met an operation
	// or a held request.
	Marks         int `json:"marks"`
	MarksInFlight int `json:"marks_in_flight"`
	// Logins by server id.
	Logins map[string]LoginCount `json:"logins"`
	// PasswordValues counts, by server id, the different passwords that
	// anybody tried to set.
	PasswordValues map[string]int `json:"password_values"`
}

// Stats returns the figures of the world.
func (w *World) Stats() Stats {
	defer w.enter()()
	s := Stats{
		Rates: map[string]RateStats{}, InFlight: w.inFlight(), Held: len(w.holds),
		OperationsStarted: w.counters.started, OperationsEnded: w.counters.ended,
		Marks: w.counters.marks, MarksInFlight: w.counters.hits,
		Logins: maps.Clone(w.counters.logins), PasswordValues: map[string]int{},
	}
	for key, r := range w.rates {
		s.Rates[key] = RateStats{Requests: r.total, Throttled: r.refused, PeakPerSecond: r.peak}
	}
	for id, attempts := range w.attempts {
		values := map[string]bool{}
		for _, a := range attempts {
			values[a.Password] = true
		}
		s.PasswordValues[id] = len(values)
	}
	return s
}

// Mark is for tests that kill a client: it counts one kill and says whether a
// rotation was in flight at that moment.
func (w *World) Mark() bool {
	defer w.enter()()
	w.counters.marks++
	hit := w.inFlight() > 0 || len(w.holds) > 0
	if hit {
		w.counters.hits++
	}
	return hit
}

func (w *World) inFlight() int {
	n := 0
	for _, s := range w.servers {
		if s.op != nil {
			n++
		}
	}
	for _, i := range w.invocations {
		if !i.State.Final() {
			n++
		}
	}
	return n
}

// TryLogin judges a login with a password: the server must run and the user
// must have that password now.
func (w *World) TryLogin(id, user, password string) bool {
	defer w.enter()()
	s := w.servers[id]
	ok := false
	if s != nil && s.State == StateRunning {
		ok = s.HasPassword(user, password) && s.Guest.admits(user)
	}
	if w.counters.logins == nil {
		w.counters.logins = map[string]LoginCount{}
	}
	c := w.counters.logins[id]
	if ok {
		c.Accepted++
	} else {
		c.Refused++
	}
	w.counters.logins[id] = c
	return ok
}
