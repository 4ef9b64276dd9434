package model

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
)

const newSecret = `N'e"w $(x) 1`

// windows adds a Windows server on AWS.
func windows(t *testing.T, w *World) Server {
	t.Helper()
	out, err := w.AddServer(Server{Cloud: AWS, AccountID: "100000000002", Region: "eu", Platform: Windows})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// command starts a command as an API would, after the faults had their say.
func command(t *testing.T, w *World, id, server string, s guest.Script, more ...func(*Command)) {
	t.Helper()
	x := w.Begin(Call{Cloud: TencentCloud, Service: "tat", Action: "RunCommand", Instances: []string{server}})
	if r := x.Before(); r != nil {
		t.Fatal(r.Kind)
	}
	c := Command{ID: id, ServerIDs: []string{server}, Interpreter: string(s.Interpreter), Text: s.Text}
	for _, f := range more {
		f(&c)
	}
	if err := w.StartCommand(x, c); err != nil {
		t.Fatal(err)
	}
}

// change is one that is sent now, of a value that was made now.
func change(user string) guest.Change {
	return guest.Change{Username: user, Secret: newSecret, Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

func linux(t *testing.T, user string) guest.Script {
	t.Helper()
	s, err := guest.Linux(change(user))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ends advances to the end of a command and returns it.
func ends(t *testing.T, w *World, id, server string, want CommandState) Invocation {
	t.Helper()
	w.Advance(operationTime)
	i, ok := w.Invocation(id, server)
	if !ok || i.State != want {
		t.Fatalf("%v, state %s, exit code %d, output %q; want %s", ok, i.State, i.ExitCode, i.Output, want)
	}
	return i
}

func TestCommandOnLinux(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		command(t, w, "c1", s.ID, linux(t, "ubuntu"))
		for _, want := range []CommandState{CommandPending, CommandRunning} {
			if i, ok := w.Invocation("c1", s.ID); !ok || i.State != want || i.ExitCode != -1 {
				t.Errorf("%+v, want %s", i, want)
			}
			w.Advance(operationTime / 3)
		}
		if !w.TryLogin(s.ID, "ubuntu", newSecret) {
			t.Error("the script has run, and the password does not work")
		}
		if i, _ := w.Invocation("c1", s.ID); i.State != CommandRunning || i.Output != "" {
			t.Errorf("reported too early: %+v", i)
		}
		i := ends(t, w, "c1", s.ID, CommandSucceeded)
		if err := guest.Outcome(guest.Shell, i.ExitCode, i.Output); err != nil {
			t.Error(err)
		}
		if w.TryLogin(s.ID, "ubuntu", s.InitialPassword) || w.TryLogin(s.ID, "ubuntu", "") || w.TryLogin(s.ID, "root", newSecret) {
			t.Error("another login works")
		}
		if err := w.SetLogin(s.ID, "ubuntu", "by hand"); err != nil || !w.TryLogin(s.ID, "ubuntu", "by hand") ||
			w.TryLogin(s.ID, "ubuntu", newSecret) {
			t.Error("a password set by hand does not replace the hash")
		}
		for _, i := range w.Invocations(nil) {
			if strings.Contains(i.Text+i.Output, newSecret) {
				t.Error("the history holds the password")
			}
		}
	})
}

// TestCommandRefusals holds the scripts' exit codes against the simulated systems.
func TestCommandRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		key := prepared(t, w, windows(t, w).ID, "key")
		for name, c := range map[string]struct {
			windows bool
			user    string
			guest   Guest
			code    int
		}{
			"not root":          {user: "ubuntu", guest: Guest{Conditions: guestos.Conditions{NotRoot: true}}, code: 81},
			"no such user":      {user: "nobody", code: 82},
			"no chpasswd":       {user: "ubuntu", guest: Guest{Conditions: guestos.Conditions{NoChpasswd: true}}, code: 83},
			"chpasswd fails":    {user: "ubuntu", guest: Guest{Conditions: guestos.Conditions{ChpasswdFails: true}}, code: 84},
			"not administrator": {windows: true, user: "Administrator", guest: Guest{Conditions: guestos.Conditions{NotRoot: true}}, code: 91},
			"domain controller": {windows: true, user: "Administrator", guest: Guest{Conditions: guestos.Conditions{DomainController: true}},
				code: 92},
			"no such local user": {windows: true, user: "nobody", code: 93},
			"another key":        {windows: true, user: "Administrator", code: 94},
		} {
			s, script := tencent(t, w, StateRunning), linux(t, c.user)
			if c.windows {
				s = windows(t, w)
				prepared(t, w, s.ID, "key "+name)
				script = set(t, c.user, key)
			}
			if err := w.SetGuest(s.ID, c.guest); err != nil {
				t.Fatal(err)
			}
			command(t, w, name, s.ID, script)
			if i := ends(t, w, name, s.ID, CommandFailed); i.ExitCode != c.code || !i.Applied.IsZero() {
				t.Errorf("%s: %+v", name, i)
			}
			if !w.TryLogin(s.ID, s.InitialUser, s.InitialPassword) {
				t.Errorf("%s: the password changed", name)
			}
		}
	})
}

