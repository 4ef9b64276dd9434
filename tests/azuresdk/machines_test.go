package azuresdk

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

func TestVirtualMachine(t *testing.T) {
	s := start(t)
	a := s.account()
	client := s.compute(t, a.Subscription, s.own(t)).NewVirtualMachinesClient()
	for name, kind := range map[string]armcompute.OperatingSystemTypes{
		"linux-1": armcompute.OperatingSystemTypesLinux, "windows-1": armcompute.OperatingSystemTypesWindows,
	} {
		got, err := client.Get(t.Context(), group, name, &armcompute.VirtualMachinesClientGetOptions{
			Expand: to.Ptr(armcompute.InstanceViewTypesInstanceView),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.same(t, name, got.VirtualMachine)
		p := got.Properties
		if *p.VMID != a.Servers[name] || *got.Location != a.Region || *p.StorageProfile.OSDisk.OSType != kind ||
			p.OSProfile.AdminUsername == nil {
			t.Errorf("%s is read as %+v", name, got.VirtualMachine)
		}
		if state := *p.InstanceView.VMAgent.Statuses[0].DisplayStatus; state != "Ready" {
			t.Errorf("the agent of %s is %s", name, state)
		}
		view, err := client.InstanceView(t.Context(), group, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.same(t, name+"'s instance view", view.VirtualMachineInstanceView)
	}
}

func TestVirtualMachinesInPages(t *testing.T) {
	s := start(t)
	a := s.account()
	for n := range 60 {
		s.admin(t, http.MethodPost, "servers", map[string]string{
			"cloud": "azure", "account_id": a.Subscription, "region": a.Region, "resource_group": "pages", "name": fmt.Sprintf("page-%d", n),
		})
	}
	client := s.compute(t, a.Subscription, s.own(t)).NewVirtualMachinesClient()
	list := func(o *armcompute.VirtualMachinesClientListAllOptions) map[string]*armcompute.VirtualMachine {
		t.Helper()
		out, pages := map[string]*armcompute.VirtualMachine{}, 0
		for pager := client.NewListAllPager(o); pager.More(); pages++ {
			page, err := pager.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.same(t, fmt.Sprintf("page %d", pages), page.VirtualMachineListResult)
			for _, vm := range page.Value {
				out[strings.ToLower(*vm.ID)] = vm
			}
		}
		if pages != 2 || len(out) != 62 {
			t.Errorf("%d virtual machines in %d pages, want 62 in 2", len(out), pages)
		}
		return out
	}
	models, states := list(nil), list(&armcompute.VirtualMachinesClientListAllOptions{StatusOnly: to.Ptr("true")})
	for id, vm := range models {
		state := states[id]
		if vm.Properties.VMID == nil || state == nil || *state.Properties.InstanceView.Statuses[1].Code != "PowerState/running" {
			t.Errorf("%s: %+v, %+v", id, vm.Properties, state)
		}
	}
}
