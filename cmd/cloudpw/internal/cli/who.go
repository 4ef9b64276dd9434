package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newWhoCommand(a *app) *cobra.Command {
	return a.serverCommand(&cobra.Command{
		Use:   "who SERVER",
		Short: "Say who holds a server's password, and who has had it",
		Long: `who lists the clients of Vault that have a live lease of the server's password, and those that were given one of its newest
versions. What somebody holds on all servers: cloudpw servers --holder NAME.`,
		Example: "  cloudpw who web-17\n  cloudpw who web-17 -o csv",
		GroupID: groupSee,
	}, a.who)
}

// having is a row: somebody who has, or has had, a version.
type having struct {
	Name     string    `json:"display_name"`
	Entity   string    `json:"entity_id"`
	From     string    `json:"remote_address"`
	Version  int       `json:"version"`
	Current  bool      `json:"current"`
	Holds    bool      `json:"holds"` // has a live lease of it
	Until    time.Time `json:"expire_time,omitzero"`
	First    time.Time `json:"first_time,omitzero"`
	Last     time.Time `json:"last_time,omitzero"`
	AlsoSeen bool      `json:"other_names,omitzero"` // the entity also read under another name, which Vault does not keep
}

func (a *app) who(ctx context.Context, t engine.Target) error {
	format, err := a.format(output.Table, output.JSON, output.CSV)
	if err != nil {
		return err
	}
	d, err := a.detail(ctx, t)
	if err != nil {
		return err
	}
	now, list := a.now(), readersOf(d)
	switch format {
	case output.JSON:
		return output.WriteJSON(a.stdio.Out, list)
	case output.CSV:
		return readersCSV(list).WriteCSV(a.stdio.Out)
	}
	holding := 0
	for _, h := range list {
		if h.Holds {
			holding++
		}
	}
	if holding == 0 {
		a.say("Nobody has a lease of the password of %s, user %s, now.", serverName(d), d.Username)
	} else {
		a.say("Live leases of the password of %s, user %s: %d.", serverName(d), d.Username, holding)
	}
	if len(list) > 0 {
		_, _ = fmt.Fprintln(a.stdio.Out)
		if err := a.printTable(readersTable(list, now)); err != nil {
			return err
		}
	}
	for _, v := range d.AllVersions() {
		if v.MoreReaders {
			a.note("version %d was also given to others, whose names Vault does not keep", v.Number)
		}
	}
	return nil
}

// readersOf joins leases and readers: first who holds it, then the newest version first.
func readersOf(d engine.Detail) []having {
	list := []having{}
	current := map[int]bool{}
	for _, v := range d.AllVersions() {
		current[v.Number] = v.Current
	}
	// A reader who holds a lease is one row.
	read := map[string]engine.Reader{}
	key := func(version int, display, entity string) string {
		return strconv.Itoa(version) + "\n" + entity + "\n" + display
	}
	for _, v := range d.AllVersions() {
		for _, r := range v.Readers {
			read[key(v.Number, r.DisplayName, r.EntityID)] = r
		}
	}
	holds := map[string]bool{}
	for _, l := range d.AllLeases() {
		k := key(l.Version, l.DisplayName, l.EntityID)
		holds[k] = true
		list = append(list, having{Name: l.DisplayName, Entity: l.EntityID, From: l.RemoteAddress, Version: l.Version,
			Current: current[l.Version], Holds: true, Until: l.Expires, First: l.Issued, Last: l.Issued, AlsoSeen: read[k].OtherNames})
	}
	for _, v := range slices.Backward(d.AllVersions()) {
		for _, r := range v.Readers {
			if !holds[key(v.Number, r.DisplayName, r.EntityID)] {
				list = append(list, having{Name: r.DisplayName, Entity: r.EntityID, From: r.RemoteAddress, Version: v.Number, Current: v.Current,
					First: r.First, Last: r.Last, AlsoSeen: r.OtherNames})
			}
		}
	}
	return list
}

func readersTable(list []having, now time.Time) *output.Rows {
	rows := &output.Rows{Headings: []string{"who", "holds it", "version", "first read", "last read", "from"}}
	for _, h := range list {
		holds := "no"
		if h.Holds {
			holds = "until " + output.Ago(h.Until, now)
		}
		version := strconv.Itoa(h.Version)
		if h.Current {
			version += " (current)"
		}
		name := readerName(h.Name, h.Entity)
		if h.AlsoSeen {
			name += " (and under other names)"
		}
		rows.Add(name, holds, version, output.Ago(h.First, now), output.Ago(h.Last, now), h.From)
	}
	return rows
}

func readersCSV(list []having) *output.Rows {
	rows := &output.Rows{Headings: []string{"display_name", "entity_id", "remote_address", "version", "current", "holds", "expire_time",
		"first_time", "last_time"}}
	for _, h := range list {
		rows.Add(h.Name, h.Entity, h.From, strconv.Itoa(h.Version), strconv.FormatBool(h.Current), strconv.FormatBool(h.Holds), stamp(h.Until),
			stamp(h.First), stamp(h.Last))
	}
	return rows
}
