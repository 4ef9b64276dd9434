package aws

import (
	"context"
	"regexp"
	"strconv"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// command is the reset method that runs a script in the guest, by Run Command of AWS Systems Manager. The
// instance keeps running.
type command struct{ *Provider }

var (
	_ cloud.PasswordResetter = command{}
	_ cloud.ResetChecker     = command{}
	_ cloud.ResetPreparer    = command{}
)

// Resetter implements cloud.PasswordResetters.
func (p *Provider) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodCommand {
		return command{p}
	}
	return nil
}

// The documents by which scripts are run, which every account and region has.
const (
	shellDocument      = "AWS-RunShellScript"
	powerShellDocument = "AWS-RunPowerShellScript"
)

const (
	// deliveryTimeout is TimeoutSeconds of a command (30 to 2592000 seconds): an agent that has not begun
	// with it by then does not run it any more. Agents that are online fetch commands within seconds.
	deliveryTimeout = 2 * time.Minute
	// executionTimeout is the documents' parameter of that name (1 to 172800 seconds), after which the
	// agent ends the script. One takes milliseconds on Linux, and on a small Windows server up to a
	// minute until PowerShell has started.
	executionTimeout = 5 * time.Minute
	// reportMargin is ours: what the agent may take to end a script and to report it.
	reportMargin = 3 * time.Minute

	// requestLifetime is how long after its signing a request may still be accepted: it counts as expired
	// 15 minutes after the date that is stamped on it, and that date may be 15 minutes in the future
	// (Systems Manager API reference, "Common Error Types", RequestExpired). The IAM user guide says
	// five minutes for most services ("Signing AWS API requests"); the longer time is the safe one.
	requestLifetime = 30 * time.Minute

	// visibilityGrace and pollInterval are ours: a command is normally visible within a second.
	visibilityGrace = 2 * time.Minute
	pollInterval    = 2 * time.Second
)

// Comments of the commands, which the cloud's history shows: at most 100 characters.
const (
	commentSet     = "cloudpw: set the password of an account"
	commentPrepare = "cloudpw: show the public key for passwords, made unless it is there"
)

// commandForm is the form of command ids: that of a UUID.
var commandForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// ResetTraits implements cloud.PasswordResetter. An agent runs the commands of an instance side by side,
// so they are not serial. SendCommand could name 50 instances, but it refuses them all for one that has no
// agent, and Windows servers need each a script of its own.
func (command) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action:            "SendCommand",
		BatchSize:         1,
		SignatureLifetime: requestLifetime,
		LongestOperation:  deliveryTimeout + executionTimeout + reportMargin,
		VisibilityGrace:   visibilityGrace,
		PollInterval:      pollInterval,
	}
}

// CheckReset implements cloud.ResetChecker.
func (c command) CheckReset(i cloud.Instance, username string) error {
	if err := c.check(i.Platform); err != nil {
		return err
	}
	return guest.CheckUsername(i.Platform, username)
}

// check refuses what no command can be sent for.
func (c command) check(platform cloud.Platform) error {
	switch {
	case c.mayNotAsk(endpointSSM):
		return cloud.Errorf(cloud.Refused, "endpoints.ssm: required together with endpoints.ec2 and reset_method=%s, as commands for one's own EC2 endpoint are not taken to "+
			"Amazon's Systems Manager unasked; if they are meant for that, set it to https://ssm.%s.amazonaws.com or its like in the region's partition", cloud.MethodCommand, c.region)
	case platform != cloud.Linux && platform != cloud.Windows:
		return cloud.Errorf(cloud.Refused, "reset_method: the instance is not known to run Linux or Windows, and cloudpw has no command for anything else")
	}
	return nil
}

// StartReset implements cloud.PasswordResetter by ssm SendCommand. The request id of the answer is the
// command's.
func (c command) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	instance, err := oneInstance(reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	script, err := c.script(reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	out, err := sendAtOnce(ctx, c.Provider, sendCommand(instance), c.ssm.sendCommand, commandInput(instance, script, commentSet), reset.Password, script.Sealed)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	id, err := commandID(instance, out)
	return cloud.ResetStarted{RequestID: id}, err
}

func oneInstance(reset cloud.Reset) (string, error) {
	if n := len(reset.InstanceIDs); n != 1 {
		return "", cloud.Errorf(cloud.Refused, "ssm SendCommand: %d instances given; a command of cloudpw is for one", n)
	}
	return reset.InstanceIDs[0], validateInstanceID(reset.InstanceIDs[0])
}

// script makes the script of a reset.
func (c command) script(reset cloud.Reset) (guest.Script, error) {
	if err := c.check(reset.Platform); err != nil {
		return guest.Script{}, err
	}
	if reset.Platform == cloud.Linux {
		return guest.Linux(reset.Username, reset.Password)
	}
	var key guest.PublicKey
	if err := key.UnmarshalText([]byte(reset.Prepared)); err != nil {
		return guest.Script{}, cloud.Errorf(cloud.Refused, "ssm SendCommand: %v", err)
	}
	return guest.WindowsSet(reset.Username, reset.Password, key)
}

func sendCommand(instance string) call { return call{endpointSSM, "SendCommand", instance} }

// commandInput makes the request that runs a script on an instance. Its lines go as they are: a script
// holds no "{{", which Systems Manager would take for a parameter's name.
func commandInput(instance string, script guest.Script, comment string) *ssm.SendCommandInput {
	document := shellDocument
	if script.Interpreter == guest.PowerShell {
		document = powerShellDocument
	}
	return &ssm.SendCommandInput{
		DocumentName:   &document,
		InstanceIds:    []string{instance},
		Comment:        &comment,
		TimeoutSeconds: sdk.Int32(int32(deliveryTimeout / time.Second)),
		Parameters: map[string][]string{
			"commands":         script.Lines(),
			"executionTimeout": {strconv.Itoa(int(executionTimeout / time.Second))},
		},
	}
}

// commandID reads the id of an accepted command.
func commandID(instance string, out *ssm.SendCommandOutput) (string, error) {
	if out.Command == nil || !commandForm.MatchString(sdk.ToString(out.Command.CommandId)) {
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer names no command, so its outcome cannot be followed; check endpoints.ssm", sendCommand(instance))
	}
	return *out.Command.CommandId, nil
}
