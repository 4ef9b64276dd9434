package azure

import (
	"context"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Ready implements guest.Service. A virtual machine that does not run, whose agent does not work, or that keeps as many commands as
// the cloud lets it is an error: a command to it would be refused, or would wait there for its next start. What is left of earlier
// commands of ours is removed.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	records := make(map[string]cloud.ResetRecord, len(ids))
	for _, id := range ids {
		v, known, err := c.ready(ctx, id)
		if err != nil {
			return nil, err
		}
		if !known {
			continue
		}
		if err := c.makeRoom(ctx, v); err != nil {
			return nil, err
		}
		records[id] = cloud.ResetRecord{}
	}
	return records, nil
}

const (
	// mostCommands is how many managed run commands a virtual machine may have.
	mostCommands = 25
	// mostRemoved bounds how many leftovers one look removes. The cloud takes 12 changes of a virtual machine at once and 4 a minute,
	// of which an attempt and its removal need two.
	mostRemoved = 3
	// A command of ours that ended so long ago, by the server's clock, is a leftover. The outcome of one that was to set a
	// password may still be asked for before, and its removal be under way. Nothing is lost if a clock is wrong: what the cloud
	// does not show proves nothing.
	attemptLeftover = time.Hour
	lookLeftover    = 10 * time.Minute
)

// makeRoom removes leftovers of a virtual machine, and refuses one that has no room for a further command.
func (c command) makeRoom(ctx context.Context, v vm) error {
	there, err := c.all(ctx, v)
	if err != nil {
		return err
	}
	removed, failed := c.sweep(ctx, v, there)
	switch {
	case len(there) < mostCommands:
		return nil
	case removed > 0: // which takes the cloud some seconds
		return cloud.Errorf(cloud.Refused, "virtual machine %s has %d run commands, and takes no further one; %d old ones of cloudpw's are "+
			"being deleted, and the next attempt finds room", v.id, len(there), removed)
	case failed != nil:
		return cloud.Errorf(cloud.Refused, "virtual machine %s has %d run commands, and takes no further one; cloudpw could not delete its "+
			"old ones: %v", v.id, len(there), failed)
	}
	return cloud.Errorf(cloud.Refused, "virtual machine %s has %d run commands, of which cloudpw can delete none; %s", v.id, len(there),
		roomAdvice)
}

// all are the run commands of a virtual machine.
func (c command) all(ctx context.Context, v vm) ([]runCommand, error) {
	var all []runCommand
	err := list(ctx, &c.sender, runCommandsGet, commandPath(v, ""), withView(), func(r *runCommand) error {
		all = append(all, *r)
		return nil
	})
	return all, err
}

// sweep removes some leftovers, the oldest first, and tells how many, and why it went no further. A later look goes on.
func (c command) sweep(ctx context.Context, v vm, there []runCommand) (removed int, failed error) {
	ctx, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	left := leftovers(there, time.Now())
	for _, name := range left[:min(len(left), mostRemoved)] {
		if err := c.remove(ctx, v, name); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// leftovers are the names of the commands of ours that ended so long ago that nobody asks for them any more, the oldest first. What
// has not ended stays, and so does everything that others have made.
func leftovers(there []runCommand, now time.Time) []string {
	var old []runCommand
	for _, r := range there {
		ended, limit := r.Properties.InstanceView.ended(), lookLeftover
		if setsPassword(r.Name) {
			limit = attemptLeftover
		}
		if leftoverForm.MatchString(r.Name) && !ended.IsZero() && now.Sub(ended) > limit {
			old = append(old, r)
		}
	}
	slices.SortStableFunc(old, func(a, b runCommand) int {
		return a.Properties.InstanceView.ended().Compare(b.Properties.InstanceView.ended())
	})
	names := make([]string, len(old))
	for i, r := range old {
		names[i] = r.Name
	}
	return names
}
