package novaapi

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// novaRoutes are the operations under /v2.1 and /v2, by path after the
// version and the project.
var novaRoutes = []route{
	{method: http.MethodGet, path: "servers", action: "ListServers", handle: (*Cloud).listServers},
	{method: http.MethodGet, path: "servers/detail", action: "ListServersDetails", handle: (*Cloud).listServersDetails},
	{method: http.MethodGet, path: "servers/*", action: "ShowServer", handle: (*Cloud).showServer, server: true},
	{method: http.MethodGet, path: "servers/*/tags", action: "ListServerTags", handle: (*Cloud).listServerTags, server: true},
	{method: http.MethodGet, path: "servers/*/os-server-password", action: "ShowServerPassword",
		handle: (*Cloud).showServerPassword, server: true},
	{method: http.MethodDelete, path: "servers/*/os-server-password", action: "DeleteServerPassword",
		handle: (*Cloud).deleteServerPassword, server: true},
	{method: http.MethodPost, path: "servers/*/action", action: actionChange, handle: (*Cloud).changePassword, server: true, plain: true},
	{method: http.MethodGet, path: "os-keypairs", action: "ListKeypairs", handle: (*Cloud).listKeypairs},
	{method: http.MethodGet, path: "os-keypairs/*", action: "ShowKeypair", handle: (*Cloud).showKeypair},
	{method: http.MethodGet, path: "flavors", action: "ListFlavors", handle: (*Cloud).listFlavors},
	{method: http.MethodGet, path: "flavors/detail", action: "ListFlavorsDetails", handle: (*Cloud).listFlavorsDetails},
	{method: http.MethodGet, path: "flavors/*", action: "ShowFlavor", handle: (*Cloud).showFlavor},
}

// ecsRoutes are the operations under /v1/{project_id}.
var ecsRoutes = []route{
	{method: http.MethodGet, path: "cloudservers/detail", action: "ListCloudServersDetails", handle: (*Cloud).listCloudServers},
	{method: http.MethodGet, path: "cloudservers/*", action: "ShowCloudServer", handle: (*Cloud).showCloudServer, server: true},
	{method: http.MethodGet, path: "cloudservers/*/tags", action: "ShowCloudServerTags",
		handle: (*Cloud).showCloudServerTags, server: true},
}

// huaweiRoutes are those of ecsRoutes' kind which Open Telekom Cloud's API
// reference does not have.
var huaweiRoutes = append(slices.Clone(ecsRoutes), []route{
	{method: http.MethodGet, path: "cloudservers/*/os-server-password", action: "ShowCloudServerPassword",
		handle: (*Cloud).showCloudServerPassword, server: true},
	{method: http.MethodDelete, path: "cloudservers/*/os-server-password", action: "DeleteCloudServerPassword",
		handle: (*Cloud).deleteCloudServerPassword, server: true},
	{method: http.MethodGet, path: "cloudservers/*/os-resetpwd-flag", action: "ShowResetPasswordFlag",
		handle: (*Cloud).showResetPasswordFlag, server: true},
}...)

// Compute serves Nova under /v2.1 and /v2 and, on Huawei Cloud and Open
// Telekom Cloud, the vendors' own API under /v1.
func (c *Cloud) Compute() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r, err := c.newRequest(hr)
		r.api = apiNova
		if err != nil {
			c.reply(w, r, novaFault(http.StatusBadRequest, "The request body cannot be read."))
			return
		}
		path := strings.Trim(hr.URL.Path, "/")
		if a := c.computeDocument(hr, path); a != nil {
			if path == "v2.1" && c.plain() {
				var refused *answer
				if r.version, refused = c.readMicroversion(hr); refused != nil {
					a = refused
				}
			}
			c.reply(w, r, a)
			return
		}
		if strings.HasPrefix(hr.URL.Path, elsewhereRoot) && !c.plain() {
			c.reply(w, r, c.refuseElsewhere(r))
			return
		}
		rt, refused := c.routeCompute(r, hr.URL.Path)
		if unknown := refused; unknown == nil || c.plain() && r.api == apiNova {
			refused = c.authenticate(r) // Keystone's middleware stands in front of Nova's router
			if refused == nil {
				refused = c.ruled(r, c.computeService())
			}
			if refused == nil {
				refused = unknown
			}
		}
		if refused != nil {
			c.reply(w, r, refused)
			return
		}
		if r.api == apiNova && strings.HasPrefix(path, "v2.1/") {
			if r.version, refused = c.readMicroversion(hr); refused != nil {
				c.reply(w, r, refused)
				return
			}
		}
		rt = r.actionOf(rt)
		if refused := c.authorize(r, rt, c.computeService()); refused != nil {
			c.reply(w, r, refused)
			return
		}
		c.run(w, r, rt, c.computeService())
	})
}

