package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// shownAtOnce is how many accounts a table has unless --limit says otherwise: more than a person reads.
const shownAtOnce = 1000

// serversFlags are the flags of the command servers.
type serversFlags struct {
	filter  engine.Filter
	older   string
	drifted bool
	failing bool
	rebuilt bool
	sort    string
	reverse bool
	limit   int
}

func newServersCommand(a *app) *cobra.Command {
	var f serversFlags
	cmd := &cobra.Command{
		Use:   "servers",
		Short: "List servers: their accounts, states, ages of passwords, and who holds them",
		Long: `servers lists the accounts of the mount: one row for each user of each server. If several filters are given, all must match.

Without --sort the rows come in Vault's order (connection, instance, user), and the first page is there at once even among 100,000 accounts.
With --sort all that match are read first. A table shows 1,000 accounts unless --limit says otherwise; json and csv have all.`,
		Example: `  cloudpw servers --older-than 30d --sort age
  cloudpw servers --failing --role web
  cloudpw servers --name 'web-*' -o csv
  cloudpw servers --holder userpass-alice`,
		Args:    cobra.NoArgs,
		GroupID: groupSee,
		RunE: a.interruptible(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			return a.servers(ctx, cmd, &f)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.filter.Connection, "connection", "", "only of this connection")
	flags.StringVar(&f.filter.Role, "role", "", "only of this role")
	flags.StringVar(&f.filter.Name, "name", "", "only servers with this name in the cloud; * stands for any characters")
	flags.StringVar(&f.filter.Server, "server", "", "only the server with this instance id, name or address")
	flags.StringVar(&f.filter.Holder, "holder", "", "only what somebody has a live lease of: display name or entity id")
	flags.StringSliceVar(&f.filter.States, "state", nil, "only in one of these states: "+strings.Join(states, ", "))
	flags.StringSliceVar(&f.filter.DueReasons, "due-reason", nil, "only due for one of these reasons: "+strings.Join(dueReasons, ", "))
	flags.StringVar(&f.older, "older-than", "", "only passwords at least this old, such as 12h or 30d")
	flags.BoolVar(&f.drifted, "drifted", false, "only servers that did not have the current password at the last check; =false: the others")
	flags.BoolVar(&f.failing, "failing", false, "only accounts whose last try failed; =false: the others")
	flags.BoolVar(&f.rebuilt, "rebuilt", false, "only servers that seem to have been rebuilt; =false: the others")
	flags.StringVar(&f.sort, "sort", "", "sort by "+strings.Join(sortKeys(), ", ")+"; age has the oldest first")
	flags.BoolVar(&f.reverse, "reverse", false, "with --sort: the other way round")
	flags.IntVar(&f.limit, "limit", 0, "at most this many accounts (default: 1000 in a table, else all)")
	_ = cmd.RegisterFlagCompletionFunc("connection", a.completeNames("config"))
	_ = cmd.RegisterFlagCompletionFunc("role", a.completeNames("roles"))
	_ = cmd.RegisterFlagCompletionFunc("state", fixed(states...))
	_ = cmd.RegisterFlagCompletionFunc("due-reason", fixed(dueReasons...))
	_ = cmd.RegisterFlagCompletionFunc("sort", fixed(sortKeys()...))
	_ = cmd.RegisterFlagCompletionFunc("server", a.completeServer(0))
	return cmd
}

// The words of docs/api/status.md.
var (
	states     = []string{"ready", "due", "rotating", "braked", "settling", "empty", "gone"}
	dueReasons = []string{"first", "revoked", "deadline", "leaver", "joiner", "moved", "schedule", "manual", "import", "read", "reader",
		"place", "drifted"}
)

func (f *serversFlags) read(cmd *cobra.Command) error {
	for name, flag := range map[string]struct {
		value bool
		field **bool
	}{"drifted": {f.drifted, &f.filter.Drifted}, "failing": {f.failing, &f.filter.Failing}, "rebuilt": {f.rebuilt, &f.filter.Rebuilt}} {
		if cmd.Flags().Changed(name) {
			*flag.field = &flag.value
		}
	}
	if f.older != "" {
		d, err := parseDuration(f.older)
		if err != nil {
			return usagef("--older-than: %w", err)
		}
		f.filter.OlderThan = d
	}
	if f.sort != "" && orders[f.sort] == nil {
		return usagef("--sort: %q is none of %s", f.sort, strings.Join(sortKeys(), ", "))
	}
	if f.reverse && f.sort == "" {
		return usagef("--reverse: give --sort, too")
	}
	if f.limit < 0 || f.limit == 0 && cmd.Flags().Changed("limit") {
		return usagef("--limit: must be at least 1")
	}
	return nil
}

// parseDuration reads a duration as Go has it, or whole days such as 30d.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n > 0 && n <= 100*365 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		return 0, fmt.Errorf("%q is no duration of at least a second, such as 90s, 15m, 12h or 30d", s)
	}
	return d, nil
}

