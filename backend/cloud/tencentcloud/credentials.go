package tencentcloud

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// newKeySource chooses the keys of a connection: its own or those of the environment, and those of a role that is assumed
// with either.
func newKeySource(cfg cloud.Config, clock *cloud.RemoteClock, environment *ambient) (*keySource, error) {
	base := &keySource{origin: originStatic, static: cfg.Text(cloud.AccessKey)}
	// Whatever signs later, the clients can be made: the configuration is checked here.
	own, err := newSession(cfg, clock, keys{id: cfg.Text(cloud.AccessKey), secret: cfg.Text(cloud.SecretKey)})
	if err != nil {
		return nil, err
	}
	if cfg.Flag(cloud.AmbientCredentials) {
		base = &keySource{origin: originAmbient}
		base.renewed = cloud.NewRenewed(sessions(cfg, clock, environment.fetch))
	} else {
		base.renewed = cloud.NewRenewed(func(context.Context) (*session, time.Time, error) { return own, time.Time{}, nil })
	}
	base.origin.check = cfg.CheckHint()
	if cfg.Text(cloud.RoleARN) == "" {
		return base, nil
	}
	role := &assumedRole{cfg, sender{cfg.Limiter, cfg.RequestTimeout, base}}
	return &keySource{
		renewed: cloud.NewRenewed(sessions(cfg, clock, role.fetch)),
		origin:  originRole(cfg.Text(cloud.RoleARN), cfg.CheckHint()),
		assumes: cfg.Text(cloud.RoleARN),
	}, nil
}

// sessions makes the clients for fetched keys.
func sessions(cfg cloud.Config, clock *cloud.RemoteClock, fetch func(context.Context) (keys, time.Time, error)) func(context.Context) (
	*session, time.Time, error) {
	return func(ctx context.Context) (*session, time.Time, error) {
		k, end, err := fetch(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		s, err := newSession(cfg, clock, k)
		return s, end, err
	}
}
