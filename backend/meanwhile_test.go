package backend

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// inCall has something done during each call of a method; nil: nothing.
func (f *fakeCloud) inCall(method string, do func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.during == nil {
		f.during = map[string]func(context.Context) error{}
	}
	f.during[method] = do
}

// hang lets calls of a method to the in-memory cloud wait until release is called; begun tells of each.
func (f *fakeCloud) hang(method string) (begun <-chan struct{}, release func()) {
	started, end := make(chan struct{}, 100), make(chan struct{})
	var once sync.Once
	f.inCall(method, func(ctx context.Context) error {
		started <- struct{}{}
		select {
		case <-end:
			return nil
		case <-ctx.Done():
			return &cloud.Error{Kind: cloud.Unavailable, Message: "no answer", Err: ctx.Err()}
		}
	})
	return started, func() {
		once.Do(func() {
			f.inCall(method, nil)
			close(end)
		})
	}
}

// neighbour is another name whose lock is the same.
func neighbour(t *testing.T, locks store.Locks, name string) string {
	t.Helper()
	for i := range 100_000 {
		if other := fmt.Sprintf("n-%d", i); locks.Shared(other, name) {
			return other
		}
	}
	t.Fatal("no other name has that lock")
	return ""
}

// aside runs a request while something else goes on, and returns what waits for its end.
func (h *harness) aside(t *testing.T, op logical.Operation, path string, data map[string]any) (wait func() (int, string)) {
	t.Helper()
	type outcome struct {
		status int
		text   string
	}
	done := make(chan outcome, 1)
	go func() {
		resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: op, Path: path, Data: data, Storage: h.storage})
		status, text := statusOf(resp, err)
		done <- outcome{status, text}
	}()
	return func() (int, string) {
		o := <-done
		return o.status, o.text
	}
}

// TestAHungCloudHoldsNoLock: 256 locks serve all names, so what waits for a cloud under one of them keeps others
// waiting that have nothing to do with it.
func TestAHungCloudHoldsNoLock(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		op     logical.Operation
		path   string
		data   map[string]any
	}{
		"a new connection is verified": {"Verify", logical.UpdateOperation, "config/hung", connectionData(resetCloud)},
		"a connection is verified":     {"Verify", logical.UpdateOperation, "config/prod", map[string]any{"secret_key": "again"}},
		"credentials are compared": {"DescribeInstances", logical.UpdateOperation, "config/prod",
			map[string]any{"access_key": "AK2", "secret_key": "again"}},
		"a role looks for instances": {"DescribeInstances", logical.UpdateOperation, "roles/web",
			map[string]any{"instance_ids": "srv-1,srv-2"}},
		"a new role looks for them": {"DescribeInstances", logical.UpdateOperation, "roles/hung",
			map[string]any{"connection": "prod", "instance_ids": "srv-2", "force_stop": true}},
		"a role looks for tags": {"FindInstances", logical.UpdateOperation, "roles/hung",
			map[string]any{"connection": "prod", "instance_tags": "team=x", "force_stop": true}},
		"an account is deleted":     {"DescribeInstances", logical.DeleteOperation, "accounts/prod/srv-3/root", nil},
		"tags are looked for again": {"FindInstances", logical.ReadOperation, "creds/tagged/srv-4", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := leasedRole(t, nil)
			for i := 2; i <= 5; i++ {
				h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", i), Platform: cloud.Linux, Tags: map[string]string{"n": fmt.Sprint(i)}})
			}
			h.write(t, "roles/old", map[string]any{"connection": "prod", "instance_ids": "srv-3", "force_stop": true, "min_reset_interval": 0})
			lease := h.lease(t, "creds/old")
			h.delete(t, "roles/old")
			h.revoke(t, lease)
			h.hasVersion(t, "srv-3", 2)
			h.write(t, "roles/tagged", map[string]any{"connection": "prod", "instance_tags": "n=5", "force_stop": true})
			h.connection(t, "far", resetCloud)

			begun, release := h.cloud.hang(test.method)
			defer release()
			wait := h.aside(t, test.op, test.path, test.data)
			<-begun
			// Others with the same locks, and others of the same connection and role, go on.
			unverified := map[string]any{"verify_connection": false}
			for _, other := range []string{"hung", "prod", "web", "tagged"} {
				h.write(t, "config/"+neighbour(t, h.connections.Locks, other), merged(connectionData(resetCloud), unverified))
			}
			for _, other := range []string{"hung", "web", "tagged", "prod"} {
				h.delete(t, "roles/"+neighbour(t, h.roles.Locks, other))
			}
			h.write(t, "roles/tagged", map[string]any{"ttl": "10m"})
			release()
			// The deleted account's server exists, and the instance that was read belongs to no role.
			if status, text := wait(); status != http.StatusOK && test.op == logical.UpdateOperation {
				t.Errorf("the request that waited ends with %d %s", status, text)
			}
		})
	}
}

