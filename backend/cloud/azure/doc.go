// Package azure is the provider for Microsoft Azure's virtual machines. It sets passwords of the caller's choice by a managed run
// command, which the machine's agent carries out in the guest; the cloud keeps no initial password that could be read.
//
// The cloud's other ways are not used. The VMAccess extension changes the settings of SSH and RDP, makes the user an administrator,
// and is known to set a password again by itself. The older run command (an action of the machine) shows no exit code, and only
// one runs at a time. adminPassword cannot be changed once a machine is made.
//
// # API calls and permissions
//
//	GET virtualMachines (all)      Compute 2023-03-01  Microsoft.Compute/virtualMachines/read     find instances, Verify
//	GET a virtual machine          Compute 2023-03-01  .../virtualMachines/read, .../instanceView/read  everything that reads
//	PUT a run command              Compute 2023-03-01  .../virtualMachines/runCommands/write      StartReset, checks
//	GET run commands               Compute 2023-03-01  .../virtualMachines/runCommands/read       what became of a command
//	DELETE a run command           Compute 2023-03-01  .../virtualMachines/runCommands/delete     remove one that has ended
//	GET networkInterfaces (all)    Network 2022-07-01  Microsoft.Network/networkInterfaces/read   private addresses (optional)
//	POST TENANT/oauth2/v2.0/token  Entra               none                                       tokens
//
// A custom role that is enough:
//
//	{"Name": "cloudpw", "IsCustom": true, "Description": "Set passwords of virtual machines by run commands.",
//	 "Actions": ["Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/instanceView/read",
//	  "Microsoft.Compute/virtualMachines/runCommands/read", "Microsoft.Compute/virtualMachines/runCommands/write",
//	  "Microsoft.Compute/virtualMachines/runCommands/delete", "Microsoft.Network/networkInterfaces/read"],
//	 "NotActions": [], "AssignableScopes": ["/subscriptions/SUBSCRIPTION"]}
//
// runCommands/write on a machine amounts to root on it. There is no dry run: a check tries to write and to delete on a machine
// whose name surely does not exist, since the cloud asks for the permission first and for the machine then.
//
// # Credentials
//
// A token comes from Microsoft Entra, for the client secret of an application; with use_ambient_credentials for what is found
// where Vault runs: a workload's token (AZURE_FEDERATED_TOKEN_FILE, read each time), else the managed identity of the virtual
// machine. The identities of App Service and of Azure Arc (IDENTITY_ENDPOINT) are not looked for. A token serves until shortly
// before its end. One that the cloud does not accept is dropped: the next call gets another. A failure to get a token proves that
// the call which needed it was not sent.
//
// A bearer token serves whoever gets it. No redirect is followed, nor a link to another host. With an endpoint of the operator's own the
// secret goes to the public login only if endpoints.login says so, and ambient credentials are refused: Vault's own identity would be
// handed out. Entra's descriptions of errors, which repeat ids, are not shown; its numbers are.
//
// The client secret is not replaced by cloudpw (rotate-root). That takes Microsoft Graph, whose calls no page at hand confirms; a
// workload identity has no secret.
//
// # Instances
//
// An instance's id is its vmId, in lower case. It is new where a machine is made again under its old name, which is another instance.
// ARM knows no way to ask by it, so where machines are is remembered, and listed again where one is not known, at most once a minute.
// A machine that is read at a place is compared: where there is none of that vmId any more, the machines are listed, since it may have
// been moved to another resource group. A few machines are read one by one, more by two lists: that of their models, and that of
// their states (statusOnly), which are joined by the id in ARM.
//
// The cloud has no filter by tags: they are compared here, with regard to case. Instances of scale sets in Flexible orchestration are
// virtual machines like others; those in Uniform orchestration are in no list of virtual machines, and not seen.
//
// # How a reset works
//
// A run command is a resource of its machine. Its name is ours, new for each attempt, and stored before the request is sent; it is the
// id under which the outcome is asked for, also where the answer was lost. On Linux the hash of the password is a protected parameter,
// which the cloud does not show; on Windows the script holds a ciphertext, for a key that the server has shown by a command of its own.
// The outcome is the command's view: its end, exit code and output. Once it is known and stored the command is deleted, as a
// machine keeps 25 at most, and may carry out again what it keeps.
//
// # Traps
//
//   - Nothing bounds when a command is carried out: one that was accepted before a stop runs at the next start. The scripts begin with
//     nothing late, and refuse a value older than the server's.
//   - A view with an end is final, whatever its state says; Succeeded and exit code 0 alone prove nothing.
//   - A DELETE ends a command that runs.
//   - A command's own operation may fail (OperationPreempted) though the script runs.
//   - Compute's throttles come without the wrapper of other errors, as OperationNotAllowed, which else means a state.
//   - SubscriptionNotFound comes with HTTP status 404, and says nothing about a machine.
//   - PUT and DELETE share one bucket: 4 a minute for a machine, 500 for a subscription and region.
//   - Links to further pages name the host with its port: management.azure.com:443.
//   - The scope of a token has two slashes in a row.
//
// # Sources
//
// github.com/Azure/azure-sdk-for-go: armcompute v8.4.0, armnetwork v7.2.0 (models), azcore v1.24.0 (cloud/cloud.go), azidentity
// v1.15.0; MSAL Go v1.10.1 (managedidentity.go). MicrosoftDocs/azure-compute-docs: articles/virtual-machines/linux/run-command-managed.md,
// windows/run-command-managed.md, compute-throttling-limits.md; azure-docs: role-based-access-control/permissions/compute.md;
// SupportArticles-docs: troubleshooting-throttling-errors.md; entra-docs: identity-platform/reference-error-codes.md.
// Azure/run-command-handler-linux at f95dc24. Azure/azure-cli: recordings/test_run_command_v2.yaml at 01691509, which is recorded
// traffic. Not confirmed by any of them: that the cloud asks for the permission before it looks for the machine, which scope a
// role must have for the lists of a subscription, and the error codes that errors.go marks.
package azure
