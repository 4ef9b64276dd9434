package azure

import (
	"context"
	"net/http"
)

// Verify implements cloud.Provider. It gets a token, and asks for the first page of the subscription's virtual machines.
func (p *provider) Verify(ctx context.Context) error {
	return p.ask(ctx, virtualMachinesList, request{method: http.MethodGet, path: p.collection(computePath)}, &page[machine]{})
}
