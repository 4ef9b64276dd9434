package backend

import (
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// BenchmarkListHosts lists 10,000 hosts with their details, and a page of 100.
func BenchmarkListHosts(b *testing.B) {
	fake := newFakeCloud()
	mount, err := newBackend(b.Context(), &logical.BackendConfig{Logger: hclog.NewNullLogger(),
		System: &logical.StaticSystemView{}, StorageView: new(logical.InmemStorage), BackendUUID: "test"}, hostRegistry(fake))
	if err != nil {
		b.Fatal(err)
	}
	defer mount.Cleanup(b.Context())
	send := func(op logical.Operation, path string, data map[string]any) *logical.Response {
		b.Helper()
		resp, err := mount.HandleRequest(b.Context(), &logical.Request{Operation: op, Path: path, Data: data, Storage: mount.storage})
		if err != nil {
			b.Fatal(err)
		}
		return resp
	}
	send(logical.UpdateOperation, "config/dc", map[string]any{"provider": hostCloud, "login_user": "cloudpw", "generate_key": true,
		"verify_connection": false})
	const all, one = 10_000, 1000
	for from := 0; from < all; from += one {
		var list []any
		for i := from; i < from+one; i++ {
			list = append(list, map[string]any{"name": fmt.Sprintf("web-%05d", i), "connection": "dc", "address": "192.0.2.7",
				"host_key": newHostKey(b)})
		}
		send(logical.UpdateOperation, "hosts", map[string]any{"hosts": list})
	}
	for name, page := range map[string]int{"all": 0, "page of 100": 100} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				resp := send(logical.ListOperation, "hosts/", map[string]any{"limit": page})
				want := page
				if page == 0 {
					want = all
				}
				if keys, _ := resp.Data["keys"].([]string); len(keys) != want {
					b.Fatalf("%d hosts", len(keys))
				}
			}
		})
	}
}
