package model

import (
	"errors"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// A command whose record was deleted does nothing more, unless its agent is late or repeats itself.
func TestDeletedCommands(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		command(t, w, "pending", s.ID, guest.Script{Interpreter: guest.Shell, Text: "exit 0"})
		if !w.DeleteCommand("pending", s.ID) || w.DeleteCommand("pending", s.ID) || w.DeleteCommand("none", s.ID) {
			t.Error("what can be deleted is another thing than what is there")
		}
		command(t, w, "done", s.ID, guest.Script{Interpreter: guest.Shell, Text: "exit 3"})
		w.Advance(time.Hour)
		i := ends(t, w, "pending", s.ID, CommandCancelled)
		if !i.Deleted || !i.Started.IsZero() {
			t.Errorf("%+v", i)
		}
		for _, report := range []bool{false, true} {
			if n, err := w.RunAgain(s.ID, report); err != nil || n != 1 {
				t.Errorf("report %t: %d commands, %v", report, n, err)
			}
			w.Advance(time.Hour)
		}
		if i := ends(t, w, "done", s.ID, CommandFailed); len(i.Unreported) != 1 || i.ExitCode != 3 || i.Ended.Sub(i.Queued) < time.Hour {
			t.Errorf("%+v", i)
		}
		if _, err := w.RunAgain("none", false); !errors.Is(err, ErrNoServer) {
			t.Error(err)
		}
		if s := w.Stats(); s.InFlight != 0 || s.OperationsStarted != s.OperationsEnded {
			t.Errorf("%+v", s)
		}
	})
}

// A command for any agent waits for one that never registered.
func TestCommandsForAnyAgent(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if err := w.SetGuest(s.ID, Guest{Agent: AgentAbsent}); err != nil {
			t.Fatal(err)
		}
		c := Command{ID: "c", ServerIDs: []string{s.ID}, Interpreter: "shell", Text: "exit 0", DeliveryTimeout: 1000 * time.Hour}
		if err := w.StartCommand(nil, c); !errors.Is(err, ErrNoAgent) {
			t.Error(err)
		}
		c.AnyAgent = true
		if err := w.StartCommand(nil, c); err != nil {
			t.Fatal(err)
		}
		w.Advance(100 * time.Hour)
		if i, _ := w.Invocation("c", s.ID); i.State != CommandPending {
			t.Errorf("%+v", i)
		}
		if err := w.SetGuest(s.ID, Guest{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		ends(t, w, "c", s.ID, CommandSucceeded)
	})
}

func TestFaultNotRunNeedsACode(t *testing.T) {
	w := NewWorld(Options{})
	defer w.Close()
	if _, err := w.AddFault(Fault{Kind: FaultNotRun}); err == nil {
		t.Error("accepted without an exit code")
	}
	if _, err := w.AddFault(Fault{Kind: FaultSlowDelete}); err == nil {
		t.Error("accepted without a delay")
	}
	if _, err := w.AddFault(Fault{Kind: FaultNotRun, ExitCode: -200}); err != nil {
		t.Error(err)
	}
}
