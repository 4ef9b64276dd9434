package cloudsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// azureOperation is what Azure-AsyncOperation shows.
type azureOperation struct {
	Status, Name, StartTime, EndTime string
	Error                            *struct{ Code, Message string }
}

// operation follows an answer's header.
func (e *azureEnv) operation(t *testing.T, answer azureAnswer) (out azureOperation) {
	t.Helper()
	where := answer.header.Get("Azure-AsyncOperation")
	if where == "" {
		t.Fatalf("no operation: %d %s", answer.status, answer.body)
	}
	e.send(t, http.MethodGet, where, nil).into(t, &out)
	return out
}

// runs are the commands that a VM got, by id.
func (e *azureEnv) runs(vm string) []model.Invocation {
	return e.sim.World().Invocations(func(i model.Invocation) bool { return i.ServerID == e.creds.Servers[vm] })
}

func TestAzureFollowsOperations(t *testing.T) {
	e := startAzure(t, noLimits)
	created := e.put(t, "linux-1", "c", script("exit 0"))
	if o := e.operation(t, created); o.Status != "InProgress" || o.StartTime == "" || o.EndTime != "" || o.Name == "" {
		t.Errorf("%+v", o)
	}
	if s := e.show(t, "linux-1", "c").Properties.ProvisioningState; s != "Creating" {
		t.Errorf("provisioning state %q", s)
	}
	e.wait()
	if o := e.operation(t, created); o.Status != "Succeeded" || o.EndTime == "" || o.Error != nil {
		t.Errorf("%+v", o)
	}
	deleted := e.send(t, http.MethodDelete, e.command("linux-1", "c"), nil)
	monitor := deleted.header.Get("Location")
	e.send(t, http.MethodGet, monitor, nil).expect(t, "the monitor", http.StatusAccepted, "")
	if s := e.show(t, "linux-1", "c").Properties.ProvisioningState; s != "Deleting" {
		t.Errorf("provisioning state %q", s)
	}
	e.put(t, "linux-1", "c", script("exit 0")).expect(t, "a PUT meanwhile", http.StatusConflict, "Conflict")
	again := e.send(t, http.MethodDelete, e.command("linux-1", "c"), nil)
	again.expect(t, "a DELETE meanwhile", http.StatusAccepted, "")
	if again.header.Get("Location") != monitor {
		t.Error("the second DELETE is another operation")
	}
	e.wait()
	e.send(t, http.MethodGet, monitor, nil).expect(t, "the monitor", http.StatusNoContent, "")
	if o := e.operation(t, deleted); o.Status != "Succeeded" {
		t.Errorf("%+v", o)
	}
	// One that is not waited for.
	body := script("exit 0")
	body["properties"].(object)["asyncExecution"] = true
	async := e.put(t, "linux-1", "async", body)
	e.advance(operationTime / 3)
	if o := e.operation(t, async); o.Status != "Succeeded" ||
		e.show(t, "linux-1", "async").Properties.InstanceView.ExecutionState != "Running" {
		t.Errorf("%+v", o)
	}
	// A failed script is no failed operation.
	failed := e.put(t, "linux-1", "failed", script("exit 7"))
	e.wait()
	v := e.show(t, "linux-1", "failed")
	if o := e.operation(t, failed); o.Status != "Succeeded" || v.Properties.ProvisioningState != "Succeeded" ||
		v.Properties.InstanceView.ExitCode != 7 || v.Properties.InstanceView.ExecutionState != "Failed" ||
		v.Properties.InstanceView.ExecutionMessage != "Execution failed: failed to execute command: command terminated with exit status=7" {
		t.Errorf("%+v %+v", o, v)
	}
}

