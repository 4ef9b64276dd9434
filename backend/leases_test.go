package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// readAs reads a path as somebody.
func (h *harness) readAs(ctx context.Context, path string, by logical.Request) (*logical.Response, error) {
	by.Operation, by.Path, by.Storage = logical.ReadOperation, path, h.storage
	return h.HandleRequest(ctx, &by)
}

// renew renews a lease as Vault does.
func (h *harness) renew(t *testing.T, resp *logical.Response, increment time.Duration) (*logical.Response, error) {
	t.Helper()
	secret := *resp.Secret
	secret.Increment = increment
	req := logical.RenewRequest("creds/web", &secret, resp.Data)
	req.Storage = h.storage
	return h.HandleRequest(t.Context(), req)
}

func TestOneReaderCannotLockTheOthersOut(t *testing.T) {
	for name, by := range map[string]logical.Request{
		"an entity":                 {EntityID: "e-1", ClientTokenAccessor: "another for each read"},
		"a token without an entity": {ClientTokenAccessor: "a-1"},
		"a batch token":             {ClientToken: "hashed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := leasedRole(t, nil)
			h.lease(t, "creds/web")
			const bound = 50
			leases := make([]*logical.Response, bound)
			for i := range leases {
				again := by
				if by.EntityID != "" {
					again.ClientTokenAccessor = fmt.Sprint("a-", i)
				}
				resp, err := h.readAs(t.Context(), "creds/web", again)
				if err != nil || resp.Secret == nil {
					t.Fatalf("read %d: %v", i, err)
				}
				leases[i] = resp
			}
			status, message := statusOf(h.readAs(t.Context(), "creds/web", by))
			if status != http.StatusServiceUnavailable || !strings.Contains(message, "50 live leases") ||
				!strings.Contains(message, "vault lease revoke") {
				t.Errorf("one read more: %d %s", status, message)
			}
			if status, message = statusOf(h.readAs(t.Context(), "creds/web", logical.Request{EntityID: "e-2"})); status != http.StatusOK {
				t.Errorf("another reader: %d %s", status, message)
			}
			leases[7].Secret = viaJSON(t, leases[7].Secret)
			h.revoke(t, leases[7])
			if status, message = statusOf(h.readAs(t.Context(), "creds/web", by)); status != http.StatusOK {
				t.Errorf("after a revocation: %d %s", status, message)
			}
		})
	}
}

func TestAnExclusiveAccountWhoseLeaseIsLostIsFreedByARotation(t *testing.T) {
	h := leasedRole(t, map[string]any{"checkout": "exclusive", "ttl": "24h", "max_ttl": "48h"})
	h.lease(t, "creds/web") // Vault loses it
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusConflict, "at the latest", "vault lease revoke",
		"vault write -force cloudpw/rotate-role/web/srv-1")
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	if got := h.lease(t, "creds/web"); got.Data["version"] != 2 {
		t.Errorf("version %v", got.Data["version"])
	}
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	h.delete(t, "roles/web")
	h.cloud.terminate("srv-1")
	h.delete(t, "accounts/prod/srv-1/root")
}

func TestAClientThatHangsUpLeavesNoLease(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if resp, err := h.readAs(ctx, "creds/web", logical.Request{}); err == nil {
			t.Fatalf("an answer: %v", resp)
		}
	}
	if got := h.read(t, "accounts/prod/srv-1/root"); len(got["leases"].([]map[string]any)) != 1 || got["due_reason"] != nil {
		t.Errorf("leases %v, due %v", got["leases"], got["due_reason"])
	}
}

func TestRenewals(t *testing.T) {
	h := leasedRole(t, map[string]any{"ttl": "1h", "max_ttl": "24h"})
	lease := h.lease(t, "creds/web")
	expires := func() time.Duration {
		leases := h.read(t, "accounts/prod/srv-1/root")["leases"].([]map[string]any)
		at, err := time.Parse(time.RFC3339, leases[0]["expire_time"].(string))
		if err != nil || len(leases) != 1 {
			t.Fatalf("%v, %v", leases, err)
		}
		return time.Until(at).Round(time.Minute)
	}
	for _, c := range []struct {
		name               string
		increment, expires time.Duration
	}{
		{"as long as the role says", 0, time.Hour},
		{"as long as the client asks for", 12 * time.Hour, 12 * time.Hour},
		{"never shorter", time.Hour, 12 * time.Hour},
		{"not beyond max_ttl", 100 * time.Hour, 24 * time.Hour},
	} {
		resp, err := h.renew(t, lease, c.increment)
		if err != nil || resp.IsError() {
			t.Fatalf("%s: %v, %v", c.name, resp, err)
		}
		if got := expires(); got != c.expires {
			t.Errorf("%s: it ends in %s, want %s", c.name, got, c.expires)
		}
		if s := resp.Secret; s.TTL != time.Hour || s.MaxTTL < 23*time.Hour || s.MaxTTL > 24*time.Hour+time.Minute {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	if n := h.cloud.count("StartReset"); n != 1 {
		t.Errorf("%d resets", n)
	}
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	if status, message := statusOf(h.renew(t, lease, 0)); status != http.StatusBadRequest ||
		!strings.Contains(message, "read a new password") {
		t.Errorf("after a rotation: %d %s", status, message)
	}
}

// failingStorage fails its writes while it is told so.
type failingStorage struct {
	logical.Storage
	fails  atomic.Bool
	writes atomic.Int64
}

func (s *failingStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	s.writes.Add(1)
	if s.fails.Load() {
		return errors.New("the planned failure of storage")
	}
	return s.Storage.Put(ctx, e)
}

// TestARevocationThatStorageRefusesIsRepeated: Vault forgets a lease whose revocation succeeds.
func TestARevocationThatStorageRefusesIsRepeated(t *testing.T) {
	storage := &failingStorage{Storage: new(logical.InmemStorage)}
	h := newHarnessOn(t, storage, newFakeCloud())
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0})
	lease := h.lease(t, "creds/web")
	storage.fails.Store(true)
	req := logical.RevokeRequest("creds/web", lease.Secret, lease.Data)
	req.Storage = storage
	if _, err := h.HandleRequest(t.Context(), req); err == nil {
		t.Error("the revocation succeeds without a write")
	}
	storage.fails.Store(false)
	h.revoke(t, lease)
	h.waitFor(t, "accounts/prod/srv-1/root", func(a map[string]any) bool { return a["current_version"] == 2 })
}

