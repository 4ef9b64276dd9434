package novaapi

import (
	"net/http"
	"slices"
	"strings"
)

// identityRoutes are Keystone's operations, by path after /v3.
var identityRoutes = []route{
	{method: http.MethodPost, path: "auth/tokens", action: "CreateToken", handle: (*Cloud).createToken, open: true},
	{method: http.MethodGet, path: "auth/tokens", action: "ShowToken", handle: (*Cloud).showToken},
	{method: http.MethodDelete, path: "auth/tokens", action: "RevokeToken", handle: (*Cloud).revokeToken},
	{method: http.MethodGet, path: "auth/catalog", action: "ShowCatalog", handle: (*Cloud).showCatalog},
	{method: http.MethodGet, path: "auth/projects", action: "ListProjects", handle: (*Cloud).listProjects},
	{method: http.MethodGet, path: "auth/domains", action: "ListDomains", handle: (*Cloud).listDomains},
	{method: http.MethodGet, path: "projects", action: "ListProjects", handle: (*Cloud).listAllProjects},
	{method: http.MethodGet, path: "projects/*", action: "ListProjects", handle: (*Cloud).showProject},
	{method: http.MethodGet, path: "users/*", action: "ShowUser", handle: (*Cloud).showUser},
	{method: http.MethodGet, path: "regions", action: "ListRegions", handle: (*Cloud).listRegions},
	{method: http.MethodGet, path: "regions/*", action: "ShowRegion", handle: (*Cloud).showRegion},
}

// keystoneRoutes are further ones below /v3 which Huawei Cloud's and Open
// Telekom Cloud's API references do not have.
var keystoneRoutes = append(slices.Clone(identityRoutes), []route{
	{method: http.MethodGet, path: "users/*/application_credentials", action: "ListApplicationCredentials",
		handle: (*Cloud).listAppCredentials},
	{method: http.MethodPost, path: "users/*/application_credentials", action: "CreateApplicationCredential",
		handle: (*Cloud).createAppCredential},
	{method: http.MethodGet, path: "users/*/application_credentials/*", action: "ShowApplicationCredential",
		handle: (*Cloud).showAppCredential},
	{method: http.MethodDelete, path: "users/*/application_credentials/*", action: "DeleteApplicationCredential",
		handle: (*Cloud).deleteAppCredential},
	{method: http.MethodGet, path: "users/*/access_rules", action: "ListAccessRules", handle: (*Cloud).listAccessRules},
	{method: http.MethodGet, path: "users/*/access_rules/*", action: "ShowAccessRule", handle: (*Cloud).showAccessRule},
	{method: http.MethodDelete, path: "users/*/access_rules/*", action: "DeleteAccessRule", handle: (*Cloud).deleteAccessRule},
	{method: http.MethodGet, path: "users/*/projects", action: "ListProjects", handle: (*Cloud).listUserProjects},
	{method: http.MethodGet, path: "auth/system", action: "ListSystems", handle: (*Cloud).listSystem},
	{method: http.MethodGet, path: "domains/*", action: "ShowDomain", handle: (*Cloud).showDomain},
	administrators("users", "ListUsers", "list_users"),
	administrators("domains", "ListAllDomains", "list_domains"),
	administrators("services", "ListServices", "list_services"),
	administrators("endpoints", "ListEndpoints", "list_endpoints"),
	administrators("roles", "ListRoles", "list_roles"),
	administrators("role_assignments", "ListRoleAssignments", "list_role_assignments"),
	administrators("groups", "ListGroups", "list_groups"),
}...)

// administrators is an operation that Keystone's policy lets nobody here call.
func administrators(path, action, policy string) route {
	return route{method: http.MethodGet, path: path, action: action, handle: func(c *Cloud, _ *request) *answer { return c.forbidden(policy) }}
}

