package azure

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// estate is a subscription with machines.
type estate struct {
	*fakeCloud
	mu       sync.Mutex
	machines map[string]object // by path, in lower case
	power    map[string]string // by vmId; else running
	// perPage bounds a page; 0: all on one.
	perPage int
	// interfaces are answered with 403 if nil.
	interfaces []any
	// hidden are vmIds that lists leave out.
	hidden map[string]bool
}

func newEstate(t *testing.T, machines ...object) (*provider, *estate) {
	t.Helper()
	e := &estate{machines: map[string]object{}, power: map[string]string{}, hidden: map[string]bool{}}
	for _, m := range machines {
		e.put(m)
	}
	e.fakeCloud = newFakeCloud(t, e.serve)
	return newTestProvider(t, testConfig(t, e.URL)), e
}

func (e *estate) put(m object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.machines[strings.ToLower(m["id"].(string))] = m
}

func (e *estate) remove(path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.machines, strings.ToLower(path))
}

func idOf(m object) string { return m["properties"].(object)["vmId"].(string) }

func (e *estate) serve(r asked) (int, any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.path {
	case "/subscriptions/" + testSubscription + networkPath:
		if e.interfaces == nil {
			return failureOf(http.StatusForbidden, "AuthorizationFailed")
		}
		return http.StatusOK, paged("", e.interfaces...)
	case "/subscriptions/" + testSubscription + computePath:
		return http.StatusOK, e.page(r.query)
	}
	m, ok := e.machines[strings.ToLower(r.path)]
	switch {
	case !ok:
		return failureOf(http.StatusNotFound, "ResourceNotFound")
	case r.query.Get("$expand") != "instanceView":
		return http.StatusOK, m
	}
	return http.StatusOK, seenAt(m, e.powerOf(m), "Ready")
}

func (e *estate) powerOf(m object) string {
	if power := e.power[idOf(m)]; power != "" {
		return power
	}
	return "running"
}

// page is one page of a list: of models, or of states with the names of groups in upper case.
func (e *estate) page(query url.Values) object {
	var all []any
	for _, path := range slices.Sorted(maps.Keys(e.machines)) {
		m := e.machines[path]
		if e.hidden[idOf(m)] {
			continue
		}
		if query.Get("statusOnly") == "true" {
			view := seenAt(m, e.powerOf(m), "Ready")["properties"].(object)["instanceView"]
			all = append(all, object{"id": strings.ToUpper(m["id"].(string)), "name": m["name"], "properties": object{"instanceView": view}})
			continue
		}
		all = append(all, m)
	}
	from := 0
	if token := query.Get("$skiptoken"); token != "" {
		from, _ = strconv.Atoi(token)
	}
	if e.perPage == 0 || from+e.perPage >= len(all) {
		return paged("", all[from:]...)
	}
	query = maps.Clone(query)
	query.Set("$skiptoken", fmt.Sprint(from+e.perPage))
	return paged(e.URL+"/subscriptions/"+testSubscription+computePath+"?"+query.Encode(), all[from:from+e.perPage]...)
}

// said is what was asked since the last time, in short: a word for each kind of request, and how many of it came in a row.
func (e *estate) said() string {
	e.fakeCloud.mu.Lock()
	defer e.fakeCloud.mu.Unlock()
	var words []string
	for _, r := range e.requests {
		switch {
		case strings.HasSuffix(r.path, networkPath):
			words = append(words, "interfaces")
		case r.query.Get("statusOnly") != "":
			words = append(words, "states")
		case strings.HasSuffix(r.path, computePath):
			words = append(words, "list")
		default:
			words = append(words, "get")
		}
	}
	e.requests = nil
	var runs []string
	for i := 0; i < len(words); {
		n := i + 1
		for n < len(words) && words[n] == words[i] {
			n++
		}
		run := words[i]
		if n > i+1 {
			run += " " + strconv.Itoa(n-i)
		}
		runs, i = append(runs, run), n
	}
	return strings.Join(runs, ", ")
}

