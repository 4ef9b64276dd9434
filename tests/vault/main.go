// Command vault is the Vault server, CLI and Agent for development and tests, built from Vault's own Go module.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
