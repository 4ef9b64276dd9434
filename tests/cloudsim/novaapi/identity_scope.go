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
			return c.badLogin(r, "Error authenticating with application credential: Application credentials cannot request a scope.")
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
	case in.Project != nil && in.Domain != nil:
		return noScope()
	case in.Project != nil:
		return c.scopeProject(r, in.Project, t)
	case in.Domain != nil:
		domain, found := c.findDomain(in.Domain)
		if !found || domain.ID != t.user.AccountID {
			return c.badLogin(r, "The request you have made requires authentication.")
		}
		t.domain = &domain
		return nil
	}
	return noScope()
}

func noScope() *answer {
	return malformed("Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope.")
}

// scopeProject finds the project by id, or by name within a domain. Huawei
// Cloud and Open Telekom Cloud take the user's own domain when none is given.
func (c *Cloud) scopeProject(r *request, in *authNamed, t *token) *answer {
	var project model.Project
	var found bool
	switch {
	case in.ID != "":
		project, found = c.world.Project(c.opts.Cloud, in.ID)
	case in.Name == "":
		return malformed("Expecting to find id or name in project.")
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
