package cloudsim_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// azureMachine is a VM, as far as the tests look.
type azureMachine struct {
	Name, ID, Type, Location string
	Tags                     map[string]string
	Properties               struct {
		VMID           string `json:"vmId"`
		TimeCreated    time.Time
		StorageProfile struct {
			OSDisk struct{ OSType string }
		}
		OSProfile *struct {
			AdminUsername            string
			AllowExtensionOperations bool
		}
		InstanceView *azureView
	}
}

type azureView struct {
	OSName  string
	VMAgent *struct {
		Statuses []struct{ DisplayStatus, Message string }
	}
	Statuses []struct{ Code string }
}

// agent is how its agent stands, "" for none.
func (v *azureView) agent() string {
	if v == nil || v.VMAgent == nil {
		return ""
	}
	return v.VMAgent.Statuses[0].DisplayStatus
}

type azureMachines struct {
	Value    []azureMachine
	NextLink string
}

func (e *azureEnv) list(t *testing.T, query string) (out []azureMachine, pages int) {
	t.Helper()
	for next := e.compute() + "/virtualMachines" + query; next != ""; pages++ {
		var page azureMachines
		e.send(t, http.MethodGet, next, nil).into(t, &page)
		out, next = append(out, page.Value...), page.NextLink
	}
	return out, pages
}

func TestAzureListsMachinesInPages(t *testing.T) {
	e := startAzure(t, func(o *azureapi.Options) { o.PageSize = 3 })
	for n := range 5 {
		_, err := e.sim.World().AddServer(model.Server{Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Region: "westeurope",
			Name: fmt.Sprint("more-", n), ResourceGroup: "Other(1)_"})
		if err != nil {
			t.Fatal(err)
		}
	}
	all, pages := e.list(t, "")
	if len(all) != 7 || pages != 3 {
		t.Fatalf("%d VMs on %d pages", len(all), pages)
	}
	ids := map[string]bool{}
	for _, vm := range all {
		if vm.Properties.InstanceView != nil || vm.Type != "Microsoft.Compute/virtualMachines" || vm.Location != "westeurope" {
			t.Errorf("%+v", vm)
		}
		if !strings.Contains(vm.ID, "/resourceGroups/DEMO/") && !strings.Contains(vm.ID, "/resourceGroups/OTHER(1)_/") {
			t.Errorf("id %s: the resource group is not in upper case", vm.ID)
		}
		ids[strings.ToLower(vm.ID)] = true
	}
	if all[1].Name != "linux-1" || all[1].Properties.VMID != e.creds.Servers["linux-1"] || all[1].Tags["app"] != "demo" ||
		all[1].Properties.OSProfile.AdminUsername != "azureuser" || all[0].Properties.StorageProfile.OSDisk.OSType != "Windows" {
		t.Errorf("%+v", all[:2])
	}
	states, pages := e.list(t, "?statusOnly=true")
	if len(states) != 7 || pages != 3 {
		t.Fatalf("%d states on %d pages", len(states), pages)
	}
	for _, vm := range states {
		if !ids[strings.ToLower(vm.ID)] || vm.Properties.VMID != "" || vm.Properties.InstanceView.Statuses[1].Code != "PowerState/running" {
			t.Errorf("%+v", vm)
		}
	}
	var group azureMachines
	e.send(t, http.MethodGet, strings.TrimSuffix(e.vm(""), "/"), nil).into(t, &group)
	if len(group.Value) != 2 {
		t.Errorf("%d VMs in the resource group", len(group.Value))
	}
	e.send(t, http.MethodGet, e.compute()+"/virtualMachines?$skiptoken=moon", nil).expect(t, "a bad token", 400, "InvalidParameter")
}

