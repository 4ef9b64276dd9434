package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newCampaignsCommand(a *app) *cobra.Command {
	var f followFlags
	var follow bool
	cmd := &cobra.Command{
		Use:   "campaigns [ID]",
		Short: "List orders over many accounts, or show how far one has come",
		Long: `campaigns lists the orders over many accounts, the newest first. With an ID it shows one, and which accounts fail; with --follow it
waits for the end, as rotate and verify do.`,
		Example: "  cloudpw campaigns\n  cloudpw campaigns mfzwizdj --follow",
		Args:    cobra.MaximumNArgs(1),
		GroupID: groupOrder,
		RunE: a.interruptible(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if follow || cmd.Flags().Changed("timeout") {
					return usagef("--follow, --timeout: name the ID of a campaign")
				}
				return a.listCampaigns(ctx)
			}
			return a.showCampaign(ctx, args[0], follow, &f)
		}),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completing(cmd, campaignWords)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "wait for the end; exit code 1 unless all is done")
	f.addTimeout(cmd)
	return cmd
}

func campaignWords(ctx context.Context, c *engine.Client) []string {
	list, err := c.Campaigns(ctx)
	if err != nil {
		return nil
	}
	var words []string
	for _, one := range list {
		if output.Plain(one.ID) {
			words = append(words, one.ID+"\t"+output.Clean(one.Kind+" "+one.Subject()))
		}
	}
	return words
}

func (a *app) listCampaigns(ctx context.Context) error {
	format, err := a.format(output.Table, output.JSON, output.CSV)
	if err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	list, err := c.Campaigns(ctx)
	if err != nil {
		return err
	}
	switch format {
	case output.JSON:
		return output.WriteJSON(a.stdio.Out, list)
	case output.CSV:
		rows := &output.Rows{Headings: []string{"id", "kind", "role", "connection", "requested_by", "created_time", "total", "done", "failed",
			"waiting", "ended_time"}}
		for _, one := range list {
			rows.Add(one.ID, one.Kind, one.Role, one.Connection, one.RequestedBy, stamp(one.Created), strconv.Itoa(one.Total),
				strconv.Itoa(one.Done), strconv.Itoa(one.Failed), strconv.Itoa(one.Waiting), stamp(one.Ended))
		}
		return rows.WriteCSV(a.stdio.Out)
	}
	if len(list) == 0 {
		a.note("there is no campaign")
		return nil
	}
	now := a.now()
	rows := &output.Rows{Headings: []string{"id", "order", "about", "by", "since", "done", "failing", "waiting", "ended"}}
	for _, one := range list {
		rows.Add(one.ID, one.Kind, one.Subject(), one.RequestedBy, output.Ago(one.Created, now),
			output.Digits(one.Done)+" of "+output.Digits(one.Total),
			output.Digits(one.Failed), output.Digits(one.Waiting), output.Ago(one.Ended, now))
	}
	return a.printTable(rows)
}

// failingShown is how many failing accounts a campaign is shown with.
const failingShown = 50

func (a *app) showCampaign(ctx context.Context, id string, follow bool, f *followFlags) error {
	format, err := a.format(output.Table, output.JSON)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	if follow {
		campaign, err := a.follow(ctx, c, id, "campaign "+id, f)
		return a.finish(campaign, err)
	}
	one, err := c.CampaignFailing(ctx, id, failingShown)
	if engine.IsGone(err) {
		return try(&engine.UnknownError{Text: id, Reason: "there is no campaign " + strconv.Quote(id) + "; Vault keeps the last 100"},
			"cloudpw campaigns")
	}
	if err != nil {
		return err
	}
	if format == output.JSON {
		return output.WriteJSON(a.stdio.Out, one)
	}
	now := a.now()
	by := ""
	if name := one.RequestedBy; name != "" {
		by = " by " + name
	}
	a.say("%s of %s, ordered %s%s", one.Kind, one.Subject(), output.Ago(one.Created, now), by)
	a.say("%s", progressWords(one))
	for _, line := range outcome(one) {
		a.say("  %s", line)
	}
	if !one.Ended.IsZero() {
		a.say("ended %s: %s", output.Ago(one.Ended, now), endedWords(one.EndReason))
	}
	if len(one.Failing) > 0 {
		rows := &output.Rows{Headings: []string{"failing", "state", "waits for", "next try", "last error"}}
		for _, x := range one.Failing {
			name := x.Account
			if name == "" {
				name = "role " + x.Role
			}
			rows.Add(name, x.State, x.WaitingFor, output.Ago(x.NextTry, now), x.LastError)
		}
		return a.printTable(rows)
	}
	return nil
}

func endedWords(reason string) string {
	if reason == "completed" {
		return "each account is done or skipped"
	}
	return endWords(reason)
}
