package novaapi

import (
	"fmt"
	"maps"
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
		self(c.novaBase(r) + "/flavors/" + f.ID),
		bookmark(c.bookmark(r, "flavors/"+f.ID)),
	}
}

// flavorBrief shows a flavor as the short list does.
func (c *Cloud) flavorBrief(r *request, f flavor) map[string]any {
	view := map[string]any{"id": f.ID, "name": f.Name, "links": c.flavorLinks(r, f)}
	if r.version.atLeast(minorFlavorDescription) {
		view["description"] = nil
	}
	return view
}

func (c *Cloud) flavorView(r *request, f flavor) map[string]any {
	view := c.flavorBrief(r, f)
	maps.Copy(view, map[string]any{
		"vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "swap": "", "rxtx_factor": 1.0,
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
	})
	if r.version.atLeast(minorFlavorSpecs) {
		view["extra_specs"] = map[string]string{}
	}
	if r.version.atLeast(minorStrictQuery) {
		view["swap"] = 0
	}
	return view
}

func (c *Cloud) listFlavors(r *request) *answer { return c.flavors(r, "/flavors", c.flavorBrief) }

func (c *Cloud) listFlavorsDetails(r *request) *answer {
	return c.flavors(r, "/flavors/detail", c.flavorView)
}

func (c *Cloud) flavors(r *request, resource string, view func(*request, flavor) map[string]any) *answer {
	query, refused := c.checkQuery(r, flavorsSchema)
	if refused != nil {
		return refused
	}
	page, more, found := pageOf(flavors, query, func(f flavor) string { return f.ID })
	if !found {
		return noMarker(last(query, "marker"))
	}
	list := []any{}
	for _, f := range page {
		list = append(list, view(r, f))
	}
	return ok(c.linked(r, map[string]any{"flavors": list}, "flavors_links", resource, query, more))
}

func (c *Cloud) showFlavor(r *request) *answer {
	for _, f := range flavors {
		if f.ID == r.vars[0] {
			return ok(map[string]any{"flavor": c.flavorView(r, f)})
		}
	}
	return novaFault(http.StatusNotFound, fmt.Sprintf("Flavor %s could not be found.", r.vars[0]))
}
