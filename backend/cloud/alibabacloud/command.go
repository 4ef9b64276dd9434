package alibabacloud

import (
	"context"
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// command runs scripts in the guest by Cloud Assistant.
type command struct{ *provider }

var _ guest.Service = command{}

// Resetter implements cloud.PasswordResetters.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodCommand {
		return guest.Resetter{Service: command{p}, Keys: p.guests}
	}
	return nil
}

// Checker implements cloud.PasswordCheckers.
func (p *provider) Checker(method string) cloud.PasswordChecker {
	if method == cloud.CheckCommand {
		return guest.Checker{Service: command{p}, Hashing: p.hashing, Keys: p.guests}
	}
	return nil
}

const (
	// commandTimeout is how long a script may run. One takes milliseconds on Linux, and on a small Windows server up to a
	// minute until PowerShell has started. The agent then ends it.
	commandTimeout = 2 * time.Minute
	// maxContent is the limit of CommandContent with KeepCommand=false, in base64 (ecs-20140526 v7.7.0, run_command_request_model.go).
	maxContent = 24 << 10
	// commandName is the name of commands that are not looked for by it.
	commandName = "cloudpw"
)

// invokeForm is the form of the ids that commands have, t-hz0jdfwd9f and the like, and somewhat wider.
var invokeForm = regexp.MustCompile(`^t-[0-9A-Za-z-]{1,64}$`)

// Limits implements guest.Service. Agents run the commands of an instance side by side, so they are not serial. RunCommand could
// name 100 instances, but it refuses them all for one that will not do, and Windows servers need each a script of its own. The
// cloud hands a command to an agent within a minute or not at all (help.aliyun.com/document_detail/452179.htm, Aborted); of what
// an agent has been handed, the script itself begins with nothing late.
func (c command) Limits() guest.Limits {
	return guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            runCommand.name,
			BatchSize:         1,
			SignatureLifetime: dateWindow + clockSkew,
			LongestOperation:  cloud.ClockTolerance,
			VisibilityGrace:   visibilityGrace,
			PollInterval:      c.poll,
			KeepsOrder:        true,
			OwnIDs:            true,
		},
		Call:    runCommand.String(),
		History: "the cloud's console (ECS Cloud Assistant, command execution results)",
	}
}

// Send implements guest.Service by ecs RunCommand. The command's id is its InvokeId. Our own id is the request's ClientToken,
// by which the cloud takes it once, and the command's name, by which it is found.
func (c command) Send(ctx context.Context, wanted guest.Command) (string, error) {
	parameters, err := c.parameters(wanted)
	if err != nil {
		return "", err
	}
	secrets := append([]string{parameters.Get("CommandContent")}, wanted.Secrets...)
	var answer struct {
		InvokeID string `json:"InvokeId"`
	}
	if wanted.AtOnce() {
		// Temporary keys that are about to end cost a request of their own, before this one is signed.
		k, err := c.source.get(ctx)
		if err != nil {
			return "", err
		}
		err = c.exchange(ctx, runCommand, k, parameters, &answer, secrets...)
		if err != nil {
			return "", err
		}
	} else if err := c.ask(ctx, runCommand, parameters, &answer, secrets...); err != nil {
		return "", err
	}
	if !invokeForm.MatchString(answer.InvokeID) {
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer names no command, so its outcome cannot be followed; check endpoints.ecs",
			runCommand)
	}
	return answer.InvokeID, nil
}

// parameters are those of RunCommand.
func (c command) parameters(wanted guest.Command) (url.Values, error) {
	content := base64.StdEncoding.EncodeToString([]byte(wanted.Script.Text))
	if len(content) > maxContent {
		return nil, cloud.Errorf(cloud.Refused, "%s: the script is longer than the cloud takes; report it as a bug", runCommand)
	}
	parameters := url.Values{
		"RegionId":        {c.cfg.Text(cloud.Region)},
		"CommandContent":  {content},
		"ContentEncoding": {"Base64"},
		"Name":            {commandName},
		"Description":     {commandName + ": " + string(wanted.Purpose)},
		"Timeout":         {strconv.Itoa(int(commandTimeout / time.Second))},
		// These are the defaults, set explicitly because the scripts need the rights of these users, run once, and are
		// not to be kept for reuse.
		"Type": {shellType}, "Username": {shellUser}, "RepeatMode": {"Once"}, "KeepCommand": {"false"}, "EnableParameter": {"false"},
	}
	if wanted.Script.Interpreter == guest.PowerShell {
		parameters.Set("Type", powerShellType)
		parameters.Set("Username", powerShellUser)
	}
	if wanted.Name != "" {
		parameters.Set("Name", wanted.Name)
		parameters.Set("ClientToken", wanted.Name)
	}
	if wanted.Purpose == guest.TryPermission {
		parameters.Set("RepeatMode", "DryRun")
	}
	for n, id := range wanted.InstanceIDs {
		parameters.Set("InstanceId."+strconv.Itoa(n+1), id)
	}
	return parameters, nil
}

// What scripts are run by, and as whom.
const (
	shellType, shellUser           = "RunShellScript", "root"
	powerShellType, powerShellUser = "RunPowerShellScript", "System"
)
