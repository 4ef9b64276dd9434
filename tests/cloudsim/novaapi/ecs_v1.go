package novaapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// metadataNoResetPlugin is a server's metadata key with which a test says that
// the image lacks the password reset plug-in. Public images have it.
const metadataNoResetPlugin = "cloudsim.no_resetpwd_plugin"

func noCloudServer() *answer {
	return ecsError(http.StatusNotFound, "Ecs.0114", "The ECS does not exist.")
}

// listCloudServers is GET /v1/{project_id}/cloudservers/detail: pages by
// number, counted from 1 (0 means the first as well), with the number of all
// servers that the filters leave.
func (c *Cloud) listCloudServers(r *request) *answer {
	query := r.URL.Query()
	limit, refused := pageNumber(query, "limit", vendorPage)
	if refused != nil {
		return refused
	}
	page, refused := pageNumber(query, "offset", 1)
	if refused != nil {
		return refused
	}
	filter, wrong := c.novaFilter(r, query)
	if wrong != nil {
		return ecsError(http.StatusBadRequest, "Ecs.0005", "Invalid parameter values.")
	}
	servers := c.world.Servers(func(s model.Server) bool { return c.visible(r, s) && filter(s) })
	slices.Reverse(servers)
	limit = min(limit, maxPage)
	start := min((max(page, 1)-1)*limit, len(servers))
	list := []any{}
	for _, s := range servers[start:min(start+limit, len(servers))] {
		list = append(list, c.cloudServerView(r, s))
	}
	return ok(map[string]any{"count": len(servers), "servers": list})
}

func pageNumber(query url.Values, name string, fallback int) (int, *answer) {
	if query.Get(name) == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 || n > 1<<20 {
		return 0, ecsError(http.StatusBadRequest, "Ecs.0005", "Invalid parameter values: "+name+".")
	}
	return n, nil
}

// cloudServerView shows a server as the vendors' API does: Nova's fields with
// some numbers as strings, and a few of its own.
func (c *Cloud) cloudServerView(r *request, s model.Server) map[string]any {
	view := c.serverView(r, s)
	delete(view, "links")
	f := flavorOf(s)
	view["flavor"] = map[string]string{
		"id": f.ID, "name": f.Name, "vcpus": strconv.Itoa(f.VCPUs), "ram": strconv.Itoa(f.RAM), "disk": "0",
	}
	view["image"] = map[string]string{"id": s.ImageID}
	view["addresses"] = c.addressesOf(s, "4")
	view["fault"], view["locked"], view["description"], view["host_status"] = nil, false, "", "UP"
	view["tags"], view["sys_tags"] = tagList(s), []any{}
	view["enterprise_project_id"] = "0"
	return view
}

func (c *Cloud) showCloudServer(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noCloudServer()
	}
	return ok(map[string]any{"server": c.cloudServerView(r, s)})
}

func (c *Cloud) showCloudServerTags(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noCloudServer()
	}
	tags := []map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, map[string]string{"key": key, "value": s.Tags[key]})
	}
	return ok(map[string]any{"tags": tags})
}

func (c *Cloud) showCloudServerPassword(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noCloudServer()
	}
	ciphertext, err := c.world.EncryptedPassword(s.ID)
	if err != nil { // removed since it was found
		return noCloudServer()
	}
	return ok(map[string]string{"password": ciphertext})
}

func (c *Cloud) deleteCloudServerPassword(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found || c.world.ClearPassword(s.ID) != nil {
		return noCloudServer()
	}
	return &answer{status: http.StatusNoContent}
}

// showResetPasswordFlag tells whether the one-click reset plug-in is in the
// image. The flag is a string with a capital letter.
func (c *Cloud) showResetPasswordFlag(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noCloudServer()
	}
	flag := "True"
	if s.Metadata[metadataNoResetPlugin] != "" {
		flag = "False"
	}
	return ok(map[string]string{"resetpwd_flag": flag})
}
