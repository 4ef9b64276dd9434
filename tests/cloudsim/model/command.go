package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
)

// AgentState says how a server's agent, which runs commands, stands with its cloud.
type AgentState string

// States of an agent.
const (
	// AgentOnline: it fetches commands at once. The default; but a server that does not run has no agent
	// online.
	AgentOnline AgentState = "online"
	// AgentOffline: the cloud knows it, but it does not answer.
	AgentOffline AgentState = "offline"
	// AgentAbsent: it never registered; it is not installed or lacks the rights.
	AgentAbsent AgentState = "absent"
)

// Guest is the inside of a server, as far as commands go.
type Guest struct {
	Agent AgentState `json:"agent,omitempty"` // "" = AgentOnline
	guestos.Conditions
}

// admits says whether a user whose password is right may log in.
func (g Guest) admits(user string) bool {
	return !g.NoPasswordLogin && !slices.Contains(g.Locked, user) && !slices.Contains(g.Expired, user) && !slices.Contains(g.Disabled, user)
}

// CommandState is the state of a command on one server.
type CommandState string

// States of a command. All but the first two are final.
const (
	CommandPending          CommandState = "pending" // the agent has not fetched it
	CommandRunning          CommandState = "running"
	CommandSucceeded        CommandState = "succeeded"          // exit code 0
	CommandFailed           CommandState = "failed"             // another exit code
	CommandDeliveryTimedOut CommandState = "delivery_timed_out" // never fetched, never run
	CommandTimedOut         CommandState = "timed_out"          // ended by the agent
	CommandCancelled        CommandState = "cancelled"          // before it was fetched, or while it ran
	CommandTerminated       CommandState = "terminated"         // its server is gone
)

// Final says whether the command has ended.
func (s CommandState) Final() bool { return s != CommandPending && s != CommandRunning }

// ErrNoAgent says that a server has no agent which could ever run a command.
var ErrNoAgent = errors.New("the server has no agent")

// DefaultDeliveryTimeout is how long a command waits for its agent if it does not say.
const DefaultDeliveryTimeout = time.Hour

// Command asks servers to run a script.
type Command struct {
	// ID is the cloud's id of it, which the API chooses. It must be new.
	ID string
	// ServerIDs are the servers, each of which runs it for itself.
	ServerIDs []string
	// Interpreter is "shell" or "powershell".
	Interpreter string
	// Text is the whole script.
	Text string
	// DeliveryTimeout is how long an agent that does not answer is waited for; default
	// DefaultDeliveryTimeout. This and the next count from when the step is usually over, as the
	// operation time is the simulator's and no measure of agents and scripts.
	DeliveryTimeout time.Duration
	// ExecutionTimeout is how long the script may run; 0 means for ever.
	ExecutionTimeout time.Duration
	// Labels are for the API: what its answers must repeat.
	Labels map[string]string
	// Environment are the variables of the script, and Arguments its words.
	Environment map[string]string
	Arguments   []string
	// AnyAgent accepts it for servers whose agent never registered, too: it waits for one.
	AnyAgent bool
}