func (a *app) servers(ctx context.Context, cmd *cobra.Command, f *serversFlags) error {
	format, err := a.format(output.Table, output.JSON, output.CSV)
	if err != nil {
		return err
	}
	if err := f.read(cmd); err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	limit := f.limit
	if limit == 0 && format == output.Table {
		limit = shownAtOnce
	}
	list, total, err := a.collect(ctx, c, f, limit)
	if err != nil {
		return err
	}
	switch format {
	case output.JSON:
		return output.WriteJSON(a.stdio.Out, list)
	case output.CSV:
		return csvOf(list).WriteCSV(a.stdio.Out)
	}
	if len(list) == 0 {
		a.note("no account matches")
		return nil
	}
	if err := a.printTable(tableOf(list)); err != nil {
		return err
	}
	if total > len(list) {
		a.note("%d of %d accounts; filters narrow them, --limit %d shows all", len(list), total, total)
	}
	return nil
}

// collect reads what is to be shown: with a sort key all that matches, else only as much as is needed.
func (a *app) collect(ctx context.Context, c *engine.Client, f *serversFlags, limit int) ([]engine.Account, int, error) {
	list, total, after := []engine.Account{}, 0, ""
	wanted := limit
	if f.sort != "" {
		wanted = 0
	}
	for {
		size := engine.LargestPage
		if wanted > 0 {
			size = min(wanted-len(list), shownAtOnce)
		}
		page, err := c.Report(ctx, f.filter, after, size)
		if err != nil {
			return nil, 0, err
		}
		if after == "" {
			for _, field := range []string{"server", "holder"} {
				if page.Ignores(field) {
					return nil, 0, fmt.Errorf("--%s: the plugin in Vault is older than this command and has no such filter", field)
				}
			}
			total = page.Total
			a.warn(page.Warnings)
		}
		list = append(list, page.Accounts...)
		if page.Next == "" || page.Next == after || wanted > 0 && len(list) >= wanted {
			break
		}
		after = page.Next
	}
	if f.sort != "" {
		slices.SortStableFunc(list, func(x, y engine.Account) int {
			if f.reverse {
				x, y = y, x
			}
			return orders[f.sort](x, y)
		})
		if limit > 0 && len(list) > limit {
			list = list[:limit]
		}
	}
	return list, total, nil
}

// orders are the keys of --sort.
var orders = map[string]func(x, y engine.Account) int{
	"name":       by(func(a engine.Account) string { return cmp.Or(a.Name, a.InstanceID) }),
	"state":      by(func(a engine.Account) string { return a.State }),
	"role":       by(func(a engine.Account) string { return a.Role }),
	"connection": by(func(a engine.Account) string { return a.Connection }),
	"address":    by(func(a engine.Account) string { return a.Address }),
	"user":       by(func(a engine.Account) string { return a.Username }),
	"leases":     func(x, y engine.Account) int { return cmp.Compare(y.Leases, x.Leases) },
	"failures":   func(x, y engine.Account) int { return cmp.Compare(y.Failures, x.Failures) },
	// The oldest first; those without a password have no age, and come last.
	"age": func(x, y engine.Account) int {
		if (x.Version == 0) != (y.Version == 0) {
			return cmp.Compare(y.Version, x.Version)
		}
		return cmp.Compare(y.Age, x.Age)
	},
}

