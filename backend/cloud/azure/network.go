package azure

import (
	"context"
	"strings"
	"time"
)

// networkInterface is one as ARM shows it (armnetwork v7.2.0, models.go, Interface).
type networkInterface struct {
	Properties struct {
		Primary          bool
		VirtualMachine   struct{ ID string }
		IPConfigurations []struct {
			Properties struct {
				Primary          bool
				PrivateIPAddress string
			}
		}
	}
}

// address is the private one of the interface, the primary one where there are several; "" if it has none.
func (n *networkInterface) address() string {
	first := ""
	for _, c := range n.Properties.IPConfigurations {
		if c.Properties.Primary && c.Properties.PrivateIPAddress != "" {
			return c.Properties.PrivateIPAddress
		}
		if first == "" {
			first = c.Properties.PrivateIPAddress
		}
	}
	return first
}

// addAddresses adds the private addresses of machines, by one list of the subscription's network interfaces. The permission is an
// optional one, and an address only a help for people: without the list there is none.
func (p *provider) addAddresses(ctx context.Context, entries map[string]known) {
	if len(entries) == 0 || !p.vms.mayListInterfaces(time.Now()) {
		return
	}
	ids := make(map[string]string, len(entries))
	for id, entry := range entries {
		ids[strings.ToLower(entry.path)] = id
	}
	primary := map[string]bool{}
	err := list(ctx, &p.sender, networkInterfacesList, p.collection(networkPath), nil, func(n *networkInterface) error {
		path, ok := vmPath(p.subscription, n.Properties.VirtualMachine.ID)
		id := ids[strings.ToLower(path)]
		if !ok || id == "" || primary[id] {
			return nil
		}
		entry := entries[id]
		if address := n.address(); address != "" && (n.Properties.Primary || entry.address == "") {
			entry.address = address
			entries[id] = entry
		}
		primary[id] = n.Properties.Primary
		return nil
	})
	if permissionMissing(err) {
		p.vms.interfacesDenied(time.Now())
	}
}
