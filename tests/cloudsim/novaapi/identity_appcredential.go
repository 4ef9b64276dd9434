package novaapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// appCredentialRequest is the body of POST …/application_credentials.
type appCredentialRequest struct {
	AppCredential *struct {
		Name         string             `json:"name"`
		Description  string             `json:"description"`
		Secret       string             `json:"secret"`
		Unrestricted bool               `json:"unrestricted"`
		ExpiresAt    string             `json:"expires_at"`
		Roles        []named            `json:"roles"`
		AccessRules  []model.AccessRule `json:"access_rules"`
	} `json:"application_credential"`
}

// expiryForms are the ways in which clients write expires_at.
var expiryForms = []string{"2006-01-02T15:04:05.999999", time.RFC3339Nano}

// ownPath refuses paths of other users, as Keystone's default policy does.
func (c *Cloud) ownPath(r *request, action string) *answer {
	if r.vars[0] != r.caller.user.ID {
		return keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action: "+c.permission(action)+".")
	}
	return nil
}

// unrestricted refuses callers who came with an application credential that
// may not manage others.
func (c *Cloud) unrestricted(r *request) *answer {
	if t := r.caller.token; t.appCredential != nil && !t.appCredential.Unrestricted {
		return keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action: "+
			"Using method 'application_credential' is not allowed for managing additional application credentials..")
	}
	return nil
}

func (c *Cloud) appCredentialView(r *request, a model.AppCredential) map[string]any {
	var expires any
	if !a.Expires.IsZero() {
		expires = a.Expires.UTC().Format("2006-01-02T15:04:05.000000")
	}
	view := map[string]any{
		"id": a.ID, "name": a.Name, "description": nullable(a.Description), "project_id": a.ProjectID, "user_id": a.UserID,
		"roles": []map[string]any{{"id": memberRole.ID, "name": memberRole.Name, "domain_id": nil, "description": nil,
			"options": map[string]bool{"immutable": true}}},
		"expires_at": expires, "unrestricted": a.Unrestricted, "system": nil,
		"links": map[string]any{"self": c.identityURL(r.Request) + "/v3/application_credentials/" + a.ID},
	}
	if len(a.AccessRules) > 0 {
		view["access_rules"] = a.AccessRules
	}
	return view
}

func (c *Cloud) listAppCredentials(r *request) *answer {
	if refused := c.ownPath(r, "ListApplicationCredentials"); refused != nil {
		return refused
	}
	list := []map[string]any{}
	name := r.URL.Query().Get("name")
	for _, a := range c.world.AppCredentials(r.caller.user.ID) {
		if name == "" || a.Name == name {
			list = append(list, c.appCredentialView(r, a))
		}
	}
	return ok(map[string]any{
		"application_credentials": list,
		"links":                   map[string]any{"self": c.identityURL(r.Request) + r.URL.Path, "next": nil, "previous": nil},
	})
}

// ownAppCredential finds the application credential of the path.
func (c *Cloud) ownAppCredential(r *request, action string) (model.AppCredential, *answer) {
	if refused := c.ownPath(r, action); refused != nil {
		return model.AppCredential{}, refused
	}
	a, found := c.world.AppCredential(r.vars[1])
	if !found || a.UserID != r.caller.user.ID {
		return a, keystoneError(http.StatusNotFound, "Could not find Application Credential: "+r.vars[1]+".")
	}
	return a, nil
}

func (c *Cloud) showAppCredential(r *request) *answer {
	a, refused := c.ownAppCredential(r, "ShowApplicationCredential")
	if refused != nil {
		return refused
	}
	return ok(map[string]any{"application_credential": c.appCredentialView(r, a)})
}

func (c *Cloud) deleteAppCredential(r *request) *answer {
	a, refused := c.ownAppCredential(r, "DeleteApplicationCredential")
	if refused == nil {
		refused = c.unrestricted(r)
	}
	if refused != nil {
		return refused
	}
	c.world.DeleteAppCredential(a.ID)
	c.revokeAppCredential(a.ID)
	return &answer{status: http.StatusNoContent}
}

// createAppCredential makes one for the project of the caller's token. The
// secret is shown here and never again.
func (c *Cloud) createAppCredential(r *request) *answer {
	refused := c.ownPath(r, "CreateApplicationCredential")
	if refused == nil {
		refused = c.unrestricted(r)
	}
	if refused != nil {
		return refused
	}
	made, refused := c.newAppCredential(r)
	if refused != nil {
		return refused
	}
	made = c.world.AddAppCredential(made)
	view := c.appCredentialView(r, made)
	view["secret"] = made.Secret
	return &answer{status: http.StatusCreated, body: map[string]any{"application_credential": view}}
}

func (c *Cloud) newAppCredential(r *request) (model.AppCredential, *answer) {
	var in appCredentialRequest
	var none model.AppCredential
	if err := json.Unmarshal(r.body, &in); err != nil || in.AppCredential == nil || in.AppCredential.Name == "" {
		return none, keystoneError(http.StatusBadRequest, "'name' is a required property")
	}
	given := in.AppCredential
	switch _, taken := c.world.AppCredentialByName(r.caller.user.ID, given.Name); {
	case r.caller.project == nil:
		return none, keystoneError(http.StatusBadRequest, "Application credentials need a project-scoped token.")
	case taken:
		return none, keystoneError(http.StatusConflict, "Conflict occurred attempting to store application_credential - Duplicate entry found with name "+given.Name+".")
	}
	for _, role := range given.Roles {
		if role.ID != "" && role.Name != "" {
			return none, keystoneError(http.StatusBadRequest, "Invalid input for field 'roles/0': a role has too many properties")
		}
		if role.ID != memberRole.ID && role.Name != memberRole.Name {
			return none, keystoneError(http.StatusBadRequest, "Invalid application credential: Cannot create an application credential with unassigned role")
		}
	}
	made := model.AppCredential{
		Name: given.Name, Description: given.Description, Secret: given.Secret, Unrestricted: given.Unrestricted,
		UserID: r.caller.user.ID, ProjectID: r.caller.project.ID,
	}
	if made.Secret == "" {
		made.Secret = c.world.NewHex(86)
	}
	for _, rule := range given.AccessRules {
		if rule.ID == "" {
			rule.ID = c.world.NewHex(32)
		}
		made.AccessRules = append(made.AccessRules, rule)
	}
	if given.ExpiresAt == "" {
		return made, nil
	}
	for _, form := range expiryForms {
		t, err := time.Parse(form, given.ExpiresAt)
		switch {
		case err == nil && !t.After(c.world.Now()):
			return none, malformed("The 'expires_at' must not be before now.")
		case err == nil:
			made.Expires = t.UTC()
			return made, nil
		}
	}
	return none, malformed("Timestamp not in expected format.")
}
