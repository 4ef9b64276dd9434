package backend

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// eventSystem hands each event on.
type eventSystem chan *logical.EventReceived

func (s eventSystem) SendEvent(_ context.Context, kind logical.EventType, data *logical.EventData) error {
	s <- &logical.EventReceived{EventType: string(kind), Event: data}
	return nil
}

// TestEventsOfAMount: a mount's events reach the event system that Vault gives it, and tell no secret.
func TestEventsOfAMount(t *testing.T) {
	system := make(eventSystem, 100)
	fake := newFakeCloud()
	fake.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	storage := new(logical.InmemStorage)
	b, err := newBackend(t.Context(), &logical.BackendConfig{Logger: hclog.NewNullLogger(), StorageView: storage, EventsSender: system,
		System: &logical.StaticSystemView{DefaultLeaseTTLVal: 1 << 40, MaxLeaseTTLVal: 1 << 50}}, fake.registry())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Initialize(t.Context(), &logical.InitializationRequest{Storage: storage}); err != nil {
		t.Fatal(err)
	}
	defer b.Cleanup(context.WithoutCancel(t.Context()))
	m := &bench{backend: b, storage: storage, cloud: fake}
	m.do(t, logical.CreateOperation, "config/prod", connectionData(resetCloud))
	fake.fail("StartReset", &cloud.Error{Kind: cloud.Refused, Message: "the server is stopped"})
	m.do(t, logical.CreateOperation, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	if _, err := b.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/web",
		Storage: storage}); err == nil {
		t.Fatal("a password is there before the first rotation")
	}
	events := []*logical.EventReceived{<-system}
	fake.fail("StartReset", nil)
	m.do(t, logical.UpdateOperation, "rotate-role/web", nil)
	m.do(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s"})
	events = append(events, <-system, <-system)
	var types []string
	for _, e := range events {
		types = append(types, e.EventType)
		if strings.Contains(e.Event.String(), fake.password("srv-1")) {
			t.Errorf("event %s holds the password", e.EventType)
		}
		if got := e.Event.Metadata.AsMap()["path"]; got != "accounts/prod/srv-1/root" {
			t.Errorf("event %s has the path %v", e.EventType, got)
		}
	}
	if want := []string{"cloudpw/failed", "cloudpw/rotated", "cloudpw/disclosed"}; !slices.Equal(types, want) {
		t.Errorf("events %v, want %v", types, want)
	}
}
