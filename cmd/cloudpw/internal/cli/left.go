package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newLeftCommand(a *app) *cobra.Command {
	var f followFlags
	var yes, dry bool
	cmd := &cobra.Command{
		Use:   "left ENTITY",
		Short: "Somebody left: rotate every password that he was given",
		Long: `left shows of which accounts somebody was given the current password, asks, rotates them, and waits for the end. ENTITY is the id
of his entity in Vault, or the display name of his tokens, as cloudpw who shows them.

It needs the security officer's policy of docs/vault-policies.md. It does not end his logins: first take those from him in your auth method,
and his tokens and leases with, for example, vault lease revoke -prefix auth/userpass/login/NAME. A password that he takes after this order
is not part of it.

It ends with 0 when all is done, and with 1 if not. Vault goes on by itself, also if you stop waiting.`,
		Example: "  cloudpw left 7d2e3179-f69b-450c-7179-ac8ee8bd8ca9\n  cloudpw left userpass-alice --yes",
		Args:    one("ENTITY"),
		GroupID: groupOrder,
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.left(ctx, args[0], &f, yes, dry)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show the accounts")
	return cmd
}

// entityID is how Vault writes the id of an entity.
var entityID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (a *app) left(ctx context.Context, who string, f *followFlags, yes, dry bool) error {
	formats := []output.Format{output.Table, output.JSON}
	if dry {
		formats = append(formats, output.CSV)
	}
	format, err := a.format(formats...)
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
	order := engine.ReaderOrder{DisplayName: who, DryRun: true}
	if entityID.MatchString(who) {
		order = engine.ReaderOrder{EntityID: who, DryRun: true}
	}
	preview, err := c.RotateReader(ctx, order)
	if err != nil {
		return err
	}
	a.warn(preview.Warnings)
	list := a.given(ctx, c, preview, order)
	if err := a.showGiven(list, preview, who, format, dry); err != nil || dry {
		return err
	}
	if preview.Accounts == 0 {
		if preview.Unable > 0 {
			return fmt.Errorf("%s cannot be rotated: set another password inside the server, and record it with import/",
				plural(preview.Unable, "account"))
		}
		return nil
	}
	question := fmt.Sprintf("Rotate %s? Servers of roles with force_stop=true are shut down for it.", plural(preview.Accounts, "account"))
	if err := a.ask(yes, true, question); err != nil {
		return err
	}
	order.DryRun = false
	ordered, err := c.RotateReader(ctx, order)
	if err := a.followOrder(ctx, c, ordered, err, "rotating what "+who+" was given", f); err != nil {
		return err
	}
	if preview.Unable > 0 {
		return fmt.Errorf("%s cannot be rotated: set another password inside the server, and record it with import/",
			plural(preview.Unable, "account"))
	}
	return nil
}

// givenAccount is an account whose current password somebody was given.
type givenAccount struct {
	Account string    `json:"account"`
	Server  string    `json:"instance_name,omitzero"`
	Role    string    `json:"role,omitzero"`
	Last    time.Time `json:"last_time,omitzero"` // when he was last given it, if Vault keeps that
	Until   time.Time `json:"expire_time,omitzero"`
	Rotates bool      `json:"rotates"` // false: nothing can set its password
}

// detailed is for how many accounts `left` asks when somebody read them: one request each.
const detailed = 50

// given is the list of a dry run, with what is known of each account. What may not be read is left out.
func (a *app) given(ctx context.Context, c *engine.Client, preview engine.Ordered, who engine.ReaderOrder) []givenAccount {
	list := []givenAccount{}
	for i, name := range slices.Concat(preview.AccountNames, preview.UnableNames) {
		g := givenAccount{Account: name, Rotates: i < len(preview.AccountNames)}
		parts := strings.SplitN(name, "/", 3)
		switch {
		case len(parts) == 3 && parts[1] == "*":
			g.Role, g.Server = parts[2], "(all servers of the role)"
		case len(parts) == 3 && i < detailed:
			if d, err := c.Account(ctx, parts[0], parts[1], parts[2]); err == nil {
				g.Server, g.Role = d.InstanceName, d.Role
				g.Last, g.Until = lastGiven(d, who)
			}
		}
		list = append(list, g)
	}
	return list
}

// lastGiven is when somebody was last given the current password, and until when he has a lease of it.
func lastGiven(d engine.Detail, who engine.ReaderOrder) (last, until time.Time) {
	is := func(entity, display string) bool {
		return who.EntityID != "" && entity == who.EntityID || who.DisplayName != "" && display == who.DisplayName
	}
	for _, v := range d.AllVersions() {
		for _, r := range v.Readers {
			if v.Current && is(r.EntityID, r.DisplayName) && r.Last.After(last) {
				last = r.Last
			}
		}
	}
	for _, l := range d.AllLeases() {
		if is(l.EntityID, l.DisplayName) && l.Expires.After(until) {
			until = l.Expires
		}
	}
	return last, until
}

// showGiven shows what is to be rotated: on stdout if that is all that was asked for, else beside the result.
func (a *app) showGiven(list []givenAccount, preview engine.Ordered, who string, format output.Format, dry bool) error {
	out := a.stdio.Err
	if dry {
		out = a.stdio.Out
	}
	rows := &output.Rows{Headings: []string{"account", "server", "role", "last read", "lease until", "note"}}
	now := a.now()
	for _, g := range list {
		note := ""
		if !g.Rotates {
			note = "cannot be rotated"
		}
		rows.Add(g.Account, g.Server, g.Role, output.Ago(g.Last, now), output.Ago(g.Until, now), note)
	}
	switch {
	case dry && format == output.JSON:
		return output.WriteJSON(out, list)
	case dry && format == output.CSV:
		return rows.WriteCSV(out)
	case len(list) == 0:
		a.note("%s was given no password that is still in use, as far as Vault knows. If that is a surprise: ENTITY is the id of an entity,\n"+
			"or the name as Vault has it, such as userpass-alice; cloudpw who SERVER shows such names", who)
		return nil
	}
	if err := rows.WriteTable(out, width(out)); err != nil {
		return err
	}
	if more := preview.Accounts + preview.Unable - len(list); more > 0 {
		a.note("and %s more", plural(more, "account"))
	}
	if preview.Possible > 0 {
		a.note("%d of them only perhaps: more people read those passwords than Vault keeps by name", preview.Possible)
	}
	return nil
}
