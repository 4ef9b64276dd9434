package cloudsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const (
	fortnight = 14 * 24 * time.Hour
	// patience is how long an operation waits for an agent.
	patience = 90 * time.Minute
	putting  = "VirtualMachineRunCommands_CreateOrUpdate"
)

// set sends the script that sets a password of azureuser on linux-1 as its own command.
func (e *azureEnv) set(t *testing.T, name, password string, order int64) azureAnswer {
	t.Helper()
	text, hash := handed(t, "azureuser", password, order)
	return e.put(t, "linux-1", name, script(text, "CLOUDPW_SEALED", hash))
}

// TestAzureRunsAtTheNextStart shows a command that was accepted just before its VM stopped: its operation fails, its record waits, and
// weeks later it runs, too late.
func TestAzureRunsAtTheNextStart(t *testing.T) {
	e := startAzure(t, noLimits)
	id, w := e.creds.Servers["linux-1"], e.sim.World()
	e.fault(t, model.Fault{Kind: model.FaultStopServer, Action: putting})
	answer := e.set(t, "c", "weeks late", 1)
	answer.expect(t, "PUT", http.StatusCreated, "")
	e.put(t, "linux-1", "d", script("exit 0")).expect(t, "the next", http.StatusConflict, "OperationNotAllowed")
	e.advance(patience - time.Second)
	if o := e.operation(t, answer); o.Status != "InProgress" {
		t.Errorf("%+v", o)
	}
	e.advance(time.Second)
	c, o := e.show(t, "linux-1", "c"), e.operation(t, answer)
	if o.Status != "Failed" || o.Error.Code != "VMAgentStatusCommunicationError" ||
		!strings.HasPrefix(o.Error.Message, "VM 'linux-1' has not reported") ||
		c.Properties.ProvisioningState != "Failed" || c.Properties.InstanceView.ExecutionState != "Pending" {
		t.Errorf("%+v %+v", c, o)
	}
	e.advance(fortnight)
	if err := w.SetState(id, model.StateRunning); err != nil {
		t.Fatal(err)
	}
	e.wait()
	c = e.show(t, "linux-1", "c")
	if v := c.Properties.InstanceView; v.ExecutionState != "Failed" || v.ExitCode != 85 || c.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("%+v", c)
	}
	if e.login("linux-1", "weeks late") {
		t.Error("a command that came too late has set its password")
	}
}

