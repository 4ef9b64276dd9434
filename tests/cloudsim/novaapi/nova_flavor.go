package novaapi

import (
	"fmt"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// flavor is a size of server. The simulator has two, because clients resolve
// the ids that servers name; it does not matter which server has which.
type flavor struct {
	ID, Name  string
	VCPUs     int
	RAM, Disk int // MiB, GiB
}

var flavors = []flavor{
	{"s3.large.2", "s3.large.2", 2, 4096, 40},
	{"s3.xlarge.2", "s3.xlarge.2", 4, 8192, 80},
}

func flavorOf(s model.Server) flavor {
	if s.IsWindows() {
		return flavors[1]
	}
	return flavors[0]
}

// inline is how servers show their flavor from microversion 2.47 on.
func (f flavor) inline() map[string]any {
	return map[string]any{
		"original_name": f.Name, "vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "ephemeral": 0, "swap": 0,
		"extra_specs": map[string]string{},
	}
}

func (c *Cloud) flavorLinks(r *request, f flavor) []link {
	return []link{
		{"self", c.novaBase(r) + "/flavors/" + f.ID},
		{"bookmark", c.computeURL(r.Request) + "/" + r.caller.project.ID + "/flavors/" + f.ID},
	}
}

func (c *Cloud) flavorView(r *request, f flavor) map[string]any {
	return map[string]any{
		"id": f.ID, "name": f.Name, "vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "swap": "", "rxtx_factor": 1.0,
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
		"links": c.flavorLinks(r, f),
	}
}

func (c *Cloud) listFlavors(r *request) *answer {
	list := []any{}
	for _, f := range flavors {
		list = append(list, map[string]any{"id": f.ID, "name": f.Name, "links": c.flavorLinks(r, f)})
	}
	return ok(map[string]any{"flavors": list})
}

func (c *Cloud) listFlavorsDetails(r *request) *answer {
	list := []any{}
	for _, f := range flavors {
		list = append(list, c.flavorView(r, f))
	}
	return ok(map[string]any{"flavors": list})
}

func (c *Cloud) showFlavor(r *request) *answer {
	for _, f := range flavors {
		if f.ID == r.vars[0] {
			return ok(map[string]any{"flavor": c.flavorView(r, f)})
		}
	}
	return novaFault(http.StatusNotFound, fmt.Sprintf("Flavor %s could not be found.", r.vars[0]))
}
