package tencentcloud

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// command is the reset method that runs a script in the guest, by Tencent's Automation Tools (TAT). The
// instance keeps running.
type command struct{ *provider }

var (
	_ cloud.PasswordResetter = command{}
	_ cloud.ResetChecker     = command{}
	_ cloud.ResetPreparer    = command{}
)

const (
	// maxCommandIDs is the limit of InstanceIds (models.go, RunCommandRequestParams).
	maxCommandIDs = 100
	// commandTimeout is how long a script may run, in seconds (1 to 86400, same place). One takes
	// milliseconds on Linux and a second or two on Windows.
	commandTimeout = 120
	// commandName is what the console shows (at most 60 bytes).
	commandName = "cloudpw"

	// longestCommand is ours, no page states how long TAT keeps a command that it has taken for an agent
	// which was online a moment ago. The script's own time is the least part of it.
	longestCommand = time.Hour
)

// ResetTraits implements cloud.PasswordResetter. TAT runs the commands of an instance side by side, so
// they are not serial.
func (command) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action:            runCommand.name,
		BatchSize:         maxCommandIDs,
		PollBatch:         maxInvocations,
		SignatureLifetime: timestampWindow + clockSkew,
		LongestOperation:  longestCommand,
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

// check refuses what no command can be made for.
func (c command) check(platform cloud.Platform) error {
	switch {
	case c.mayNotAsk(endpointTAT):
		return cloud.Errorf(cloud.Refused, "endpoints.tat: required together with endpoints.cvm and reset_method=command, as commands for one's own CVM endpoint "+
			"are not taken to Tencent Cloud's TAT unasked; if they are meant for that, set it to https://%s", defaultHost(endpointTAT, c.cfg.Region))
	case platform != cloud.Linux && platform != cloud.Windows:
		return cloud.Errorf(cloud.Refused, "reset_method: the cloud does not tell whether the instance runs Linux or Windows, which a command needs to know; use reset_method=api")
	}
	return nil
}

// StartReset implements cloud.PasswordResetter. The request id of the answer is the id of TAT's
// invocation.
func (c command) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	if err := cloud.CheckInstanceIDs(runCommand.String(), reset.InstanceIDs, maxCommandIDs, validateInstanceID); err != nil {
		return cloud.ResetStarted{}, err
	}
	script, err := c.script(reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	// Temporary keys that are about to end cost a request of their own, before this one is signed.
	keys, err := c.source.get(ctx)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	id, err := c.run(ctx, keys, reset.InstanceIDs, script, reset.Password)
	return cloud.ResetStarted{RequestID: id}, err
}

// script makes the script of a reset.
func (c command) script(reset cloud.Reset) (guest.Script, error) {
	if err := c.check(reset.Platform); err != nil {
		return guest.Script{}, err
	}
	if reset.Platform == cloud.Linux {
		return guest.Linux(reset.Username, reset.Password)
	}
	if len(reset.InstanceIDs) > 1 {
		return guest.Script{}, cloud.Errorf(cloud.Refused, "%s: a password is encrypted for one Windows server at a time", runCommand)
	}
	var key guest.PublicKey
	if err := key.UnmarshalText([]byte(reset.Prepared)); err != nil {
		return guest.Script{}, cloud.Errorf(cloud.Refused, "%s: %v", runCommand, err)
	}
	return guest.WindowsSet(reset.Username, reset.Password, key)
}

// run sends a script, at once, and returns the id of its invocation.
func (c command) run(ctx context.Context, keys *session, ids []string, script guest.Script, secrets ...string) (id string, err error) {
	content := base64.StdEncoding.EncodeToString([]byte(script.Text))
	request := tat.NewRunCommandRequest()
	request.Content = &content
	request.InstanceIds = common.StringPtrs(ids)
	request.CommandName = common.StringPtr(commandName)
	request.Timeout = common.Uint64Ptr(commandTimeout)
	request.SaveCommand = common.BoolPtr(false)
	// These are the defaults, set explicitly because the scripts need the rights of these users.
	request.CommandType, request.Username = common.StringPtr("SHELL"), common.StringPtr("root")
	if script.Interpreter == guest.PowerShell {
		request.CommandType, request.Username = common.StringPtr("POWERSHELL"), common.StringPtr("System")
	}
	err = c.exchange(ctx, runCommand, keys, func(ctx context.Context, s *session) error {
		response, err := s.runCommand(ctx, request)
		if err != nil {
			return err
		}
		if response.Response == nil || !invocationForm.MatchString(value(response.Response.InvocationId)) {
			return cloud.Errorf(cloud.Unknown, "%s: the answer names no invocation, so its outcome cannot be followed", runCommand)
		}
		id = *response.Response.InvocationId
		return nil
	}, append(secrets, content, script.Sealed)...)
	return id, err
}

// Prepares implements cloud.ResetPreparer: only Windows needs a key.
func (command) Prepares(platform cloud.Platform) bool { return platform != cloud.Linux }

// PrepareReset implements cloud.ResetPreparer. A Windows server is asked for its
// public key by a command of its own, whose end is waited for.
func (c command) PrepareReset(ctx context.Context, reset cloud.Reset) (string, error) {
	if !c.Prepares(reset.Platform) {
		return "", nil
	}
	if err := c.check(reset.Platform); err != nil {
		return "", err
	}
	if err := cloud.CheckInstanceIDs(runCommand.String(), reset.InstanceIDs, 1, validateInstanceID); err != nil {
		return "", err
	}
	keys, err := c.source.get(ctx)
	if err != nil {
		return "", err
	}
	if err := c.gate.Wait(ctx, runCommand.name); err != nil {
		return "", err
	}
	id, err := c.run(ctx, keys, reset.InstanceIDs, guest.WindowsPrepare())
	if err != nil {
		return "", err
	}
	t, err := c.await(ctx, id, reset.InstanceIDs[0])
	if err != nil {
		return "", err
	}
	key, err := t.key()
	if err != nil {
		return "", err
	}
	text, err := key.MarshalText()
	if err != nil {
		return "", cloud.Errorf(cloud.Refused, "%s: %v", runCommand, err)
	}
	return string(text), nil
}

// await waits until a command has ended on an instance.
func (c command) await(ctx context.Context, invocation, instance string) (*task, error) {
	for {
		wait := time.NewTimer(c.poll)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, &cloud.Error{Kind: cloud.Refused, Err: ctx.Err(),
				Message: runCommand.String() + ": the server has not made its key pair in time; see the invocation " + invocation + " in the cloud's console"}
		}
		tasks, err := c.tasks(ctx, []string{invocation})
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			if t.instance == instance && t.final() {
				return &t, nil
			}
		}
	}
}