// refuseElsewhere is what another region says of the projects here.
func (c *Cloud) refuseElsewhere(r *request) *answer {
	if refused := c.authenticate(r); refused != nil {
		return refused
	}
	return c.wrongProject(r, r.project)
}

// computeDocument answers the paths of version documents; nil for others.
func (c *Cloud) computeDocument(r *http.Request, path string) *answer {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !c.plain() {
		return nil
	}
	base := c.computeURL(r)
	version, _, _ := strings.Cut(path, "/")
	switch {
	case path == "":
		return c.computeVersions(base)
	case path == "v2.1", path == "v2":
		return ok(map[string]any{"version": c.computeVersion(base, version).alone()})
	case path == imageRoot:
		return imageVersions(base)
	case c.plain() && version != "v2.1" && version != "v2" && version != imageRoot:
		return &answer{status: http.StatusMultipleChoices, anonymous: true, body: map[string]any{"choices": []versionDocument{
			c.choice(base, "v2", path), c.choice(base, "v2.1", path),
		}}}
	}
	return nil
}

// projectForm is what Nova takes for a project in a path
// (nova/conf/api.py, project_id_regex).
var projectForm = regexp.MustCompile(`^[0-9a-f-]+$`)

// routeCompute finds the operation and notes the project. The project is part
// of the path on Huawei Cloud and Open Telekom Cloud and optional on OpenStack.
func (c *Cloud) routeCompute(r *request, path string) (route, *answer) {
	path = strings.TrimPrefix(path, "/")
	if !c.plain() {
		path = strings.Trim(path, "/")
	}
	version, rest, _ := strings.Cut(path, "/")
	routes := novaRoutes
	switch {
	case strings.HasPrefix(path, imageRoot+"/v2/"):
		rt, vars, _, allowed := find(imageRoutes, r.Method, strings.TrimPrefix(path, imageRoot+"/v2/"))
		if !allowed {
			return route{}, c.noSuchAPI(r)
		}
		r.vars = vars
		return rt, nil
	case version == "v2.1", version == "v2":
	case version == "v1" && c.opts.Cloud == model.HuaweiCloud:
		routes, r.api = huaweiRoutes, apiECS
	case version == "v1" && c.opts.Cloud == model.OpenTelekomCloud:
		routes, r.api = ecsRoutes, apiECS
	default:
		r.api = apiECS // whatever else there is, it is not Nova's
		return route{}, c.noSuchAPI(r)
	}
	if !c.plain() {
		routes = slices.DeleteFunc(slices.Clone(routes), func(rt route) bool { return rt.plain })
	}
	rt, vars, known, allowed := find(routes, r.Method, rest)
	if !known || !c.plain() {
		project, operation, _ := strings.Cut(rest, "/")
		if !c.plain() || projectForm.MatchString(project) {
			r.project = project
			rt, vars, known, allowed = find(routes, r.Method, operation)
		}
	}
	switch {
	case c.plain() && !allowed && r.api == apiNova:
		return route{}, noResource()
	case !known:
		return route{}, c.noSuchAPI(r)
	case !allowed && r.api == apiNova:
		return route{}, novaFault(http.StatusMethodNotAllowed, "The method specified is not allowed for this resource.")
	case !allowed:
		return route{}, c.noSuchAPI(r)
	}
	r.vars = vars
	return rt, nil
}

// noSuchAPI answers a path that no API has: Nova below its own versions, where
// clients look for version documents and expect its form, else the gateway.
func (c *Cloud) noSuchAPI(r *request) *answer {
	if c.plain() || r.api == apiNova {
		return novaFault(http.StatusNotFound, "The resource could not be found.")
	}
	return gatewayError(http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment", r.id)
}

// findServer finds a server of the caller's project. Terminated servers are
// gone, and those of other projects are none of his business.
func (c *Cloud) findServer(r *request, id string) (model.Server, bool) {
	s, found := c.world.Server(id)
	return s, found && c.visible(r, s)
}

func (c *Cloud) visible(r *request, s model.Server) bool {
	return r.caller.project != nil && s.Cloud == c.opts.Cloud && s.ProjectID == r.caller.project.ID && s.State != model.StateTerminated
}
