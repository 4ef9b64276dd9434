// Package backend implements the secrets engine: its paths, lease type and lifecycle. It validates requests, stores
// connections, keys and roles, and makes Vault's responses. Package rotation decides what happens to accounts; the
// provider packages know what each cloud can do.
package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/events"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/host"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/metrics"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rootcred"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Version is the plugin's version, set at build time. Vault requires that it is semantic and equal to
// the version that the plugin is registered with.
var Version = "v0.0.0-dev"

// Storage prefixes of this package. Those of accounts belong to package rotation.
const ()

// backend is one mount. A process serves many mounts, so everything that a mount needs hangs here.
type backend struct {
	*framework.Backend

	storage  logical.Storage
	registry cloud.Registry
	core     *rotation.Core

	connections *connection.Store
	hosts       *host.Store
	keys        *keypair.Store
	roles       *role.Store
	root        *rootcred.Rotator
	campaigns   *campaign.Campaigns
	policies    policy.Generator
	metrics     *metrics.Recorder
	events      *events.Queue

	distances   distances
	missed      missedOnDelete
	statusLooks chan struct{} // those that read storage for status
	keyDrops    keyDrops
	hostCleans  hostCleans

	rounds     *rounds
	rootRounds *rounds // of unattended rotations of credentials
	clock      clock
}

var _ logical.Backend = (*backend)(nil)

// Factory makes the backend of one mount.
func Factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	return newBackend(ctx, conf, providers())
}

// Initialize is Vault's call after the backend was made, but for panics.
func (b *backend) Initialize(ctx context.Context, req *logical.InitializationRequest) (err error) {
	defer guard.Recover(b.Logger(), "the start of the mount", &err)
	return b.Backend.Initialize(ctx, req)
}

// Cleanup is Vault's call before the backend ends, but for panics.
func (b *backend) Cleanup(ctx context.Context) {
	defer guard.Recover(b.Logger(), "the end of the mount", nil)
	b.Backend.Cleanup(ctx)
}

// InvalidateKey is Vault's call when another node has changed a key, but for panics.
func (b *backend) InvalidateKey(ctx context.Context, key string) {
	defer guard.Recover(b.Logger(), "forgetting what is cached", nil)
	b.Backend.InvalidateKey(ctx, key)
}

