package azure

import (
	"context"
	"os"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// tokensOf chooses where the tokens of a connection come from: its own client secret, or the environment.
func tokensOf(cfg cloud.Config, m metadata) *tokenSource {
	l := newLogin(cfg)
	if cfg.Flag(cloud.AmbientCredentials) {
		return newTokenSource(originOf(cfg), newAmbient(cfg, l, m).fetch)
	}
	return newTokenSource(originOf(cfg), newClientSecret(cfg, l).fetch)
}

// fetch looks at the environment each time, so that a changed one is seen.
func (a ambient) fetch(ctx context.Context) (string, time.Time, error) {
	if file := os.Getenv(envTokenFile); file != "" {
		return a.workload(ctx, file)
	}
	return a.managed(ctx)
}
