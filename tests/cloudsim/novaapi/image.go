package novaapi

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// imageRoot is where the image service lives on the listener of the compute
// service. There is just enough of it for clients that show an
// image's name beside a server.
const imageRoot = "image"

// imageRoutes are Glance's operations, by path after imageRoot and /v2.
var imageRoutes = []route{
	{method: http.MethodGet, path: "images", action: "ListImages", handle: (*Cloud).listImages},
	{method: http.MethodGet, path: "images/*", action: "ShowImage", handle: (*Cloud).showImage},
}

// imageVersions answers GET / of Glance.
func imageVersions(base string) *answer {
	return &answer{status: http.StatusMultipleChoices, body: map[string]any{"versions": []map[string]any{
		{"id": "v2.9", "status": "CURRENT", "links": []link{self(base + "/" + imageRoot + "/v2/")}},
	}}}
}

// images lists the images of the servers that the caller sees, by name.
func (c *Cloud) images(r *request, keep func(model.Server) bool) []map[string]any {
	seen := map[string]bool{}
	out := []map[string]any{}
	for _, s := range c.world.Servers(func(s model.Server) bool { return c.visible(r, s) && keep(s) }) {
		if seen[s.ImageID] || s.ImageID == model.NoImage {
			continue
		}
		seen[s.ImageID] = true
		created := s.Created.UTC().Format(time.RFC3339)
		image := map[string]any{}
		for name, value := range s.ImageProperties {
			image[name] = value
		}
		maps.Copy(image, map[string]any{
			"id": s.ImageID, "name": imageName(s), "status": "active", "visibility": "public", "owner": s.ProjectID,
			"container_format": "bare", "disk_format": "qcow2", "min_disk": 0, "min_ram": 0, "protected": false, "tags": []string{},
			"created_at": created, "updated_at": created, "self": "/v2/images/" + s.ImageID, "file": "/v2/images/" + s.ImageID + "/file",
			"schema": "/v2/schemas/image",
		})
		out = append(out, image)
	}
	slices.SortFunc(out, func(a, b map[string]any) int {
		return cmp.Or(cmp.Compare(a["name"].(string), b["name"].(string)), cmp.Compare(a["id"].(string), b["id"].(string)))
	})
	return out
}

// listImages filters by id, with the prefix "in:" by several, and by name.
func (c *Cloud) listImages(r *request) *answer {
	query := r.URL.Query()
	ids := query.Get("id")
	list := c.images(r, func(s model.Server) bool {
		return (ids == "" || slices.Contains(strings.Split(strings.TrimPrefix(ids, "in:"), ","), s.ImageID)) &&
			(query.Get("name") == "" || imageName(s) == query.Get("name"))
	})
	return ok(map[string]any{"images": list, "first": "/v2/images", "schema": "/v2/schemas/images"})
}

func (c *Cloud) showImage(r *request) *answer {
	list := c.images(r, func(s model.Server) bool { return s.ImageID == r.vars[0] })
	if len(list) == 0 {
		return &answer{status: http.StatusNotFound, code: "404", body: map[string]any{"code": "404 Not Found", "title": "Not Found",
			"message": fmt.Sprintf("No image found with ID %s<br /><br />\n\n\n", r.vars[0])}}
	}
	return ok(list[0])
}
