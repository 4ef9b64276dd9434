package alibabacloud

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// newKeySource chooses the keys of a connection: its own or those of the environment, and those of a role that is assumed
// with either.
func newKeySource(cfg cloud.Config, c *client, environment *ambient) *keySource {
	base := &keySource{origin: originStatic, static: cfg.Text(cloud.AccessKey)}
	if cfg.Flag(cloud.AmbientCredentials) {
		base = &keySource{origin: originAmbient, renewed: cloud.NewRenewed(environment.fetch)}
	} else {
		own := keys{id: cfg.Text(cloud.AccessKey), secret: cfg.Text(cloud.SecretKey)}
		base.renewed = cloud.NewRenewed(func(context.Context) (keys, time.Time, error) { return own, time.Time{}, nil })
	}
	base.origin.check = cfg.CheckHint()
	arn := cfg.Text(cloud.RoleARN)
	if arn == "" {
		return base
	}
	role := &assumedRole{cfg, sender{c, cfg.Limiter, cfg.RequestTimeout, base}}
	return &keySource{renewed: cloud.NewRenewed(role.fetch), origin: originRole(arn, cfg.CheckHint()), assumes: arn}
}
