package backend

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestFewVerificationsAndListingsAtOnce(t *testing.T) {
	h := leasedRole(t, nil)
	entered, goOn := make(chan struct{}, 100), make(chan struct{})
	hangs := func(context.Context) error { entered <- struct{}{}; <-goOn; return nil }
	h.cloud.mu.Lock()
	h.cloud.during = map[string]func(context.Context) error{"Verify": hangs, "FindInstances": hangs}
	h.cloud.mu.Unlock()
	var clients sync.WaitGroup
	for n := range 3 * fewAtOnce {
		clients.Go(func() {
			op, path, data := logical.Operation(logical.ListOperation), "discover/prod", map[string]any(nil)
			if n%2 == 0 {
				op, path, data = logical.UpdateOperation, "config/prod"+string(rune('a'+n)), map[string]any{"provider": resetCloud, "region": "eu-1", "access_key": "key", "secret_key": "s3cret-key"}
			}
			if resp, err := h.request(t, op, path, data); err != nil || resp.IsError() {
				t.Errorf("%s: %v, %v", path, resp, err)
			}
		})
	}
	for range fewAtOnce {
		<-entered
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	resp, err := h.HandleRequest(gone, &logical.Request{Operation: logical.ListOperation, Path: "discover/prod", Storage: h.storage})
	if status, message := statusOf(resp, err); status != http.StatusServiceUnavailable {
		t.Errorf("%d %q", status, message)
	}
	if n := len(entered); n != 0 {
		t.Errorf("%d more than %d at once", n, fewAtOnce)
	}
	close(goOn)
	clients.Wait()
}
