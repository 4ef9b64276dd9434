package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

const rootLong = `cloudpw shows servers whose passwords HashiCorp Vault's secrets engine cloudpw keeps, takes a password for as long as you
need it, and orders rotations and checks.

It acts with your own token and keeps nothing. Address, token, namespace and TLS settings are those of the vault command: VAULT_ADDR,
VAULT_TOKEN or what "vault login" stored, VAULT_NAMESPACE, VAULT_CACERT and so on.

A SERVER is an instance id, a name or an address; ROLE/SERVER if you know the role; CONNECTION/INSTANCE/USER is always one account. A role
with one server stands for that server. With a token that may not read report, write ROLE/SERVER, or ROLE.

Exit codes: 0 done; 1 a local error, or not all is done (rotate, verify, left); 2 Vault refused or failed.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:                        "cloudpw",
		Short:                      "See servers, take their passwords, rotate and check them",
		Long:                       rootLong,
		Args:                       unknownCommand,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    Version,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("cloudpw {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	flags := root.PersistentFlags()
	flags.StringVar(&a.options.Address, "address", "", "URL of Vault (default VAULT_ADDR)")
	flags.StringVar(&a.options.Namespace, "namespace", "", "namespace of Vault (default VAULT_NAMESPACE)")
	flags.StringVar(&a.options.CACert, "ca-cert", "", "file with the authorities to trust, PEM (default VAULT_CACERT)")
	flags.BoolVar(&a.options.SkipVerify, "tls-skip-verify", false, "do not check Vault's certificate (VAULT_SKIP_VERIFY)")
	flags.StringVar(&a.options.Mount, "mount", "", "path of the mount (default CLOUDPW_MOUNT, or "+engine.DefaultMount+")")
	flags.StringVarP(&a.output, "output", "o", "", "format of the result: table, json or csv (default table)")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(toCompletions(output.Formats()), cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: groupSee, Title: "See:"},
		&cobra.Group{ID: groupUse, Title: "Use:"},
		&cobra.Group{ID: groupOrder, Title: "Order:"},
		&cobra.Group{ID: groupKeep, Title: "Set up and keep:"},
	)
	root.SetHelpCommandGroupID(groupKeep)
	for _, add := range []func(*app) *cobra.Command{
		newServersCommand, newShowCommand, newWhyCommand, newWhoCommand, newReportCommand, newConsoleCommand,
		newTakeCommand, newSSHCommand, newRDPCommand, newGiveCommand,
		newRotateCommand, newVerifyCommand, newLeftCommand, newCampaignsCommand,
		newImportCommand, newDoctorCommand, newCompletionCommand, newVersionCommand,
	} {
		root.AddCommand(add(a))
	}
	checkArguments(root)
	return root
}

// unknownCommand is an error for the first argument that is no command, with what was meant perhaps.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

// checkArguments makes wrong arguments errors of usage, whose way out is the command's help.
func checkArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError(err)
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		checkArguments(child)
	}
}

func toCompletions(words []string) []cobra.Completion { return words }
