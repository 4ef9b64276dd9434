// Package azureapi serves the Azure part of the cloud simulator: Azure Resource Manager with the virtual machines, managed
// run commands and operations of Microsoft.Compute and the network interfaces of Microsoft.Network (API), and the token
// endpoint of Microsoft Entra (Login). Each has a handler of its own, as they have hosts of their own.
//
// Sources: the REST reference and the Go SDK (armcompute v8.4.0), the Linux handler of run commands
// (run-command-handler-linux), Azure CLI's recording of run commands (test_run_command_v2.yaml), the pages on throttling, on
// ARM's errors and on permissions. What no source confirms says so where it is.
package azureapi
