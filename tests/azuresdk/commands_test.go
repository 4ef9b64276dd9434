package azuresdk

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// commands is a client of one server's run commands.
type commands struct {
	*simulator
	client *armcompute.VirtualMachineRunCommandsClient
	vm     string
}

func newCommands(t *testing.T, vm string) *commands {
	t.Helper()
	s := start(t)
	return &commands{s, s.compute(t, s.account().Subscription, s.own(t)).NewVirtualMachineRunCommandsClient(), vm}
}

func script(region, text string, protected ...*armcompute.RunCommandInputParameter) armcompute.VirtualMachineRunCommand {
	return armcompute.VirtualMachineRunCommand{Location: &region, Properties: &armcompute.VirtualMachineRunCommandProperties{
		Source: &armcompute.VirtualMachineRunCommandScriptSource{Script: &text}, TimeoutInSeconds: to.Ptr[int32](120),
		AsyncExecution: to.Ptr(false), TreatFailureAsDeploymentFailure: to.Ptr(false), ProtectedParameters: protected,
	}}
}

// making follows the operation that makes a run command.
type making = *runtime.Poller[armcompute.VirtualMachineRunCommandsClientCreateOrUpdateResponse]

func (c *commands) put(t *testing.T, name, text string) (making, error) {
	t.Helper()
	return c.client.BeginCreateOrUpdate(t.Context(), group, c.vm, name, script(c.account().Region, text,
		&armcompute.RunCommandInputParameter{Name: to.Ptr("CLOUDPW_SEALED"), Value: to.Ptr("whisper")}), nil)
}

// run makes a run command and reads it when its operation has ended.
func (c *commands) run(t *testing.T, name, text string) armcompute.VirtualMachineRunCommand {
	t.Helper()
	poller, err := c.put(t, name, text)
	if err != nil {
		t.Fatal(err)
	}
	var made armcompute.VirtualMachineRunCommand
	if err := made.UnmarshalJSON(c.sent.last()); err != nil {
		t.Fatal(err)
	}
	c.same(t, name+", made", made)
	c.later(t)
	ended, err := poller.PollUntilDone(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if state := *ended.Properties.ProvisioningState; state != "Succeeded" {
		t.Errorf("%s was made: %s", name, state)
	}
	return c.get(t, name)
}

func (c *commands) get(t *testing.T, name string) armcompute.VirtualMachineRunCommand {
	t.Helper()
	got, err := c.client.GetByVirtualMachine(t.Context(), group, c.vm, name,
		&armcompute.VirtualMachineRunCommandsClientGetByVirtualMachineOptions{Expand: to.Ptr("instanceView")})
	if err != nil {
		t.Fatal(err)
	}
	c.same(t, name, got.VirtualMachineRunCommand)
	if bytes.Contains(c.sent.last(), []byte("whisper")) {
		t.Errorf("%s shows what is protected", name)
	}
	return got.VirtualMachineRunCommand
}

func (c *commands) names(t *testing.T) (out []string) {
	t.Helper()
	pager := c.client.NewListByVirtualMachinePager(group, c.vm, &armcompute.VirtualMachineRunCommandsClientListByVirtualMachineOptions{
		Expand: to.Ptr("instanceView"),
	})
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.same(t, "a page of run commands", page.VirtualMachineRunCommandsListResult)
		for _, one := range page.Value {
			out = append(out, *one.Name)
		}
	}
	return out
}

