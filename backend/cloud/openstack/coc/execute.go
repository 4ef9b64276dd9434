package coc

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// scriptTimeout is how long a script may run: more than 5 and less than 1,800 seconds (ExecuteScript, execute_param.timeout). One
// takes milliseconds, and half a minute where the lock is taken.
const scriptTimeout = 2 * time.Minute

// idForm is that of the ids of scripts and orders, and wider: at most 26 letters and digits by the pages.
var idForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

type (
	execution struct {
		Param   executeParam   `json:"execute_param"`
		Batches []executeBatch `json:"execute_batches"`
	}
	executeParam struct {
		Timeout     int              `json:"timeout"`
		SuccessRate float64          `json:"success_rate"`
		User        string           `json:"execute_user"`
		Params      []scriptArgument `json:"script_params"`
	}
	scriptArgument struct {
		Name  string `json:"param_name"`
		Value string `json:"param_value"`
	}
	executeBatch struct {
		Index    int      `json:"batch_index"`
		Strategy string   `json:"rotation_strategy"`
		Targets  []target `json:"target_instances"`
	}
	target struct {
		Resource string `json:"resource_id"`
		Region   string `json:"region_id"`
		Provider string `json:"provider"`
		Type     string `json:"type"`
	}
)

// Send implements guest.Service by COC's ExecuteScript, of a script that COC has. The command's id is that of the order.
func (c *Center) Send(ctx context.Context, wanted guest.Command) (string, error) {
	stored := wanted.Script.Stored
	if stored == nil {
		return "", cloud.Errorf(cloud.Refused, "%s: the script has no form with parameters, and COC runs such alone", ActionExecute)
	}
	script := wanted.Prepared
	if !wanted.AtOnce() {
		var err error
		if script, err = c.script(ctx, wanted.Purpose, stored); err != nil {
			return "", err
		}
	}
	if !idForm.MatchString(script) {
		return "", cloud.Errorf(cloud.Refused, "%s: it was not looked whether COC has the script", ActionExecute)
	}
	body := execution{
		Param:   executeParam{Timeout: int(scriptTimeout / time.Second), SuccessRate: 100, User: "root"},
		Batches: []executeBatch{{Index: 1, Strategy: "CONTINUE"}},
	}
	for _, p := range stored.Parameters {
		body.Param.Params = append(body.Param.Params, scriptArgument{p.Name, p.Value})
	}
	for _, id := range wanted.InstanceIDs {
		body.Batches[0].Targets = append(body.Batches[0].Targets, target{id, c.Region, "ECS", "CLOUDSERVER"})
	}
	var order string
	_, err := c.API.Send(ctx, Request{
		Action: ActionExecute, Permission: permissionExecute, Method: http.MethodPost, Path: "scripts/" + script,
		Body: body, Data: &order, AtOnce: wanted.AtOnce(), Secrets: wanted.Secrets,
	})
	switch {
	case cloud.KindOf(err) == cloud.Refused:
		c.scripts.drop(script) // it may be the script that was refused: the next attempt looks at it again
		return "", err
	case err != nil:
		return "", err
	case !idForm.MatchString(order):
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer names no order, so its outcome cannot be followed", ActionExecute)
	}
	return order, nil
}