// vmid is the n-th vmId.
func vmid(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012x", n) }

func TestFindInstances(t *testing.T) {
	var machines []object
	for n := range 7 {
		machines = append(machines, model(vmid(n), fmt.Sprintf("Group-%d", n%2), fmt.Sprintf("vm-%d", n),
			object{"app": "demo", "n": fmt.Sprint(n % 3)}))
	}
	p, e := newEstate(t, machines...)
	e.perPage, e.power[vmid(4)] = 2, "deallocated"
	e.interfaces = []any{
		nic(machines[1], false, address("10.0.0.9", true)), nic(machines[1], true, address("10.0.1.1", false), address("10.0.0.1", true)),
		nic(machines[4], false, address("10.0.0.4", false)), nic(model(vmid(99), "x", "y", nil), true, address("10.9.9.9", true)), object{},
	}
	found, err := p.FindInstances(t.Context(), map[string]string{"app": "demo", "n": "1"})
	if err != nil || len(found) != 2 || found[0].ID != vmid(1) || found[1].ID != vmid(4) {
		t.Fatalf("%+v, %v", found, err)
	}
	if found[0].State != cloud.StateRunning || found[0].PrivateIP != "10.0.0.1" || found[0].PublicIP != "" ||
		found[1].State != cloud.StateStopped ||
		found[1].CloudState != "deallocated" || found[1].PrivateIP != "10.0.0.4" || found[0].OSName != "ubuntu" {
		t.Errorf("%+v", found)
	}
	if said := e.said(); said != "list 4, interfaces, states 4" {
		t.Error(said)
	}
	if none, err := p.FindInstances(t.Context(), map[string]string{"app": "Demo"}); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	if said := e.said(); said != "list 4, interfaces" {
		t.Error(said)
	}
	// Where machines are is known now, addresses too.
	one, err := p.DescribeInstances(t.Context(), []string{vmid(1)})
	if err != nil || len(one) != 1 || one[0].PrivateIP != "10.0.0.1" || e.said() != "get" {
		t.Errorf("%+v, %v", one, err)
	}
}

// nic is a network interface of a machine.
func nic(m object, primary bool, configurations ...any) object {
	return object{"properties": object{"primary": primary, "virtualMachine": object{"id": strings.ToUpper(m["id"].(string))},
		"ipConfigurations": configurations}}
}

func address(ip string, primary bool) object {
	return object{"properties": object{"privateIPAddress": ip, "primary": primary}}
}

// The permission for network interfaces is optional, and a refusal is not asked for again soon.
func TestInterfacesThatAreDenied(t *testing.T) {
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil))
	for range 2 {
		found, err := p.FindInstances(t.Context(), nil)
		if err != nil || len(found) != 1 || found[0].PrivateIP != "" {
			t.Errorf("%+v, %v", found, err)
		}
	}
	if said := e.said(); said != "list, interfaces, states, list, states" {
		t.Error(said)
	}
	p.vms.interfacesDenied(time.Now().Add(-2 * askDeniedAgain))
	e.interfaces = []any{nic(e.machines[strings.ToLower(inGroup("demo", "vm-1"))], true, address("10.0.0.1", true))}
	if found, err := p.FindInstances(t.Context(), nil); err != nil || found[0].PrivateIP != "10.0.0.1" {
		t.Errorf("%+v, %v", found, err)
	}
}

// Few machines are read one by one, once it is known where they are.
func TestDescribeFew(t *testing.T) {
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil), model(vmid(2), "demo", "vm-2", nil))
	got, err := p.DescribeInstances(t.Context(), []string{vmid(2), vmid(1), vmid(2), vmid(3)})
	if err != nil || len(got) != 2 || got[0].ID != vmid(1) || got[0].State != cloud.StateRunning {
		t.Fatalf("%+v, %v", got, err)
	}
	if said := e.said(); said != "list, interfaces, get 2" {
		t.Error(said)
	}
	// An unknown one is looked for once a minute.
	if got, err := p.DescribeInstances(t.Context(), []string{vmid(3)}); err != nil || len(got) != 0 || e.said() != "" {
		t.Errorf("%+v, %v", got, err)
	}
	e.put(model(vmid(3), "demo", "vm-3", nil))
	p.vms.listed = time.Now().Add(-2 * relist)
	if got, err := p.DescribeInstances(t.Context(), []string{vmid(3)}); err != nil || len(got) != 1 || e.said() != "list, get" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := p.DescribeInstances(t.Context(), []string{"linux-1"}); cloud.KindOf(err) != cloud.Refused {
		t.Error(err)
	}
	if got, err := p.DescribeInstances(t.Context(), nil); err != nil || len(got) != 0 || e.said() != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDescribeMany(t *testing.T) {
	var ids []string
	var machines []object
	for n := range fewIDs + 5 {
		machines = append(machines, model(vmid(n), "demo", fmt.Sprintf("vm-%d", n), nil))
		ids = append(ids, vmid(n))
	}
	p, e := newEstate(t, append(machines, model(vmid(99), "demo", "another", nil))...)
	got, err := p.DescribeInstances(t.Context(), ids)
	if err != nil || len(got) != len(ids) || e.said() != "list, interfaces, states" {
		t.Fatalf("%d, %v", len(got), err)
	}
	// One that a list does not show yet, or no longer, is read where it was; another is gone.
	e.hidden[vmid(3)] = true
	e.remove(machines[4]["id"].(string))
	got, err = p.DescribeInstances(t.Context(), ids)
	if err != nil || len(got) != len(ids)-1 || e.said() != "list, states, get 2" {
		t.Errorf("%d, %v", len(got), err)
	}
	for _, id := range []string{vmid(3), vmid(5)} {
		if _, ok := p.vms.get(id); !ok || !slices.ContainsFunc(got, func(i cloud.Instance) bool { return i.ID == id }) {
			t.Errorf("%s is not there", id)
		}
	}
	if _, ok := p.vms.get(vmid(4)); ok {
		t.Error("one that is gone is still known")
	}
}