// accessKeyRoutes are the vendors' own operations below /v3.0.
var accessKeyRoutes = []route{
	{method: http.MethodGet, path: "OS-CREDENTIAL/credentials", action: "ListPermanentAccessKeys",
		handle: (*Cloud).listAccessKeys},
	{method: http.MethodPost, path: "OS-CREDENTIAL/credentials", action: "CreatePermanentAccessKey",
		handle: (*Cloud).createAccessKey},
	{method: http.MethodGet, path: "OS-CREDENTIAL/credentials/*", action: "ShowPermanentAccessKey",
		handle: (*Cloud).showAccessKey},
	{method: http.MethodPut, path: "OS-CREDENTIAL/credentials/*", action: "UpdatePermanentAccessKey",
		handle: (*Cloud).updateAccessKey},
	{method: http.MethodDelete, path: "OS-CREDENTIAL/credentials/*", action: "DeletePermanentAccessKey",
		handle: (*Cloud).deleteAccessKey},
	{method: http.MethodPost, path: "OS-CREDENTIAL/securitytokens", action: actionByToken, handle: (*Cloud).createSecurityToken},
}

// findIdentity looks a path up among the operations that the cloud has.
func (c *Cloud) findIdentity(method, path string) (rt route, vars []string, known, allowed bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	version, rest, _ := strings.Cut(path, "/")
	switch {
	case version == "v3" && c.plain():
		return find(keystoneRoutes, method, rest)
	case version == "v3":
		return find(identityRoutes, method, rest)
	case version == "v3.0" && !c.plain():
		return find(accessKeyRoutes, method, rest)
	}
	return route{}, nil, false, false
}

// noSuchIdentityAPI answers an unknown path. Keystone leaves that to the web
// framework, which writes a page.
func (c *Cloud) noSuchIdentityAPI() *answer {
	if !c.plain() {
		return keystoneError(http.StatusNotFound, "The resource could not be found.")
	}
	a := &answer{status: http.StatusNotFound, code: "404",
		text: "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"}
	return a.with("Content-Type", "text/html; charset=utf-8")
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// wrongIdentityMethod answers a path that has other methods. Keystone leaves
// that to the web framework, too, which names them.
func (c *Cloud) wrongIdentityMethod(path string) *answer {
	const text = "The method is not allowed for the requested URL."
	if !c.plain() {
		return keystoneError(http.StatusMethodNotAllowed, text)
	}
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if _, _, _, has := c.findIdentity(method, path); has || path == "v3" && method == http.MethodGet {
			allowed = append(allowed, method)
		}
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	a := &answer{status: http.StatusMethodNotAllowed, code: "405", body: map[string]any{"message": text}}
	return a.with("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
}

// Identity serves Keystone v3.
func (c *Cloud) Identity() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r, err := c.newRequest(hr)
		if err != nil {
			c.reply(w, r, keystoneError(http.StatusBadRequest, "The request body cannot be read."))
			return
		}
		r.api = apiIdentity
		path := strings.Trim(hr.URL.Path, "/")
		switch {
		case path == "" && reads(hr):
			c.reply(w, r, identityVersions(c.identityURL(hr)))
			return
		case path == "v3" && reads(hr):
			c.reply(w, r, ok(map[string]any{"version": identityVersion(c.identityURL(hr))}))
			return
		case path == "v3" && c.plain():
			c.reply(w, r, c.wrongIdentityMethod(path))
			return
		}
		rt, vars, known, allowed := c.findIdentity(hr.Method, path)
		switch {
		case !known:
			c.reply(w, r, c.noSuchIdentityAPI())
			return
		case !allowed:
			c.reply(w, r, c.wrongIdentityMethod(path))
			return
		}
		r.vars = vars
		if rt.action == actionByToken {
			bodyToken(r)
			if byAgency(r) {
				rt.action = actionByAgency
			}
		}
		if !rt.open {
			if refused := c.authenticate(r); refused != nil {
				c.reply(w, r, refused)
				return
			}
			if refused := c.authorize(r, rt, c.identityService()); refused != nil {
				c.reply(w, r, refused)
				return
			}
		}
		c.run(w, r, rt, c.identityService())
	})
}
