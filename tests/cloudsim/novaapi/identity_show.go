package novaapi

import (
	"net/http"
	"slices"
	"strconv"

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

// The roles that every user has in every project: Keystone's member implies its
// reader; of the vendors' roles one has to do.
var (
	memberRole = named{"9fe2ff9ee4384b1894a90878d3e92bab", "member"}
	readerRole = named{"b02f67251daf4e40974fb594cd9c8b77", "reader"}
)

func (c *Cloud) roles() []named {
	if c.plain() {
		return []named{readerRole, memberRole}
	}
	return []named{memberRole}
}

// rolesOf are the roles of an application credential; nil means a user himself.
// Of what its roles imply it has nothing, other than users.
func (c *Cloud) rolesOf(a *model.AppCredential) []named {
	all := c.roles()
	if a == nil || len(a.Roles) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(role named) bool { return !slices.Contains(a.Roles, role.Name) })
}

// tokenBody shows a token as POST and GET /v3/auth/tokens do.
func (c *Cloud) tokenBody(r *request, t *token) map[string]any {
	body := map[string]any{
		"methods": t.methods,
		"user": map[string]any{"id": t.user.ID, "name": t.user.Name, "domain": named{t.userDomain.ID, t.userDomain.Name},
			"password_expires_at": passwordEnd(t.user)},
		"audit_ids":  []string{t.audit},
		"issued_at":  t.issued.UTC().Format(keystoneTime),
		"expires_at": t.expires.UTC().Format(keystoneTime),
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
	switch {
	case t.project != nil:
		domain, _ := c.world.Account(c.opts.Cloud, t.project.AccountID)
		body["project"] = inDomain{named{t.project.ID, t.project.Name}, named{domain.ID, domain.Name}}
		body["is_domain"] = false
	case t.domain != nil:
		body["domain"] = named{t.domain.ID, t.domain.Name}
	default:
		return map[string]any{"token": body}
	}
	body["roles"] = c.rolesOf(t.appCredential)
	if !r.URL.Query().Has("nocatalog") {
		body["catalog"] = c.catalog(r, t.userDomain, t.project)
	}
	return map[string]any{"token": body}
}

// passwordEnd is when a user's password ends: in UTC, which it does not say; null means never.
func passwordEnd(u model.User) any {
	if u.PasswordExpires.IsZero() {
		return nil
	}
	return u.PasswordExpires.UTC().Format("2006-01-02T15:04:05.000000")
}

// catalog lists the endpoints that a scope reaches: those of the project's
// region, or of all regions of the domain. The vendors' compute endpoints
// carry the project in their path, and their catalogues list a region before it
// in which the project is not: a client has to choose.
func (c *Cloud) catalog(r *request, domain model.Account, project *model.Project) []catalogEntry {
	regions := domain.Regions
	if project != nil && project.Region != "" {
		regions = []string{project.Region}
	}
	identity, compute := c.identityURL(r.Request), c.computeURL(r.Request)
	entries := []catalogEntry{
		c.entry("keystone", "identity", regions, identity+"/v3"), // the same in all regions
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
	if other := elsewhere[c.opts.Cloud]; other != "" && project != nil {
		for i, path := range map[int]string{1: "/" + imageRoot, 2: "/v2.1/" + project.ID, 3: "/v1/" + project.ID} {
			if i < len(entries) {
				there := c.entry(entries[i].Name, entries[i].Type, []string{other}, compute+elsewhereRoot+other+path)
				entries[i].Endpoints = append(there.Endpoints, entries[i].Endpoints...)
			}
		}
	}
	return entries
}

// elsewhere are regions of the vendors' clouds that no project here is in, and elsewhereRoot is where their compute services live
// on the listener of this one's.
var elsewhere = map[model.Cloud]string{model.HuaweiCloud: "ap-southeast-3", model.OpenTelekomCloud: "eu-nl"}

const elsewhereRoot = "/elsewhere/"

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

// showToken validates the token in X-Subject-Token. One with access rules is
// shown only to who says that he knows what those are.
func (c *Cloud) showToken(r *request) *answer {
	action := "validate_token"
	if r.Method == http.MethodHead {
		action = "check_token"
	}
	t, refused := c.subject(r, action)
	if refused != nil {
		return refused
	}
	known, _ := strconv.ParseFloat(r.Header.Get(headerAccessRules), 64)
	if c.plain() && t.appCredential != nil && len(t.appCredential.AccessRules) > 0 && known < 1 {
		return keystoneError(http.StatusNotFound, "Failed to validate token")
	}
	return ok(c.tokenBody(r, t)).with(headerSubjectToken, t.id)
}

// revokeToken ends the token in X-Subject-Token.
func (c *Cloud) revokeToken(r *request) *answer {
	t, refused := c.subject(r, "revoke_token")
	if refused != nil {
		return refused
	}
	c.revoke(t.id)
	return &answer{status: http.StatusNoContent}
}

// subject finds the token that a request is about. Users see their own only.
func (c *Cloud) subject(r *request, action string) (*token, *answer) {
	id := r.Header.Get(headerSubjectToken)
	if id == "" {
		return nil, c.forbidden(action)
	}
	t := c.token(id)
	switch {
	case t == nil:
		return nil, c.unknownToken(id)
	case t.user.ID != r.caller.user.ID:
		return nil, c.forbidden(action)
	}
	return t, nil
}

// forbidden is what Keystone answers to what its policy does not allow.
func (c *Cloud) forbidden(action string) *answer {
	return keystoneError(http.StatusForbidden, notAuthorized+"identity:"+action+".")
}

// showCatalog lists the services. Keystone does so for a project only.
func (c *Cloud) showCatalog(r *request) *answer {
	if c.plain() && r.caller.project == nil {
		return keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action.")
	}
	return ok(map[string]any{
		"catalog": c.catalog(r, r.caller.account, r.caller.project),
		"links":   map[string]any{"self": c.identityURL(r.Request) + "/v3/auth/catalog"},
	})
}

// collection is a list with the links that Keystone puts beside it.
func (c *Cloud) collection(r *request, name string, list []map[string]any) *answer {
	return ok(map[string]any{name: list, "links": map[string]any{"self": c.identityURL(r.Request) + r.URL.Path, "next": nil, "previous": nil}})
}

// resource is what Keystone shows of everything: the id and a link, and on
// OpenStack options and tags that nobody has set.
func (c *Cloud) resource(r *request, collection, id string, tagged bool, fields map[string]any) map[string]any {
	fields["id"] = id
	fields["links"] = map[string]any{"self": c.identityURL(r.Request) + "/v3/" + collection + "/" + id}
	if c.plain() {
		fields["options"] = map[string]any{}
		if tagged {
			fields["tags"] = []string{}
		}
	}
	return fields
}

func (c *Cloud) projectView(r *request, p model.Project) map[string]any {
	return c.resource(r, "projects", p.ID, true, map[string]any{
		"name": p.Name, "domain_id": p.AccountID, "parent_id": p.AccountID, "enabled": true, "is_domain": false, "description": "",
	})
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
	return c.collection(r, "projects", projects)
}

// listAllProjects takes an administrator in Keystone.
func (c *Cloud) listAllProjects(r *request) *answer {
	if c.plain() {
		return c.forbidden("list_projects")
	}
	return c.listProjects(r)
}

// listUserProjects is listProjects under another path.
func (c *Cloud) listUserProjects(r *request) *answer {
	if r.vars[0] != r.caller.user.ID {
		return c.forbidden("list_user_projects")
	}
	return c.listProjects(r)
}

func (c *Cloud) showProject(r *request) *answer {
	p, found := c.world.Project(c.opts.Cloud, r.vars[0])
	switch {
	case found && p.AccountID == r.caller.account.ID && mayUse(r.caller.user, p.ID):
		return ok(map[string]any{"project": c.projectView(r, p)})
	case c.plain():
		return c.forbidden("get_project")
	}
	return keystoneError(http.StatusNotFound, "Could not find project: "+r.vars[0]+".")
}

func (c *Cloud) domainView(r *request) map[string]any {
	return c.resource(r, "domains", r.caller.account.ID, true, map[string]any{"name": r.caller.account.Name, "enabled": true,
		"description": ""})
}

// listDomains lists the domains that the caller gets tokens for.
func (c *Cloud) listDomains(r *request) *answer {
	list := []map[string]any{}
	if c.onDomain(r.caller.user, r.caller.account.ID) {
		list = append(list, c.domainView(r))
	}
	return c.collection(r, "domains", list)
}

func (c *Cloud) showDomain(r *request) *answer {
	if r.vars[0] != r.caller.account.ID {
		return c.forbidden("get_domain")
	}
	return ok(map[string]any{"domain": c.domainView(r)})
}

// showUser shows the caller himself; others take an administrator.
func (c *Cloud) showUser(r *request) *answer {
	if r.vars[0] != r.caller.user.ID {
		return c.forbidden("get_user")
	}
	view := c.resource(r, "users", r.caller.user.ID, false, map[string]any{
		"name": r.caller.user.Name, "domain_id": r.caller.user.AccountID, "enabled": true,
	})
	if c.plain() {
		view["password_expires_at"] = passwordEnd(r.caller.user)
	}
	return ok(map[string]any{"user": view})
}

func (c *Cloud) regionView(r *request, id string) map[string]any {
	view := c.resource(r, "regions", id, false, map[string]any{"description": "", "parent_region_id": nil})
	delete(view, "options")
	return view
}

func (c *Cloud) listRegions(r *request) *answer {
	list := []map[string]any{}
	for _, region := range r.caller.account.Regions {
		list = append(list, c.regionView(r, region))
	}
	return c.collection(r, "regions", list)
}

func (c *Cloud) showRegion(r *request) *answer {
	if !r.caller.account.HasRegion(r.vars[0]) {
		return keystoneError(http.StatusNotFound, "Could not find region: "+r.vars[0]+".")
	}
	return ok(map[string]any{"region": c.regionView(r, r.vars[0])})
}

// listSystem tells that the caller has no role on the system.
func (c *Cloud) listSystem(r *request) *answer {
	return ok(map[string]any{"system": []any{}, "links": map[string]any{"self": c.identityURL(r.Request) + "/v3/auth/system"}})
}