// TestNoRotationWhereStorageMayNotBeWritten: a due account is left to the node that may.
func TestNoRotationWhereStorageMayNotBeWritten(t *testing.T) {
	for _, state := range []consts.ReplicationState{
		consts.ReplicationPerformanceStandby, consts.ReplicationPerformanceSecondary, consts.ReplicationDRSecondary, 0,
	} {
		t.Run(fmt.Sprint(state.StateStrings()), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := leasedRole(t, nil)
				lease := h.lease(t, "creds/web")
				h.cloud.fail("ResetRecords", cloud.Errorf(cloud.Unavailable, "down"))
				h.revoke(t, lease)
				h.pass(t, time.Second)
				h.Cleanup(t.Context())
				h.cloud.fail("ResetRecords", nil)
				resets := h.resets()
				system := *h.system
				system.ReplicationStateVal = state
				other, err := newBackend(t.Context(), &logical.BackendConfig{System: &system, StorageView: h.storage, BackendUUID: "test"},
					h.cloud.registry())
				if err != nil {
					t.Fatal(err)
				}
				defer other.Cleanup(context.WithoutCancel(t.Context()))
				if err := other.Initialize(t.Context(), &logical.InitializationRequest{Storage: h.storage}); err != nil {
					t.Fatal(err)
				}
				h.pass(t, time.Hour)
				if rotated := h.resets() > resets; rotated != (state == 0) {
					t.Errorf("rotated: %v", rotated)
				}
			})
		})
	}
}

// TestClientsShareTheFirstReadOfAnInitialPassword: one asks the cloud, the others wait for it.
func TestClientsShareTheFirstReadOfAnInitialPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := roleMount(t)
		key, _ := rsaKey(t, keyOne)
		h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
		h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
		before := h.cloud.count("InitialPassword")
		h.cloud.mu.Lock()
		h.cloud.during = map[string]func(context.Context) error{"InitialPassword": func(context.Context) error {
			time.Sleep(time.Second) // virtual: all clients come meanwhile
			return nil
		}}
		h.cloud.mu.Unlock()
		const clients = 20
		answers := make(chan any, clients)
		for range clients {
			go func() {
				resp, err := h.readAs(context.WithoutCancel(t.Context()), "creds/win", logical.Request{})
				if err != nil {
					answers <- err
					return
				}
				answers <- resp.Data["password"]
			}()
		}
		for range clients {
			if got := <-answers; got != "fr0m-the-guest!" {
				t.Errorf("a client got %v", got)
			}
		}
		if n := h.cloud.count("InitialPassword") - before; n != 1 {
			t.Errorf("%d cloud calls for %d clients", n, clients)
		}
	})
}

// TestAServerThatTheCloudHasNotLaunchedYet: the cloud's clock may be ahead of Vault's.
func TestAServerThatTheCloudHasNotLaunchedYet(t *testing.T) {
	h := roleMount(t)
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.LaunchTime = time.Now().Add(time.Hour) })
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusServiceUnavailable, "launched 0s ago")
}

// TestADisabledScheduleStillTellsWhenToReadAgain: consumers choose by these fields how they treat a secret.
func TestADisabledScheduleStillTellsWhenToReadAgain(t *testing.T) {
	for name, changes := range map[string]map[string]any{
		"rotation_period":   {"rotation_period": "1h"},
		"rotation_schedule": {"rotation_schedule": "0 * * * *"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, changes, func(t *testing.T, h *harness) {
				before := h.read(t, "creds/web")
				h.write(t, "roles/web", map[string]any{"disable_automated_rotation": true})
				for range 3 {
					got := h.read(t, "creds/web")
					for _, field := range []string{"ttl", "rotation_period", "rotation_schedule"} {
						if got[field] != before[field] {
							t.Errorf("%s = %v, before %v", field, got[field], before[field])
						}
					}
					if got["next_vault_rotation"] != nil || got["version"] != 1 {
						t.Errorf("next rotation %v of version %v", got["next_vault_rotation"], got["version"])
					}
					h.pass(t, time.Hour)
				}
			})
		})
	}
}
