package coc

import (
	"context"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// batch is what COC shows of the one batch of an order.
type batch struct {
	Instances []execInstance `json:"execute_instances"`
}

type execInstance struct {
	Target struct {
		Resource string `json:"resource_id"`
	} `json:"target_instance"`
	Status string `json:"status"`
	// Message is the log of the script on this server.
	Message string `json:"message"`
}

// Look implements guest.Service. Each order has one batch, and that one server.
func (c *Center) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	runs := make(map[cloud.ResetRef]guest.Run, len(refs))
	for _, ref := range refs {
		if !idForm.MatchString(ref.RequestID) {
			continue
		}
		var found batch
		status, err := c.API.Send(ctx, Request{
			Action: ActionBatch, Permission: permissionOrders, Method: http.MethodGet,
			Path: "script/orders/" + ref.RequestID + "/batches/1?limit=10", Data: &found,
		})
		if status == http.StatusNotFound && ownCode(err) { // not there yet, or not any more
			continue
		}
		if err != nil {
			return nil, err
		}
		var ours []execInstance
		for _, i := range found.Instances {
			if i.Target.Resource == ref.InstanceID {
				ours = append(ours, i)
			}
		}
		if len(ours) == 1 { // two tell nothing
			runs[ref] = ours[0].run()
		}
	}
	return runs, nil
}

// ownCode reports whether an error has one of COC's codes. An answer with the same status may as well come from the gateway, which
// knows no orders, or from somebody in between.
func ownCode(err error) bool { return strings.HasPrefix(cloud.CodeOf(err), "COC.") }

// The statuses of a server in an order. Not one of them says what the script did: only its own line does.
const (
	statusAbnormal   = "ABNORMAL"
	statusCanceled   = "CANCELED"
	statusFinished   = "FINISHED"
	statusRolledBack = "ROLLBACKED"
)

// ends are why a server of such a status has no outcome, where its log has none. Whether the script had begun no status tells.
var ends = map[string]string{
	statusFinished:   "COC calls the script finished, and its log does not have the line that the script ends with",
	statusAbnormal:   "COC could not run the script to its end; see that the server's UniAgent is online, and the execution record in COC",
	statusCanceled:   "somebody canceled the execution in COC",
	statusRolledBack: "COC calls the execution rolled back",
}

// run is what a server's status and log mean. A status that is not known is not final.
func (i execInstance) run() guest.Run {
	why, ended := ends[i.Status]
	if !ended {
		return guest.Run{State: guest.Running, Interpreter: guest.Shell}
	}
	if code, told := guest.ExitCode(i.Message); told {
		return guest.Run{State: guest.Exited, Interpreter: guest.Shell, ExitCode: code, Output: i.Message}
	}
	e := cloud.Errorf(cloud.Unknown, "%s", why)
	if said := text.Line(guest.WithoutHashes(i.Message), cloud.MaxText); said != "" {
		e.Message += "; the log says: " + said
	}
	return guest.Run{State: guest.CutOff, Interpreter: guest.Shell, Failure: e}
}
