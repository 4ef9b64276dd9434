// Command vault-plugin-secrets-cloudpw is the secrets engine cloudpw as a Vault plugin. Vault starts it. If you start it
// yourself, it prints its version with --version; otherwise it says that it is a plugin, and exits.
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend"
)

func main() {
	if versionAsked(os.Args[1:]) {
		_, _ = fmt.Fprintln(os.Stdout, backend.Version)
		return
	}
	if err := serve(os.Args[1:]); err != nil {
		// Vault parses JSON lines on stderr into its own log at their level.
		hclog.New(&hclog.LoggerOptions{JSONFormat: true}).Error("the plugin could not be served", "error", err)
		os.Exit(1)
	}
}

// versionAsked reports whether the program was started by hand to print its version, which `vault plugin register -version`
// must be given as it is.
func versionAsked(args []string) bool {
	return len(args) == 1 && (args[0] == "--version" || args[0] == "-version")
}

// serve blocks until Vault ends the plugin. One process serves every mount of this version (multiplexing). args are
// those of `vault plugin register -args`: the flags common to all of Vault's plugins.
func serve(args []string) error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return err
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: backend.Factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}