// TestAzureNames shows what a name is good for: unchanged content is not run again, other content ends the script that runs, and on
// Linux a name that was deleted runs nothing.
func TestAzureNames(t *testing.T) {
	e := startAzure(t, noLimits)
	e.put(t, "linux-1", "c", script("exit 1")).expect(t, "the first", http.StatusCreated, "")
	e.wait()
	same := e.put(t, "linux-1", "C", script("exit 1"))
	same.expect(t, "the same", http.StatusOK, "")
	if !bytesContain(same.body, `"provisioningState": "Updating"`) {
		t.Errorf("%s", same.body)
	}
	e.wait()
	if o, n := e.operation(t, same), len(e.runs("linux-1")); n != 1 || o.Status != "Succeeded" ||
		e.show(t, "linux-1", "c").Properties.InstanceView.ExitCode != 1 {
		t.Errorf("%d runs, %+v", n, o)
	}
	first := e.put(t, "linux-1", "c", script("exit 2"))
	first.expect(t, "another script", http.StatusOK, "")
	e.advance(operationTime / 3)
	e.put(t, "linux-1", "c", script("exit 2", "P", "v")).expect(t, "another parameter", http.StatusOK, "")
	if o := e.operation(t, first); o.Status != "Canceled" || o.Error.Code != "OperationPreempted" {
		t.Errorf("%+v", o)
	}
	e.wait()
	runs := e.runs("linux-1")
	if len(runs) != 3 || runs[1].State != model.CommandCancelled || !runs[1].Deleted || runs[2].ExitCode != 2 {
		t.Errorf("%+v", runs)
	}
	for _, vm := range []string{"linux-1", "windows-1"} {
		e.put(t, vm, "again", script("exit 0"))
		e.wait()
		before := len(e.runs(vm))
		e.send(t, http.MethodDelete, e.command(vm, "again"), nil)
		e.wait()
		e.put(t, vm, "again", script("exit 0")).expect(t, "a deleted name", http.StatusCreated, "")
		e.wait()
		ran := len(e.runs(vm)) - before
		state := e.show(t, vm, "again").Properties.InstanceView.ExecutionState
		if vm == "linux-1" && (ran != 0 || state != "Pending") || vm == "windows-1" && (ran != 1 || state == "Pending") {
			t.Errorf("%s: %d runs, %s", vm, ran, state)
		}
	}
}

func TestAzureDeletesCommands(t *testing.T) {
	e := startAzure(t, noLimits)
	text, hash := handed(t, "azureuser", "never set", 1)
	for name, later := range map[string]int{"pending": 0, "running": 1} {
		e.put(t, "linux-1", name, script(text, "CLOUDPW_SEALED", hash))
		for range later {
			e.advance(operationTime / 3)
		}
		e.send(t, http.MethodDelete, e.command("linux-1", name), nil).expect(t, name, http.StatusAccepted, "")
		if v := e.show(t, "linux-1", name).Properties.InstanceView; v.ExecutionState != "Canceled" {
			t.Errorf("%s: %+v", name, v)
		}
		e.wait()
		e.send(t, http.MethodGet, e.command("linux-1", name), nil).expect(t, name, http.StatusNotFound, "ResourceNotFound")
	}
	if e.login("linux-1", "never set") {
		t.Error("a script that was ended has set a password")
	}
	e.fault(t, model.Fault{Kind: model.FaultSlowDelete, Delay: 10 * operationTime})
	e.put(t, "linux-1", "slow", script("exit 0"))
	deleted := e.send(t, http.MethodDelete, e.command("linux-1", "slow"), nil)
	e.wait()
	// The fault was for the PUT, which deletes nothing.
	if o := e.operation(t, deleted); o.Status != "Succeeded" {
		t.Errorf("%+v", o)
	}
	e.put(t, "linux-1", "slower", script("exit 0"))
	e.wait()
	e.fault(t, model.Fault{Kind: model.FaultSlowDelete, Delay: 10 * operationTime, Action: "VirtualMachineRunCommands_Delete"})
	deleted = e.send(t, http.MethodDelete, e.command("linux-1", "slower"), nil)
	e.advance(10 * operationTime)
	if c, o := e.show(t, "linux-1", "slower"), e.operation(t, deleted); o.Status != "InProgress" ||
		c.Properties.ProvisioningState != "Deleting" {
		t.Errorf("%+v %+v", c, o)
	}
	e.advance(operationTime)
	e.send(t, http.MethodGet, e.command("linux-1", "slower"), nil).expect(t, "at last", http.StatusNotFound, "ResourceNotFound")
}

