package novaapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// appCredentialRequest is the body of POST …/application_credentials.
type appCredentialRequest struct {
	Name         string             `json:"name"`
	Description  string             `json:"description"`
	Secret       string             `json:"secret"`
	Unrestricted bool               `json:"unrestricted"`
	ExpiresAt    string             `json:"expires_at"`
	Roles        []named            `json:"roles"`
	AccessRules  []model.AccessRule `json:"access_rules"`
}

// expiryForms are the ways in which clients write expires_at.
var expiryForms = []string{"2006-01-02T15:04:05.999999", time.RFC3339Nano}

// ownPath refuses paths of other users, as Keystone's default policy does.
func (c *Cloud) ownPath(r *request, action string) *answer {
	if r.vars[0] != r.caller.user.ID {
		return keystoneError(http.StatusForbidden, notAuthorized+c.permission(action)+".")
	}
	return nil
}

// unrestricted refuses callers who came with an application credential that
// may not manage others.
func (c *Cloud) unrestricted(r *request) *answer {
	if t := r.caller.token; t.appCredential != nil && !t.appCredential.Unrestricted {
		return keystoneError(http.StatusForbidden, notAuthorized+
			"Using method 'application_credential' is not allowed for managing additional application credentials..")
	}
	return nil
}

func (c *Cloud) appCredentialView(r *request, a model.AppCredential) map[string]any {
	var expires any
	if !a.Expires.IsZero() {
		expires = a.Expires.UTC().Format("2006-01-02T15:04:05.000000")
	}
	roles := []map[string]any{}
	for _, role := range c.rolesOf(&a) {
		if a.ProjectID != "" {
			roles = append(roles, map[string]any{"id": role.ID, "name": role.Name, "domain_id": nil, "description": nil,
				"options": map[string]bool{"immutable": true}})
		}
	}
	view := map[string]any{
		"id": a.ID, "name": a.Name, "description": nullable(a.Description), "project_id": nullable(a.ProjectID), "user_id": a.UserID,
		"roles":      roles,
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
	return c.collection(r, "application_credentials", list)
}

// ownAppCredential finds the application credential of the path.
func (c *Cloud) ownAppCredential(r *request, action string) (model.AppCredential, *answer) {
	if refused := c.ownPath(r, action); refused != nil {
		return model.AppCredential{}, refused
	}
	a, found := c.world.AppCredential(r.vars[1])
	if !found || a.UserID != r.caller.user.ID {
		return a, noAppCredential(r.vars[1])
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
	var none model.AppCredential
	body, refused := c.identityBody(r)
	if refused != nil {
		return none, refused
	}
	given, have := body["application_credential"]
	if !have {
		given = map[string]any{}
	}
	if problem := appCredentialForm.problem("", given); problem != "" {
		return none, badInput(problem)
	}
	for _, name := range slices.Sorted(maps.Keys(given.(map[string]any))) {
		if _, known := appCredentialForm.fields[name]; !known {
			return none, badInput("'" + name + "' is an invalid keyword argument for ApplicationCredentialModel")
		}
	}
	var in struct {
		AppCredential appCredentialRequest `json:"application_credential"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		return none, malformed("Expecting to find valid JSON in request body.")
	}
	return c.appCredentialOf(r, in.AppCredential)
}

// appCredentialOf makes what a well-formed request asks for. A token without a
// project makes one without a project.
func (c *Cloud) appCredentialOf(r *request, given appCredentialRequest) (model.AppCredential, *answer) {
	var none model.AppCredential
	made := model.AppCredential{
		Name: given.Name, Description: given.Description, Secret: given.Secret, Unrestricted: given.Unrestricted,
		UserID: r.caller.user.ID,
	}
	for _, role := range given.Roles {
		name, refused := c.grantable(r, role)
		if refused != nil {
			return none, refused
		}
		made.Roles = append(made.Roles, name)
	}
	if by := r.caller.token.appCredential; by != nil && len(made.Roles) == 0 {
		made.Roles = by.Roles
	}
	if r.caller.project != nil {
		made.ProjectID = r.caller.project.ID
	}
	if made.Secret == "" {
		made.Secret = c.world.NewHex(86)
	}
	if given.ExpiresAt != "" {
		var refused *answer
		if made.Expires, refused = c.expiry(given.ExpiresAt); refused != nil {
			return none, refused
		}
	}
	for _, rule := range given.AccessRules {
		made.AccessRules = append(made.AccessRules, c.ruleOf(r, rule))
	}
	if _, taken := c.world.AppCredentialByName(r.caller.user.ID, given.Name); taken {
		return none, keystoneError(http.StatusConflict,
			"Conflict occurred attempting to store application_credential - Duplicate entry found with name "+given.Name+".")
	}
	return made, nil
}

// grantable names a role, unless the caller's token does not have it.
func (c *Cloud) grantable(r *request, role named) (name string, refused *answer) {
	for _, own := range c.rolesOf(r.caller.token.appCredential) {
		if r.caller.project != nil && (role.ID == own.ID || role.ID == "" && role.Name == own.Name) {
			return own.Name, nil
		}
	}
	if role.ID == "" && role.Name != "admin" && !slices.ContainsFunc(c.roles(), func(known named) bool { return known.Name == role.Name }) {
		return "", keystoneError(http.StatusNotFound, "Role "+role.Name+" is not defined")
	}
	return "", badInput("Invalid application credential: Cannot create an application credential with unassigned role")
}

func (c *Cloud) expiry(text string) (time.Time, *answer) {
	for _, form := range expiryForms {
		t, err := time.Parse(form, text)
		switch {
		case err == nil && !t.After(c.world.Now()):
			return t, malformed("The 'expires_at' must not be before now.")
		case err == nil:
			return t.UTC(), nil
		}
	}
	return time.Time{}, malformed("Timestamp not in expected format.")
}

// rules lists the access rules of the caller's application credentials, each
// once.
func (c *Cloud) rules(r *request) []model.AccessRule {
	var out []model.AccessRule
	for _, a := range c.world.AppCredentials(r.caller.user.ID) {
		for _, rule := range a.AccessRules {
			if !slices.ContainsFunc(out, func(have model.AccessRule) bool { return have.ID == rule.ID }) {
				out = append(out, rule)
			}
		}
	}
	return out
}

// ruleOf is a rule of a request with its id. A rule that says the same as one
// which there is already is that one.
func (c *Cloud) ruleOf(r *request, rule model.AccessRule) model.AccessRule {
	for _, have := range c.rules(r) {
		if have.ID == rule.ID || have.Service == rule.Service && have.Method == rule.Method && have.Path == rule.Path {
			return have
		}
	}
	if rule.ID == "" {
		rule.ID = c.world.NewHex(32)
	}
	return rule
}

func (c *Cloud) ruleView(r *request, rule model.AccessRule) map[string]any {
	return map[string]any{"id": rule.ID, "service": rule.Service, "method": rule.Method, "path": rule.Path,
		"links": map[string]any{"self": c.identityURL(r.Request) + "/v3/access_rules/" + rule.ID}}
}

func (c *Cloud) listAccessRules(r *request) *answer {
	if r.vars[0] != r.caller.user.ID {
		return c.forbidden("list_access_rules")
	}
	list := []map[string]any{}
	for _, rule := range c.rules(r) {
		list = append(list, c.ruleView(r, rule))
	}
	return c.collection(r, "access_rules", list)
}

// ownRule finds the access rule of the path.
func (c *Cloud) ownRule(r *request, action string) (model.AccessRule, *answer) {
	if r.vars[0] != r.caller.user.ID {
		return model.AccessRule{}, c.forbidden(action)
	}
	for _, rule := range c.rules(r) {
		if rule.ID == r.vars[1] {
			return rule, nil
		}
	}
	return model.AccessRule{}, keystoneError(http.StatusNotFound, "Could not find Access Rule: "+r.vars[1]+".")
}

func (c *Cloud) showAccessRule(r *request) *answer {
	rule, refused := c.ownRule(r, "get_access_rule")
	if refused != nil {
		return refused
	}
	return ok(map[string]any{"access_rule": c.ruleView(r, rule)})
}

// deleteAccessRule always refuses: the rules here are those in use.
func (c *Cloud) deleteAccessRule(r *request) *answer {
	if _, refused := c.ownRule(r, "delete_access_rule"); refused != nil {
		return refused
	}
	return keystoneError(http.StatusForbidden, "May not delete access rule in use")
}
