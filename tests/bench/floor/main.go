// Command floor is a secrets engine that does as little as one can, on the same sdk as cloudpw: what its reads cost is
// the cost of a Vault plugin as such. It is for the benchmark only.
package main

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		hclog.New(&hclog.LoggerOptions{JSONFormat: true}).Error("the plugin could not be served", "error", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return err
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}

// leaseType is the type of the leases that the path leased gives.
const leaseType = "floor"

// The lease's times are those of cloudpw's defaults.
const (
	leaseTTL    = time.Hour
	leaseMaxTTL = 24 * time.Hour
)

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	secret := &framework.Secret{
		Type: leaseType,
		Revoke: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return nil, nil
		},
	}
	b := &framework.Backend{
		BackendType: logical.TypeLogical,
		Secrets:     []*framework.Secret{secret},
		Paths: []*framework.Path{
			path("nothing", func(context.Context, *logical.Request) (*logical.Response, error) {
				return &logical.Response{Data: answer()}, nil
			}),
			path("stored", func(ctx context.Context, req *logical.Request) (*logical.Response, error) {
				_, err := req.Storage.Get(ctx, "entry")
				return &logical.Response{Data: answer()}, err
			}),
			path(`leased-\d+`, func(context.Context, *logical.Request) (*logical.Response, error) {
				resp := secret.Response(answer(), nil)
				resp.Secret.TTL, resp.Secret.MaxTTL = leaseTTL, leaseMaxTTL
				return resp, nil
			}),
		},
	}
	return b, b.Setup(ctx, conf)
}

// answer is one short field.
func answer() map[string]any { return map[string]any{"password": "nothing"} }

func path(name string, read func(context.Context, *logical.Request) (*logical.Response, error)) *framework.Path {
	return &framework.Path{
		Pattern: name + "$",
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
					return read(ctx, req)
				},
			},
		},
	}
}