func by(key func(engine.Account) string) func(x, y engine.Account) int {
	return func(x, y engine.Account) int { return strings.Compare(key(x), key(y)) }
}

func sortKeys() []string {
	var keys []string
	for key := range orders {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// tableOf is for people. What is wrong stands before what only programs need: a terminal cuts long lines at their end.
func tableOf(list []engine.Account) *output.Rows {
	rows := &output.Rows{Headings: []string{"server", "user", "role", "address", "state", "age", "held by", "trouble", "instance",
		"connection"}}
	for _, a := range list {
		name, id := a.Name, a.InstanceID
		if name == "" {
			name, id = a.InstanceID, ""
		}
		age := "-"
		if a.Version > 0 {
			age = output.Age(a.Age)
		}
		rows.Add(name, a.Username, a.Role, a.Address, stateWords(a), age, holders(a), trouble(a), id, a.Connection)
	}
	return rows
}

// stateWords is the state, with why it is due.
func stateWords(a engine.Account) string {
	if a.DueReason != "" {
		return a.State + " (" + a.DueReason + ")"
	}
	return a.State
}

// holders says who has live leases.
func holders(a engine.Account) string {
	switch {
	case len(a.Holders) > 0 && a.Leases > len(a.Holders):
		return fmt.Sprintf("%s (%d leases)", strings.Join(a.Holders, ", "), a.Leases)
	case len(a.Holders) > 0:
		return strings.Join(a.Holders, ", ")
	case a.Leases == 1:
		return "1 lease"
	case a.Leases > 1:
		return fmt.Sprintf("%d leases", a.Leases)
	}
	return ""
}

// errorShown is how many characters of an account's last error a table has; `cloudpw why` and the other formats have all.
const errorShown = 60

// shortened is the beginning of a text.
func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}

// trouble says what is wrong.
func trouble(a engine.Account) string {
	var parts []string
	if a.Drifted {
		parts = append(parts, "drifted")
	}
	if !a.RebuiltTime.IsZero() {
		parts = append(parts, "rebuilt")
	}
	if a.CheckUserState != "" {
		parts = append(parts, "user "+a.CheckUserState)
	}
	if a.LastError != "" {
		parts = append(parts, fmt.Sprintf("%s (failed %dx)", shortened(a.LastError, errorShown), a.Failures))
	}
	return strings.Join(parts, "; ")
}

// csvOf has the fields of the plugin's own CSV, and holders.
func csvOf(list []engine.Account) *output.Rows {
	rows := &output.Rows{Headings: []string{"connection", "instance_id", "username", "name", "address", "role", "mode", "state", "version",
		"created_time", "age", "confirmed", "due_reason", "due_since", "waiting_for", "next_try", "failures", "last_error", "leases", "drifted",
		"check_result", "check_user_state", "checked_time", "rebuilt_time", "holders"}}
	for _, a := range list {
		version, age := "", ""
		if a.Version > 0 {
			version, age = strconv.Itoa(a.Version), strconv.FormatInt(int64(a.Age/time.Second), 10)
		}
		rows.Add(a.Connection, a.InstanceID, a.Username, a.Name, a.Address, a.Role, a.Mode, a.State, version, stamp(a.CreatedTime), age,
			strconv.FormatBool(a.Confirmed), a.DueReason, stamp(a.DueSince), a.WaitingFor, stamp(a.NextTry), strconv.Itoa(a.Failures), a.LastError,
			strconv.Itoa(a.Leases), strconv.FormatBool(a.Drifted), a.CheckResult, a.CheckUserState, stamp(a.CheckedTime), stamp(a.RebuiltTime),
			strings.Join(a.Holders, " "))
	}
	return rows
}

// stamp is a time for programs; empty if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