// TestAWriteThatWasOvertakenAsksAnew: what was verified is what is stored.
func TestAWriteThatWasOvertakenAsksAnew(t *testing.T) {
	h := leasedRole(t, nil)
	begun, release := h.cloud.hang("Verify")
	wait := h.aside(t, logical.UpdateOperation, "config/prod", map[string]any{"secret_key": "mine"})
	<-begun
	h.write(t, "config/prod", map[string]any{"request_timeout": 17, "verify_connection": false})
	h.write(t, "config/prod", map[string]any{"max_requests_per_second": 999})
	release()
	if status, text := wait(); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	c, err := h.connections.Get(t.Context(), "prod")
	if err != nil || c.Own["secret_key"] != "mine" || request.Seconds(c.Timeout()) != 17 || c.MaxRequestsPerSecond != 999 {
		t.Errorf("stored is %+v, %v", c, err)
	}
}

// TestAWriteThatIsAlwaysOvertakenIsRefused: it ends, and says so.
func TestAWriteThatIsAlwaysOvertakenIsRefused(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.launch(cloud.Instance{ID: "srv-2", Platform: cloud.Linux})
	n := 0
	h.cloud.inCall("DescribeInstances", func(context.Context) error {
		n++
		h.write(t, "roles/web", map[string]any{"max_versions": n + 1})
		return nil
	})
	h.refused(t, logical.UpdateOperation, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2"}, http.StatusConflict, "changed by others",
		"write it again")
	if got := h.read(t, "roles/web"); got["max_versions"] != n+1 || fmt.Sprint(got["instance_ids"]) != "[srv-1]" {
		t.Errorf("the role is %v", got)
	}
}

// TestVerificationIsPaced: verifying calls count against the connection's limit as all others do.
func TestVerificationIsPaced(t *testing.T) {
	h := newHarness(t)
	h.write(t, "config/c", connectionData(resetCloud))
	h.write(t, "config/c", map[string]any{"secret_key": "again"})
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1", "force_stop": true})
	limiters := map[cloud.Limiter]bool{}
	for _, config := range h.cloud.configs {
		if _, ok := config.Limiter.(cloud.Unlimited); ok || config.Limiter == nil {
			t.Error("a provider's calls are not paced")
		}
		limiters[config.Limiter] = true
	}
	if len(h.cloud.configs) < 3 || len(limiters) != 1 {
		t.Errorf("%d providers wait for %d limiters", len(h.cloud.configs), len(limiters))
	}
}

// root is the account of an instance of connection prod.
func root(instance string) rotation.ID {
	return rotation.ID{Connection: "prod", InstanceID: instance, Username: "root"}
}

// settingChanges are writes of a leased and of a static role that select no instances.
var settingChanges = map[string][]map[string]any{
	"leased": {
		{"ttl": "30m"}, {"max_ttl": "3h"}, {"checkout": "exclusive"}, {"max_versions": 3}, {"custom_metadata": "owner=ops"},
		{"min_reset_interval": "2h"},
		{"password_policy": "strong"}, {"rotation_schedule": "0 3 * * SAT", "rotation_window": "2h"},
		// As tools write that always write all fields.
		{"connection": "prod", "instance_ids": []string{"srv-2", "srv-1", "srv-3"}, "username": "", "ttl": "20m", "force_stop": true},
	},
	"static": {
		{"rotation_period": "24h"}, {"rotation_period": "24h", "disable_automated_rotation": true},
		{"rotation_schedule": "0 3 * * SAT", "rotation_period": "", "disable_automated_rotation": ""},
		{"rotation_timezone": "Europe/Berlin"}, {"rotate_on_read": true}, {"rotate_on_read_cooldown": "1h"}, {"max_versions": 3},
		{"custom_metadata": "owner=ops"},
		{"skip_import_rotation": ""}, {"skip_import_rotation": true}, {"force_stop": false}, {"reset_method": "command", "force_stop": ""},
	},
}