func set(t *testing.T, user string, key guest.PublicKey) guest.Script {
	t.Helper()
	s, err := guest.WindowsSet(change(user), key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func prepared(t *testing.T, w *World, server, id string) guest.PublicKey {
	t.Helper()
	command(t, w, id, server, guest.WindowsPrepare())
	i := ends(t, w, id, server, CommandSucceeded)
	key, err := guest.Prepared(i.ExitCode, i.Output)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestCommandsOnWindows(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := windows(t, w)
		key := prepared(t, w, s.ID, "p1")
		if again := prepared(t, w, s.ID, "p2"); !same(again, key) {
			t.Error("the second preparation made another key")
		}
		command(t, w, "s1", s.ID, set(t, "administrator", key))
		i := ends(t, w, "s1", s.ID, CommandSucceeded)
		if err := guest.Outcome(guest.PowerShell, i.ExitCode, i.Output); err != nil || !w.TryLogin(s.ID, "Administrator", newSecret) {
			t.Errorf("%v, or the password does not work", err)
		}
		if err := w.SetGuest(s.ID, Guest{Conditions: guestos.Conditions{RefusesPasswords: true}}); err != nil {
			t.Fatal(err)
		}
		command(t, w, "s2", s.ID, set(t, "Administrator", key))
		if i := ends(t, w, "s2", s.ID, CommandFailed); i.ExitCode != 95 {
			t.Errorf("%+v", i)
		}
		if err := w.DeleteGuestKey(s.ID); err != nil {
			t.Fatal(err)
		}
		command(t, w, "s3", s.ID, set(t, "Administrator", key))
		i = ends(t, w, "s3", s.ID, CommandFailed)
		if err := guest.Outcome(guest.PowerShell, i.ExitCode, i.Output); !guest.NeedsKey(err) {
			t.Errorf("without the key: %v", err)
		}
		if same(prepared(t, w, s.ID, "p3"), key) {
			t.Error("the lost key came back")
		}
	})
}

func same(a, b guest.PublicKey) bool {
	x, _ := a.MarshalText()
	y, _ := b.MarshalText()
	return string(x) == string(y)
}

func TestForeignCommandsAreNotRun(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		good := linux(t, "ubuntu").Text
		for name, text := range map[string]string{
			"foreign": "touch hello\n", "more": good + "echo hello\n", "changed": strings.Replace(good, "chpasswd -e", "chpasswd", 1),
			"quoted": strings.Replace(good, "user='ubuntu'", "user=''; echo ''", 1),
		} {
			command(t, w, name, s.ID, guest.Script{Interpreter: guest.Shell, Text: text})
			if i := ends(t, w, name, s.ID, CommandFailed); i.ExitCode != 126 {
				t.Errorf("%s: %+v", name, i)
			}
		}
		command(t, w, "windows", s.ID, guest.WindowsPrepare())
		if i := ends(t, w, "windows", s.ID, CommandFailed); i.ExitCode != 127 {
			t.Errorf("PowerShell on Linux: %+v", i)
		}
		if err := w.SetState(s.ID, StateRunning); err != nil || !w.TryLogin(s.ID, "ubuntu", s.InitialPassword) {
			t.Error("the password changed")
		}
	})
}

