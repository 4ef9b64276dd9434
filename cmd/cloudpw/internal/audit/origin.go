package audit

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// originTime bounds each request that only adds to the heading.
const originTime = 15 * time.Second

// OriginOf asks Vault whose token it is, and which plugin the mount runs. What Vault does not tell is empty.
func OriginOf(ctx context.Context, c *engine.Client, made time.Time, command string) Origin {
	vault := c.Vault()
	o := Origin{Made: made.UTC(), Address: vault.Address(), Namespace: vault.Namespace(), Mount: c.Mount() + "/", Command: command}
	text := func(path string) func(field string) string {
		ctx, cancel := context.WithTimeout(ctx, originTime)
		defer cancel()
		secret, err := vault.Logical().ReadWithContext(ctx, path)
		return func(field string) string {
			if err != nil || secret == nil {
				return ""
			}
			s, _ := secret.Data[field].(string)
			return s
		}
	}
	self := text("auth/token/lookup-self")
	o.By, o.Entity = self("display_name"), self("entity_id")
	o.Plugin = text("sys/internal/ui/mounts/" + c.Mount())("running_plugin_version")
	health, cancel := context.WithTimeout(ctx, originTime)
	defer cancel()
	if h, err := vault.WithNamespace("").Sys().HealthWithContext(health); err == nil {
		o.Cluster = h.ClusterName
	}
	return o
}
