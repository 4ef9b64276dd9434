package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// completionTime bounds what a person waits for after the tab key.
const completionTime = 2 * time.Second

// offered is how many words a completion has at most.
const offered = 200

// completing asks Vault for words. It is quiet: whatever goes wrong, there are no words.
func (a *app) completing(cmd *cobra.Command, ask func(ctx context.Context, c *engine.Client) []string) ([]cobra.Completion,
	cobra.ShellCompDirective,
) {
	a.stdio.Err = io.Discard
	c, err := a.engine()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	return ask(ctx, c), cobra.ShellCompDirectiveNoFileComp
}

// completeServer completes the argument SERVER, which may be given up to most times (0: any number of times).
func (a *app) completeServer(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completing(cmd, func(ctx context.Context, c *engine.Client) []string {
			return slices.DeleteFunc(serverWords(ctx, c, prefix), func(word string) bool {
				return slices.Contains(args, strings.SplitN(word, "\t", 2)[0])
			})
		})
	}
}

// serverWords are the names of servers that begin with what was typed, or their ids, or ROLE/NAME behind a role.
func serverWords(ctx context.Context, c *engine.Client, prefix string) []string {
	role, typed, behind := strings.Cut(prefix, "/")
	f := engine.Filter{}
	if behind {
		f.Role = role
	} else {
		typed = prefix
	}
	if !output.Plain(typed) && typed != "" {
		return nil
	}
	f.Name = typed + "*" // what a name may begin with has no asterisk
	words := wordsOf(ctx, c, f, typed)
	if len(words) == 0 && typed != "" { // an id or an address perhaps
		f.Name = ""
		words = wordsOf(ctx, c, f, typed)
	}
	if behind {
		for i, w := range words {
			words[i] = role + "/" + w
		}
	}
	return words
}

// wordsOf are the words of the accounts of one page. A name that a shell would give a meaning, or that several servers of the page
// have, is replaced by the server's id.
func wordsOf(ctx context.Context, c *engine.Client, f engine.Filter, typed string) []string {
	page, err := c.Report(ctx, f, "", 1000)
	if err != nil {
		return nil
	}
	ids := map[string]map[string]bool{}
	for _, a := range page.Accounts {
		if ids[a.Name] == nil {
			ids[a.Name] = map[string]bool{}
		}
		ids[a.Name][a.Connection+"/"+a.InstanceID] = true
	}
	var words []string
	seen := map[string]bool{}
	for _, a := range page.Accounts {
		word, also := a.Name, a.InstanceID
		if !output.Plain(word) || strings.Contains(word, "/") || len(ids[word]) > 1 || !strings.HasPrefix(word, typed) {
			word, also = a.InstanceID, a.Name
		}
		if seen[word] || !strings.HasPrefix(word, typed) || !output.Plain(word) {
			continue
		}
		seen[word] = true
		if a.Role != "" {
			also += ", role " + a.Role
		}
		words = append(words, word+"\t"+output.Clean(also))
		if len(words) == offered {
			break
		}
	}
	return words
}

// completeNames completes the value of a flag with the names below a path that lists them, such as roles.
func (a *app) completeNames(list string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completing(cmd, func(ctx context.Context, c *engine.Client) []string {
			names, err := c.List(ctx, nil, list)
			if err != nil {
				return nil
			}
			return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) || !output.Plain(name) })
		})
	}
}

// fixed completes with words that are known.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}
