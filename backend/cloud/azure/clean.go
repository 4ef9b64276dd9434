package azure

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// resetter is the reset method by command. A virtual machine keeps 25 commands, and may carry all of them out again, so each is
// deleted when its outcome is known.
type resetter struct {
	guest.Resetter
	commands command
}

var (
	_ cloud.PasswordResetter = resetter{}
	_ cloud.ResetCleaner     = resetter{}
)

// CleanReset implements cloud.ResetCleaner.
func (r resetter) CleanReset(ctx context.Context, ref cloud.ResetRef) error {
	c, name := r.commands, nameIn(ref)
	if name == "" {
		return nil
	}
	v, known, err := c.find(ctx, ref.InstanceID)
	if err != nil || !known { // with a virtual machine the cloud deletes its commands
		return err
	}
	found, err := c.shown(ctx, v, name)
	if err != nil || found == nil {
		return err
	}
	if !found.Properties.InstanceView.final() {
		return cloud.Errorf(cloud.NotReady, "%s: command %s has not ended, as far as the cloud tells; deleting it would end it",
			runCommandsDelete, name)
	}
	return c.remove(ctx, v, name)
}
