package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// refreshMount is a mount whose clock the test moves, with servers that carry tags.
type refreshMount struct {
	*harness
	time *fakeClock
}

func newRefreshMount(t *testing.T) *refreshMount {
	t.Helper()
	m := &refreshMount{newHarness(t), &fakeClock{now: time.Now()}}
	m.clock = m.time.clock()
	m.connection(t, "c", resetCloud)
	for _, id := range []string{"srv-1", "srv-2"} {
		m.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux, PrivateIP: "10.0.0.1", Tags: map[string]string{"env": "prod"}})
	}
	m.write(t, "roles/r", taggedRole)
	return m
}

var taggedRole = map[string]any{"connection": "c", "instance_tags": "env=prod", "force_stop": true, "min_reset_interval": 0}

// round is the regular work, ten minutes after the last time.
func (m *refreshMount) round(t *testing.T) {
	t.Helper()
	m.time.advance(10 * time.Minute)
	if err := m.backend.round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// bound are the instances that the role is bound to, without asking the cloud.
func (m *refreshMount) bound(t *testing.T, name string) string {
	t.Helper()
	r, err := m.roles.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Instances())
}

func TestNewInstancesAreBoundByThemselves(t *testing.T) {
	m := newRefreshMount(t)
	m.cloud.launch(cloud.Instance{ID: "srv-3", Platform: cloud.Linux, Tags: map[string]string{"env": "prod"}})
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.PrivateIP = "10.0.0.9" })
	m.round(t)
	if got := m.bound(t, "r"); got != "[srv-1 srv-2 srv-3]" {
		t.Errorf("bound %s", got)
	}
	if got := m.read(t, "accounts/c/srv-1/root")["private_ip"]; got != "10.0.0.9" {
		t.Errorf("private_ip %v", got)
	}
	if n := m.cloud.count("StartReset"); n != 0 {
		t.Errorf("looking at a leased role reset %d passwords", n)
	}
	asked := m.cloud.count("FindInstances", "DescribeInstances")
	if err := m.backend.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m.cloud.count("FindInstances", "DescribeInstances") != asked {
		t.Error("the cloud was asked again at once")
	}
}

// A cloud's list may be incomplete for once: what is missing is unbound when it is missing twice.
func TestMissingInstancesAreUnboundTheSecondTime(t *testing.T) {
	m := newRefreshMount(t)
	m.lease(t, "creds/r/srv-1")
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.Tags = nil })
	m.cloud.terminate("srv-2")
	m.round(t)
	if got := m.bound(t, "r"); got != "[srv-1 srv-2]" {
		t.Errorf("after one look: %s", got)
	}
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.Tags = map[string]string{"env": "prod"} })
	m.round(t)
	if got := m.bound(t, "r"); got != "[srv-1]" {
		t.Errorf("srv-1 was back, srv-2 missing twice: %s", got)
	}
	if got := m.read(t, "accounts/c/srv-2/root"); got["state"] != "gone" || got["role"] != "" {
		t.Errorf("the account of a deleted instance: state %v, role %q", got["state"], got["role"])
	}
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.Tags = nil })
	m.round(t)
	m.round(t)
	if got := m.bound(t, "r"); got != "[]" {
		t.Errorf("without its tag: %s", got)
	}
	if got := m.read(t, "accounts/c/srv-1/root"); got["state"] == "gone" || got["role"] != "" || len(got["leases"].([]map[string]any)) != 1 {
		t.Errorf("the account that lost its tag: %v", got)
	}
}

