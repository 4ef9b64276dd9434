package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// newKeySource chooses the keys of a connection: its own or those of the environment, and those of a role that is assumed
// with either.
func newKeySource(cfg cloud.Config) *keySource {
	base := &keySource{origin: originStatic, static: cfg.Text(cloud.AccessKey)}
	if cfg.Flag(cloud.AmbientCredentials) {
		base = &keySource{origin: originAmbient}
		base.renewed = cloud.NewRenewed(newAmbient(cfg).fetch)
	} else {
		value := credentials.NewStaticCredentialsProvider(cfg.Text(cloud.AccessKey), cfg.Text(cloud.SecretKey), "").Value
		base.renewed = cloud.NewRenewed(func(context.Context) (sdk.Credentials, time.Time, error) { return value, time.Time{}, nil })
	}
	base.origin.check = cfg.CheckHint()
	if cfg.Text(cloud.RoleARN) == "" {
		return base
	}
	role := &assumedRole{cfg: cfg, base: sender{cfg.Limiter, cfg.RequestTimeout, base}, sts: newSTS(cfg, base)}
	return &keySource{
		renewed: cloud.NewRenewed(role.fetch),
		origin:  origin{"the role " + cfg.Text(cloud.RoleARN) + " and its sessions", "the role " + cfg.Text(cloud.RoleARN), cfg.CheckHint()},
		assumes: cfg.Text(cloud.RoleARN),
	}
}
