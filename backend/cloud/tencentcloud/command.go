package tencentcloud

import (
	"context"
	"encoding/base64"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// command runs scripts in the guest by Tencent's Automation Tools (TAT).
type command struct{ *provider }

var _ guest.Service = command{}

// Checker implements cloud.PasswordCheckers.
func (p *provider) Checker(method string) cloud.PasswordChecker {
	if method == cloud.CheckCommand {
		return guest.Checker{Service: command{p}, Hashing: p.hashing}
	}
	return nil
}

const (
	// maxCommandIDs is the limit of InstanceIds (models.go, RunCommandRequestParams).
	maxCommandIDs = 100
	// commandTimeout is how long a script may run, in seconds (1 to 86400, same place). One takes
	// milliseconds on Linux and a second or two on Windows.
	commandTimeout = 120
	// commandName is what the console shows (at most 60 bytes).
	commandName = "cloudpw"
)

// Limits implements guest.Service. TAT runs the commands of an instance side by side, so they are not serial. No page states how
// long it keeps a command that it has taken for an agent which was online a moment ago: the script itself begins with nothing late.
func (c command) Limits() guest.Limits {
	limits := guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            runCommand.name,
			BatchSize:         maxCommandIDs,
			PollBatch:         maxInvocations,
			SignatureLifetime: timestampWindow + clockSkew,
			LongestOperation:  cloud.ClockTolerance,
			VisibilityGrace:   visibilityGrace,
			PollInterval:      c.poll,
			KeepsOrder:        true,
			OwnIDs:            true,
		},
		Call:    runCommand.String(),
		History: "the cloud's console",
		Instead: "; use reset_method=" + cloud.MethodAPI,
	}
	if c.mayNotAsk(endpointTAT) {
		limits.Unavailable = cloud.Errorf(cloud.Refused,
			"endpoints.tat: required together with endpoints.cvm and reset_method=%s or check_method=%s, "+
				"as commands for your own CVM endpoint are not sent to Tencent Cloud's TAT by default; to send them there, set it to https://%s",
			cloud.MethodCommand, cloud.CheckCommand, defaultHost(endpointTAT, c.cfg.Text(cloud.Region)))
	}
	return limits
}

// Send implements guest.Service by tat RunCommand. The command's id is that of TAT's invocation.
func (c command) Send(ctx context.Context, wanted guest.Command) (id string, err error) {
	content := base64.StdEncoding.EncodeToString([]byte(wanted.Script.Named(wanted.Name).Text))
	request := tat.NewRunCommandRequest()
	request.Content = &content
	request.InstanceIds = common.StringPtrs(wanted.InstanceIDs)
	request.CommandName = common.StringPtr(commandName)
	request.Timeout = common.Uint64Ptr(commandTimeout)
	request.SaveCommand = common.BoolPtr(false)
	// These are the defaults, set explicitly because the scripts need the rights of these users.
	request.CommandType, request.Username = common.StringPtr("SHELL"), common.StringPtr("root")
	if wanted.Script.Interpreter == guest.PowerShell {
		request.CommandType, request.Username = common.StringPtr("POWERSHELL"), common.StringPtr("System")
	}
	run := func(ctx context.Context, s *session) error {
		response, err := s.runCommand(ctx, request)
		if err != nil {
			return err
		}
		if response.Response == nil || !invocationForm.MatchString(value(response.Response.InvocationId)) {
			return cloud.Errorf(cloud.Unknown, "%s: the answer names no invocation, so its outcome cannot be followed", runCommand)
		}
		id = *response.Response.InvocationId
		return nil
	}
	secrets := append([]string{content}, wanted.Secrets...)
	if wanted.AtOnce() {
		// Temporary keys that are about to end cost a request of their own, before this one is signed.
		keys, err := c.source.get(ctx)
		if err != nil {
			return "", err
		}
		err = c.exchange(ctx, runCommand, keys, run, secrets...)
		return id, err
	}
	err = c.ask(ctx, runCommand, run, secrets...)
	return id, err
}
