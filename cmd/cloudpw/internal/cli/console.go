package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/console"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/session"
)

const consoleLong = `Show the mount in a browser: the fleet, what happened to each server, campaigns, the health of connections, and
charts. Take passwords there, and give them back.

It serves a page on 127.0.0.1 and prints a link that opens it once, within a minute; press Enter for another link. It acts with your token,
which stays in this process. When you end it (Ctrl-C), it gives back all passwords that were taken in the page.`

func newConsoleCommand(a *app) *cobra.Command {
	var o console.Options
	cmd := &cobra.Command{
		Use:     "console",
		Short:   "Look at the mount in a browser",
		Long:    consoleLong,
		Example: "  cloudpw console\n  cloudpw console --port 8899 --ttl 10m",
		Args:    cobra.NoArgs,
		GroupID: groupSee,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signals := session.Catch()
			defer signals.Stop()
			ctx, hurry, stop := a.untilTold(cmd.Context(), signals.Ends())
			defer stop()
			return a.console(ctx, hurry, o)
		},
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of 127.0.0.1 (default one that is free)")
	cmd.Flags().DurationVar(&o.TTL, "ttl", 30*time.Minute,
		"how long a password that is taken in the page can be held, at least 1m; 0: the role's ttl")
	return cmd
}

// untilTold are the contexts of a command that has something to give back at its end: ctx ends with the first signal, hurry with a Ctrl-C
// after it. Other signals do not hurry: a terminal that is closed, or a service manager, says more than one thing.
func (a *app) untilTold(parent context.Context, ends <-chan os.Signal) (ctx, hurry context.Context, stop func()) {
	ctx, end := context.WithCancel(parent)
	hurry, endAll := context.WithCancel(parent)
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for told := false; ; {
			select {
			case <-over:
				return
			case s := <-ends:
				if told && s == os.Interrupt {
					endAll()
					return
				}
				told = true
				end()
			}
		}
	})
	return ctx, hurry, func() {
		close(over)
		watching.Wait()
		end()
		endAll()
	}
}

func (a *app) console(ctx, hurry context.Context, o console.Options) error {
	client, err := a.engine()
	if err != nil {
		return err
	}
	if client.Vault().Token() == "" {
		return try(errors.New("there is no token of Vault"), "vault login")
	}
	c, err := console.Listen(ctx, client, o)
	if err != nil {
		return usageError(err)
	}
	a.showLink(c)
	a.note("Press Enter for another link, Ctrl-C to end.")
	go func() { // ends with the process: a read of a terminal cannot be given up
		for lines := bufio.NewScanner(a.stdio.In); lines.Scan(); {
			a.showLink(c)
		}
	}()
	left, err := c.Run(ctx, hurry)
	for _, one := range left {
		a.note("cloudpw: a password could not be given back: %v", one.Err)
		a.note("  it ends at %s; try: cloudpw give %s", one.Until.Format(time.RFC3339), one.Lease)
		err = errors.Join(err, one.Err)
	}
	if len(left) > 0 {
		return &exitError{exitVault}
	}
	return err
}

func (a *app) showLink(c *console.Console) {
	a.say("Open this once, within a minute: %s", c.Link())
}