func TestAzureShowsMachines(t *testing.T) {
	e := startAzure(t)
	id, w := e.creds.Servers["linux-1"], e.sim.World()
	get := func(path string) (vm azureMachine) {
		t.Helper()
		e.send(t, http.MethodGet, path, nil).into(t, &vm)
		return vm
	}
	if vm := get(e.vm("linux-1")); vm.Properties.InstanceView != nil || vm.Properties.VMID != id {
		t.Errorf("%+v", vm)
	}
	vm := get(strings.ToUpper(e.vm("Linux-1")) + "?$expand=InstanceView")
	if vm.Properties.VMID != id || vm.ID != e.vm("linux-1") || vm.Properties.InstanceView.agent() != "Ready" ||
		vm.Properties.InstanceView.VMAgent.Statuses[0].Message != "Guest Agent is running" {
		t.Errorf("names are not compared without case, or the view is another: %+v", vm)
	}
	for _, c := range []struct {
		agent model.AgentState
		state model.State
		code  string
		ready string
	}{
		{model.AgentOffline, model.StateRunning, "PowerState/running", "Not Ready"},
		{model.AgentAbsent, model.StateRunning, "PowerState/running", ""},
		{model.AgentOnline, model.StateStopped, "PowerState/stopped", "Not Ready"},
		{model.AgentOnline, "deallocating", "PowerState/deallocating", "Not Ready"},
		{model.AgentOnline, model.StateStarting, "PowerState/starting", "Not Ready"},
	} {
		if err := w.SetGuest(id, model.Guest{Agent: c.agent}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetState(id, c.state); err != nil {
			t.Fatal(err)
		}
		var view azureView
		e.send(t, http.MethodGet, e.vm("linux-1")+"/instanceView", nil).into(t, &view)
		if view.Statuses[1].Code != c.code || view.agent() != c.ready {
			t.Errorf("%+v: %+v", c, view)
		}
	}
	off, err := w.AddServer(model.Server{Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Region: "westeurope", Name: "off",
		State: model.StateStopped, StopCharging: true})
	if err != nil {
		t.Fatal(err)
	}
	if vm := get(e.vm(off.Name) + "?$expand=instanceView"); vm.Properties.InstanceView.Statuses[1].Code != "PowerState/deallocated" {
		t.Errorf("%+v", vm)
	}
	for _, s := range []model.Server{{Name: "bare", NoOSProfile: true}, {Name: "closed", NoExtensions: true}} {
		s.Cloud, s.AccountID, s.Region = model.Azure, e.creds.SubscriptionID, "westeurope"
		if _, err := w.AddServer(s); err != nil {
			t.Fatal(err)
		}
	}
	if vm := get(e.vm("bare")); vm.Properties.OSProfile != nil {
		t.Errorf("%+v", vm)
	}
	if vm := get(e.vm("closed")); vm.Properties.OSProfile.AllowExtensionOperations {
		t.Errorf("%+v", vm)
	}
	e.send(t, http.MethodGet, e.vm("linux-1")+"?$expand=moon", nil).expect(t, "another view", 400, "InvalidParameter")
	if err := w.Remove(id); err != nil {
		t.Fatal(err)
	}
	e.send(t, http.MethodGet, e.vm("linux-1"), nil).expect(t, "a VM that is gone", 404, "ResourceNotFound")
	again, err := w.AddServer(model.Server{Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Region: "westeurope", Name: "linux-1"})
	if err != nil || get(e.vm("linux-1")).Properties.VMID != again.ID || again.ID == id {
		t.Errorf("made again under its name: %+v, %v", again, err)
	}
}

func TestAzureListsInterfaces(t *testing.T) {
	e := startAzure(t)
	var out struct {
		Value []struct {
			Properties struct {
				VirtualMachine   struct{ ID string }
				IPConfigurations []struct {
					Properties struct {
						PrivateIPAddress string
						Primary          bool
					}
				}
			}
		}
	}
	path := "/subscriptions/" + e.creds.SubscriptionID + "/providers/Microsoft.Network/networkInterfaces?api-version=2022-07-01"
	e.send(t, http.MethodGet, path, nil).into(t, &out)
	if len(out.Value) != 2 {
		t.Fatalf("%d interfaces", len(out.Value))
	}
	linux, _ := e.sim.World().Server(e.creds.Servers["linux-1"])
	if p := out.Value[1].Properties; p.VirtualMachine.ID != e.vm("linux-1") || !p.IPConfigurations[0].Properties.Primary ||
		p.IPConfigurations[0].Properties.PrivateIPAddress != linux.PrivateIP {
		t.Errorf("%+v", p)
	}
}

// TestAzureLinksLeadBack shows that the addresses in answers are those of the listener that was asked.
func TestAzureLinksLeadBack(t *testing.T) {
	e := startAzure(t, func(o *azureapi.Options) { o.PageSize = 1 })
	info := e.sim.Info()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(info.TLS.CAPEM)) {
		t.Fatal("no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(client.CloseIdleConnections)
	for base, client := range map[string]*http.Client{
		e.sim.URL(model.Azure, "arm"): http.DefaultClient, info.TLS.Endpoints[model.Azure]["arm"]: client,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+e.compute()+
			"/virtualMachines?statusOnly=true&api-version=2023-03-01", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+e.token)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var page azureMachines
		if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(page.NextLink, base+e.compute()+"/virtualMachines?") || !strings.Contains(page.NextLink, "statusOnly=true") {
			t.Errorf("from %s: %s", base, page.NextLink)
		}
	}
}
