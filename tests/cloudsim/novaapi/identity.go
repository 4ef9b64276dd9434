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
	{method: http.MethodGet, path: "projects", action: "ListProjects", handle: (*Cloud).listProjects},
	{method: http.MethodGet, path: "projects/*", action: "ListProjects", handle: (*Cloud).showProject},
	{method: http.MethodGet, path: "users/*", action: "ShowUser", handle: (*Cloud).showUser},
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
}...)

// accessKeyRoutes are the vendors' own operations below /v3.0.
var accessKeyRoutes = []route{
	{method: http.MethodGet, path: "OS-CREDENTIAL/credentials", action: "ListPermanentAccessKeys",
		handle: (*Cloud).listAccessKeys},
	{method: http.MethodPost, path: "OS-CREDENTIAL/credentials", action: "CreatePermanentAccessKey",
		handle: (*Cloud).createAccessKey},
	{method: http.MethodGet, path: "OS-CREDENTIAL/credentials/*", action: "ShowPermanentAccessKey",
		handle: (*Cloud).showAccessKey},
	{method: http.MethodDelete, path: "OS-CREDENTIAL/credentials/*", action: "DeletePermanentAccessKey",
		handle: (*Cloud).deleteAccessKey},
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
	a := &answer{status: http.StatusNotFound, code: "404", text: "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"}
	return a.with("Content-Type", "text/html; charset=utf-8")
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
		case path == "" && hr.Method == http.MethodGet:
			c.reply(w, r, identityVersions(c.identityURL(hr)))
			return
		case path == "v3" && hr.Method == http.MethodGet:
			c.reply(w, r, ok(map[string]any{"version": identityVersion(c.identityURL(hr))}))
			return
		}
		rt, vars, known, allowed := c.findIdentity(hr.Method, path)
		switch {
		case !known:
			c.reply(w, r, c.noSuchIdentityAPI())
			return
		case !allowed:
			c.reply(w, r, keystoneError(http.StatusMethodNotAllowed, "The method is not allowed for the requested URL."))
			return
		}
		r.vars = vars
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
