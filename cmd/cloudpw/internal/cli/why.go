package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newWhyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why SERVER",
		Short: "Say why and when a server's password was changed, and whether it was rebooted for that",
		Long: `why says in sentences why each password of a server was made, when, for whom, and whether the cloud was allowed to shut the server
down for it; and what is due now.`,
		Example: "  cloudpw why web-17\n  cloudpw why web-17 --all",
		GroupID: groupSee,
	}
	all := cmd.Flags().Bool("all", false, "all versions that Vault keeps, not only the newest five")
	return a.serverCommand(cmd, func(ctx context.Context, t engine.Target) error { return a.why(ctx, t, *all) })
}

// told is how many versions `why` tells of.
const told = 5

// story is what `why -o json` has.
type story struct {
	Account   string           `json:"account"`
	Name      string           `json:"instance_name"`
	Now       string           `json:"now"`
	Sentences []string         `json:"sentences"` // the newest version first
	Versions  []engine.Version `json:"versions"`
}

func (a *app) why(ctx context.Context, t engine.Target, all bool) error {
	format, err := a.format(output.Table, output.JSON)
	if err != nil {
		return err
	}
	d, err := a.detail(ctx, t)
	if err != nil {
		return err
	}
	now, versions := a.now(), slices.Clone(d.AllVersions())
	slices.Reverse(versions)
	older := 0
	if !all && len(versions) > told {
		versions, older = versions[:told], len(versions)-told
	}
	s := story{Account: d.ID(), Name: d.InstanceName, Now: present(d, now), Versions: versions, Sentences: []string{}}
	for _, v := range versions {
		s.Sentences = append(s.Sentences, history(d, v, now))
	}
	if format == output.JSON {
		return output.WriteJSON(a.stdio.Out, s)
	}
	a.say("%s, user %s: %s", serverName(d), d.Username, s.Now)
	for _, sentence := range s.Sentences {
		_, _ = fmt.Fprintln(a.stdio.Out)
		a.say("%s", sentence)
	}
	if older > 0 {
		a.note("%s: --all tells of them, too", plural(older, "older version"))
	}
	return nil
}

// present says what is due now.
func present(d engine.Detail, now time.Time) string {
	switch due := dueWords(d, now); {
	case !d.Gone.IsZero():
		return "the server is gone since " + output.Ago(d.Gone, now) + "."
	case due != "":
		words := "a rotation is due " + due + "."
		if e := lastError(d, now); e != "" {
			words += " The last error: " + e + "."
		}
		return words
	case d.CurrentVersion == 0 && len(d.AllVersions()) == 0:
		return "there is no password yet."
	case d.Drifted:
		return "no rotation is due, but the last check (" + output.Ago(d.Checked, now) + ") found that " + found(d.Result) + "."
	}
	words := "no rotation is due."
	if !d.NextRotation.IsZero() {
		words += " The next one is scheduled for " + output.Ago(d.NextRotation, now) + "."
	}
	return words
}

// history says how a version came to be.
func history(d engine.Detail, v engine.Version, now time.Time) string {
	var s strings.Builder
	current := ""
	if v.Current {
		current = ", the current one"
	}
	fmt.Fprintf(&s, "Version %d%s, was ", v.Number, current)
	switch v.Source {
	case "initial":
		s.WriteString("read from the cloud as the server's initial password")
	case "import":
		s.WriteString("recorded by hand")
	default:
		s.WriteString("set")
	}
	fmt.Fprintf(&s, " %s", output.Ago(v.Created, now))
	if v.Reason != "" {
		fmt.Fprintf(&s, ", since %s", because(v.Reason))
	}
	s.WriteString(".")
	if v.RequestedBy != "" || v.RequestedByID != "" {
		fmt.Fprintf(&s, " It was asked for by %s.", readerName(v.RequestedBy, v.RequestedByID))
	}
	if !v.DueSince.IsZero() && v.Created.Sub(v.DueSince) >= time.Second {
		fmt.Fprintf(&s, " It had been due for %s.", output.Age(v.Created.Sub(v.DueSince)))
	}
	if v.Attempts > 1 {
		fmt.Fprintf(&s, " It took %d tries.", v.Attempts)
	}
	switch {
	case v.ForceStop:
		fmt.Fprintf(&s, " The cloud was allowed to shut the server down for it (force_stop): if %s rebooted around %s, this was why.",
			serverName(d), output.Time(v.Created))
	case v.Source == "reset" && v.Reason != "":
		s.WriteString(" The server was not shut down for it.")
	}
	if v.RequestID != "" {
		fmt.Fprintf(&s, " The cloud's id of the request: %s.", v.RequestID)
	}
	switch {
	case !v.Confirmed:
		s.WriteString(" The cloud has not confirmed it.")
	case v.ConfirmedByCheck:
		s.WriteString(" A check of the server was the proof that it was set.")
	}
	return s.String()
}