// TestAzureRunsRecordsAgain lets the agent run again what is recorded, with the records telling it and without.
func TestAzureRunsRecordsAgain(t *testing.T) {
	e := startAzure(t, noLimits)
	id, w := e.creds.Servers["linux-1"], e.sim.World()
	for n, password := range []string{"first", "second", "third"} {
		e.set(t, password, password, int64(n+1))
		e.wait()
	}
	e.send(t, http.MethodDelete, e.command("linux-1", "second"), nil)
	e.wait()
	e.advance(fortnight)
	if n, err := w.RunAgain(id, false); err != nil || n != 2 {
		t.Errorf("%d commands, %v", n, err)
	}
	for _, i := range e.runs("linux-1") {
		if ran := len(i.Unreported); ran != 1 != i.Deleted || ran == 1 && i.Unreported[0].Applied {
			t.Errorf("%+v", i)
		}
	}
	if v := e.show(t, "linux-1", "first").Properties.InstanceView; v.ExitCode != 0 || !e.login("linux-1", "third") {
		t.Errorf("%+v", v)
	}
	if n, err := w.RunAgain(id, true); err != nil || n != 2 {
		t.Errorf("%d commands, %v", n, err)
	}
	if v := e.show(t, "linux-1", "first").Properties.InstanceView; v.ExecutionState != "Running" || v.EndTime != "" {
		t.Errorf("%+v", v)
	}
	e.wait()
	// The server has a newer one, and what it has already comes too late.
	for name, code := range map[string]int{"first": 86, "third": 85} {
		if v := e.show(t, "linux-1", name).Properties.InstanceView; v.ExitCode != code || !e.login("linux-1", "third") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestAzureAgents shows a command whose agent says nothing: whether it has run or not, it is pending for ever.
func TestAzureAgents(t *testing.T) {
	e := startAzure(t, noLimits)
	id, w := e.creds.Servers["linux-1"], e.sim.World()
	e.fault(t, model.Fault{Kind: model.FaultAgentSilent, Action: putting})
	silent := e.set(t, "silent", "in silence", 1)
	e.advance(fortnight)
	if !e.login("linux-1", "in silence") {
		t.Error("the command did not run")
	}
	if c, o := e.show(t, "linux-1", "silent"), e.operation(t, silent); c.Properties.InstanceView.ExecutionState != "Pending" ||
		o.Status != "Failed" || o.Error.Code != "VMAgentStatusCommunicationError" || c.Properties.ProvisioningState != "Failed" {
		t.Errorf("%+v %+v", c, o)
	}
	for _, agent := range []model.AgentState{model.AgentOffline, model.AgentAbsent} {
		if err := w.SetGuest(id, model.Guest{Agent: agent}); err != nil {
			t.Fatal(err)
		}
		answer := e.put(t, "linux-1", string(agent), script("exit 3"))
		answer.expect(t, string(agent), http.StatusCreated, "")
		e.advance(fortnight)
		if c, o := e.show(t, "linux-1", string(agent)), e.operation(t, answer); o.Status != "Failed" ||
			c.Properties.InstanceView.ExecutionState != "Pending" {
			t.Errorf("%+v %+v", c, o)
		}
		if err := w.SetGuest(id, model.Guest{}); err != nil {
			t.Fatal(err)
		}
		e.wait()
		if v := e.show(t, "linux-1", string(agent)).Properties.InstanceView; v.ExitCode != 3 {
			t.Errorf("%+v", v)
		}
	}
}

// TestAzureEnds shows how a run command can end beside its script's own exit code.
func TestAzureEnds(t *testing.T) {
	e, order := startAzure(t, noLimits), int64(0)
	for name, c := range map[string]struct {
		fault                       model.Fault
		state, message, provisioned string
		code                        int
		set                         bool
	}{
		"its script was not saved": {model.Fault{Kind: model.FaultNotRun, ExitCode: -203, Message: "failed to save script"}, "Failed",
			"Execution failed: failed to save script", "Succeeded", -203, false},
		"without a message": {model.Fault{Kind: model.FaultNotRun, ExitCode: -220}, "Failed",
			"Execution failed: failed to execute command: command terminated with exit status=-220", "Succeeded", -220, false},
		"its status was lost": {model.Fault{Kind: model.FaultStatusLost}, "Unknown",
			"The script has been executed. However, the instanceView's execution state, output, error are unknown.", "Succeeded", 0, true},
		"its operation was preempted": {model.Fault{Kind: model.FaultPreempted}, "Succeeded", "Execution completed", "Failed", 0, true},
		"failed, and did its work": {model.Fault{Kind: model.FaultFailedApplied, Message: "x"}, "Failed",
			"Execution failed: failed to execute command: command terminated with exit status=1", "Succeeded", 1, true},
		"failed": {model.Fault{Kind: model.FaultFailedNotApplied}, "Failed",
			"Execution failed: failed to execute command: command terminated with exit status=1", "Succeeded", 1, false},
		"killed at its limit": {model.Fault{Kind: model.FaultStuck}, "Failed",
			"Execution failed: failed to execute command: command terminated with exit status=-1", "Succeeded", -1, false},
	} {
		id := strings.NewReplacer(" ", "-", ",", "").Replace(name)
		order++
		c.fault.Action = putting
		e.fault(t, c.fault)
		answer := e.set(t, id, name, order)
		e.wait()
		e.advance(2 * time.Minute)
		got := e.show(t, "linux-1", id)
		v := got.Properties.InstanceView
		if v.ExecutionState != c.state || v.ExecutionMessage != c.message || v.ExitCode != c.code || v.EndTime == "" ||
			got.Properties.ProvisioningState != c.provisioned || e.login("linux-1", name) != c.set {
			t.Errorf("%s: %+v", name, got)
		}
		if o := e.operation(t, answer); o.Status != c.provisioned || o.Error != nil != (c.provisioned == "Failed") ||
			o.Error != nil && o.Error.Code != "OperationPreempted" {
			t.Errorf("%s: %+v", name, o)
		}
		if lost := name == "its status was lost"; lost != (v.Output == "Unknown") {
			t.Errorf("%s: output %q", name, v.Output)
		}
	}
}

// TestAzureLosesAnswers shows what a PUT has done whose answer was lost, and records that are not there, or no more.
func TestAzureLosesAnswers(t *testing.T) {
	e := startAzure(t, noLimits)
	for kind, status := range map[model.FaultKind]int{model.FaultDropBefore: http.StatusNotFound, model.FaultDropAfter: http.StatusOK} {
		e.fault(t, model.Fault{Kind: kind, Action: putting})
		if got, err := e.try(t, http.MethodPut, e.command("linux-1", string(kind)), script("exit 0")); err == nil {
			t.Errorf("%s: %d", kind, got.status)
		}
		if got := e.send(t, http.MethodGet, e.command("linux-1", string(kind)), nil); got.status != status {
			t.Errorf("%s: %d %s", kind, got.status, got.body)
		}
	}
	e.fault(t, model.Fault{Kind: model.FaultLagRecord, Action: putting, Delay: operationTime})
	e.put(t, "linux-1", "lags", script("exit 0")).expect(t, "lags", http.StatusCreated, "")
	e.send(t, http.MethodGet, e.command("linux-1", "lags"), nil).expect(t, "too soon", http.StatusNotFound, "ResourceNotFound")
	e.fault(t, model.Fault{Kind: model.FaultRecordLost, Action: putting, Delay: operationTime})
	lost := e.put(t, "linux-1", "lost", script("exit 0"))
	e.send(t, http.MethodGet, e.command("linux-1", "lost"), nil).expect(t, "still there", http.StatusOK, "")
	e.wait()
	e.send(t, http.MethodGet, e.command("linux-1", "lags"), nil).expect(t, "in time", http.StatusOK, "")
	e.send(t, http.MethodGet, e.command("linux-1", "lost"), nil).expect(t, "lost", http.StatusNotFound, "ResourceNotFound")
	if o := e.operation(t, lost); o.Status != "InProgress" || len(e.runs("linux-1")) != 3 {
		t.Errorf("%+v", o)
	}
	e.fault(t, model.Fault{Kind: model.FaultGone, Action: putting})
	e.put(t, "linux-1", "gone", script("exit 0")).expect(t, "a VM that goes meanwhile", http.StatusNotFound, "ParentResourceNotFound")
}
