package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newVerifyCommand(a *app) *cobra.Command {
	var t orderTarget
	var f followFlags
	var drift string
	cmd := &cobra.Command{
		Use:   "verify SERVER... | --role ROLE | --connection CONNECTION",
		Short: "Check whether servers still have the passwords that Vault hands out",
		Long: `verify has Vault look whether servers have the current passwords, and waits until all are checked. The roles need a check_method.

It ends with 0 if every server that was checked has the current password, and with 1 if not, or if not all were checked in time.`,
		Example: `  cloudpw verify web-17
  cloudpw verify --role web
  cloudpw verify --connection prod-aws --drift-action rotate`,
		GroupID:           groupOrder,
		ValidArgsFunction: a.completeServer(0),
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			t.servers = args
			return a.verify(ctx, &t, &f, drift)
		}),
	}
	a.orderFlags(cmd, &t)
	f.add(cmd)
	cmd.Flags().StringVar(&drift, "drift-action", "", "where a server has another password: report, restore or rotate (default: the role's)")
	_ = cmd.RegisterFlagCompletionFunc("drift-action", fixed("report", "restore", "rotate"))
	return cmd
}

func (a *app) verify(ctx context.Context, t *orderTarget, f *followFlags, drift string) error {
	if _, err := a.format(output.Table, output.JSON); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	if len(t.servers) > 0 {
		places, err := t.places(ctx, c)
		if err != nil {
			return err
		}
		var jobs []*job
		for _, place := range places {
			jobs = append(jobs, a.check(c, place, drift))
		}
		return a.do(ctx, c, jobs, "checking "+plural(len(jobs), "server"), f)
	}
	role, connection, err := t.whole()
	if err != nil {
		return err
	}
	order, err := c.Verify(ctx, engine.VerifyOrder{Role: role, Connection: connection, DriftAction: drift})
	subject := (&engine.Campaign{Role: role, Connection: connection}).Subject()
	return a.followOrder(ctx, c, order, err, "checking "+subject, f)
}

// check is the order to check one server.
func (a *app) check(c *engine.Client, place engine.Place, drift string) *job {
	var answer engine.Ordered
	return &job{
		place: place,
		order: func(ctx context.Context, wait time.Duration) (bool, error) {
			var err error
			order := engine.VerifyOrder{Role: place.Role, InstanceID: place.InstanceID, DriftAction: drift, Wait: wait}
			if answer, err = c.Verify(ctx, order); err != nil {
				return false, err
			}
			a.warn(answer.Warnings)
			return answer.Check.Ordered.IsZero(), nil
		},
		look: func(d engine.Detail) bool { return d.Ordered.IsZero() && !d.Checked.Before(answer.Check.Ordered) },
		result: func(d engine.Detail) (string, bool) {
			check := d.Check
			if d.InstanceID == "" {
				check = answer.Check
			}
			words := found(check.Result)
			if check.Reason != "" {
				words += "; " + check.Reason
			}
			return words, check.Result == "matches"
		},
	}
}
