package azure

// Versions of the APIs. That of Compute is the first with treatFailureAsDeploymentFailure, and older than the newest so that all of the
// clouds have it. Network's serves one list, whose form has not changed for years.
const (
	computeVersion = "2023-03-01"
	networkVersion = "2022-07-01"
)

// action is a call of Azure Resource Manager (ARM), or the request of a token.
type action struct {
	// name is what the limiter counts the call under. Calls that share a bucket of the cloud share a name.
	name string
	// call is what messages say of it.
	call string
	// version is that of its API.
	version string
	// permission is the action that a role must have for it.
	permission string
	// reads is set where a call changes nothing, so that even an unclear refusal harms nobody.
	reads bool
}

// String is the call in messages.
func (a action) String() string { return a.call }

// The calls. PUT and DELETE of run commands share one of the cloud's buckets ("Update VM", compute-throttling-limits.md of the
// azure-compute-docs), and so one name here.
var (
	runCommandsUpdate = action{name: "runCommandsUpdate", call: "PUT virtualMachines/runCommands", version: computeVersion,
		permission: permitRunCommandsWrite}
	runCommandsDelete = action{name: "runCommandsUpdate", call: "DELETE virtualMachines/runCommands", version: computeVersion,
		permission: permitRunCommandsDelete}
	runCommandsGet = action{name: "runCommandsGet", call: "GET virtualMachines/runCommands", version: computeVersion,
		permission: permitRunCommandsRead, reads: true}
	virtualMachinesGet = action{name: "virtualMachinesGet", call: "GET virtualMachines", version: computeVersion,
		permission: permitVirtualMachines, reads: true}
	instanceViewGet = action{name: "virtualMachinesGet", call: "GET virtualMachines/instanceView", version: computeVersion,
		permission: permitInstanceView, reads: true}
	virtualMachinesList = action{name: "virtualMachinesList", call: "list virtualMachines", version: computeVersion,
		permission: permitVirtualMachines, reads: true}
	networkInterfacesList = action{name: "networkInterfacesList", call: "list networkInterfaces", version: networkVersion,
		permission: permitInterfaces, reads: true}
	getToken = action{name: "token", call: "get a token", reads: true}
)

// The actions that a role must have (azure-docs, role-based-access-control/permissions/compute.md and networking.md). The pages on
// managed run commands print runCommand/write, without an s, which the list does not have.
const (
	permitVirtualMachines   = "Microsoft.Compute/virtualMachines/read"
	permitInstanceView      = "Microsoft.Compute/virtualMachines/instanceView/read"
	permitRunCommandsRead   = "Microsoft.Compute/virtualMachines/runCommands/read"
	permitRunCommandsWrite  = "Microsoft.Compute/virtualMachines/runCommands/write"
	permitRunCommandsDelete = "Microsoft.Compute/virtualMachines/runCommands/delete"
	permitInterfaces        = "Microsoft.Network/networkInterfaces/read"
)

// outcomeOpen ends the message about a call whose outcome the error leaves open.
func (a action) outcomeOpen() string {
	switch {
	case a.reads:
		return ""
	case a == runCommandsUpdate:
		return "; whether the command was taken is not known yet"
	}
	return "; whether the call took effect is not known"
}
