package azure

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// find returns where the machine with that vmId is. On a miss the machines are listed, at most once a minute; ok is false if
// there is none.
func (p *provider) find(ctx context.Context, vmID string) (v vm, ok bool, err error) {
	if entry, known := p.vms.get(vmID); known {
		return entry.vm, true, nil
	}
	return p.findListed(ctx, vmID, time.Now().Add(-p.relist))
}

// findListed is find after a listing that began at a moment or later.
func (p *provider) findListed(ctx context.Context, vmID string, since time.Time) (vm, bool, error) {
	if err := p.refresh(ctx, since); err != nil {
		return vm{}, false, err
	}
	entry, known := p.vms.get(vmID)
	return entry.vm, known, nil
}

// refresh lists the machines, unless a listing that began at a moment or later is there. Whoever comes while one runs waits for it.
func (p *provider) refresh(ctx context.Context, since time.Time) error {
	if p.vms.listedSince(since) {
		return nil
	}
	select {
	case p.vms.turn <- struct{}{}:
	case <-ctx.Done():
		return &cloud.Error{Kind: cloud.Unavailable, Message: virtualMachinesList.String() + ": abandoned while another call was listing",
			Err: ctx.Err()}
	}
	defer func() { <-p.vms.turn }()
	if p.vms.listedSince(since) {
		return nil
	}
	_, err := p.survey(ctx, func(*machine) bool { return false })
	return err
}

// view reads a machine with what it does at the moment. gone is set where it does not exist any more, even if its place has
// another one now. A machine that was moved to another resource group keeps its vmId, and is looked for.
func (p *provider) view(ctx context.Context, v vm) (m machine, gone bool, err error) {
	m, there, err := p.viewAt(ctx, v)
	if err != nil || there {
		return m, false, err
	}
	found, ok, err := p.findListed(ctx, v.id, time.Now())
	if err != nil || !ok {
		return machine{}, err == nil, err
	}
	m, there, err = p.viewAt(ctx, found)
	return m, err == nil && !there, err
}

// viewAt reads the machine at a place. there is false, and the place forgotten, if it is another one or none.
func (p *provider) viewAt(ctx context.Context, v vm) (m machine, there bool, err error) {
	err = p.ask(ctx, virtualMachinesGet, request{
		method: http.MethodGet, path: v.path, query: url.Values{"$expand": {"instanceView"}},
	}, &m)
	if notFound(err) {
		p.vms.drop(v)
		return machine{}, false, nil
	}
	if err != nil {
		return machine{}, false, err
	}
	switch m.id() {
	case v.id:
		return m, true, nil
	case "":
		return machine{}, false, cloud.Errorf(cloud.Unknown, "%s: the answer is no virtual machine; check endpoints.arm", virtualMachinesGet)
	}
	p.vms.drop(v)
	return machine{}, false, nil
}
