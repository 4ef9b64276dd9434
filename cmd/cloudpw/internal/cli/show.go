package cli

import (
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

func newShowCommand(a *app) *cobra.Command {
	return a.serverCommand(&cobra.Command{
		Use:     "show SERVER",
		Short:   "Show all about one server but its password",
		Example: "  cloudpw show web-17\n  cloudpw show web/web-17 --user deploy -o json",
		GroupID: groupSee,
	}, a.showServer)
}

func (a *app) showServer(ctx context.Context, t engine.Target) error {
	format, err := a.format(output.Table, output.JSON)
	if err != nil {
		return err
	}
	d, err := a.detail(ctx, t)
	if err != nil {
		return err
	}
	if format == output.JSON {
		return output.WriteJSON(a.stdio.Out, d)
	}
	now := a.now()
	for _, line := range facts(d, now) {
		if line[1] != "" {
			a.say("%-14s %s", line[0], line[1])
		}
	}
	_, _ = fmt.Fprintln(a.stdio.Out)
	if err := a.printTable(versionRows(d.AllVersions(), now)); err != nil {
		return err
	}
	if leases := d.AllLeases(); len(leases) > 0 {
		_, _ = fmt.Fprintln(a.stdio.Out)
		return a.printTable(leaseRows(leases, now))
	}
	return nil
}

// facts are the lines above the tables; those without a value are left out.
func facts(d engine.Detail, now time.Time) [][2]string {
	role := d.Role
	if role == "" {
		role = "none"
		if d.LastRole != "" {
			role += "; it was " + d.LastRole
		}
	}
	if d.MoveTo != "" {
		role += ", may move to " + d.MoveTo
	}
	if d.Mode != "" {
		role += " (" + d.Mode + ")"
	}
	state := d.State
	if d.Group != nil && d.Group.State != d.State {
		state += "; the shared password is " + d.Group.State
	}
	addresses := slices.DeleteFunc([]string{d.PrivateIP, d.PublicIP}, func(s string) bool { return s == "" })
	return [][2]string{
		{"server", serverName(d)},
		{"user", d.Username},
		{"address", strings.Join(addresses, ", ")},
		{"system", strings.TrimSpace(d.Platform + "  " + d.OSName)},
		{"role", role},
		{"connection", d.Connection + " (" + d.Provider + ")"},
		{"state", state},
		{"due", dueWords(d, now)},
		{"last error", lastError(d, now)},
		{"last rotation", output.Ago(d.LastRotation, now)},
		{"next rotation", output.Ago(d.NextRotation, now)},
		{"missed", output.Ago(d.MissedRotation, now)},
		{"check", checkWords(d, now)},
		{"rebuilt", rebuiltWords(d, now)},
		{"gone", output.Ago(d.Gone, now)},
		{"left out", d.LeftOutReason},
	}
}

// dueWords says why a rotation is due, since when, and what it waits for.
func dueWords(d engine.Detail, now time.Time) string {
	reason, since, waits, next := d.DueReason, d.DueSince, d.WaitingFor, d.NextTry
	if d.Group != nil && d.Group.DueReason != "" {
		reason, since, waits, next = d.Group.DueReason, d.Group.DueSince, d.Group.WaitingFor, d.Group.NextTry
	}
	if reason == "" {
		return ""
	}
	words := fmt.Sprintf("since %s, since %s", output.Ago(since, now), because(reason))
	if d.DueRequestedBy != "" {
		words += " (asked for by " + d.DueRequestedBy + ")"
	}
	if waits != "" {
		words += "; it waits for " + waiting(waits)
		if !next.IsZero() {
			words += ", until " + output.Ago(next, now)
		}
	}
	return words
}

func lastError(d engine.Detail, now time.Time) string {
	text, at, failures := d.LastError, d.LastErrorTime, d.Failures
	if text == "" && d.Group != nil {
		text, at, failures = d.Group.LastError, d.Group.LastErrorTime, d.Group.Failures
	}
	if text == "" {
		return ""
	}
	words := text
	if !at.IsZero() {
		words += ", " + output.Ago(at, now)
	}
	return fmt.Sprintf("%s, %s in a row", words, plural(failures, "failure"))
}

func checkWords(d engine.Detail, now time.Time) string {
	if d.Result == "" {
		return ""
	}
	words := fmt.Sprintf("%s: %s", output.Ago(d.Checked, now), found(d.Result))
	if d.CheckVersion > 0 && d.CheckVersion != d.CurrentVersion {
		words += fmt.Sprintf(" (version %d)", d.CheckVersion)
	}
	if d.Reason != "" {
		words += "; " + d.Reason
	}
	return words
}

func rebuiltWords(d engine.Detail, now time.Time) string {
	if d.RebuiltTime.IsZero() {
		return ""
	}
	return strings.TrimSuffix(output.Ago(d.RebuiltTime, now)+": "+d.RebuiltReason, ": ")
}

// versionRows has the newest version first.
func versionRows(versions []engine.Version, now time.Time) *output.Rows {
	rows := &output.Rows{Headings: []string{"version", "made", "source", "reason", "asked for by", "given", "to", "note"}}
	for _, v := range slices.Backward(versions) {
		var notes []string
		if v.Current {
			notes = append(notes, "current")
		}
		if !v.Confirmed {
			notes = append(notes, "not confirmed")
		}
		if v.ForceStop {
			notes = append(notes, "shutdown allowed")
		}
		if !v.Ended.IsZero() {
			notes = append(notes, "ended")
		}
		rows.Add(strconv.Itoa(v.Number), output.Ago(v.Created, now), v.Source, v.Reason, v.RequestedBy, output.Ago(v.Disclosed, now),
			readerNames(v), strings.Join(notes, ", "))
	}
	return rows
}

// readerNames are some of those to whom a version was given.
func readerNames(v engine.Version) string {
	var names []string
	for _, r := range v.Readers {
		names = append(names, readerName(r.DisplayName, r.EntityID))
	}
	const most = 3
	more := len(names) - most
	if more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	if v.MoreReaders {
		names = append(names, "others")
	}
	return strings.Join(names, ", ")
}

// readerName is what Vault told of a client.
func readerName(display, entity string) string {
	switch {
	case display != "":
		return display
	case entity != "":
		return entity
	}
	return "(not told)"
}

func leaseRows(leases []engine.Lease, now time.Time) *output.Rows {
	rows := &output.Rows{Headings: []string{"held by", "from", "version", "since", "until"}}
	for _, l := range leases {
		rows.Add(readerName(l.DisplayName, l.EntityID), l.RemoteAddress, strconv.Itoa(l.Version), output.Ago(l.Issued, now),
			output.Ago(l.Expires, now))
	}
	return rows
}