// TestARolesSettingsNeedNoCloud: who wants to brake, or to change anything but the choice of instances, can do so
// while the cloud is down, the keys are refused, or a server is gone; the accounts get it.
func TestARolesSettingsNeedNoCloud(t *testing.T) {
	for trouble, begin := range map[string]func(*harness){
		"the cloud is down": func(h *harness) { h.failAll(cloud.Errorf(cloud.Unavailable, "no route")) },
		"keys are refused":  func(h *harness) { h.failAll(cloud.Errorf(cloud.Denied, "no such key")) },
		"a server is gone":  func(h *harness) { h.cloud.terminate("srv-2") },
		"a server is terminated": func(h *harness) {
			h.cloud.change("srv-2", func(i *cloud.Instance) { i.State, i.CloudState = cloud.StateGone, "TERMINATED" })
		},
		"its account is retired": func(h *harness) {
			h.cloud.terminate("srv-2")
			c, err := h.connections.Get(context.Background(), "prod")
			if err == nil {
				err = h.core.Retire(context.Background(), root("srv-2"), c.Place(h.registry[c.Provider]))
			}
			if err != nil {
				panic(err)
			}
		},
	} {
		for mode, changes := range settingChanges {
			for _, selection := range []map[string]any{{"instance_ids": "srv-1,srv-2,srv-3"}, {"instance_tags": "app=x"}} {
				t.Run(fmt.Sprint(trouble, " ", mode, " ", selection), func(t *testing.T) {
					h := newHarness(t)
					h.system.SetPasswordPolicy("strong", func() (string, error) { return "Correct-Horse-7-Battery", nil })
					for i := 1; i <= 3; i++ {
						h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", i), Platform: cloud.Linux, Tags: map[string]string{"app": "x"}})
					}
					h.connection(t, "prod", resetCloud)
					h.write(t, "roles/web",
						merged(selection, map[string]any{"connection": "prod", "mode": mode, "force_stop": true,
							"skip_import_rotation": map[string]any{"static": true}[mode]}))
					begin(h)
					gone := map[string]bool{}
					for i := 1; i <= 3; i++ {
						view, err := h.core.Inspect(t.Context(), root(fmt.Sprintf("srv-%d", i)))
						if err != nil {
							t.Fatal(err)
						}
						gone[view.ID.InstanceID] = !view.Gone.IsZero()
					}
					calls := h.cloud.count()
					for _, change := range changes {
						if selection["instance_tags"] != nil && change["instance_ids"] != nil {
							continue
						}
						h.write(t, "roles/web", change)
						r, err := h.roles.Get(t.Context(), "web")
						if err != nil {
							t.Fatal(err)
						}
						for _, instance := range r.Instances() {
							view, err := h.core.Inspect(t.Context(), r.Account(instance))
							if err != nil || view.Role != "web" || !reflect.DeepEqual(view.Settings, r.Settings(h.registry[resetCloud])) {
								t.Fatalf("after %v account %s has %+v, %v", change, instance, view, err)
							}
							if gone[instance] == view.Gone.IsZero() {
								t.Errorf("after %v account %s is gone since %v", change, instance, view.Gone)
							}
						}
					}
					if n := h.cloud.count() - calls; n != 0 {
						t.Errorf("the cloud was asked %d times", n)
					}
				})
			}
		}
	}
}

