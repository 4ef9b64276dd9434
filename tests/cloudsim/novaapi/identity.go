package novaapi

import (
	"net/http"
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
		rest, underV3 := strings.CutPrefix(path, "v3/")
		rt, vars, known, allowed := find(identityRoutes, hr.Method, rest)
		switch {
		case !underV3 || !known:
			c.reply(w, r, keystoneError(http.StatusNotFound, "The resource could not be found."))
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
