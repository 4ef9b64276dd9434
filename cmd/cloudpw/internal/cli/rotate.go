package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newRotateCommand(a *app) *cobra.Command {
	var t orderTarget
	var f followFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "rotate SERVER... | --role ROLE | --connection CONNECTION",
		Short: "Rotate the passwords of servers, a role or a connection now, and wait for the end",
		Long: `rotate orders new passwords now, and waits until they are set. It ends the passwords that people have, and with force_stop=true the
cloud may shut the servers down for it. On a terminal it asks before it rotates a whole role or connection.

It ends with 0 when all is done, and with 1 if not. Vault goes on by itself, also if you stop waiting.`,
		Example: `  cloudpw rotate web-17
  cloudpw rotate --role web
  cloudpw rotate --connection prod-aws --no-wait`,
		GroupID:           groupOrder,
		ValidArgsFunction: a.completeServer(0),
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			t.servers = args
			return a.rotate(ctx, &t, &f, yes)
		}),
	}
	a.orderFlags(cmd, &t)
	f.add(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// orderFlags are the flags of an orderTarget.
func (a *app) orderFlags(cmd *cobra.Command, t *orderTarget) {
	flags := cmd.Flags()
	flags.StringVar(&t.role, "role", "", "all servers of this role; with SERVER: of this role")
	flags.StringVar(&t.connection, "connection", "", "all servers of this connection; with SERVER: of this connection")
	flags.StringVar(&t.user, "user", "", "with SERVER: of this user")
	_ = cmd.RegisterFlagCompletionFunc("connection", a.completeNames("config"))
	_ = cmd.RegisterFlagCompletionFunc("role", a.completeNames("roles"))
}

func (a *app) rotate(ctx context.Context, t *orderTarget, f *followFlags, yes bool) error {
	if _, err := a.format(output.Table, output.JSON); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if len(t.servers) > 0 {
		return a.rotateServers(ctx, t, f)
	}
	role, connection, err := t.whole()
	if err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	subject := (&engine.Campaign{Role: role, Connection: connection}).Subject()
	if err := a.askForAll(ctx, c, yes, engine.Filter{Role: role, Connection: connection}, subject); err != nil {
		return err
	}
	order, err := c.Rotate(ctx, engine.RotateOrder{Role: role, Connection: connection})
	return a.followOrder(ctx, c, order, err, "rotating "+subject, f)
}

// askForAll asks before many servers are rotated.
func (a *app) askForAll(ctx context.Context, c *engine.Client, yes bool, filter engine.Filter, subject string) error {
	if yes || !a.interactive() {
		return nil
	}
	many := "all accounts"
	if page, err := c.Report(ctx, filter, "", 1); err == nil {
		many = plural(page.Total, "account")
	}
	return a.ask(yes, false, fmt.Sprintf("Rotate %s of %s? Servers of roles with force_stop=true are shut down for it.", many, subject))
}

// followOrder follows the campaign of an order that was given.
func (a *app) followOrder(ctx context.Context, c *engine.Client, order engine.Ordered, err error, title string, f *followFlags) error {
	if engine.IsPassing(err) {
		return try(fmt.Errorf("%w; Vault may have taken the order nevertheless", err), "cloudpw campaigns")
	}
	if err != nil {
		return err
	}
	a.warn(order.Warnings)
	if order.NotCheckable > 0 {
		a.note("%s cannot be checked: the role has no check_method, or there is no password yet", plural(order.NotCheckable, "account"))
	}
	if order.Campaign == "" {
		return fmt.Errorf("there is no account for which this could be ordered")
	}
	if f.noWait {
		a.say("%s", order.Campaign)
		return nil
	}
	campaign, err := a.follow(ctx, c, order.Campaign, title+": "+plural(order.Accounts, "account")+", campaign "+order.Campaign, f)
	return a.finish(campaign, err)
}

func (a *app) rotateServers(ctx context.Context, t *orderTarget, f *followFlags) error {
	c, err := a.engine()
	if err != nil {
		return err
	}
	places, err := t.places(ctx, c)
	if err != nil {
		return err
	}
	var jobs []*job
	for _, place := range places {
		jobs = append(jobs, a.rotation(c, place))
	}
	return a.do(ctx, c, jobs, "rotating "+plural(len(jobs), "server"), f)
}

// rotation is the order to rotate one server.
func (a *app) rotation(c *engine.Client, place engine.Place) *job {
	before := 0
	return &job{
		place: place,
		order: func(ctx context.Context, wait time.Duration) (bool, error) {
			answer, err := c.Rotate(ctx, engine.RotateOrder{Role: place.Role, InstanceID: place.InstanceID, Wait: wait})
			if err != nil {
				return false, err
			}
			a.warn(answer.Warnings)
			for _, s := range answer.States { // there is one
				if s.Error != "" {
					return false, fmt.Errorf("%s", s.Error)
				}
				before = s.CurrentVersion
				return s.State == "ready" && s.DueReason == "", nil
			}
			return false, nil
		},
		look: func(d engine.Detail) bool {
			return d.DueReason == "" && d.State == "ready" && d.CurrentVersion > before
		},
		result: func(d engine.Detail) (string, bool) {
			if d.CurrentVersion == 0 {
				return "rotated", true
			}
			return fmt.Sprintf("rotated, version %d", d.CurrentVersion), true
		},
	}
}
