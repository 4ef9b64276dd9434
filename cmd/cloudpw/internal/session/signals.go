package session

import (
	"os"
	"os/signal"
)

// Signals are the ways in which a session is told to end. Two of them are not: a reader of the output that is gone must not end this
// process before the lease is given back, and neither must a change of the terminal's state from the background stop it.
type Signals struct {
	ends   chan os.Signal
	others chan os.Signal
}

// Catch takes signals until Stop. Those that this process was started without (nohup) stay ignored.
func Catch() *Signals {
	s := &Signals{ends: make(chan os.Signal, 8), others: make(chan os.Signal, 1)}
	for _, ending := range endings {
		if !signal.Ignored(ending) {
			signal.Notify(s.ends, ending)
		}
	}
	if len(harmless) > 0 {
		signal.Notify(s.others, harmless...)
	}
	return s
}

// Ends has a signal for each time that the session was told to end.
func (s *Signals) Ends() <-chan os.Signal { return s.ends }

// Stop gives the signals their usual meaning again.
func (s *Signals) Stop() {
	signal.Stop(s.ends)
	signal.Stop(s.others)
}
