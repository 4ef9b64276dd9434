package novaapi

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type inDomain struct {
	named
	Domain named `json:"domain"`
}

type endpoint struct {
	ID        string `json:"id"`
	Interface string `json:"interface"`
	Region    string `json:"region"`
	RegionID  string `json:"region_id"`
	URL       string `json:"url"`
}

type catalogEntry struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	Endpoints []endpoint `json:"endpoints"`
}

// memberRole is the one role that every user has in every project.
var memberRole = named{"9fe2ff9ee4384b1894a90878d3e92bab", "member"}

// tokenBody shows a token as POST and GET /v3/auth/tokens do.
func (c *Cloud) tokenBody(r *request, t *token) map[string]any {
	body := map[string]any{
		"methods":    t.methods,
		"user":       map[string]any{"id": t.user.ID, "name": t.user.Name, "domain": named{t.userDomain.ID, t.userDomain.Name}, "password_expires_at": nil},
		"audit_ids":  []string{t.audit},
		"issued_at":  t.issued.UTC().Format(keystoneTime),
		"expires_at": t.expires.UTC().Format(keystoneTime),
	}
	if t.project == nil && t.domain == nil {
		return map[string]any{"token": body}
	}
	body["roles"] = []named{memberRole}
	body["is_domain"] = false
	if t.project != nil {
		domain, _ := c.world.Account(c.opts.Cloud, t.project.AccountID)
		body["project"] = inDomain{named{t.project.ID, t.project.Name}, named{domain.ID, domain.Name}}
	} else {
		body["domain"] = named{t.domain.ID, t.domain.Name}
	}
	if t.appCredential != nil {
		view := map[string]any{
			"id": t.appCredential.ID, "name": t.appCredential.Name, "restricted": !t.appCredential.Unrestricted,
		}
		if len(t.appCredential.AccessRules) > 0 {
			view["access_rules"] = t.appCredential.AccessRules
		}
		body["application_credential"] = view
	}
	if !r.URL.Query().Has("nocatalog") {
		body["catalog"] = c.catalog(r, t.userDomain, t.project)
	}
	return map[string]any{"token": body}
}

// catalog lists the endpoints that a scope reaches: those of the project's
// region, or of all regions of the domain. The vendors' compute endpoints
// carry the project in their path.
func (c *Cloud) catalog(r *request, domain model.Account, project *model.Project) []catalogEntry {
	regions := domain.Regions
	if project != nil && project.Region != "" {
		regions = []string{project.Region}
	}
	identity, compute := c.identityURL(r.Request), c.computeURL(r.Request)
	entries := []catalogEntry{
		c.entry("keystone", "identity", regions, identity+"/v3"),
		c.entry("glance", "image", regions, compute+"/"+imageRoot),
	}
	switch {
	case c.opts.CatalogURL != nil && project != nil:
		entries = append(entries, c.entry("nova", "compute", regions, c.opts.CatalogURL(compute, project.ID)))
	case c.plain():
		entries = append(entries, c.entry("nova", "compute", regions, compute+"/v2.1"))
	case project != nil:
		entries = append(entries,
			c.entry("nova", "compute", regions, compute+"/v2.1/"+project.ID),
			c.entry("ecs", "ecs", regions, compute+"/v1/"+project.ID))
	}
	return entries
}

// entry lists one service's three interfaces in each region, under ids that
// stay the same from token to token.
func (c *Cloud) entry(name, kind string, regions []string, url string) catalogEntry {
	id := func(parts string) string { return hexSHA256([]byte(string(c.opts.Cloud) + parts))[:32] }
	e := catalogEntry{ID: id(name), Name: name, Type: kind, Endpoints: []endpoint{}}
	for _, region := range regions {
		for _, face := range []string{"public", "internal", "admin"} {
			e.Endpoints = append(e.Endpoints, endpoint{
				ID: id(name + region + face), Interface: face, Region: region, RegionID: region, URL: url,
			})
		}
	}
	return e
}

