package aws

import (
	"context"
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
	out, err := send(ctx, c.sender, asked, c.ssm.getCommandInvocation, &ssm.GetCommandInvocationInput{CommandId: &id, InstanceId: &instance})
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

// state judges the status. What is not known to be final goes on.
func (i *invocation) state() guest.State {
	switch strings.ToLower(i.status) {
	case "success":
		return guest.Exited
	case "failed":
		// Undeliverable and Terminated have no script that ended; nor has a document that could not be run.
		if i.details == "undeliverable" || i.details == "terminated" || i.exitCode < 0 {
			return guest.CutOff
		}
		return guest.Exited
	case "timedout", "cancelled":
		return guest.CutOff
	}
	return guest.Running
}

// reason says why an invocation was cut off, in words.
//
// None of these proves that nothing was changed. That holds for "Delivery Timed Out", too: the cloud sets it
// for whatever has not been reported when a command expires, invocations in progress among them (API
// reference, Command, ExpiresAfter), so an agent that lost its way to the cloud may have run the script.
func (i *invocation) reason() string {
	switch {
	case i.details == "deliverytimedout":
		return "the instance's SSM Agent has not reported that it ran the command; see that the instance runs and that the agent reaches " +
			"Systems Manager"
	case i.details == "executiontimedout":
		return fmt.Sprintf("the command did not end within %.0f minutes on the instance; see whether the server is overloaded or in trouble",
			executionTimeout.Minutes())
	case i.details == "undeliverable":
		return "the command could not be delivered; see that the instance runs and that its SSM Agent reaches Systems Manager"
	case strings.EqualFold(i.status, "cancelled"):
		return "someone cancelled the command"
	case strings.EqualFold(i.status, "failed"):
		return "the instance's SSM Agent could not run the command; update the agent, or run a command on the instance by hand to see why"
	}
	return "Systems Manager ended the command (" + text.Line(i.status+", "+i.details, cloud.MaxText) + ")"
}

// run is the invocation as package guest judges it. Nothing proves of one that was cut off that it has not begun.
func (i *invocation) run() guest.Run {
	r := guest.Run{State: i.state(), Interpreter: i.interpreter, ExitCode: i.exitCode, Output: i.output}
	if r.State == guest.CutOff {
		r.Failure = cloud.Errorf(cloud.Unknown, "%s", i.reason())
	}
	return r
}

// Look implements guest.Service. A command of which only our own id is known costs a listing first.
func (c command) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	runs := make(map[cloud.ResetRef]guest.Run, len(refs))
	for _, ref := range refs {
		id := ref.RequestID
		if id == "" {
			found, err := c.find(ctx, ref)
			if err != nil {
				return nil, err
			}
			if id = found; id == "" {
				continue
			}
		}
		i, err := c.invocation(ctx, id, ref.InstanceID)
		if err != nil {
			return nil, err
		}
		if i != nil {
			run := i.run()
			run.ID = id
			runs[ref] = run
		}
	}
	return runs, nil
}
