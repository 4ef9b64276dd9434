package novaapi

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// scope binds a token to what the request asked for: a project, a domain or
// nothing. An application credential brings its own project.
func (c *Cloud) scope(r *request, in *authScope, t *token) *answer {
	if t.appCredential != nil {
		if in != nil {
			return c.badIdentity(r, "Error authenticating with application credential: Application credentials cannot request a scope.",
				map[string]any{})
		}
		if t.appCredential.ProjectID == "" { // made with an unscoped token
			return nil
		}
		project, found := c.world.Project(c.opts.Cloud, t.appCredential.ProjectID)
		if !found {
			return c.badLogin(r, "The request you have made requires authentication.")
		}
		t.project = &project
		return nil
	}
	switch {
	case in == nil || in.Unscoped:
		return nil
	case in.Project != nil:
		return c.scopeProject(r, in.Project, t)
	case in.Domain != nil:
		domain, found := c.findDomain(in.Domain)
		if !found || !c.onDomain(t.user, domain.ID) {
			return c.badLogin(r, "The request you have made requires authentication.")
		}
		t.domain = &domain
		return nil
	}
	// The system and trusts.
	return c.badLogin(r, "The request you have made requires authentication.")
}

// onDomain says whether a user gets tokens for a domain. Keystone wants a role
// on it; the vendors' users get tokens for their own account.
func (c *Cloud) onDomain(u model.User, domain string) bool {
	return domain == u.AccountID && (u.DomainRole || !c.plain())
}

func noScope() *answer {
	return malformed("Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope.")
}

// scopeProject finds the project by name within a domain, or by id. Huawei
// Cloud and Open Telekom Cloud take the user's own domain when none is given.
func (c *Cloud) scopeProject(r *request, in *authNamed, t *token) *answer {
	var project model.Project
	var found bool
	switch {
	case in.ID != "" && (in.Name == "" || !c.plain()):
		project, found = c.world.Project(c.opts.Cloud, in.ID)
	case in.Domain == nil && c.plain():
		return malformed("Expecting to find domain in project.")
	default:
		domain, known := t.userDomain, true
		if in.Domain != nil {
			domain, known = c.findDomain(in.Domain)
		}
		if known {
			project, found = c.projectByName(domain.ID, in.Name)
		}
	}
	if !found || project.AccountID != t.user.AccountID || !mayUse(t.user, project.ID) {
		return c.badLogin(r, "The request you have made requires authentication.")
	}
	t.project = &project
	return nil
}

func (c *Cloud) projectByName(account, name string) (model.Project, bool) {
	for _, p := range c.world.Projects(c.opts.Cloud, account) {
		if p.Name == name {
			return p, true
		}
	}
	return model.Project{}, false
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
