package azureapi

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// object is a JSON object as the API writes it.
type object map[string]any

// ids of things in ARM, as they were made.
func groupID(s model.Server) string {
	return "/subscriptions/" + s.AccountID + "/resourceGroups/" + s.ResourceGroup
}
func machineID(s model.Server) string { return groupID(s) + "/providers/" + machines + "/" + s.Name }

// listedID is a VM's id in a list, where the resource group is in upper case: clients have to compare without case. That lists have it
// so is in public reports, and unconfirmed.
func listedID(s model.Server) string {
	return strings.Replace(machineID(s), "/"+s.ResourceGroup+"/", "/"+strings.ToUpper(s.ResourceGroup)+"/", 1)
}

// listMachines lists the VMs of the subscription or of a resource group: their models or, with statusOnly, their instance views.
func listMachines(r *request) (reply, *failure) {
	if f := r.throttle(limitHighCost, ""); f != nil {
		return reply{}, f
	}
	if r.query.Get("$filter") != "" {
		return reply{}, fail(http.StatusBadRequest, "InvalidParameter", "The simulator takes no $filter.")
	}
	var all []any
	for _, s := range r.world.Servers(func(s model.Server) bool { return r.owns(s) && s.State != model.StateTerminated }) {
		if strings.EqualFold(r.query.Get("statusOnly"), "true") {
			all = append(all, object{
				"name": s.Name, "id": machineID(s), "type": machines, "location": s.Region,
				"properties": object{"provisioningState": "Succeeded", "instanceView": instanceView(r.world, s)},
			})
			continue
		}
		all = append(all, machine(s, listedID(s)))
	}
	return r.page(all)
}

// owns says whether the path's subscription and resource group, if it names one, have a server.
func (r *request) owns(s model.Server) bool {
	return s.Cloud == model.Azure && strings.EqualFold(s.AccountID, r.place.subscription) &&
		(r.place.group == "" || strings.EqualFold(s.ResourceGroup, r.place.group))
}

// getMachine shows a VM, and with $expand=instanceView how it is.
func getMachine(r *request) (reply, *failure) {
	if f := r.throttle(limitLowCost, r.vm.ID); f != nil {
		return reply{}, f
	}
	expand, f := r.expandsView()
	if f != nil {
		return reply{}, f
	}
	body := machine(r.vm, machineID(r.vm))
	if expand {
		body["properties"].(object)["instanceView"] = instanceView(r.world, r.vm)
	}
	return reply{http.StatusOK, body, nil}, nil
}

// getInstanceView shows how a VM is.
func getInstanceView(r *request) (reply, *failure) {
	if f := r.throttle(limitLowCost, r.vm.ID); f != nil {
		return reply{}, f
	}
	return reply{http.StatusOK, instanceView(r.world, r.vm), nil}, nil
}

// expandsView says whether the query asks for the instance view. The refusal of other words is unconfirmed.
func (r *request) expandsView() (bool, *failure) {
	switch expand := r.query.Get("$expand"); {
	case expand == "":
		return false, nil
	case strings.EqualFold(expand, "instanceView"):
		return true, nil
	default:
		return false, fail(http.StatusBadRequest, "InvalidParameter", "The value '"+expand+"' of parameter '$expand' is invalid.")
	}
}

// machine is a VM's model.
func machine(s model.Server, id string) object {
	kind, image := "Linux", object{"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2",
		"version": "latest"}
	if s.IsWindows() {
		kind, image = "Windows", object{"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2",
			"version": "latest"}
	}
	properties := object{
		"vmId": s.ID, "hardwareProfile": object{"vmSize": "Standard_DS1_v2"}, "provisioningState": "Succeeded", "timeCreated": stamp(s.Created),
		"storageProfile": object{
			"imageReference": image, "dataDisks": []any{},
			"osDisk": object{"osType": kind, "name": diskName(s), "createOption": "FromImage", "caching": "ReadWrite",
				"managedDisk": object{"id": diskID(s), "storageAccountType": "Premium_LRS"}},
		},
		"networkProfile": object{"networkInterfaces": []any{object{"id": interfaceID(s)}}},
	}
	if s.NoOSProfile {
		delete(properties["storageProfile"].(object), "imageReference")
		properties["storageProfile"].(object)["osDisk"].(object)["createOption"] = "Attach"
	} else {
		profile := object{"computerName": s.Name, "adminUsername": s.InitialUser, "secrets": []any{},
			"allowExtensionOperations": !s.NoExtensions, "requireGuestProvisionSignal": true}
		settings := object{"provisionVMAgent": s.Guest.Agent != model.AgentAbsent}
		if s.IsWindows() {
			profile["windowsConfiguration"] = settings
		} else {
			settings["disablePasswordAuthentication"] = false
			profile["linuxConfiguration"] = settings
		}
		properties["osProfile"] = profile
	}
	body := object{"name": s.Name, "id": id, "type": machines, "location": s.Region, "properties": properties}
	if len(s.Tags) > 0 {
		body["tags"] = s.Tags
	}
	return body
}

// diskName is that of a VM's OS disk, which a swap of it changes.
func diskName(s model.Server) string {
	if s.DiskID == "" {
		return s.Name + "_disk1"
	}
	return s.Name + "_disk1_" + strings.ReplaceAll(s.DiskID, "-", "")
}

func diskID(s model.Server) string {
	return "/subscriptions/" + s.AccountID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.Compute/disks/" + diskName(s)
}

// instanceView is how a VM is.
func instanceView(w *model.World, s model.Server) object {
	now := stamp(w.OperationNow())
	view := object{
		"hyperVGeneration": "V2",
		"disks": []any{object{"name": diskName(s), "statuses": []any{object{"code": "ProvisioningState/succeeded", "level": "Info",
			"displayStatus": "Provisioning succeeded", "time": stamp(s.Created)}}}},
		"statuses": []any{
			object{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded", "time": stamp(s.Created)},
			power(s),
		},
	}
	switch s.AgentState() {
	case model.AgentOnline:
		view["computerName"], view["osName"], view["osVersion"] = s.Name, s.OSName, "1"
		view["vmAgent"] = object{"vmAgentVersion": "2.8.0.5", "extensionHandlers": []any{}, "statuses": []any{object{
			"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready", "message": "Guest Agent is running", "time": now}}}
	case model.AgentOffline:
		// The words of a VM whose agent does not report are in public reports.
		view["vmAgent"] = object{"vmAgentVersion": "Unknown", "statuses": []any{object{
			"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready",
			"message": "VM status blob is found but not yet populated.", "time": now}}}
	case model.AgentAbsent:
	}
	return view
}

// power is a VM's power state. Of states that no other cloud has, the word is the model's own.
func power(s model.Server) object {
	word := string(s.State)
	switch {
	case s.State == model.StatePending:
		word = "starting"
	case s.State == model.StateStopped && s.StopCharging:
		word = "deallocated"
	case s.State == model.StateRebooting:
		word = "running"
	}
	return object{"code": "PowerState/" + word, "level": "Info", "displayStatus": "VM " + word}
}
