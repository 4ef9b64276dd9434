package azure

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// ready finds a virtual machine that can be sent a command; known is false where there is none of that id (any more).
func (p *provider) ready(ctx context.Context, id string) (v vm, known bool, err error) {
	v, known, err = p.find(ctx, id)
	if err != nil || !known {
		return vm{}, false, err
	}
	m, gone, err := p.view(ctx, v)
	if err != nil || gone {
		return vm{}, false, err
	}
	if moved, ok := m.vm(p.subscription); ok {
		v = moved
	}
	return v, true, unready(&m)
}

// unready says why a virtual machine cannot be sent a command now; nil if it can. Where the cloud shows no instance view nothing is
// known against it.
func unready(m *machine) error {
	view := &m.Properties.InstanceView
	if !m.extensions() {
		return cloud.Errorf(cloud.Refused, "virtual machine %s was made without extensions (allowExtensionOperations false), and so takes no "+
			"run commands; allow them, or set the password otherwise", m.id())
	}
	if power := view.power(); power != "running" {
		if power == "" {
			return nil
		}
		return cloud.Errorf(cloud.Refused, "virtual machine %s is %s, and run commands need a running one; start it", m.id(),
			text.Line(power, cloud.MaxCode))
	}
	switch ready, said := view.agent(); {
	case ready:
		return nil
	case said == "":
		return cloud.Errorf(cloud.Refused, "the VM agent of virtual machine %s has not reported to the cloud; see that it is installed and "+
			"runs, and wait some minutes after a start", m.id())
	default:
		return cloud.Errorf(cloud.Refused, "the VM agent of virtual machine %s is not ready: %s; see that it runs, and reaches the cloud",
			m.id(), text.Line(said, cloud.MaxText))
	}
}
