package azureapi

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// route is one call, by the name that the API's specification gives it.
type route struct {
	name   string
	method string
	// pattern is the path, with names in braces.
	pattern string
	// kind is the resource type, and permission the action that a role must have; empty: the list has what its reader may see.
	kind, permission string
	run              func(*request) (reply, *failure)
}

// Resource providers and types.
const (
	compute     = "Microsoft.Compute"
	machines    = compute + "/virtualMachines"
	runCommands = machines + "/runCommands"
	operations  = compute + "/locations/operations"
	interfaces  = "Microsoft.Network/networkInterfaces"

	subscriptions = "Microsoft.Resources/subscriptions"
)

func routes() []route {
	const (
		provider = "/subscriptions/{subscription}/providers/" + compute
		list     = provider + "/virtualMachines"
		inGroup  = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + compute + "/virtualMachines"
		vm       = inGroup + "/{vm}"
		commands = vm + "/runCommands"
		command  = commands + "/{command}"
	)
	return []route{
		{"VirtualMachines_ListAll", http.MethodGet, list, machines, machines + "/read", listMachines},
		{"VirtualMachines_List", http.MethodGet, inGroup, machines, machines + "/read", listMachines},
		{"VirtualMachines_Get", http.MethodGet, vm, machines, machines + "/read", getMachine},
		{"VirtualMachines_InstanceView", http.MethodGet, vm + "/instanceView", machines, machines + "/instanceView/read", getInstanceView},
		{"VirtualMachineRunCommands_ListByVirtualMachine", http.MethodGet, commands, runCommands, runCommands + "/read", listCommands},
		{"VirtualMachineRunCommands_GetByVirtualMachine", http.MethodGet, command, runCommands, runCommands + "/read", getCommand},
		{"VirtualMachineRunCommands_CreateOrUpdate", http.MethodPut, command, runCommands, runCommands + "/write", putCommand},
		{"VirtualMachineRunCommands_Update", http.MethodPatch, command, runCommands, runCommands + "/write", patchCommand},
		{"VirtualMachineRunCommands_Delete", http.MethodDelete, command, runCommands, runCommands + "/delete", deleteCommand},
		{"Operations_Get", http.MethodGet, provider + "/locations/{location}/operations/{operation}", operations, operations + "/read",
			getOperation},
		{"NetworkInterfaces_ListAll", http.MethodGet, "/subscriptions/{subscription}/providers/" + interfaces, interfaces, interfaces + "/read",
			listInterfaces},
		{"Subscriptions_List", http.MethodGet, "/subscriptions", subscriptions, "", listSubscriptions},
		{"Subscriptions_Get", http.MethodGet, "/subscriptions/{subscription}", subscriptions, subscriptions + "/read", getSubscription},
	}
}

// place is what a path names.
type place struct {
	path                                                  string
	subscription, group, vm, command, location, operation string
}

// find looks a path up. Everything in it is compared without case.
func (a *API) find(method, path string) (route, place) {
	known := route{name: "unknown"}
	for _, r := range a.routes {
		p, ok := match(r.pattern, path)
		switch {
		case ok && r.method == method:
			return r, p
		case ok:
			known.kind, known.method = r.kind, "other"
		}
	}
	return known, place{path: path}
}

func match(pattern, path string) (place, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return place{}, false
	}
	p := place{path: path}
	into := map[string]*string{"{subscription}": &p.subscription, "{group}": &p.group, "{vm}": &p.vm, "{command}": &p.command,
		"{location}": &p.location, "{operation}": &p.operation}
	for i, part := range want {
		switch field := into[part]; {
		case field != nil && have[i] != "":
			*field = have[i]
		case field != nil || !strings.EqualFold(part, have[i]):
			return place{}, false
		}
	}
	return p, true
}

// server finds the VM that a path names.
func (a *API) server(p place) (model.Server, bool) {
	found := a.world.Servers(func(s model.Server) bool {
		return s.Cloud == model.Azure && s.State != model.StateTerminated && strings.EqualFold(s.AccountID, p.subscription) &&
			strings.EqualFold(s.ResourceGroup, p.group) && strings.EqualFold(s.Name, p.vm)
	})
	if len(found) == 0 {
		return model.Server{}, false
	}
	return found[0], true
}

// checkType refuses what the simulator does not know.
func (r *request) checkType() *failure {
	switch {
	case r.route.run != nil:
		return nil
	case r.route.method != "":
		return fail(http.StatusMethodNotAllowed, "HttpMethodNotSupported", "The http method is not supported at the resource type '"+r.route.kind+
			"'.")
	default:
		return fail(http.StatusNotFound, "InvalidResourceType", "The simulator knows no resource at '"+r.place.path+"'.")
	}
}

// checkParent refuses what is in a resource group or a VM that is not there. Resource Manager knows both.
func (r *request) checkParent() *failure {
	switch {
	case r.place.group == "", r.place.vm != "" && r.again():
		return nil
	case !r.groupExists():
		return fail(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '"+r.place.group+"' could not be found.")
	case r.place.vm == "":
		return nil
	case r.route.kind == machines:
		return notFound(machines+"/"+r.place.vm, r.place.group)
	}
	verb := r.route.permission[strings.LastIndex(r.route.permission, "/")+1:]
	parent := r.place.path[:strings.LastIndex(strings.ToLower(r.place.path), "/runcommands")]
	return fail(http.StatusNotFound, "ParentResourceNotFound", "Failed to perform '"+verb+
		"' on resource(s) of type 'virtualMachines/runCommands', because the parent resource '"+parent+"' could not be found.")
}

// groupExists says whether there is the resource group that the path names: the simulator has those that something is in.
func (r *request) groupExists() bool { return len(r.world.Servers(r.owns)) > 0 }

func notFound(resource, group string) *failure {
	return fail(http.StatusNotFound, "ResourceNotFound", "The Resource '"+resource+"' under resource group '"+group+
		"' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix")
}