func TestListedInstancesAreLookedAt(t *testing.T) {
	m := newRefreshMount(t)
	m.delete(t, "roles/r")
	m.write(t, "roles/l", map[string]any{"connection": "c", "instance_ids": "srv-1,srv-2", "force_stop": true})
	m.cloud.terminate("srv-2")
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.Name = "renamed" })
	m.round(t)
	if got := m.read(t, "accounts/c/srv-1/root")["instance_name"]; got != "renamed" {
		t.Errorf("instance_name %v", got)
	}
	if got := m.read(t, "accounts/c/srv-2/root")["state"]; got == "gone" {
		t.Error("an account was retired at the first look")
	}
	m.round(t)
	if got := m.read(t, "accounts/c/srv-2/root"); got["state"] != "gone" || got["role"] != "l" {
		t.Errorf("state %v, role %v", got["state"], got["role"])
	}
	m.refused(t, logical.ReadOperation, "creds/l/srv-2", nil, http.StatusBadRequest, "does not exist at the cloud any more")
	m.cloud.launch(cloud.Instance{ID: "srv-2", Platform: cloud.Linux})
	m.round(t)
	if got := m.read(t, "accounts/c/srv-2/root")["state"]; got == "gone" {
		t.Error("an instance that is back stays gone")
	}
}

// An instance that stops to fit, since its key is gone, say, stays with its role and its password.
func TestBoundInstancesStayThoughTheyDoNotFit(t *testing.T) {
	m := newRefreshMount(t)
	m.cloud.launch(cloud.Instance{ID: "srv-9", KeyName: "pair", Tags: map[string]string{"os": "win"}})
	m.connection(t, "i", initialCloud)
	m.write(t, "keys/pair", map[string]any{"generate": true})
	m.write(t, "roles/w", map[string]any{"connection": "i", "instance_tags": "os=win"})
	m.loseKey(t, "pair")
	m.round(t)
	m.round(t)
	if got := m.bound(t, "w"); got != "[srv-9]" {
		t.Errorf("bound %s", got)
	}
	checks := m.cloud.count("CheckInitialPassword")
	m.round(t)
	if m.cloud.count("CheckInitialPassword") != checks {
		t.Error("permissions of known instances are tried over and over")
	}
}

