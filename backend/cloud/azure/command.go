package azure

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// command runs scripts in the guest by managed run commands.
type command struct{ *provider }

var _ guest.Service = command{}

const (
	// commandTimeout is how long a script may run. One takes milliseconds on Linux, and on a small Windows server up to a
	// minute until PowerShell has started. The server's handler then ends it.
	commandTimeout = 2 * time.Minute
	// maxScript is the longest script that the handler takes on Linux (run-command-handler-linux at f95dc24, internal/cmds/cmds.go).
	maxScript = 256 << 10
	// requestLinger is how long after its sending a request may still reach the cloud: a token has no time of signing, so
	// nothing but what stands in front of the cloud bounds it. The figure is ours, as for OpenStack. What comes later does no
	// harm, since the script begins with nothing late.
	requestLinger = 15 * time.Minute
	// visibilityGrace is ours, too: the cloud has the command's resource when it answers the request.
	visibilityGrace = 30 * time.Second
)

// Limits implements guest.Service. The handler runs the commands of a server side by side, so they are not serial. Nothing bounds
// when the cloud hands a command to a server: one that was accepted before a stop is carried out at the next start. The script itself
// begins with nothing late, and refuses a value that is older than the server's.
func (c command) Limits() guest.Limits {
	return guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            runCommandsUpdate.name,
			BatchSize:         1,
			SignatureLifetime: requestLinger,
			LongestOperation:  cloud.ClockTolerance,
			VisibilityGrace:   visibilityGrace,
			PollInterval:      c.poll,
			KeepsOrder:        true,
			OwnIDs:            true,
		},
		Call:    runCommandsUpdate.String(),
		History: "the run commands of the virtual machine (az vm run-command show)",
	}
}

// resource is a run command, as it is sent.
type resource struct {
	Location   string     `json:"location"`
	Properties properties `json:"properties"`
}

type properties struct {
	AsyncExecution      bool        `json:"asyncExecution"`
	FailsDeployment     bool        `json:"treatFailureAsDeploymentFailure"`
	TimeoutInSeconds    int         `json:"timeoutInSeconds"`
	Source              source      `json:"source"`
	ProtectedParameters []parameter `json:"protectedParameters,omitempty"`
}

type source struct {
	Script string `json:"script"`
}

// Send implements guest.Service by the creation of a run command. Its name, which we choose, is the command's id.
func (c command) Send(ctx context.Context, wanted guest.Command) (string, error) {
	text, secret, err := shielded(wanted.Script)
	if err != nil {
		return "", err
	}
	if len(text) > maxScript {
		return "", cloud.Errorf(cloud.Refused, "%s: the script is longer than the server takes; report it as a bug", runCommandsUpdate)
	}
	v, err := c.target(ctx, wanted)
	if err != nil {
		return "", err
	}
	name := nameOf(wanted)
	// That a script waits for its end, and that its failure is none of the deployment's, are the defaults, set explicitly since
	// the outcome is judged by them.
	r := request{method: http.MethodPut, path: commandPath(v, name), body: resource{v.location, properties{
		TimeoutInSeconds: int(commandTimeout / time.Second), Source: source{text}, ProtectedParameters: secret,
	}}}
	send := c.ask
	if wanted.AtOnce() {
		send = c.exchange
	}
	if err := send(ctx, runCommandsUpdate, r, nil, wanted.Secrets...); err != nil {
		return "", explained(err)
	}
	return name, nil
}

// target is the virtual machine that a command is for.
//
// Where that of an attempt is, is known without a request, since a look at the server comes before each (Ready). A virtual machine
// that takes the place of another in between would be sent its command, and the next look at the server would find it gone. Before
// any other command there was no such look, and one that waits for an agent leaves a record that nobody may delete.
func (c command) target(ctx context.Context, wanted guest.Command) (v vm, err error) {
	var known bool
	id := wanted.InstanceIDs[0] // Limits has no larger batch
	if wanted.AtOnce() {
		v, known, err = c.find(ctx, id)
	} else {
		v, known, err = c.ready(ctx, id)
	}
	if err == nil && !known {
		err = cloud.Errorf(cloud.NotFound, "%s: the subscription has no virtual machine %s", runCommandsUpdate, id)
	}
	return v, err
}

// tooMany is how the cloud refuses a command because of those that the virtual machine has. Neither the status nor the code of that
// refusal is documented.
var tooMany = regexp.MustCompile(`(?i)maximum number of managed run ?commands`)

// explained is the error of a command that was not taken, with what there is to do about it.
func explained(err error) error {
	e, status := cloud.AsError(err), statusOf(err)
	if e == nil || e.Kind == cloud.Throttled || status < http.StatusBadRequest || status >= http.StatusInternalServerError ||
		!tooMany.MatchString(e.Message) {
		return err
	}
	full := *e
	full.Kind, full.Message = cloud.Refused, e.Message+"; "+roomAdvice
	return &full
}

// roomAdvice is what an operator can do for a virtual machine that takes no further command.
const roomAdvice = "a virtual machine keeps 25 run commands at most: list them (az vm run-command list), and delete those that have " +
	"ended and are needed no more (az vm run-command delete)"