// showToken validates the token in X-Subject-Token.
func (c *Cloud) showToken(r *request) *answer {
	t, refused := c.subject(r)
	if refused != nil {
		return refused
	}
	return ok(c.tokenBody(r, t)).with(headerSubjectToken, t.id)
}

// revokeToken ends the token in X-Subject-Token.
func (c *Cloud) revokeToken(r *request) *answer {
	t, refused := c.subject(r)
	if refused != nil {
		return refused
	}
	c.revoke(t.id)
	return &answer{status: http.StatusNoContent}
}

// subject finds the token that a request is about. Users see their own only.
func (c *Cloud) subject(r *request) (*token, *answer) {
	id := r.Header.Get(headerSubjectToken)
	if id == "" {
		return nil, keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action: identity:validate_token.")
	}
	t := c.token(id)
	if t == nil {
		return nil, keystoneError(http.StatusNotFound, "Could not recognize Fernet token")
	}
	if t.user.ID != r.caller.user.ID {
		return nil, keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action.")
	}
	return t, nil
}

func (c *Cloud) showCatalog(r *request) *answer {
	return ok(map[string]any{
		"catalog": c.catalog(r, r.caller.account, r.caller.project),
		"links":   map[string]any{"self": c.identityURL(r.Request) + "/v3/auth/catalog", "next": nil, "previous": nil},
	})
}

func (c *Cloud) projectView(r *request, p model.Project) map[string]any {
	return map[string]any{
		"id": p.ID, "name": p.Name, "domain_id": p.AccountID, "parent_id": p.AccountID, "enabled": true, "is_domain": false,
		"description": "", "links": map[string]any{"self": c.identityURL(r.Request) + "/v3/projects/" + p.ID},
	}
}

// listProjects lists the projects that the caller may work in. The vendors'
// SDKs look their project up here by the region's name.
func (c *Cloud) listProjects(r *request) *answer {
	name := r.URL.Query().Get("name")
	projects := []map[string]any{}
	for _, p := range c.world.Projects(c.opts.Cloud, r.caller.account.ID) {
		if mayUse(r.caller.user, p.ID) && (name == "" || p.Name == name) {
			projects = append(projects, c.projectView(r, p))
		}
	}
	return ok(map[string]any{
		"projects": projects,
		"links":    map[string]any{"self": c.identityURL(r.Request) + r.URL.Path, "next": nil, "previous": nil},
	})
}

func (c *Cloud) showProject(r *request) *answer {
	p, found := c.world.Project(c.opts.Cloud, r.vars[0])
	if !found || p.AccountID != r.caller.account.ID || !mayUse(r.caller.user, p.ID) {
		return keystoneError(http.StatusNotFound, "Could not find project: "+r.vars[0]+".")
	}
	return ok(map[string]any{"project": c.projectView(r, p)})
}

func (c *Cloud) listDomains(r *request) *answer {
	return ok(map[string]any{
		"domains": []map[string]any{{"id": r.caller.account.ID, "name": r.caller.account.Name, "enabled": true, "description": "",
			"links": map[string]any{"self": c.identityURL(r.Request) + "/v3/domains/" + r.caller.account.ID}}},
		"links": map[string]any{"self": c.identityURL(r.Request) + "/v3/auth/domains", "next": nil, "previous": nil},
	})
}

// showUser shows the caller himself; others take an administrator.
func (c *Cloud) showUser(r *request) *answer {
	if r.vars[0] != r.caller.user.ID {
		return keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action: identity:get_user.")
	}
	return ok(map[string]any{"user": map[string]any{
		"id": r.caller.user.ID, "name": r.caller.user.Name, "domain_id": r.caller.user.AccountID, "enabled": true,
		"links": map[string]any{"self": c.identityURL(r.Request) + "/v3/users/" + r.caller.user.ID},
	}})
}
