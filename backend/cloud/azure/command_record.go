package azure

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// runCommand is a run command, as the cloud shows it.
type runCommand struct {
	Name       string
	Properties struct {
		Source            struct{ Script string }
		ProvisioningState string
		InstanceView      *runView
	}
}

// runView is what the server's handler has reported of a run command. The cloud may not have one yet.
type runView struct {
	ExecutionState     string
	ExecutionMessage   string
	ExitCode           *int
	Output             string
	StartTime, EndTime string
}

// The states of a view. Others are Unknown, Pending, Running, TimedOut and Canceled.
const (
	stateSucceeded = "Succeeded"
	stateFailed    = "Failed"
)

// final reports whether the script will not go on, as far as the view tells. One that has an end is final whatever its state is: a
// command that could not be configured was seen to be "Running" for ever with an end (azure-cli's recording
// test_run_command_v2.yaml), and one of which an upgrade has lost the outcome is "Unknown" (run-command-handler-linux,
// internal/cmds/cmds.go, createDummyStatusFilesIfNeeded). A provisioningState says nothing about the script.
func (v *runView) final() bool {
	return v != nil && (v.EndTime != "" || v.ExecutionState == stateSucceeded || v.ExecutionState == stateFailed)
}

// ended is when the script ended, by the server's clock; zero: it is not told.
func (v *runView) ended() time.Time {
	if !v.final() {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, v.EndTime)
	if err != nil {
		return time.Time{}
	}
	return at
}

// withView asks for the instance view, too.
func withView() url.Values { return url.Values{"$expand": {"instanceView"}} }

// shown asks for a command by its name; nil if the cloud does not show it (yet, or any more).
func (c command) shown(ctx context.Context, v vm, name string) (*runCommand, error) {
	var answer runCommand
	err := c.ask(ctx, runCommandsGet, request{method: http.MethodGet, path: commandPath(v, name), query: withView()}, &answer)
	if cloud.KindOf(err) == cloud.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(answer.Name, name) {
		return nil, cloud.Errorf(cloud.Unknown, "%s: the answer is not the run command that was asked for; check endpoints.arm", runCommandsGet)
	}
	return &answer, nil
}

// remove has the cloud delete a command. That may take a while after the answer. The caller knows that it is final: deleting one
// that runs would end it, and nothing would be known of it afterwards.
func (c command) remove(ctx context.Context, v vm, name string) error {
	err := c.ask(ctx, runCommandsDelete, request{method: http.MethodDelete, path: commandPath(v, name)}, nil)
	if cloud.KindOf(err) == cloud.NotFound {
		return nil
	}
	return err
}
