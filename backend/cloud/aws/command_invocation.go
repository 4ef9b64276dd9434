package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// invocation is a command on one instance.
type invocation struct {
	interpreter guest.Interpreter
	status      string // CommandInvocationStatus
	details     string // StatusDetails without blanks, in lower case
	exitCode    int    // -1: none
	output      string // standard output, then standard error
}

// invocation asks for a command on an instance by ssm GetCommandInvocation; nil if the cloud does not show
// it (yet).
func (c command) invocation(ctx context.Context, id, instance string) (*invocation, error) {
	asked := call{endpointSSM, "GetCommandInvocation", instance}
	out, err := send(ctx, c.Provider, asked, c.ssm.getCommandInvocation, &ssm.GetCommandInvocationInput{CommandId: &id, InstanceId: &instance})
	switch {
	case cloud.CodeOf(err) == codeNoInvocation:
		return nil, nil
	case err != nil:
		return nil, err
	case !strings.EqualFold(sdk.ToString(out.CommandId), id) || sdk.ToString(out.InstanceId) != instance:
		return nil, cloud.Errorf(cloud.Unknown, "%s: the answer is about another command; check endpoints.ssm", asked)
	}
	i := &invocation{
		interpreter: guest.Shell, status: string(out.Status),
		details:  strings.ToLower(strings.ReplaceAll(sdk.ToString(out.StatusDetails), " ", "")),
		exitCode: int(out.ResponseCode), output: sdk.ToString(out.StandardOutputContent) + "\n" + sdk.ToString(out.StandardErrorContent),
	}
	if sdk.ToString(out.DocumentName) == powerShellDocument {
		i.interpreter = guest.PowerShell
	}
	return i, nil
}

// How far an invocation is.
type invocationState int

const (
	running invocationState = iota
	ended                   // by itself, with an exit code
	cutOff                  // by the cloud or the agent; whether the script has run is not known
)

// state judges the status. What is not known to be final goes on.
func (i *invocation) state() invocationState {
	switch strings.ToLower(i.status) {
	case "success":
		return ended
	case "failed":
		// Undeliverable and Terminated have no script that ended; nor has a document that could not be run.
		if i.details == "undeliverable" || i.details == "terminated" || i.exitCode < 0 {
			return cutOff
		}
		return ended
	case "timedout", "cancelled":
		return cutOff
	}
	return running
}

// reason says why an invocation was cut off, in words.
//
// None of these proves that nothing was changed. That holds for "Delivery Timed Out", too: the cloud sets it
// for whatever has not been reported when a command expires, invocations in progress among them (API
// reference, Command, ExpiresAfter), so an agent that lost its way to the cloud may have run the script.
func (i *invocation) reason() string {
	switch {
	case i.details == "deliverytimedout":
		return "the instance's SSM Agent has not reported that it ran the command; see that the instance runs and that the agent reaches Systems Manager"
	case i.details == "executiontimedout":
		return fmt.Sprintf("the command did not end within %.0f minutes on the instance; see whether the server is overloaded or in trouble", executionTimeout.Minutes())
	case i.details == "undeliverable":
		return "the command could not be delivered; see that the instance runs and that its SSM Agent reaches Systems Manager"
	case strings.EqualFold(i.status, "cancelled"):
		return "somebody cancelled the command"
	case strings.EqualFold(i.status, "failed"):
		return "the instance's SSM Agent could not run the command; update the agent, or run a command on the instance by hand to see why"
	}
	return "Systems Manager ended the command (" + text.Line(i.status+", "+i.details, cloud.MaxText) + ")"
}

// outcome is what an invocation says of a reset: an error of the kind that guest.Outcome gives it, nil for
// a password that was set, for an invocation that is not running.
func (i *invocation) outcome() error {
	if i.state() == ended {
		return guest.Outcome(i.interpreter, i.exitCode, i.output)
	}
	return cloud.Errorf(cloud.Unknown, "%s", i.reason())
}

// record tells the core what an invocation says of the reset that it is.
func (c command) record(instance, id string, i *invocation) cloud.ResetRecord {
	r := cloud.ResetRecord{OperationID: id, State: cloud.OperationRunning}
	switch {
	case i == nil:
		return cloud.ResetRecord{} // not visible yet, as before the command
	case i.state() == running:
		return r
	}
	err := i.outcome()
	if err == nil {
		r.State = cloud.OperationSuccess
		return r
	}
	if guest.NeedsKey(err) {
		c.guests.drop(instance)
	}
	r.State, r.Message = cloud.OperationFailed, "command "+id+": "+err.Error()
	var failure *cloud.Error
	if errors.As(err, &failure) && (failure.Kind == cloud.Refused || failure.Kind == cloud.PasswordRefused) {
		r.Kind = failure.Kind
	}
	return r
}
