package azure

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// The answers here have the form of recorded traffic: azure-cli's test_run_command_v2.yaml at 01691509. Bodies have blanks and CRLF
// between their fields, a time limit that nobody has set is 0, and a command that could not be configured is shown as running for ever,
// with an end.
const (
	recordedName   = "cloudpw-0123456789abcdef0123456789abcdef"
	recordedScript = `#!/bin/sh\necho hello`
	recordedHead   = "{\r\n  \"name\": \"" + recordedName + "\",\r\n  \"type\": \"Microsoft.Compute/virtualMachines/runCommands\",\r\n  " +
		"\"location\": \"x\",\r\n  \"properties\": {\r\n    \"source\": {\r\n      \"script\": \"" + recordedScript + "\"\r\n    },\r\n    " +
		"\"parameters\": [],\r\n    \"timeoutInSeconds\": 0,\r\n    \"asyncExecution\": false,\r\n    "
	recordedCreated = recordedHead + "\"provisioningState\": \"Creating\"\r\n  }\r\n}"
	recordedDone    = recordedHead + "\"provisioningState\": \"Succeeded\",\r\n    \"instanceView\": {\r\n      \"executionState\": " +
		"\"Succeeded\",\r\n      \"executionMessage\": \"Execution completed\",\r\n      \"exitCode\": 0,\r\n      \"output\": " +
		"\"cloudpw: exit 0 password set\\n\",\r\n      \"error\": \"\",\r\n      \"startTime\": \"2022-05-10T09:14:27+00:00\",\r\n      " +
		"\"endTime\": \"2022-05-10T09:14:27+00:00\"\r\n    }\r\n  }\r\n}"
	recordedTrap = recordedHead + "\"provisioningState\": \"Succeeded\",\r\n    \"instanceView\": {\r\n      \"exitCode\": 0,\r\n      " +
		"\"executionState\": \"Running\",\r\n      \"executionMessage\": \"Execution failed: failed to get configuration: x\",\r\n      " +
		"\"startTime\": \"2022-05-10T09:14:27+00:00\",\r\n      \"endTime\": \"2022-05-10T09:14:27+00:00\"\r\n    }\r\n  }\r\n}"
	recordedGone = "{\r\n  \"error\": {\r\n    \"code\": \"ResourceNotFound\",\r\n    \"message\": \"The resource was not found.\"\r\n  }\r\n}"
)

func TestRecordedAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		shown  bool
		state  guest.State
		kind   cloud.Kind // of the outcome
	}{
		"accepted":       {http.StatusOK, recordedCreated, true, guest.Running, ""},
		"done":           {http.StatusOK, recordedDone, true, guest.Exited, ""},
		"not configured": {http.StatusOK, recordedTrap, true, guest.CutOff, cloud.Unknown},
		"deleted":        {http.StatusNotFound, recordedGone, false, guest.Running, ""},
	} {
		p, f := newEstate(t, model(testVMID, "demo", "linux-1", nil))
		serve := f.answer
		f.answer = func(r asked) (int, any) {
			switch {
			case !strings.HasSuffix(r.path, runCommandsPath+"/"+recordedName):
				return serve(r)
			case r.method == http.MethodPut:
				return http.StatusCreated, recordedCreated
			case r.query.Get("$expand") != "instanceView":
				t.Errorf("asked without the view: %s", r.query)
			}
			return c.status, c.body
		}
		sent, err := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{testVMID}, Purpose: guest.SetPassword,
			Name: strings.TrimPrefix(recordedName, namePrefix), Script: guest.Script{Interpreter: guest.PowerShell, Text: "exit 0"}})
		if err != nil || sent != recordedName {
			t.Fatalf("%s: %s, %v", name, sent, err)
		}
		ref := cloud.ResetRef{InstanceID: testVMID, RequestID: recordedName}
		runs, err := command{p}.Look(t.Context(), []cloud.ResetRef{ref})
		run, shown := runs[ref]
		if err != nil || shown != c.shown || run.State != c.state {
			t.Errorf("%s: %+v, %v", name, run, err)
		}
		if run.State != guest.Running && cloud.KindOf(run.Outcome()) != c.kind {
			t.Errorf("%s: %v", name, run.Outcome())
		}
	}
}
