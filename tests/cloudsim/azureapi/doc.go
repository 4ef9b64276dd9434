// Package azureapi serves the Azure part of the cloud simulator: Azure Resource Manager with the virtual machines, managed
// run commands and operations of Microsoft.Compute and the network interfaces of Microsoft.Network (API), and the token
// endpoint of Microsoft Entra (Login). Each has a handler of its own, as they have hosts of their own.
//
// Sources: the REST reference and the Go SDK (armcompute v8.4.0), the Linux handler of run commands
// (run-command-handler-linux), Azure CLI's recording of run commands (test_run_command_v2.yaml), the pages on throttling, on
// ARM's errors and on permissions. What no source confirms says so where it is.
//
// # In a test
//
// The actions of calls, for faults and the log, are the names of the API's specification, such as
// VirtualMachineRunCommands_CreateOrUpdate, of the service arm. What a principal may not do is in the Deny lists of its client id or of
// its user, as arm: and the action of a role: "arm:Microsoft.Compute/virtualMachines/runCommands/write". Token buckets fill by the
// operation clock, so that World.Advance fills them; Options.Limits are others, or none.
//
// A run command is a command of the model. Its id there is its name; a name that is used again has "#2" behind it. An operation takes the
// world's operation time, of which the script is fetched after the first third and runs at the end of the second. Commands of agents
// that are offline, absent or silent (model.FaultAgentSilent), and of servers that stop (model.FaultStopServer), are pending for ever or
// until the agent comes; their operations fail after 90 minutes of the operation clock. model.FaultNotRun plays the negative exit codes
// of the handler, model.FaultStatusLost the state Unknown with the exit code 0, model.FaultPreempted an operation that something else has
// ended, model.FaultSlowDelete (of the DELETE) a record that stays for a while and counts. World.RunAgain runs again what is recorded.
package azureapi
