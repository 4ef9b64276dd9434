package azure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	doneLine   = "cloudpw: exit 0 password set"
	someMoment = "2026-01-02T03:04:05Z"
)

// TestOutcomes has every form in which a command was seen, or is documented. kind is that of what the outcome says of the password:
// "" for a success, and for a command that goes on.
func TestOutcomes(t *testing.T) {
	long := strings.Repeat("x", 4096-len(doneLine)-2) + "\n" + doneLine + "\n"
	for name, c := range map[string]struct {
		properties string
		state      guest.State
		kind       cloud.Kind
		says       string
	}{
		"no view":       {`{"provisioningState":"Creating"}`, guest.Running, "", ""},
		"a null view":   {`{"provisioningState":"Succeeded","instanceView":null}`, guest.Running, "", ""},
		"an empty view": {`{"provisioningState":"Succeeded","instanceView":{}}`, guest.Running, "", ""},
		"its own operation failed": {`{"provisioningState":"Failed"}`, guest.Running, "",
			""},
		"pending": {`{"instanceView":{"executionState":"Pending"}}`, guest.Running, "", ""},
		"running": {`{"instanceView":{"executionState":"Running","executionMessage":"Execution in progress","exitCode":0,
			"startTime":"` + someMoment + `"}}`, guest.Running, "", ""},
		"running, with the end of its output": {`{"instanceView":{"executionState":"Running","exitCode":0,"output":"` + doneLine + `"}}`,
			guest.Running, "", ""},
		"timed out, and not ended":    {`{"instanceView":{"executionState":"TimedOut"}}`, guest.Running, "", ""},
		"unknown, and not ended":      {`{"instanceView":{"executionState":"Unknown"}}`, guest.Running, "", ""},
		"an operation that was ended": {`{"provisioningState":"Canceled","instanceView":{"executionState":"Running"}}`, guest.Running, "", ""},

		"done":                           {view(`"Succeeded"`, `"exitCode":0`, doneLine+`\n`), guest.Exited, "", ""},
		"done, in lines of Windows":      {view(`"Succeeded"`, `"exitCode":0`, `Hello\r\n`+doneLine+`\r\n`), guest.Exited, "", ""},
		"done, of an output that is cut": {view(`"Succeeded"`, `"exitCode":0`, strings.ReplaceAll(long, "\n", `\n`)), guest.Exited, "", ""},
		"done, without a code":           {view(`"Succeeded"`, `"error":""`, doneLine), guest.Exited, "", ""},
		"done, and the operation failed": {strings.Replace(view(`"Succeeded"`, `"exitCode":0`, doneLine), "{", `{"provisioningState":"Failed",`,
			1),
			guest.Exited, "", ""},
		"success without the line": {view(`"Succeeded"`, `"exitCode":0`, "hello"), guest.Exited, cloud.Unknown, "without confirming"},
		"success that does not tell its end": {`{"instanceView":{"executionState":"Succeeded","exitCode":0,"output":"` + doneLine + `"}}`,
			guest.Exited, "", ""},

		"no such user":   {view(`"Failed"`, `"exitCode":82`, "cloudpw: exit 82 no such user"), guest.Exited, cloud.Refused, "no such user"},
		"too late":       {view(`"Failed"`, `"exitCode":85`, "cloudpw: exit 85 too late"), guest.Exited, cloud.Unknown, "later than"},
		"another's code": {view(`"Failed"`, `"exitCode":7`, ""), guest.Exited, cloud.Unknown, "exit code 7"},
		"no bash":        {view(`"Failed"`, `"exitCode":127`, ""), guest.Exited, cloud.Unknown, "exit code 127"},
		"not its value": {view(`"Failed"`, `"exitCode":79`, `cloudpw: exit 79 the value did not arrive\n`), guest.CutOff, cloud.Refused,
			"did not give"},
		"79, and no line": {view(`"Failed"`, `"exitCode":79`, ""), guest.Exited, cloud.Unknown, "exit code 79"},
		"failed, exit 0":  {view(`"Failed"`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown, "could not run the script to its end"},
		"failed, no code": {view(`"Failed"`, `"error":""`, doneLine), guest.CutOff, cloud.Unknown, "could not run the script to its end"},
		"killed at its limit": {view(`"Failed"`, `"exitCode":-1`, ""), guest.CutOff, cloud.Unknown,
			"took too long"},

		"no script":          {view(`"Failed"`, `"exitCode":-100`, ""), guest.CutOff, cloud.Refused, "fetch the script"},
		"no blob":            {view(`"Failed"`, `"exitCode":-101`, ""), guest.CutOff, cloud.Refused, "blob"},
		"no run-as user":     {view(`"Failed"`, `"exitCode":-102`, ""), guest.CutOff, cloud.Refused, "user"},
		"no directory":       {view(`"Failed"`, `"exitCode":-200`, ""), guest.CutOff, cloud.Refused, "directory"},
		"directory stays":    {view(`"Failed"`, `"exitCode":-201`, ""), guest.CutOff, cloud.Unknown, "handler failed"},
		"no settings":        {view(`"Failed"`, `"exitCode":-202`, ""), guest.CutOff, cloud.Refused, "settings"},
		"not saved":          {view(`"Failed"`, `"exitCode":-203`, ""), guest.CutOff, cloud.Refused, "save"},
		"execution failed":   {view(`"Failed"`, `"exitCode":-204`, ""), guest.CutOff, cloud.Unknown, "handler failed"},
		"no file for output": {view(`"Failed"`, `"exitCode":-205`, ""), guest.CutOff, cloud.Refused, "output"},
		"no file for errors": {view(`"Failed"`, `"exitCode":-206`, ""), guest.CutOff, cloud.Refused, "errors"},
		"run-as trouble":     {view(`"Failed"`, `"exitCode":-210`, ""), guest.CutOff, cloud.Unknown, "handler failed"},
		"upgrade":            {view(`"Failed"`, `"exitCode":-220`, ""), guest.CutOff, cloud.Unknown, "handler failed"},
		"skipped":            {view(`"Failed"`, `"exitCode":-221`, ""), guest.CutOff, cloud.Unknown, "handler failed"},
		"service timed out":  {view(`"Failed"`, `"exitCode":-222`, ""), guest.CutOff, cloud.Unknown, "handler failed"},

		"running, and ended": {view(`"Running"`, `"exitCode":0,"executionMessage":"Execution failed: failed to get configuration: x"`, ""),
			guest.CutOff, cloud.Unknown, "the cloud says: Execution failed: failed to get configuration"},
		"pending, and ended": {view(`"Pending"`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown, "could not begin"},
		"lost in an upgrade": {view(`"Unknown"`, `"exitCode":0,"error":"Unknown"`, "Unknown"), guest.CutOff, cloud.Unknown, "has lost how"},
		"timed out":          {view(`"TimedOut"`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown, "in time"},
		"canceled":           {view(`"Canceled"`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown, "somebody"},
		"a new state":        {view(`"Thinking"`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown, "does not tell"},
		"no state, but an end": {view(`""`, `"exitCode":0`, doneLine), guest.CutOff, cloud.Unknown,
			"does not tell"},
		"a hash in its words": {view(`"Running"`, `"executionMessage":"failed: $6$rounds=20000$abc"`, ""), guest.CutOff, cloud.Unknown, ""},
	} {
		var r runCommand
		if err := json.Unmarshal([]byte(`{"name":"cloudpw-x","properties":`+c.properties+`}`), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.Properties.Source.Script = "#!/bin/sh\n# cloudpw: sets one password"
		run := outcome(r)
		var err error
		if run.State != guest.Running {
			err = run.Outcome()
		}
		if run.State != c.state || run.Interpreter != guest.Shell || cloud.KindOf(err) != c.kind {
			t.Errorf("%s: %+v, %v", name, run, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "$6$")) {
			t.Errorf("%s: %v", name, err)
		}
		if final := r.Properties.InstanceView.final(); final != (c.state != guest.Running) {
			t.Errorf("%s: final is %t", name, final)
		}
	}
}

// view is a command that has ended, with a state, further fields and an output.
func view(state, fields, output string) string {
	return `{"instanceView":{"executionState":` + state + `,` + fields + `,"output":"` + output + `","startTime":"` + someMoment +
		`","endTime":"` + someMoment + `"}}`
}

// The handler on Windows has codes of its own, and its words stay out of messages. What ran a script is told by its text.
func TestOutcomesOnWindows(t *testing.T) {
	for script, by := range map[string]guest.Interpreter{"#!/bin/sh\n# x": guest.Shell, "#!/bin/sh\r\n# x": guest.Shell,
		guest.WindowsPrepare().Text: guest.PowerShell, "": guest.PowerShell} {
		var r runCommand
		r.Properties.Source.Script = script
		if got := outcome(r).Interpreter; got != by {
			t.Errorf("%.20q is run by %s", script, got)
		}
	}
	for code, kind := range map[string]cloud.Kind{"-202": cloud.Unknown, "-1": cloud.Unknown, "79": cloud.Unknown, "93": cloud.Refused} {
		var r runCommand
		raw := view(`"Failed"`, `"executionMessage":"secret words","exitCode":`+code, "cloudpw: exit "+code+" secret words")
		if err := json.Unmarshal([]byte(`{"properties":`+raw+`}`), &r); err != nil {
			t.Fatal(err)
		}
		err := outcome(r).Outcome()
		if cloud.KindOf(err) != kind || strings.Contains(err.Error(), "secret words") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// FuzzOutcome gives the judgement any properties of a command. Whatever they are, a success needs the script's own last line, and what
// says that nothing was changed needs a code of the handler's or of the script's.
func FuzzOutcome(f *testing.F) {
	f.Add(view(`"Succeeded"`, `"exitCode":0`, doneLine), "#!/bin/sh\n")
	f.Add(view(`"Failed"`, `"exitCode":-202`, ""), "#!/bin/sh\n")
	f.Add(view(`"Running"`, `"exitCode":0`, doneLine), "")
	f.Add(`{"provisioningState":"Failed","instanceView":{"executionState":"Pending"}}`, "")
	f.Fuzz(func(t *testing.T, properties, script string) {
		var r runCommand
		if json.Unmarshal([]byte(`{"properties":`+properties+`}`), &r) != nil {
			return
		}
		r.Properties.Source.Script = script
		run, shown := outcome(r), r.Properties.InstanceView
		if final := shown.final(); final != (run.State != guest.Running) || !shown.ended().IsZero() && !final {
			t.Fatalf("%+v of %+v", run, shown)
		}
		if run.State == guest.Running {
			return
		}
		err := run.Outcome()
		if err == nil && (shown.ExecutionState != stateSucceeded || !strings.Contains(shown.Output, doneLine)) {
			t.Errorf("%+v is a success", shown)
		}
		if kind := cloud.KindOf(err); kind == cloud.Refused && (shown.ExitCode == nil || *shown.ExitCode == 0 || *shown.ExitCode == exitKilled) {
			t.Errorf("%+v has changed nothing: %v", shown, err)
		}
	})
}
