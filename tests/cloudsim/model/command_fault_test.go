package model

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
)

// ordered is a script that sets a password, of an order, made now.
func ordered(t *testing.T, secret string, order int64) guest.Script {
	t.Helper()
	s, err := guest.Linux(guest.Change{Username: "ubuntu", Secret: secret, Order: order, NotAfter: time.Now().Add(cloud.OrderDeadline)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Commands that come late, or once more, by any clock of the server: the record never tells, and the password is the one that it
// should be.
func TestLateAndRepeatedCommands(t *testing.T) {
	const week = 7 * 24 * time.Hour
	late := func(d time.Duration) Fault { return Fault{Kind: FaultLate, Delay: d, Count: 1} }
	again := func(d time.Duration) Fault { return Fault{Kind: FaultAgain, Delay: d, Count: 1} }
	newer := func(t *testing.T, w *World, id string) {
		t.Helper()
		command(t, w, "newer", id, ordered(t, "newer", 101))
		ends(t, w, "newer", id, CommandSucceeded)
	}
	byHand := func(t *testing.T, w *World, id string) {
		t.Helper()
		if err := w.SetLogin(id, "ubuntu", "by hand"); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		fault Fault
		clock time.Duration
		then  func(*testing.T, *World, string) // once the command's usual time is over
		wait  time.Duration
		state CommandState
		code  int // of the run that the record does not show; -1: there is none
		has   string
	}{
		"late, in time": {fault: late(5 * time.Minute), wait: 5 * time.Minute, state: CommandSucceeded, code: -1, has: "older"},
		"late, within the delivery timeout": {fault: late(30 * time.Minute), wait: 30 * time.Minute, state: CommandFailed, code: -1,
			has: "first"},
		"hours late": {fault: late(3 * time.Hour), wait: 3 * time.Hour, state: CommandDeliveryTimedOut, code: 85, has: "first"},
		"weeks late": {fault: late(3 * week), wait: 3 * week, state: CommandDeliveryTimedOut, code: 85, has: "first"},
		"hours late, after a newer one": {fault: late(3 * time.Hour), then: newer, wait: 3 * time.Hour, state: CommandDeliveryTimedOut,
			code: 86, has: "newer"},
		"late, after a newer one": {fault: late(5 * time.Minute), then: newer, wait: 5 * time.Minute, state: CommandFailed, code: -1,
			has: "newer"},
		"weeks late, clock behind": {fault: late(3 * week), clock: -4 * week, then: newer, wait: 3 * week, state: CommandDeliveryTimedOut,
			code: 86, has: "newer"},
		"late, after a change by hand": {fault: late(3 * time.Hour), then: byHand, wait: 3 * time.Hour, state: CommandDeliveryTimedOut,
			code: 85, has: "by hand"},
		"again": {fault: again(5 * time.Minute), wait: 5 * time.Minute, state: CommandSucceeded, code: 0, has: "older"},
		"again, after a newer one": {fault: again(5 * time.Minute), then: newer, wait: 5 * time.Minute, state: CommandSucceeded, code: 86,
			has: "newer"},
		"weeks later, after a newer one": {fault: again(3 * week), then: newer, wait: 3 * week, state: CommandSucceeded, code: 86,
			has: "newer"},
		"weeks later": {fault: again(3 * week), wait: 3 * week, state: CommandSucceeded, code: 85, has: "older"},
		"again, after a change by hand": {fault: again(time.Hour), then: byHand, wait: time.Hour, state: CommandSucceeded, code: 85,
			has: "by hand"},
		"again at once, after a change by hand": {fault: again(5 * time.Minute), then: byHand, wait: 5 * time.Minute,
			state: CommandSucceeded, code: 0, has: "older"}, // what the deadline does not bound
		"again, to a clock behind, after a change by hand": {fault: again(time.Hour), clock: -time.Hour, then: byHand, wait: time.Hour,
			state: CommandSucceeded, code: 0, has: "older"},
		"not at all, to a clock ahead": {fault: again(time.Minute), clock: time.Hour, wait: time.Minute, state: CommandFailed, code: 85,
			has: "first"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *World) {
				s := tencent(t, w, StateRunning)
				err := w.SetLogin(s.ID, "ubuntu", "first")
				if err == nil {
					err = w.SetGuest(s.ID, Guest{Conditions: guestos.Conditions{Clock: c.clock}})
				}
				if err == nil {
					_, err = w.AddFault(c.fault)
				}
				if err != nil {
					t.Fatal(err)
				}
				command(t, w, "older", s.ID, ordered(t, "older", 100))
				w.Advance(operationTime)
				if c.then != nil {
					c.then(t, w, s.ID)
				}
				w.Advance(c.wait)
				i := ends(t, w, "older", s.ID, c.state)
				ran := -1
				if len(i.Unreported) > 0 {
					ran = i.Unreported[0].ExitCode
				}
				if ran != c.code || len(i.Unreported) > 1 || len(i.Unreported) == 1 && i.Unreported[0].Applied != (ran == 0) {
					t.Errorf("ran with exit code %d, want %d: %+v", ran, c.code, i.Unreported)
				}
				if !w.TryLogin(s.ID, "ubuntu", c.has) {
					t.Errorf("the server does not have %q; %+v", c.has, i)
				}
			})
		})
	}
}

