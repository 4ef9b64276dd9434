// Command cloudpw is for people: it shows the servers of a mount of cloudpw, takes passwords, and orders rotations and checks, over
// Vault's API.
package main

import (
	"os"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/askpass"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/cli"
)

func main() {
	if askpass.Wanted() { // started by ssh, for a password
		os.Exit(askpass.Main(os.Stdout, os.Stderr))
	}
	os.Exit(cli.Main(os.Args[1:], cli.OS()))
}