// newBackend makes a backend with the given providers.
func newBackend(ctx context.Context, conf *logical.BackendConfig, registry cloud.Registry) (*backend, error) {
	if conf == nil || conf.StorageView == nil {
		return nil, errors.New("cloudpw: Vault passed no configuration or no storage")
	}
	if err := registry.Check(append(slices.Collect(maps.Keys(connection.ResponseSchemas(nil))), "name")); err != nil {
		return nil, fmt.Errorf("cloudpw: %w", err)
	}
	b := &backend{
		storage:     conf.StorageView,
		registry:    registry,
		keys:        keypair.NewStore(conf.StorageView),
		rounds:      newRounds(roundLimit),
		rootRounds:  newRounds(rootRoundLimit),
		clock:       wallClock(),
		statusLooks: make(chan struct{}, statusLooks),
	}
	b.policies = policy.New(conf.System)
	b.connections = connection.NewStore(conf.StorageView, registry, b.policies, func() time.Time { return b.clock.now() })
	b.hosts = host.NewStore(host.Deps{
		Storage:        conf.StorageView,
		Use:            b.useOfHost,
		Connection:     b.connectionOfHost,
		HoldConnection: func(name string) func() { return b.connections.RLock(name) },
		Log:            func() hclog.Logger { return b.Logger() },
		Now:            func() time.Time { return b.clock.now() },
	})
	b.connections.UseHosts(func(connection string, listed bool) cloud.Hosts { return b.hosts.View(connection, listed) })
	b.core = rotation.New(rotation.Options{
		Storage:  conf.StorageView,
		Logger:   conf.Logger,
		Connect:  b.connections.Connect,
		Generate: b.policies.Generate,
		Decrypt:  b.keys.Decrypt,
		Monitor:  b.newMonitor(),
	})
	b.connections.Use(b.core)
	b.roles = role.NewStore(role.Deps{
		Storage:     conf.StorageView,
		Registry:    registry,
		Policies:    b.policies,
		Connections: b.connections,
		Keys:        b.keys,
		Core:        b.core,
		Log:         func() hclog.Logger { return b.Logger() },
		Now:         func() time.Time { return b.clock.now() },
	})
	b.root = rootcred.New(rootcred.Deps{
		Connections: b.connections,
		Core:        b.core,
		Log:         func() hclog.Logger { return b.Logger() },
		Now:         func() time.Time { return b.clock.now() },
		Sleep:       func(ctx context.Context, d time.Duration) error { return b.clock.sleep(ctx, d) },
	})
	b.campaigns = campaign.New(campaign.Deps{
		Storage: conf.StorageView,
		Engine:  b.core,
		Log:     func() hclog.Logger { return b.Logger() },
	})
	b.Backend = &framework.Backend{
		Help:           rootHelp,
		BackendType:    logical.TypeLogical,
		RunningVersion: Version,
		Paths:          b.paths(),
		Secrets:        []*framework.Secret{b.passwordSecret()},
		PathsSpecial: &logical.Paths{
			// For sudo only: the rotation of a whole connection, or of all that somebody was given, may shut down servers, and that
			// of its credential ends what else uses it; versions show passwords without a lease, and
			// restores and imports change what Vault takes for the truth, as does a word about a place, and a host key says which
			// server is given passwords. Vault takes exact paths, or prefixes that end in *.
			Root: []string{rotateRootPrefix + "*", rotateConnectionPrefix + "*", rotateReaderPath, verifyConnectionPrefix + "*",
				versionsPrefix + "*", importPrefix + "*", rereadPrefix + "*", connection.PlacePrefix + "*", role.TakeOverPrefix + "*",
				host.RepinPrefix + "*"},
			// Connections hold cloud credentials, keys private keys, accounts and groups passwords. Hosts hold public keys.
			SealWrapStorage: []string{connection.Prefix, keypair.Prefix, rotation.AccountPrefix, rotation.GroupPrefix},
		},
		InitializeFunc: b.initialize,
		PeriodicFunc:   b.periodic,
		Invalidate:     b.invalidate,
		Clean: func(context.Context) {
			b.rounds.stop()
			b.rootRounds.stop()
			b.campaigns.Stop()
			b.core.Stop()
			b.events.Stop()
		},
	}
	viewed := *conf
	if conf.System != nil {
		viewed.System = &mountView{SystemView: conf.System, now: b.clock.now}
	}
	if err := b.Setup(ctx, &viewed); err != nil {
		return nil, err
	}
	return b, nil
}

// paths lists what the mount serves. Every pattern is anchored and no request path matches two of
// them, so the order is only that of the documentation: what an operator writes first comes first.
func (b *backend) paths() []*framework.Path {
	return []*framework.Path{
		b.pathConfigList(),
		b.pathConfig(),
		b.pathCheck(),
		b.pathRotateRoot(),
		b.pathDiscover(),
		b.pathHostsList(),
		b.pathHosts(),
		b.pathHost(),
		b.pathHostKey(),
		b.pathKeysList(),
		b.pathKeys(),
		b.pathRolesList(),
		b.pathRoles(),
		b.pathInstances(),
		b.pathCredsRole(),
		b.pathCredsInstance(),
		b.pathRotateRole(),
		b.pathRotateInstance(),
		b.pathAccountsConnections(),
		b.pathAccountsInstances(),
		b.pathAccountsUsernames(),
		b.pathAccount(),
		b.pathAccountMove(),
		b.pathTakeOver(),
		b.pathVersionsList(),
		b.pathVersion(),
		b.pathVersionRestore(),
		b.pathImport(),
		b.pathReread(),
		b.pathRotateConnection(),
		b.pathRotateReader(),
		b.pathVerifyInstance(),
		b.pathVerifyRole(),
		b.pathVerifyConnection(),
		b.pathCampaignsList(),
		b.pathCampaign(),
		b.pathPlace(),
		b.pathStatus(),
		b.pathReport(),
		b.pathMetrics(),
	}
}

// initialize starts the background work, where this node may write: not on performance standbys,
// secondaries of a replicated mount, or DR secondaries. It returns at once; reads work meanwhile.
func (b *backend) initialize(context.Context, *logical.InitializationRequest) error {
	if b.WriteSafeReplicationState() {
		b.core.Start()
		b.campaigns.Start()
	}
	return nil
}

// invalidate drops what is cached of a storage key that another node has changed.
func (b *backend) invalidate(_ context.Context, key string) {
	if connection := b.connections.Invalidate(key); connection != "" {
		b.core.ForgetConnection(connection)
		return
	}
	if !b.roles.Invalidate(key) && !b.hosts.Invalidate(key) {
		b.core.Invalidate(key)
	}
}
