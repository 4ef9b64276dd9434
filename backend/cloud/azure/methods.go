package azure

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// Resetter implements cloud.PasswordResetters.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	if method != cloud.MethodCommand {
		return nil
	}
	c := command{p}
	return resetter{guest.Resetter{Service: c, Keys: p.guests}, c}
}

// Checker implements cloud.PasswordCheckers.
func (p *provider) Checker(method string) cloud.PasswordChecker {
	if method != cloud.CheckCommand {
		return nil
	}
	return guest.Checker{Service: command{p}, Hashing: p.hashing, Keys: p.guests}
}