func (c *commands) remove(t *testing.T, name string) {
	t.Helper()
	poller, err := c.client.BeginDelete(t.Context(), group, c.vm, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.later(t)
	if _, err := poller.PollUntilDone(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestRunCommands(t *testing.T) {
	prepare, err := os.ReadFile("../../backend/cloud/guest/windows_prepare.ps1")
	if err != nil {
		t.Fatal(err)
	}
	for vm, played := range map[string]struct {
		text   string
		state  armcompute.ExecutionState
		code   int32
		output string
	}{
		"linux-1":   {"echo hello\nexit 7\n", armcompute.ExecutionStateFailed, 7, "hello\n"},
		"windows-1": {string(prepare), armcompute.ExecutionStateSucceeded, 0, "cloudpw"},
	} {
		c := newCommands(t, vm)
		view := c.run(t, "one", played.text).Properties.InstanceView
		if *view.ExecutionState != played.state || *view.ExitCode != played.code || !strings.Contains(*view.Output, played.output) ||
			view.EndTime.Before(*view.StartTime) {
			t.Errorf("on %s: %s", vm, c.sent.last())
		}
		plain, err := c.client.GetByVirtualMachine(t.Context(), group, vm, "ONE", nil)
		if err != nil {
			t.Fatal(err)
		}
		if plain.Properties.InstanceView != nil || *plain.Properties.Source.Script != played.text || *plain.Properties.TimeoutInSeconds != 120 {
			t.Errorf("without its view: %s", c.sent.last())
		}
		if again := c.run(t, "one", played.text).Properties.InstanceView; !again.StartTime.Equal(*view.StartTime) {
			t.Error("a name ran again with the same content")
		}
		if names := c.names(t); len(names) != 1 || names[0] != "one" {
			t.Errorf("%v are listed", names)
		}
		c.remove(t, "one")
		if names := c.names(t); len(names) != 0 {
			t.Errorf("%v are listed after the deletion", names)
		}
		c.remove(t, "one")
	}
}

func TestRunCommandsAreRefused(t *testing.T) {
	c := newCommands(t, "linux-1")
	get := func(group, vm, name string) error {
		_, err := c.client.GetByVirtualMachine(t.Context(), group, vm, name, nil)
		return err
	}
	refused(t, "an unknown command", get(group, c.vm, "nobody"), http.StatusNotFound, "ResourceNotFound")
	refused(t, "an unknown server", get(group, "nobody", "one"), http.StatusNotFound, "ParentResourceNotFound")
	refused(t, "an unknown resource group", get("nobody", c.vm, "one"), http.StatusNotFound, "ResourceGroupNotFound")

	_, err := c.client.BeginCreateOrUpdate(t.Context(), group, c.vm, "one", script("northeurope", "true"), nil)
	refused(t, "another region", err, http.StatusBadRequest, "InvalidParameter")

	key := "access-keys/azure/" + c.account().Client
	c.admin(t, http.MethodPut, key, map[string]any{"deny": []string{"arm:Microsoft.Compute/virtualMachines/runCommands/write"}})
	_, err = c.put(t, "one", "true")
	refused(t, "what no role allows", err, http.StatusForbidden, "AuthorizationFailed")
	c.admin(t, http.MethodPut, key, map[string]any{})

	c.run(t, "kept", "true")
	server := "servers/" + c.account().Servers[c.vm]
	c.admin(t, http.MethodPost, server+"/stop", nil)
	c.later(t)
	_, err = c.put(t, "late", "true")
	refused(t, "a server that is stopped", err, http.StatusConflict, "OperationNotAllowed")
	_, err = c.client.BeginDelete(t.Context(), group, c.vm, "kept", nil)
	refused(t, "a deletion on a server that is stopped", err, http.StatusConflict, "OperationNotAllowed")
}

// The documents name limits: how often one server can be changed, and how many commands it has.
func TestLimitsOfOneServer(t *testing.T) {
	c := newCommands(t, "linux-1")
	made := 0
	fill := func(n int) (err error) {
		for ; n > 0 && err == nil; n-- {
			if _, err = c.put(t, fmt.Sprintf("n-%d", made), "true"); err == nil {
				made++
			}
		}
		return err
	}
	header := refused(t, "too many at once", fill(13), http.StatusTooManyRequests, "OperationNotAllowed")
	if header.Get("Retry-After") == "" || !strings.Contains(header.Get("X-Ms-Ratelimit-Remaining-Resource"), "UpdateVM") {
		t.Errorf("the header is %v", header)
	}
	for made < 25 {
		c.later(t)
		if err := fill(min(12, 25-made)); err != nil {
			t.Fatal(err)
		}
	}
	if names := c.names(t); len(names) != 25 {
		t.Errorf("%d are listed, want 25", len(names))
	}
	c.later(t)
	refused(t, "one more", fill(1), http.StatusBadRequest, "BadRequest")
	if !strings.Contains(string(c.sent.last()), "(max=25, current=25)") {
		t.Errorf("one more is refused with %s", c.sent.last())
	}
}
