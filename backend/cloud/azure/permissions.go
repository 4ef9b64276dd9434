package azure

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.PermissionChecker = (*provider)(nil)

// What each permission is for.
const (
	forMachines   = "find virtual machines, and read their state"
	forState      = "read what a virtual machine and its agent do at the moment"
	forReset      = "set and check passwords by a command in the guest"
	forOutcome    = "see what became of a command"
	forCleaning   = "remove a command whose outcome is known; a virtual machine keeps 25 at most"
	forAddresses  = "show the private addresses of virtual machines"
	probeGroup    = "cloudpw-no-such-group"
	probeLocation = "westeurope"
)

// probe is where permissions are tried: in the resource group of a machine that the credentials see, or in one that does not exist.
type probe struct {
	// machine is the path of a machine, or "".
	machine string
	// none is the path of one that surely does not exist.
	none string
	// location is that of the machine.
	location string
}

// CheckPermissions implements cloud.PermissionChecker. The cloud has no dry run. What reads is tried as it is; what changes something
// is tried on a machine that does not exist, as the cloud asks for the permission first and for the machine then. An error means that
// nothing can be told, as the credentials themselves do not work.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	at, err := p.probe(ctx)
	if err != nil && !permissionMissing(err) {
		return nil, err
	}
	all := []cloud.Permission{
		p.permission(permitVirtualMachines, forMachines, true).Tried(err, permissionMissing),
		p.tryState(ctx, at),
		p.tryOutcome(ctx, at),
		p.concluded(p.permission(permitRunCommandsWrite, forReset, true), at, p.ask(ctx, runCommandsUpdate, at.put(), nil)),
		p.concluded(p.permission(permitRunCommandsDelete, forCleaning, true), at,
			p.ask(ctx, runCommandsDelete, request{method: http.MethodDelete, path: at.none + probeCommand}, nil)),
	}
	err = p.ask(ctx, networkInterfacesList, request{method: http.MethodGet, path: p.collection(networkPath)}, &page[networkInterface]{})
	return append(all, p.permission(permitInterfaces, forAddresses, false).Tried(err, permissionMissing)), nil
}

// probe looks where permissions can be tried. Its error is that of the list of machines.
func (p *provider) probe(ctx context.Context) (probe, error) {
	name := make([]byte, 16)
	if _, err := rand.Read(name); err != nil {
		return probe{}, cloud.Errorf(cloud.Unavailable, "make a name: %v", err)
	}
	none := computePath + "/cloudpw-none-" + hex.EncodeToString(name)
	at := probe{none: groupPath(p.subscription, probeGroup) + none, location: probeLocation}
	var first page[machine]
	if err := p.ask(ctx, virtualMachinesList, request{method: http.MethodGet, path: p.collection(computePath)}, &first); err != nil {
		return at, err
	}
	for i := range first.Value {
		if v, ok := first.Value[i].vm(p.subscription); ok {
			return probe{machine: v.path, none: groupOf(v.path) + none, location: v.location}, nil
		}
	}
	return at, nil
}

// probeCommand is the path of a run command that no machine has, below that of the machine.
const probeCommand = runCommandsPath + "/cloudpw-permission"

// put is a run command that does nothing, for the machine that does not exist.
func (at probe) put() request {
	type source struct {
		Script string `json:"script"`
	}
	type properties struct {
		Source source `json:"source"`
	}
	return request{method: http.MethodPut, path: at.none + probeCommand, body: struct {
		Location   string     `json:"location"`
		Properties properties `json:"properties"`
	}{at.location, properties{source{"exit 0\n"}}}}
}

// tryState reads what a machine does.
func (p *provider) tryState(ctx context.Context, at probe) cloud.Permission {
	out := p.permission(permitInstanceView, forState, true)
	if at.machine == "" {
		return p.concluded(out, at, p.ask(ctx, instanceViewGet, request{method: http.MethodGet, path: at.none + "/instanceView"}, nil))
	}
	return out.Tried(p.ask(ctx, instanceViewGet, request{method: http.MethodGet, path: at.machine + "/instanceView"}, nil), permissionMissing)
}

// tryOutcome lists the run commands of a machine.
func (p *provider) tryOutcome(ctx context.Context, at probe) cloud.Permission {
	out := p.permission(permitRunCommandsRead, forOutcome, true)
	query := url.Values{"$expand": {"instanceView"}}
	if at.machine == "" {
		return p.concluded(out, at, p.ask(ctx, runCommandsGet, request{method: http.MethodGet, path: at.none + probeCommand, query: query}, nil))
	}
	return out.Tried(p.ask(ctx, runCommandsGet, request{method: http.MethodGet, path: at.machine + runCommandsPath, query: query}, nil),
		permissionMissing)
}

// concluded judges the answer about a machine that does not exist.
func (p *provider) concluded(out cloud.Permission, at probe, err error) cloud.Permission {
	if err == nil || notFound(err) {
		out = out.Tried(nil, permissionMissing)
		out.Message = "concluded from the cloud's answer about a virtual machine that does not exist"
		return out
	}
	out = out.Tried(err, permissionMissing)
	if out.Verdict != cloud.PermissionDenied {
		return out
	}
	if at.machine == "" {
		out.Message += "; a role that is assigned to resource groups only is answered like this, too, as no virtual machine could be seen"
	} else {
		out.Message += "; a role that is assigned to single virtual machines only is answered like this, too, as one that does not exist is " +
			"not among them"
	}
	return out
}

func (p *provider) permission(action, purpose string, required bool) cloud.Permission {
	return cloud.Permission{Action: action, Purpose: purpose, Required: required, Policy: policy(p.subscription, action)}
}

// policy is a custom role that allows one action, and to read virtual machines, which everything needs. The action stands on a line of
// its own, so that the roles of several actions can be merged line by line.
func policy(subscription, action string) string {
	actions := []string{permitVirtualMachines}
	if action != permitVirtualMachines {
		actions = []string{action, permitVirtualMachines}
	}
	role, err := json.MarshalIndent(struct {
		Name             string
		IsCustom         bool
		Description      string
		Actions          []string
		NotActions       []string
		AssignableScopes []string
	}{"cloudpw", true, "Set passwords of virtual machines by run commands.", actions, []string{}, []string{"/subscriptions/" + subscription}},
		"", "  ")
	if err != nil { // texts always encode
		return ""
	}
	return string(role)
}