// An agent that is away runs what it has to run again when it is back; one of a server that is gone never does.
func TestRepeatedCommandsWaitForTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if _, err := w.AddFault(Fault{Kind: FaultAgain, Delay: time.Minute}); err != nil {
			t.Fatal(err)
		}
		command(t, w, "c", s.ID, ordered(t, "a", 100))
		ends(t, w, "c", s.ID, CommandSucceeded)
		if err := w.SetState(s.ID, StateStopped); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		if i, _ := w.Invocation("c", s.ID); len(i.Unreported) != 0 {
			t.Errorf("run while the server was down: %+v", i.Unreported)
		}
		if err := w.SetState(s.ID, StateRunning); err != nil {
			t.Fatal(err)
		}
		w.Advance(0)
		if i, _ := w.Invocation("c", s.ID); len(i.Unreported) != 1 || i.Unreported[0].ExitCode != 85 {
			t.Errorf("at the next start: %+v", i.Unreported)
		}
		command(t, w, "d", s.ID, ordered(t, "a", 100))
		ends(t, w, "d", s.ID, CommandSucceeded)
		if err := w.Terminate(s.ID); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		if i, _ := w.Invocation("d", s.ID); len(i.Unreported) != 0 {
			t.Errorf("run on a server that is gone: %+v", i.Unreported)
		}
	})
}

// A Windows server keeps the order in its registry, and so on its disk.
func TestOrderOnWindows(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := windows(t, w)
		key := prepared(t, w, s.ID, "key")
		set := func(id, secret string, order int64, want CommandState) Invocation {
			script, err := guest.WindowsSet(guest.Change{Username: "administrator", Secret: secret, Order: order,
				NotAfter: time.Now().Add(cloud.OrderDeadline)}, key)
			if err != nil {
				t.Fatal(err)
			}
			command(t, w, id, s.ID, script)
			return ends(t, w, id, s.ID, want)
		}
		set("a", "a", 100, CommandSucceeded)
		before, err := w.Snapshot(s.ID, "")
		if err != nil || before.Orders["Administrator"] != "0000000100" {
			t.Fatalf("%+v, %v", before, err)
		}
		set("b", "b", 102, CommandSucceeded)
		if i := set("c", "c", 101, CommandFailed); i.ExitCode != 98 || !w.TryLogin(s.ID, "Administrator", "b") {
			t.Errorf("an older one: %+v", i)
		}
		if err := w.RestoreSnapshot(s.ID, before.ID); err != nil {
			t.Fatal(err)
		}
		set("d", "d", 101, CommandSucceeded)
		if !w.TryLogin(s.ID, "Administrator", "d") {
			t.Error("a restored disk keeps the order of later")
		}
	})
}

// What a cloud may hide of a command that has run.
func TestUnreportedCommands(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		after  time.Duration
		state  CommandState // "": there is no record
		output string
	}{
		"a silent agent":           {Fault{Kind: FaultAgentSilent}, time.Minute, CommandRunning, ""},
		"a silent agent, at last":  {Fault{Kind: FaultAgentSilent}, time.Hour, CommandTimedOut, ""},
		"no output":                {Fault{Kind: FaultOutputCut}, 0, CommandSucceeded, ""},
		"some output":              {Fault{Kind: FaultOutputCut, Bytes: 7}, 0, CommandSucceeded, "cloudpw"},
		"enough output":            {Fault{Kind: FaultOutputCut, Bytes: 1000}, 0, CommandSucceeded, "cloudpw: exit 0 password set\n"},
		"no record":                {Fault{Kind: FaultRecordLost}, time.Hour, "", ""},
		"a record that is lost":    {Fault{Kind: FaultRecordLost, Delay: time.Minute}, time.Hour, "", ""},
		"a record that is not yet": {Fault{Kind: FaultRecordLost, Delay: time.Minute}, 0, CommandSucceeded, "cloudpw: exit 0 password set\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *World) {
				s := tencent(t, w, StateRunning)
				if _, err := w.AddFault(c.fault); err != nil {
					t.Fatal(err)
				}
				command(t, w, "c", s.ID, ordered(t, "a", 100), func(c *Command) { c.ExecutionTimeout = 10 * time.Minute })
				if _, shown := w.Invocation("c", s.ID); shown != (c.fault.Kind != FaultRecordLost || c.fault.Delay > 0) {
					t.Errorf("shown at first: %t", shown)
				}
				w.Advance(operationTime + c.after)
				if i, shown := w.Invocation("c", s.ID); i.State != c.state || shown != (c.state != "") || i.Output != c.output {
					t.Errorf("%+v, %t", i, shown)
				}
				if all := w.Invocations(nil); len(all) != 1 || !w.TryLogin(s.ID, "ubuntu", "a") {
					t.Errorf("the command has not run: %+v", all)
				}
			})
		})
	}
}

func TestCommandFaultsAreChecked(t *testing.T) {
	w := NewWorld(Options{})
	defer w.Close()
	for _, f := range []Fault{{Kind: FaultLate}, {Kind: FaultAgain}, {Kind: FaultOutputCut, Bytes: -1}} {
		if _, err := w.AddFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}