// TestASharedRolesSettingsNeedNoCloud: the group gets them, too.
func TestASharedRolesSettingsNeedNoCloud(t *testing.T) {
	h := sharedRole(t, nil)
	h.failAll(cloud.Errorf(cloud.Unavailable, "no route"))
	calls := h.cloud.count()
	for _, change := range []map[string]any{{"ttl": "20m"}, {"checkout": "exclusive"}, {"max_versions": 4}, {"min_reset_interval": "1h"}} {
		h.write(t, "roles/web", change)
		r, err := h.roles.Get(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		want := r.Settings(h.registry[resetCloud])
		for _, account := range append([]rotation.ID{rotation.GroupID(r.Connection, "web")}, r.Account(r.Instances()[0])) {
			if view, err := h.core.Inspect(t.Context(), account); err != nil || !reflect.DeepEqual(view.Settings, want) {
				t.Errorf("after %v %s has %+v, %v", change, account, view, err)
			}
		}
	}
	if n := h.cloud.count() - calls; n != 0 {
		t.Errorf("the cloud was asked %d times", n)
	}
}

// TestANewSelectionNeedsTheCloud: where it cannot be asked, nothing is half-written.
func TestANewSelectionNeedsTheCloud(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"other instances":   {"instance_ids": "srv-1,srv-2", "ttl": "10m"},
		"fewer":             {"instance_ids": "srv-2", "ttl": "10m"},
		"tags":              {"instance_ids": "", "instance_tags": "app=x", "ttl": "10m"},
		"another user":      {"username": "svc", "ttl": "10m"},
		"nothing, to renew": {},
	} {
		t.Run(name, func(t *testing.T) {
			h := leasedRole(t, nil)
			h.cloud.launch(cloud.Instance{ID: "srv-2", Platform: cloud.Linux, Tags: map[string]string{"app": "x"}})
			before := h.stored(t, "")
			h.failAll(cloud.Errorf(cloud.Unavailable, "no route"))
			h.refused(t, logical.UpdateOperation, "roles/web", change, http.StatusServiceUnavailable, "no route")
			if now := h.stored(t, ""); now != before {
				t.Errorf("stored is %s, before %s", now, before)
			}
			h.failAll(nil)
			h.write(t, "roles/web", change)
		})
	}
}

// TestShutdownsAreForbiddenWithoutTheCloud: where it can be asked, what could never rotate any more is refused; where
// it cannot, the word counts.
func TestShutdownsAreForbiddenWithoutTheCloud(t *testing.T) {
	h := leasedRole(t, nil)
	h.refusedWrite(t, "roles/web", map[string]any{"force_stop": false}, "force_stop", "srv-1", "RUNNING")
	h.failAll(cloud.Errorf(cloud.Unavailable, "no route"))
	resp := h.write(t, "roles/web", map[string]any{"force_stop": false})
	if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "no route") {
		t.Errorf("the answer is %v", resp)
	}
	if view, err := h.core.Inspect(t.Context(), root("srv-1")); err != nil || view.Settings.ForceStop {
		t.Errorf("the account has %+v, %v", view, err)
	}
	h.failAll(nil)
	h.write(t, "roles/web", map[string]any{"force_stop": true})
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.State, i.CloudState = cloud.StateStopped, "STOPPED" })
	h.write(t, "roles/web", map[string]any{"force_stop": false})
}

// TestARepeatedWriteLooksAnew: but it does not depend on that.
func TestARepeatedWriteLooksAnew(t *testing.T) {
	h := leasedRole(t, map[string]any{"ttl": "10m"})
	asked := h.cloud.count("DescribeInstances")
	if resp := h.write(t, "roles/web", map[string]any{"ttl": "10m"}); resp != nil || h.cloud.count("DescribeInstances") != asked+1 {
		t.Errorf("the answer is %v, after %d looks", resp, h.cloud.count("DescribeInstances")-asked)
	}
	h.failAll(cloud.Errorf(cloud.Unavailable, "no route"))
	resp := h.write(t, "roles/web", map[string]any{"ttl": "10m"})
	if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "no route") {
		t.Errorf("the answer is %v", resp)
	}
}

// TestSettingsThatCannotWorkAreRefusedWithoutTheCloud: what is known of the instances is enough to say so.
func TestSettingsThatCannotWorkAreRefusedWithoutTheCloud(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/r", baseRoles["leased"])
	h.write(t, "roles/i", merged(baseRoles["initial"], map[string]any{"instance_ids": "srv-2"}))
	before := h.stored(t, "")
	h.failAll(cloud.Errorf(cloud.Unavailable, "no route"))
	h.refusedWrite(t, "roles/r", map[string]any{"password_policy": "short"}, "at least 12")
	h.refusedWrite(t, "roles/r", map[string]any{"ttl": "25h"}, "max_ttl")
	h.refusedWrite(t, "roles/i", map[string]any{"key": "none"}, "keys/none")
	if now := h.stored(t, ""); now != before {
		t.Error("a refused write changed what is stored")
	}
	h.write(t, "roles/i", map[string]any{"key": "other"})
}

// failAll makes all calls to the cloud fail, or with nil none.
func (h *harness) failAll(err error) {
	for _, method := range []string{"DescribeInstances", "FindInstances", "Verify", "CheckInitialPassword", "InitialPassword", "ResetRecords",
		"StartReset", "KeyFingerprint"} {
		h.cloud.fail(method, err)
	}
}
