package azureapi

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"

func interfaceID(s model.Server) string {
	return groupID(s) + "/providers/" + interfaces + "/" + s.Name + "VMNic"
}

// listInterfaces lists the network interfaces of the subscription: one for each VM. Compute's limits are not for them.
func listInterfaces(r *request) (reply, *failure) {
	var all []any
	for _, s := range r.world.Servers(func(s model.Server) bool { return r.owns(s) && s.State != model.StateTerminated }) {
		address := object{"privateIPAddress": s.PrivateIP, "privateIPAllocationMethod": "Dynamic", "primary": true,
			"privateIPAddressVersion": "IPv4", "provisioningState": "Succeeded"}
		if s.PublicIP != "" {
			address["publicIPAddress"] = object{"id": groupID(s) + "/providers/Microsoft.Network/publicIPAddresses/" + s.Name + "PublicIP"}
		}
		all = append(all, object{
			"name": s.Name + "VMNic", "id": interfaceID(s), "type": interfaces, "location": s.Region,
			"properties": object{
				"provisioningState": "Succeeded", "primary": true, "virtualMachine": object{"id": machineID(s)},
				"ipConfigurations": []any{object{"name": "ipconfig" + s.Name, "id": interfaceID(s) + "/ipConfigurations/ipconfig" + s.Name,
					"type": interfaces + "/ipConfigurations", "properties": address}},
			},
		})
	}
	return r.page(all)
}