// A machine that is made again under its old name is another instance.
func TestAnotherMachineUnderTheName(t *testing.T) {
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil))
	if got, err := p.DescribeInstances(t.Context(), []string{vmid(1)}); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	e.put(model(vmid(2), "demo", "vm-1", nil))
	e.said()
	v, _, err := p.find(t.Context(), vmid(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, gone, err := p.view(t.Context(), v); err != nil || !gone || e.said() != "get, list" {
		t.Errorf("%t, %v", gone, err)
	}
	if got, err := p.DescribeInstances(t.Context(), []string{vmid(1), vmid(2)}); err != nil || len(got) != 1 || got[0].ID != vmid(2) {
		t.Errorf("%+v, %v", got, err)
	}
}

// One that was moved to another group keeps its vmId, even if that happened a moment ago.
func TestMachineThatWasMoved(t *testing.T) {
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil))
	v, ok, err := p.find(t.Context(), vmid(1))
	if err != nil || !ok {
		t.Fatal(err)
	}
	e.remove(v.path)
	e.put(model(vmid(1), "elsewhere", "vm-1", nil))
	m, gone, err := p.view(t.Context(), v)
	if moved, _ := m.vm(testSubscription); err != nil || gone || moved.path != inGroup("elsewhere", "vm-1") {
		t.Errorf("%+v, %t, %v", moved, gone, err)
	}
	e.remove(inGroup("elsewhere", "vm-1"))
	if got, err := p.DescribeInstances(t.Context(), []string{vmid(1)}); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok := p.vms.get(vmid(1)); ok {
		t.Error("one that is gone is still known")
	}
}

// That a subscription, or a list, is not there says nothing about a machine.
func TestMissingSubscriptionIsNoMissingMachine(t *testing.T) {
	for _, code := range []string{"SubscriptionNotFound", "ResourceNotFound", "SomethingNew"} {
		p, _ := answering(t, func(asked) (int, any) { return failureOf(http.StatusNotFound, code) })
		for _, ask := range []func() error{
			func() error { _, err := p.FindInstances(t.Context(), nil); return err },
			func() error { _, err := p.DescribeInstances(t.Context(), []string{vmid(1)}); return err },
		} {
			if err := ask(); err == nil || cloud.KindOf(err) == cloud.NotFound {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil))
	v, _, err := p.find(t.Context(), vmid(1))
	if err != nil {
		t.Fatal(err)
	}
	e.answer = func(asked) (int, any) { return failureOf(http.StatusNotFound, "SubscriptionNotFound") }
	if _, gone, err := p.view(t.Context(), v); gone || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("%t, %v", gone, err)
	}
	e.answer = func(asked) (int, any) { return http.StatusOK, object{"properties": object{}} }
	if _, gone, err := p.view(t.Context(), v); gone || cloud.KindOf(err) != cloud.Unknown {
		t.Errorf("%t, %v", gone, err)
	}
}

// Many that miss at once cost one list, and an older list does not replace a newer one.
func TestOneListForManyMisses(t *testing.T) {
	p, e := newEstate(t, model(vmid(1), "demo", "vm-1", nil))
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if _, ok, err := p.find(t.Context(), vmid(n)); err != nil || ok != (n == 1) {
				t.Errorf("%d: %t, %v", n, ok, err)
			}
		})
	}
	all.Wait()
	if said := e.said(); said != "list, interfaces" {
		t.Error(said)
	}
	p.vms.replace(map[string]known{}, time.Now().Add(-time.Hour))
	if _, ok := p.vms.get(vmid(1)); !ok {
		t.Error("an older list has replaced a newer one")
	}
}