// Invocation is a command on one server.
type Invocation struct {
	CommandID   string            `json:"command_id"`
	ServerID    string            `json:"server_id"`
	Interpreter string            `json:"interpreter"`
	Text        string            `json:"text"`
	Labels      map[string]string `json:"labels,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	Arguments   []string          `json:"arguments,omitempty"`
	State       CommandState      `json:"state"`
	// ExitCode is that of the script, or -1 as long as, or because, there is none.
	ExitCode int `json:"exit_code"`
	// Output is what the script wrote, at most 64 KB. The API cuts it to its cloud's measure.
	Output  string    `json:"output,omitempty"`
	Queued  time.Time `json:"queued"`            // operation clock, as the others
	Started time.Time `json:"started,omitzero"`  // fetched by the agent
	Applied time.Time `json:"applied,omitzero"`  // the script did its work
	Ended   time.Time `json:"finished,omitzero"` // final
	// Hidden is true while the API must not show it: not yet (FaultLagRecord), or no more (FaultRecordLost).
	Hidden bool `json:"hidden,omitempty"`
	// Deleted is true once its record was deleted, in the cloud and on the server.
	Deleted bool `json:"deleted,omitempty"`
	// Silent, StatusLost and Preempted are the faults of these names; Message is why the agent did not run it.
	Silent     bool   `json:"silent,omitempty"`
	StatusLost bool   `json:"status_lost,omitempty"`
	Preempted  bool   `json:"preempted,omitempty"`
	Message    string `json:"message,omitempty"`
	// Unreported are the times that the script has run without the record saying so (FaultLate, FaultAgain).
	Unreported []UnreportedRun `json:"unreported,omitempty"`
}

// UnreportedRun is a run of a command that the cloud knows nothing of.
type UnreportedRun struct {
	Time     time.Time `json:"time"` // operation clock
	ExitCode int       `json:"exit_code"`
	Output   string    `json:"output,omitempty"`
	// Applied is set where it set a password.
	Applied bool `json:"applied,omitempty"`
}

type invocationID struct{ command, server string }

// invocation is an Invocation inside the world.
type invocation struct {
	Invocation
	command *Command
	server  *server
	bend    bend
	stuck   bool
	// clock is by how much the operation clock is ahead of the time of day, for this command: what Advance had added when it was
	// queued, and the usual time until it runs, which is the simulator's and no measure of agents.
	clock time.Duration
	// fetched is set once the agent has the command.
	fetched bool
}

// AgentState is how the server's agent stands with its cloud now.
func (s Server) AgentState() AgentState {
	switch {
	case s.Guest.Agent == AgentAbsent:
		return AgentAbsent
	case s.Guest.Agent == AgentOffline || s.State != StateRunning:
		return AgentOffline
	default:
		return AgentOnline
	}
}

// StartCommand accepts a command for all its servers or, with a *RefusedError, for none; Err is ErrNoServer
// or ErrNoAgent. Clouds that refuse a server whose agent is offline look at AgentState before.
//
// A command goes its way in thirds of the operation time: fetched by the agent, run, reported. While it
// runs, the server works on as usual. x is the request that asked for it, whose faults may bend it:
// late_apply, stuck, lag_record, failed_applied and failed_not_applied (exit code 1) do, and all that are of commands alone.
func (w *World) StartCommand(x *Exchange, c Command) error {
	defer w.enter()()
	for _, id := range c.ServerIDs {
		s := w.servers[id]
		switch {
		case w.byCommand[invocationID{c.ID, id}] != nil:
			return fmt.Errorf("command %q: the id is in use", c.ID)
		case s == nil:
			return &RefusedError{ServerID: id, Err: ErrNoServer}
		case s.State == StateTerminated:
			return &RefusedError{ServerID: id, State: s.State, Err: ErrState}
		case s.AgentState() == AgentAbsent && !c.AnyAgent:
			return &RefusedError{ServerID: id, State: s.State, Err: ErrNoAgent}
		}
	}
	if c.DeliveryTimeout <= 0 {
		c.DeliveryTimeout = DefaultDeliveryTimeout
	}
	for _, id := range c.ServerIDs {
		w.queueCommand(&c, w.servers[id], x.operationFaults(id))
	}
	return nil
}

// queueCommand lets one server's agent fetch a command a third of the operation time from now.
func (w *World) queueCommand(c *Command, s *server, b bend) {
	i := &invocation{command: c, server: s, bend: b, Invocation: Invocation{
		CommandID: c.ID, ServerID: s.ID, Interpreter: c.Interpreter, Text: c.Text, Labels: c.Labels,
		Environment: c.Environment, Arguments: c.Arguments, Silent: b.silent, StatusLost: b.statusLost, Preempted: b.preempted,
		State: CommandPending, ExitCode: -1, Queued: w.now(), Hidden: b.lag > 0,
	}, clock: w.offset + 2*w.third()}
	w.invocations = append(w.invocations, i)
	w.byCommand[invocationID{c.ID, s.ID}] = i
	w.counters.started++
	if b.stop {
		s.State = StateStopped
	}
	if i.Hidden {
		w.at(i.Queued.Add(b.lag), func() { i.Hidden = false })
	}
	w.at(i.Queued.Add(w.third()+c.DeliveryTimeout), func() {
		if i.State == CommandPending {
			w.finish(i, CommandDeliveryTimedOut)
		}
	})
	if b.lost != nil {
		w.at(i.Queued.Add(max(b.lag, *b.lost)), func() { i.Hidden = true })
		i.Hidden = i.Hidden || *b.lost == 0
	}
	fetched := i.Queued.Add(w.third())
	if b.fetch != nil {
		fetched = fetched.Add(*b.fetch)
	}
	w.at(fetched, func() { w.fetch(i, fetched) })
}

func (w *World) third() time.Duration { return w.opts.OperationTime / 3 }

// fetch starts a command, at a time that may have passed by now, if the agent is there; else it waits. One that comes late may
// have ended by then, as far as the cloud knows: it is run all the same.
func (w *World) fetch(i *invocation, at time.Time) {
	forgotten := i.bend.fetch != nil && i.State.Final()
	if i.fetched || i.State != CommandPending && !forgotten || i.server.State == StateTerminated {
		return
	}
	if i.server.AgentState() != AgentOnline {
		w.waiting = append(w.waiting, i)
		return
	}
	i.fetched = true
	if forgotten {
		w.runUnseen(i, at.Add(w.third()))
		return
	}
	i.State, i.Started = CommandRunning, at
	if t := i.command.ExecutionTimeout; t > 0 {
		w.at(i.Started.Add(2*w.third()+t), func() {
			if i.State == CommandRunning {
				w.finish(i, CommandTimedOut)
			}
		})
	}
	if i.stuck = i.bend.stuck; !i.stuck {
		w.proceed(i)
	}
}

// fetchWaiting starts what waited for an agent that is there now.
func (w *World) fetchWaiting() {
	if len(w.waiting)+len(w.unseen) == 0 {
		return
	}
	unseen := w.unseen
	w.unseen = nil
	for _, i := range unseen {
		w.runUnseenNow(i, w.now())
	}
	again := w.waiting
	w.waiting = nil
	for _, i := range again {
		w.fetch(i, w.now())
	}
}

// proceed queues the rest of a running command.
func (w *World) proceed(i *invocation) {
	applied := i.Started.Add(w.third() + i.bend.late)
	w.at(applied, func() {
		// A server that went down meanwhile reports nothing; the time-outs see to it.
		if i.State == CommandRunning && i.server.AgentState() == AgentOnline {
			w.execute(i, applied)
			if !i.bend.silent {
				w.at(applied.Add(w.third()), func() { w.report(i) })
			}
		}
	})
}

// execute runs the script on the server and keeps what the agent will report.
func (w *World) execute(i *invocation, at time.Time) {
	if i.bend.fail && !i.bend.failApplied {
		i.ExitCode, i.Output = 1, i.bend.message+"\n"
		return
	}
	if f := i.bend.notRun; f != nil {
		i.ExitCode, i.Message = f.ExitCode, f.Message
		return
	}
	run := w.runScript(i, at)
	i.ExitCode, i.Output = run.ExitCode, run.Output
	if run.Applied {
		i.Applied = w.now()
	}
	if i.bend.fail {
		i.ExitCode, i.Output = 1, i.bend.message+"\n"
	}
	if i.bend.cut != nil {
		i.Output = i.Output[:min(len(i.Output), *i.bend.cut)]
	}
}

// runUnseen runs the script at a time of the operation clock, or as soon after it as the agent is there, and the record does
// not change.
func (w *World) runUnseen(i *invocation, at time.Time) {
	w.at(at, func() { w.runUnseenNow(i, at) })
}

func (w *World) runUnseenNow(i *invocation, at time.Time) {
	switch {
	case i.server.State == StateTerminated:
	case i.server.AgentState() == AgentOnline:
		i.Unreported = append(i.Unreported, w.runScript(i, at))
	default:
		w.unseen = append(w.unseen, i)
	}
}

// runScript runs the script on the server at a time of the operation clock.
func (w *World) runScript(i *invocation, at time.Time) UnreportedRun {
	s, run := i.server, UnreportedRun{Time: at}
	r, err := guestos.System{
		Windows: s.IsWindows(), Accounts: sortedKeys(s.Logins), Administrator: s.InitialUser, Conditions: s.Guest.Conditions, Key: s.guestKey,
		Passwords: s.Logins, Hashes: s.Hashes, Orders: s.Orders, Now: at, Wall: at.Add(-i.clock), Tries: s.WrongTries,
		Environment: i.command.Environment,
	}.Run(i.Interpreter, i.Text)
	if err != nil {
		run.ExitCode, run.Output = 126, "cloudsim: "+err.Error()+"\n"
		return run
	}
	run.ExitCode, run.Output, s.guestKey = r.ExitCode, r.Output, r.Key
	if r.Tried != "" {
		if s.WrongTries == nil {
			s.WrongTries = map[string]guestos.WrongTries{}
		}
		s.WrongTries[r.Tried] = r.Tries
	}
	if r.Noted != "" {
		if s.Orders == nil {
			s.Orders = map[string]string{}
		}
		s.Orders[r.Noted] = r.Order
	}
	if r.User != "" {
		s.setLogin(r.User, r.Password, r.Hash)
		run.Applied = true
	}
	return run
}

// report ends a command that has run.
func (w *World) report(i *invocation) {
	switch {
	case i.State != CommandRunning:
	case i.ExitCode == 0:
		w.finish(i, CommandSucceeded)
	default:
		w.finish(i, CommandFailed)
	}
}

func (w *World) finish(i *invocation, state CommandState) {
	i.State, i.Ended = state, w.now()
	if state != CommandSucceeded && state != CommandFailed {
		i.ExitCode, i.Output = -1, ""
	}
	w.counters.ended++
	if i.bend.again != nil && i.fetched {
		w.runUnseen(i, i.Ended.Add(*i.bend.again))
	}
}

// Invocation finds a command on a server; false for none, or for one that is still hidden.
func (w *World) Invocation(commandID, serverID string) (Invocation, bool) {
	defer w.enter()()
	i := w.byCommand[invocationID{commandID, serverID}]
	if i == nil || i.Hidden {
		return Invocation{}, false
	}
	return i.show(), true
}

// Invocations lists commands on servers, oldest first, hidden ones included. A nil match takes all: it is
// the history in which a test looks for clear passwords.
func (w *World) Invocations(match func(Invocation) bool) []Invocation {
	defer w.enter()()
	out := []Invocation{}
	for _, i := range w.invocations {
		if v := i.show(); match == nil || match(v) {
			out = append(out, v)
		}
	}
	return out
}

// show is what others may see: exit code and output appear when the command has ended.
func (i *invocation) show() Invocation {
	out := i.Invocation
	out.Unreported, out.Environment, out.Arguments = slices.Clone(out.Unreported), maps.Clone(out.Environment), slices.Clone(out.Arguments)
	if !out.State.Final() {
		out.ExitCode, out.Output = -1, ""
	}
	return out
}

// CancelCommand ends a command where it has not ended: on the named servers or, if there is none, on all of
// its own. False means no such command. What a script has done stays done.
func (w *World) CancelCommand(commandID string, serverIDs ...string) bool {
	defer w.enter()()
	found := false
	for _, i := range w.invocations {
		if i.CommandID != commandID {
			continue
		}
		found = true
		if named := len(serverIDs) == 0 || slices.Contains(serverIDs, i.ServerID); named && !i.State.Final() {
			w.finish(i, CommandCancelled)
		}
	}
	return found
}

// SetGuest changes the inside of a server.
func (w *World) SetGuest(id string, g Guest) error {
	return w.change(id, func(s *server) { s.Guest = g })
}

// DeleteGuestKey deletes the key pair that a Windows server keeps for commands, as a restored disk would.
func (w *World) DeleteGuestKey(id string) error {
	return w.change(id, func(s *server) { s.guestKey = nil })
}

// releaseCommands lets the stuck commands of a server go on.
func (w *World) releaseCommands(s *server) (released bool) {
	for _, i := range w.invocations {
		if i.server == s && i.stuck && i.State == CommandRunning {
			i.stuck, released = false, true
			w.proceed(i)
		}
	}
	return released
}

// endCommands ends the commands of a server that is gone.
func (w *World) endCommands(s *server) {
	for _, i := range w.invocations {
		if i.server == s && !i.State.Final() {
			w.finish(i, CommandTerminated)
		}
	}
}

// setLogin sets a user's password, in clear or as a hash.
func (s *server) setLogin(name, password, hash string) {
	s.Logins[name] = password
	delete(s.Hashes, name)
	if !s.IsWindows() {
		s.Guest.Locked = slices.DeleteFunc(slices.Clone(s.Guest.Locked), func(locked string) bool { return locked == name })
	}
	if hash != "" {
		if s.Hashes == nil {
			s.Hashes = map[string]string{}
		}
		s.Hashes[name] = hash
	}
}

// HasPassword says whether a user of the guest has this password now.
func (s Server) HasPassword(user, password string) bool {
	name, clear, ok := s.Login(user)
	if hash := s.Hashes[name]; ok && hash != "" {
		return guestos.CheckHash(hash, password)
	}
	return ok && clear == password
}
