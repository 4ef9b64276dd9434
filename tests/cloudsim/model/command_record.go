package model

import (
	"fmt"
	"time"
)

// DeleteCommand deletes a command's record on a server, in the cloud and on the server: it is ended if it has not ended, and not
// run again. Only an agent that is late (FaultLate) or that repeats itself (FaultAgain) may have it still. False means no such
// record.
func (w *World) DeleteCommand(commandID, serverID string) bool {
	defer w.enter()()
	i := w.byCommand[invocationID{commandID, serverID}]
	if i == nil || i.Deleted {
		return false
	}
	if !i.State.Final() {
		w.finish(i, CommandCancelled)
	}
	i.Deleted = true
	return true
}

// RunAgain lets a server's agent run all commands again that have ended and whose records were not deleted, oldest first, as agents
// have done after an upgrade or a restore. It returns their number. With report, the records say what comes of it; without, they do
// not change.
func (w *World) RunAgain(serverID string, report bool) (int, error) {
	defer w.enter()()
	s := w.servers[serverID]
	if s == nil {
		return 0, fmt.Errorf("server %q: %w", serverID, ErrNoServer)
	}
	n := 0
	for _, i := range w.invocations {
		if i.server != s || i.Deleted || !i.fetched || !i.State.Final() {
			continue
		}
		n++
		if !report {
			w.runUnseenNow(i, w.now())
			continue
		}
		i.bend, i.fetched = bend{}, false
		i.State, i.ExitCode, i.Output, i.Message = CommandPending, -1, "", ""
		i.Ended, i.Silent, i.StatusLost = time.Time{}, false, false
		w.counters.started++
		w.fetch(i, w.now())
	}
	return n, nil
}
