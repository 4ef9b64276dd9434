package ssh

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// resetter is the reset method. A session lasts until its script has ended, so that its answer is the outcome.
type resetter struct {
	guest.Resetter
}

var (
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.PasswordCheckers  = (*provider)(nil)
	_ cloud.PasswordResetter  = resetter{}
	_ cloud.ResetChecker      = resetter{}
	_ cloud.ResetPreparer     = resetter{}
)

// StartReset implements cloud.PasswordResetter. It is done, but where the server has refused the value for an order of its own, or for want
// of its key: that is a record, by which the core goes past the order and asks for the key again.
func (r resetter) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	started, err := r.Resetter.StartReset(ctx, reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	service, _ := r.Service.(command)
	_, kept := service.runs.get(started.RequestID)
	started.Done = !kept
	return started, nil
}

// Resetter implements cloud.PasswordResetters.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	if method != cloud.MethodCommand {
		return nil
	}
	return resetter{guest.Resetter{Service: command{p}, Keys: p.guests}}
}

// Checker implements cloud.PasswordCheckers.
func (p *provider) Checker(method string) cloud.PasswordChecker {
	if method != cloud.CheckCommand {
		return nil
	}
	return guest.Checker{Service: command{p}, Hashing: p.hashing, Keys: p.guests}
}
