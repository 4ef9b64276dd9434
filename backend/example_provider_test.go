package backend_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/example"
)

// TestTheExampleWorksInAMount: the provider that newcomers copy gives out a password that the server takes, by nothing but its
// descriptor.
func TestTheExampleWorksInAMount(t *testing.T) {
	memory := new(example.Memory)
	memory.Add(example.Server{ID: "web-1", Name: "web", Tags: map[string]string{"team": "ops"}}, "root", "first-password")
	o := &outside{storage: new(logical.InmemStorage)}
	registry := cloud.Registry{example.Name: example.Descriptor(func(cloud.Config) example.API { return memory })}
	if err := registry.Check(nil); err != nil {
		t.Fatal(err)
	}
	mount, err := backend.NewMount(t.Context(), mountConfig(o.storage), registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mount.Cleanup(context.WithoutCancel(t.Context())) })
	o.Backend = mount
	if err := mount.Initialize(t.Context(), &logical.InitializationRequest{Storage: o.storage}); err != nil {
		t.Fatal(err)
	}

	const write = logical.UpdateOperation
	o.refused(t, write, "config/c", map[string]any{"provider": example.Name, "access_key": "id", "secret_key": "key"},
		http.StatusBadRequest, "region: required")
	o.ok(t, write, "config/c", map[string]any{"provider": example.Name, "region": "eu-1", "access_key": "id", "secret_key": "key"})
	o.refused(t, write, "roles/r", map[string]any{"connection": "c", "instance_ids": "web-1"}, http.StatusBadRequest, "force_stop: required")
	o.ok(t, write, "roles/r", map[string]any{"connection": "c", "instance_tags": "team=ops", "force_stop": true})
	creds := o.ok(t, logical.ReadOperation, "creds/r", map[string]any{"wait": "45s"})
	value, _ := creds["password"].(string)
	if creds["username"] != "root" || !memory.Accepts("web-1", "root", value) {
		t.Errorf("the answer names user %v; the server does not take its password", creds["username"])
	}
}