func TestAgents(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		start := func(id string) error {
			return w.StartCommand(nil, Command{ID: id, ServerIDs: []string{s.ID}, Interpreter: "shell", Text: linux(t, "ubuntu").Text,
				DeliveryTimeout: time.Hour})
		}
		if err := w.StartCommand(nil, Command{ID: "c", ServerIDs: []string{s.ID, "ins-unknown0"}}); !errors.Is(err, ErrNoServer) {
			t.Errorf("an unknown server: %v", err)
		}
		if err := w.SetGuest(s.ID, Guest{Agent: AgentAbsent}); err != nil || !errors.Is(start("c"), ErrNoAgent) {
			t.Error("a server without an agent took a command")
		}
		if err := w.SetGuest(s.ID, Guest{Agent: AgentOffline}); err != nil || start("late") != nil || start("never") != nil {
			t.Fatal("a server whose agent is offline takes no command")
		}
		ends(t, w, "late", s.ID, CommandPending)
		w.CancelCommand("never")
		ends(t, w, "never", s.ID, CommandCancelled)
		if err := w.SetGuest(s.ID, Guest{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(0) // the agent is back and fetches what waits
		ends(t, w, "late", s.ID, CommandSucceeded)

		if err := w.SetState(s.ID, StateStopped); err != nil || start("down") != nil {
			t.Fatal("a stopped server takes no command")
		}
		w.Advance(time.Hour + operationTime/3 - time.Second)
		if i, _ := w.Invocation("down", s.ID); i.State != CommandPending {
			t.Errorf("%+v", i)
		}
		w.Advance(time.Second)
		if i := ends(t, w, "down", s.ID, CommandDeliveryTimedOut); i.ExitCode != -1 || !i.Started.IsZero() {
			t.Errorf("%+v", i)
		}
		if err := w.SetState(s.ID, StateRunning); err != nil || start("gone") != nil || start("gone") == nil {
			t.Fatal("no command, or two with one id")
		}
		if err := w.Terminate(s.ID); err != nil || !errors.Is(start("after"), ErrState) {
			t.Fatal("a terminated server takes commands")
		}
		ends(t, w, "gone", s.ID, CommandTerminated)
	})
}

func TestCommandFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault   Fault
		applied bool // after the usual time
		state   CommandState
		then    func(*World, string)
		end     CommandState
		atEnd   bool // applied at the end
	}{
		"late": {Fault{Kind: FaultLateApply, Delay: time.Minute}, false, CommandRunning,
			func(w *World, _ string) { w.Advance(time.Minute) }, CommandSucceeded, true},
		"late and too long": {Fault{Kind: FaultLateApply, Delay: time.Hour}, false, CommandRunning,
			func(w *World, _ string) { w.Advance(2 * time.Hour) }, CommandTimedOut, false},
		"stuck": {Fault{Kind: FaultStuck}, false, CommandRunning, func(w *World, id string) { _, _ = w.Release(id) },
			CommandSucceeded, true},
		"stuck for ever": {Fault{Kind: FaultStuck}, false, CommandRunning, func(w *World, _ string) { w.Advance(2 * time.Hour) },
			CommandTimedOut, false},
		"failed, applied":     {Fault{Kind: FaultFailedApplied}, true, CommandFailed, nil, CommandFailed, true},
		"failed, not applied": {Fault{Kind: FaultFailedNotApplied}, false, CommandFailed, nil, CommandFailed, false},
		"another server's":    {Fault{Kind: FaultStuck, Instance: "ins-other000"}, true, CommandSucceeded, nil, CommandSucceeded, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *World) {
				s := tencent(t, w, StateRunning)
				c.fault.Action = "RunCommand"
				if _, err := w.AddFault(c.fault); err != nil {
					t.Fatal(err)
				}
				command(t, w, "c", s.ID, linux(t, "ubuntu"), func(c *Command) { c.ExecutionTimeout = 10 * time.Minute })
				ends(t, w, "c", s.ID, c.state)
				if got := w.TryLogin(s.ID, "ubuntu", newSecret); got != c.applied {
					t.Errorf("applied: %t, want %t", got, c.applied)
				}
				if c.then != nil {
					c.then(w, s.ID)
				}
				ends(t, w, "c", s.ID, c.end)
				if got := w.TryLogin(s.ID, "ubuntu", newSecret); got != c.atEnd {
					t.Errorf("applied at the end: %t, want %t", got, c.atEnd)
				}
			})
		})
	}
}

func TestCommandIsHidden(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if _, err := w.AddFault(Fault{Kind: FaultLagRecord, Delay: 2 * operationTime}); err != nil {
			t.Fatal(err)
		}
		command(t, w, "c", s.ID, linux(t, "ubuntu"))
		w.Advance(operationTime)
		if _, ok := w.Invocation("c", s.ID); ok || !w.TryLogin(s.ID, "ubuntu", newSecret) {
			t.Error("it shows, or was not run")
		}
		if w.Stats().InFlight != 0 {
			t.Error("a command that has ended counts as running")
		}
		ends(t, w, "c", s.ID, CommandSucceeded)
	})
}