func TestAzureLimitsRecords(t *testing.T) {
	e := startAzure(t, noLimits)
	for n := range 25 {
		e.put(t, "linux-1", fmt.Sprint("c-", n), script("exit 0")).expect(t, "below the limit", http.StatusCreated, "")
	}
	full := e.put(t, "linux-1", "more", script("exit 0"))
	full.expect(t, "one more", http.StatusBadRequest, "BadRequest")
	if !bytesContain(full.body, "The maximum number of managed Run commands (max=25, current=25) has been exceeded.") {
		t.Errorf("%s", full.body)
	}
	e.put(t, "linux-1", "c-0", script("exit 1")).expect(t, "one of them", http.StatusOK, "")
	e.put(t, "windows-1", "more", script("exit 0")).expect(t, "another VM", http.StatusCreated, "")
	e.send(t, http.MethodDelete, e.command("linux-1", "c-3"), nil)
	e.put(t, "linux-1", "more", script("exit 0")).expect(t, "while one is deleted", http.StatusBadRequest, "BadRequest")
	e.wait()
	e.put(t, "linux-1", "more", script("exit 0")).expect(t, "after that", http.StatusCreated, "")
	var all struct{ Value []azureCommand }
	e.send(t, http.MethodGet, e.vm("linux-1")+"/runCommands?$expand=instanceView", nil).into(t, &all)
	if len(all.Value) != 25 || all.Value[0].Name != "c-0" || all.Value[24].Name != "more" || all.Value[1].Properties.InstanceView == nil {
		t.Errorf("%d records", len(all.Value))
	}
}

func TestAzureNeedsARunningMachine(t *testing.T) {
	e := startAzure(t, noLimits)
	e.put(t, "linux-1", "c", script("exit 0"))
	e.wait()
	if err := e.sim.World().SetState(e.creds.Servers["linux-1"], model.StateStopped); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]azureAnswer{
		"PUT": e.put(t, "linux-1", "d", script("exit 0")), "DELETE": e.send(t, http.MethodDelete, e.command("linux-1", "c"), nil),
	} {
		got.expect(t, name, http.StatusConflict, "OperationNotAllowed")
		if !bytesContain(got.body, `"internalErrorCode": "CannotModifyExtensionsWhenVMNotRunning"`) ||
			!bytesContain(got.body, "Cannot modify extensions in the VM when the VM is not running.") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if c := e.show(t, "linux-1", "c"); c.Properties.InstanceView.ExecutionState != "Succeeded" {
		t.Errorf("%+v", c)
	}
	_, err := e.sim.World().AddServer(model.Server{Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Region: "westeurope", Name: "closed",
		NoExtensions: true})
	if err != nil {
		t.Fatal(err)
	}
	e.put(t, "closed", "c", script("exit 0")).expect(t, "no extensions", http.StatusConflict, "OperationNotAllowed")
}

func TestAzureCutsOutput(t *testing.T) {
	e := startAzure(t, noLimits)
	line := "echo " + strings.Repeat("x", 99) + "\n"
	e.put(t, "linux-1", "c", script("echo first\n"+strings.Repeat(line, 50)+"echo last\n"))
	e.wait()
	v := e.show(t, "linux-1", "c").Properties.InstanceView
	if len(v.Output) != 4096 || strings.Contains(v.Output, "first") || !strings.HasSuffix(v.Output, "x\nlast\n") {
		t.Errorf("%d bytes: %q", len(v.Output), v.Output)
	}
}
