package azure

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// interpreter is what ran the script, by its text, which the cloud shows with the command. Where it does not, nothing of its output
// is repeated in messages.
func (r runCommand) interpreter() guest.Interpreter {
	if strings.HasPrefix(r.Properties.Source.Script, "#!/bin/sh\n") || strings.HasPrefix(r.Properties.Source.Script, "#!/bin/sh\r\n") {
		return guest.Shell
	}
	return guest.PowerShell
}

// outcome is what a command shows of its script, as package guest takes it. What is not known to be final is running: also a command
// whose own operation has failed and that has no view, since the virtual machine may still carry it out, at its next start even.
func outcome(r runCommand) guest.Run {
	view, by := r.Properties.InstanceView, r.interpreter()
	cut := func(kind cloud.Kind, advice string) guest.Run {
		return guest.Run{State: guest.CutOff, Interpreter: by, Failure: cutOff(kind, advice, by, view.ExecutionMessage)}
	}
	if !view.final() {
		return guest.Run{State: guest.Running, Interpreter: by}
	}
	switch state, code := view.ExecutionState, view.exitCode(); {
	case state != stateSucceeded && state != stateFailed:
		advice, known := ends[state]
		if !known {
			advice = "the cloud does not tell how the command ended"
		}
		return cut(cloud.Unknown, advice)
	case state == stateFailed && code == 0:
		return cut(cloud.Unknown, "the server's run-command handler could not run the script to its end")
	case code < 0 && by == guest.Shell && notRun[code] != "":
		return cut(cloud.Refused, notRun[code])
	case code == exitKilled:
		return cut(cloud.Unknown, "the script was ended while it ran, normally because it took too long; see what holds the server up")
	case code < 0:
		return cut(cloud.Unknown, "the server's run-command handler failed")
	case code == exitNoValue && by == guest.Shell && told(view.Output) == exitNoValue:
		return cut(cloud.Refused, "the server's run-command handler did not give the script the value that was sent with it, so the script "+
			"has changed nothing; the next attempt sends it again, and if that fails, too, look at "+
			"/var/log/azure/run-command-handler on the server")
	default:
		return guest.Run{State: guest.Exited, Interpreter: by, ExitCode: code, Output: view.Output}
	}
}

// exitCode is that of the script, or of the handler. A success whose code is not told counts as 0, which proves nothing by itself:
// the script's own last line does. A failure whose code is not told counts as 0, too, which is none of a failure's.
func (v *runView) exitCode() int {
	if v.ExitCode == nil {
		return 0
	}
	return *v.ExitCode
}

// told is the exit code that the script has printed; -1 for none.
func told(output string) int {
	code, ok := guest.ExitCode(output)
	if !ok {
		return -1
	}
	return code
}

// ends are the states, other than Succeeded and Failed, of a view with an end.
var ends = map[string]string{
	"Unknown":  "the server has lost how the command ended, as after an upgrade of its run-command handler",
	"Running":  "the server's run-command handler could not begin with the command, or was ended",
	"Pending":  "the server's run-command handler could not begin with the command, or was ended",
	"TimedOut": "the command did not end in time; see what holds the server up",
	"Canceled": "somebody ended the command",
}

// exitKilled is the code of a script that a signal has ended: Go's ExitStatus of such a process.
const exitKilled = -1

// notRun are the handler's own exit codes on Linux for which it has certainly not begun with the script
// (run-command-handler-linux at f95dc24, internal/constants/exitcodes.go, and where they are used). Others are not: -204 is a
// failure of the script, -222 and -223 are told of one that may run, and what says -220 has to do with upgrades.
var notRun = map[int]string{
	-100: "the server's run-command handler could not fetch the script",
	-101: "the server's run-command handler could not write to the output's blob",
	-102: "the server does not know the user that the script is to run as",
	-200: "the server's run-command handler could not make its directory; see whether the server's disk is full or read-only",
	-202: "the server's run-command handler could not read its settings; see /var/log/azure/run-command-handler on the server",
	-203: "the server's run-command handler could not save the script; see whether the server's disk is full or read-only",
	-205: "the server's run-command handler could not make its file for output; see whether the server's disk is full or read-only",
	-206: "the server's run-command handler could not make its file for errors; see whether the server's disk is full or read-only",
}

// cutOff is why a command has no exit code of its own. What a Windows server says is kept out, see package guest, and so is what
// holds a hash.
func cutOff(kind cloud.Kind, advice string, by guest.Interpreter, said string) *cloud.Error {
	e := cloud.Errorf(kind, "%s", advice)
	if said = text.Line(strings.TrimSpace(said), cloud.MaxText); said != "" && by == guest.Shell && !strings.Contains(said, "$6$") {
		e.Message += "; the cloud says: " + said
	}
	return e
}
