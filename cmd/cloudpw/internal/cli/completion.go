package cli

import "github.com/spf13/cobra"

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Long: `completion prints a script that completes commands, flags, and the names of servers, roles and campaigns, for which it asks Vault.

  bash (needs bash-completion):  source <(cloudpw completion bash)
  zsh (after compinit):          source <(cloudpw completion zsh)
  fish:                          cloudpw completion fish | source`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish"},
		GroupID:   groupKeep,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(a.stdio.Out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(a.stdio.Out)
			}
			return cmd.Root().GenFishCompletion(a.stdio.Out, true)
		},
	}
}
