package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/events"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/metrics"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathMetrics() *framework.Path {
	return &framework.Path{
		Pattern:      "metrics$",
		DisplayAttrs: request.DisplayAttrs("metrics"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback: b.readMetrics,
				Summary:  "Read the mount's metrics.",
				Description: "Returns the metrics as OpenMetrics text, not as JSON, for Prometheus and other monitoring systems. Reads memory only, " +
					"and contains neither secrets nor names of accounts.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The metrics.", MediaType: metrics.ContentType}}},
			}),
		},
		HelpSynopsis:    metricsSynopsis,
		HelpDescription: metricsDescription,
	}
}

func (b *backend) readMetrics(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	body, err := b.metrics.Text()
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		logical.HTTPContentType: metrics.ContentType,
		logical.HTTPStatusCode:  http.StatusOK,
		logical.HTTPRawBody:     body,
	}}, nil
}

// monitor is what the core tells what happens.
type monitor struct {
	*metrics.Recorder
	events *events.Queue
}

var _ rotation.Monitor = monitor{}

// Happened implements rotation.Monitor.
func (m monitor) Happened(h rotation.Happening) {
	m.Recorder.Happened(h)
	m.events.Happened(h)
}

// newMonitor makes the mount's metrics and events. Both ask the backend when they are asked themselves.
func (b *backend) newMonitor() monitor {
	b.metrics = metrics.New(metrics.Sources{
		Version:            Version,
		Figures:            func() rotation.Figures { return b.core.Figures() },
		FailingRoleLookups: func() int { return len(b.roles.Failures()) },
		Credentials:        b.credentialAges,
		Now:                func() time.Time { return b.clock.now() },
	})
	b.events = events.New(events.Deps{
		Send: func(ctx context.Context, kind logical.EventType, data *logical.EventData) error {
			return b.SendEvent(ctx, kind, data)
		},
		NoEvents: framework.ErrNoEvents,
		Count:    b.metrics.Event,
		Log:      func() hclog.Logger { return b.Logger() },
	})
	return monitor{b.metrics, b.events}
}

// credentialAges tells of the credentials of the connections that are in memory, which the regular work reads every minute.
func (b *backend) credentialAges() map[string]metrics.Credential {
	all, now := map[string]metrics.Credential{}, b.clock.now()
	for name, c := range b.connections.InMemory() {
		if s := c.CredentialState(b.registry[c.Provider], now); !s.Configured.IsZero() {
			all[name] = metrics.Credential{Age: s.Age, Expires: s.Expires}
		}
	}
	return all
}