func TestRolesOfAConnectionShareAList(t *testing.T) {
	m := newRefreshMount(t)
	for n := range 5 {
		name := fmt.Sprintf("r%d", n)
		m.cloud.launch(cloud.Instance{ID: "srv-1" + name, Tags: map[string]string{"n": name, "x": "y"}})
		m.write(t, "roles/"+name, merged(taggedRole, map[string]any{"instance_tags": "n=" + name}))
		m.cloud.launch(cloud.Instance{ID: "srv-2" + name, Tags: map[string]string{"n": name}})
	}
	asked := m.cloud.count("FindInstances")
	m.round(t)
	if n := m.cloud.count("FindInstances") - asked; n != 1 {
		t.Errorf("six roles of one connection took %d listings", n)
	}
	for n := range 5 {
		name := fmt.Sprintf("r%d", n)
		if got := m.bound(t, name); got != fmt.Sprintf("[srv-1%s srv-2%s]", name, name) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A cloud that fails is asked about one role in a round; no account is lost by it.
func TestFailingCloudKeepsMappings(t *testing.T) {
	m := newRefreshMount(t)
	m.cloud.launch(cloud.Instance{ID: "srv-5", Tags: map[string]string{"n": "2"}})
	m.write(t, "roles/r2", merged(taggedRole, map[string]any{"instance_tags": "n=2"}))
	m.cloud.fail("FindInstances", cloud.Errorf(cloud.Unavailable, "no route"))
	before := m.cloud.count("FindInstances")
	m.round(t)
	if n := m.cloud.count("FindInstances") - before; n != 1 {
		t.Errorf("a cloud that fails was asked %d times", n)
	}
	m.round(t)
	if m.bound(t, "r") != "[srv-1 srv-2]" || m.bound(t, "r2") != "[srv-5]" {
		t.Error("an outage unbound instances")
	}
}

// TestStatusShowsFailedLooks: who may not see the log sees there that newcomers are not bound.
func TestStatusShowsFailedLooks(t *testing.T) {
	m := newRefreshMount(t)
	failing := func() []map[string]any { return m.statusDetails(t)["failing_roles"].([]map[string]any) }
	if got := failing(); len(got) != 0 {
		t.Errorf("before the first look: %v", got)
	}
	m.cloud.fail("FindInstances", cloud.Errorf(cloud.Denied, "no permission to list"))
	m.round(t)
	since := request.Timestamp(m.time.now)
	m.round(t)
	got := failing()
	if len(got) != 1 || got[0]["role"] != "r" || got[0]["connection"] != "c" ||
		!strings.Contains(got[0]["last_error"].(string), "no permission to list") ||
		got[0]["since"] != since || got[0]["last_error_time"] != request.Timestamp(m.time.now) {
		t.Errorf("failing roles %v, since %s", got, since)
	}
	m.cloud.fail("FindInstances", nil)
	m.round(t)
	if got := failing(); len(got) != 0 {
		t.Errorf("after a look that succeeded: %v", got)
	}
	for name, mend := range map[string]func(){
		"written": func() { m.write(t, "roles/r", taggedRole) },
		"listed":  func() { m.list(t, "instances/r") },
		"deleted": func() { m.delete(t, "roles/r") },
	} {
		m.write(t, "roles/r", taggedRole)
		m.cloud.fail("FindInstances", cloud.Errorf(cloud.Denied, "no permission to list"))
		m.round(t)
		m.cloud.fail("FindInstances", nil)
		if len(failing()) != 1 {
			t.Errorf("%s: failing roles %v", name, failing())
		}
		mend()
		if got := failing(); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAnEntryOfANewerVersionKeepsNobodyElseWaiting: after a downgrade, say.
func TestAnEntryOfANewerVersionKeepsNobodyElseWaiting(t *testing.T) {
	m := newRefreshMount(t)
	for _, key := range []string{role.Prefix + "a-newer-one", connection.Prefix + "newer"} {
		if err := m.storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(`{"schema": 99, "connection": 7}`)}); err != nil {
			t.Fatal(err)
		}
	}
	m.cloud.launch(cloud.Instance{ID: "srv-3", Platform: cloud.Linux, Tags: map[string]string{"env": "prod"}})
	m.round(t)
	if got := m.bound(t, "r"); got != "[srv-1 srv-2 srv-3]" {
		t.Errorf("bound %s", got)
	}
	status := m.statusDetails(t)
	failing := status["failing_roles"].([]map[string]any)
	if len(failing) != 1 || failing[0]["role"] != "a-newer-one" || !strings.Contains(failing[0]["last_error"].(string), "schema 99") {
		t.Errorf("failing roles %v", failing)
	}
	if got := status["connections"].(map[string]any)["newer"].(map[string]any)["last_error"]; !strings.Contains(fmt.Sprint(got), "schema 99") {
		t.Errorf("the connection's last error: %v", got)
	}
}

func TestNoRefreshOnSecondaries(t *testing.T) {
	m := newRefreshMount(t)
	m.system.ReplicationStateVal = consts.ReplicationPerformanceStandby
	asked := m.cloud.count()
	m.round(t)
	if m.cloud.count() != asked {
		t.Error("a standby asked the cloud")
	}
}

// Many instances are bound in parallel; a failure among them leaves none bound.
func TestManyInstances(t *testing.T) {
	const many = 300
	inner := new(logical.InmemStorage)
	m := &mishap{}
	h := newHarnessOn(t, mishapStorage{inner, m}, newFakeCloud())
	h.connection(t, "c", resetCloud)
	for n := range many {
		h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", n), Platform: cloud.Linux, Tags: map[string]string{"env": "prod"}})
	}
	m.arm(many, false)
	h.refused(t, logical.UpdateOperation, "roles/r", taggedRole, http.StatusServiceUnavailable, "storage")
	if m.end() == "" {
		t.Fatal("nothing failed")
	}
	h.absent(t, "roles/r")
	for _, id := range h.list(t, "accounts/c") {
		if role := h.read(t, "accounts/c/"+id+"/root")["role"]; role != "" {
			t.Fatalf("%s is still bound to %q", id, role)
		}
	}
	h.write(t, "roles/r", taggedRole)
	if got := len(h.list(t, "instances/r")); got != many {
		t.Errorf("%d instances are bound", got)
	}
}
