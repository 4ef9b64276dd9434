package azure

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// removalPatience bounds how long a look goes on for the removal of what it has read. What is left then, a later look at the
// server removes (see sweep).
const removalPatience = 10 * time.Second

// Look implements guest.Service. The id of a command is its name, and the name that the rotation core made is in it, so a command
// whose answer was lost is found in the same way as any other.
//
// A command that sets no password is read once, by whoever waits for it: once it is final, and read, it is deleted.
func (c command) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	runs := make(map[cloud.ResetRef]guest.Run, len(refs))
	for _, ref := range refs {
		name := nameIn(ref)
		if name == "" {
			continue
		}
		v, known, err := c.find(ctx, ref.InstanceID)
		if err != nil {
			return nil, err
		}
		if !known {
			continue
		}
		found, err := c.shown(ctx, v, name)
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		run := outcome(*found)
		run.ID = name
		runs[ref] = run
		if run.State != guest.Running && !setsPassword(name) {
			c.removeRead(ctx, v, name)
		}
	}
	return runs, nil
}

// removeRead removes a command whose outcome is needed no more. It may stay.
func (c command) removeRead(ctx context.Context, v vm, name string) {
	ctx, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	_ = c.remove(ctx, v, name)
}
