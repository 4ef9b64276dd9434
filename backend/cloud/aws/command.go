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

// command runs scripts in the guest by Run Command of AWS Systems Manager.
type command struct{ *Provider }

var _ guest.Service = command{}

// Resetter implements cloud.PasswordResetters.
func (p *Provider) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodCommand {
		return guest.Resetter{Service: command{p}, Keys: p.guests}
	}
	return nil
}

// Checker implements cloud.PasswordCheckers.
func (p *Provider) Checker(method string) cloud.PasswordChecker {
	if method == cloud.CheckCommand {
		return guest.Checker{Service: command{p}, Hashing: p.hashing, Keys: p.guests}
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
	// requestLifetime is how long after its signing a request may still be accepted: it counts as expired
	// 15 minutes after the date that is stamped on it, and that date may be 15 minutes in the future
	// (Systems Manager API reference, "Common Error Types", RequestExpired). The IAM user guide says
	// five minutes for most services ("Signing AWS API requests"); the longer time is the safe one.
	requestLifetime = 30 * time.Minute

	// visibilityGrace is ours: a command is normally visible within a second. One that is repeated too early does no harm.
	visibilityGrace = time.Minute
)

const (
	// maxComment is how many characters a command's comment may have (SendCommand, Comment).
	maxComment = 100
	// commentPrefix begins it. The cloud's history shows it.
	commentPrefix = "cloudpw: "
)

// comment says what a command is for, and ends with our own id of it, if it has one.
func comment(purpose guest.Purpose, name string) string {
	if name == "" {
		return commentPrefix + string(purpose)
	}
	if full := commentPrefix + string(purpose) + " " + name; len(full) <= maxComment {
		return full
	}
	return commentPrefix + name
}

// commandForm is the form of command ids: that of a UUID.
var commandForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Limits implements guest.Service. An agent runs the commands of an instance side by side, so they are not serial.
// SendCommand could name 50 instances, but it refuses them all for one that has no agent, and Windows servers need each
// a script of its own.
func (c command) Limits() guest.Limits {
	limits := guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            "SendCommand",
			BatchSize:         1,
			SignatureLifetime: requestLifetime,
			LongestOperation:  cloud.ClockTolerance,
			VisibilityGrace:   visibilityGrace,
			PollInterval:      c.poll,
			KeepsOrder:        true,
			OwnIDs:            true,
		},
		Call:    sendCommand("").String(),
		History: "Run Command's history",
	}
	if c.mayNotAsk(endpointSSM) {
		limits.Unavailable = cloud.Errorf(cloud.Refused,
			"endpoints.ssm: required together with endpoints.ec2 and reset_method=%s or check_method=%s, "+
				"as commands for your own EC2 endpoint are not sent to Amazon's Systems Manager by default; "+
				"to send them there, set it to https://ssm.%s.amazonaws.com, or to the host of Systems Manager in the region's partition",
			cloud.MethodCommand, cloud.CheckCommand, c.region)
	}
	return limits
}

// Send implements guest.Service by ssm SendCommand.
func (c command) Send(ctx context.Context, wanted guest.Command) (string, error) {
	instance := wanted.InstanceIDs[0] // BatchSize
	in := commandInput(instance, wanted)
	var out *ssm.SendCommandOutput
	var err error
	if wanted.AtOnce() {
		out, err = sendAtOnce(ctx, c.sender, sendCommand(instance), c.ssm.sendCommand, in, wanted.Secrets...)
	} else {
		out, err = send(ctx, c.sender, sendCommand(instance), c.ssm.sendCommand, in, wanted.Secrets...)
	}
	if err != nil {
		return "", err
	}
	return commandID(instance, out)
}

func sendCommand(instance string) call { return call{endpointSSM, "SendCommand", instance} }

// commandInput makes the request that runs a script on an instance. Its lines go as they are: a script
// holds no "{{", which Systems Manager would take for a parameter's name.
func commandInput(instance string, wanted guest.Command) *ssm.SendCommandInput {
	document := shellDocument
	if wanted.Script.Interpreter == guest.PowerShell {
		document = powerShellDocument
	}
	return &ssm.SendCommandInput{
		DocumentName:   &document,
		InstanceIds:    []string{instance},
		Comment:        sdk.String(comment(wanted.Purpose, wanted.Name)),
		TimeoutSeconds: sdk.Int32(int32(deliveryTimeout / time.Second)),
		Parameters: map[string][]string{
			"commands":         wanted.Script.Lines(),
			"executionTimeout": {strconv.Itoa(int(executionTimeout / time.Second))},
		},
	}
}

// commandID reads the id of an accepted command.
func commandID(instance string, out *ssm.SendCommandOutput) (string, error) {
	if out.Command == nil || !commandForm.MatchString(sdk.ToString(out.Command.CommandId)) {
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer names no command, so its outcome cannot be followed; check endpoints.ssm",
			sendCommand(instance))
	}
	return *out.Command.CommandId, nil
}
