package novaapi

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// The parts of a token request, POST /v3/auth/tokens.
type (
	authRequest struct {
		Auth *struct {
			Identity *authIdentity `json:"identity"`
			Scope    *authScope    `json:"scope"`
		} `json:"auth"`
	}
	authIdentity struct {
		Methods  []string `json:"methods"`
		Password *struct {
			User *authUser `json:"user"`
		} `json:"password"`
		Token *struct {
			ID string `json:"id"`
		} `json:"token"`
		AppCredential *struct {
			ID     string    `json:"id"`
			Name   string    `json:"name"`
			Secret string    `json:"secret"`
			User   *authUser `json:"user"`
		} `json:"application_credential"`
	}
	authUser struct {
		ID       string     `json:"id"`
		Name     string     `json:"name"`
		Password string     `json:"password"`
		Domain   *authNamed `json:"domain"`
	}
	authNamed struct {
		ID     string     `json:"id"`
		Name   string     `json:"name"`
		Domain *authNamed `json:"domain"`
	}
	authScope struct {
		Project  *authNamed
		Domain   *authNamed
		Unscoped bool
		// kinds counts the scopes that the request names: one is right. System
		// and trusts are scopes for which nobody here has a role.
		kinds int
	}
)

// UnmarshalJSON also takes the string "unscoped".
func (s *authScope) UnmarshalJSON(text []byte) error {
	var word string
	if json.Unmarshal(text, &word) == nil {
		if s.Unscoped = word == "unscoped"; s.Unscoped {
			s.kinds = 1
		}
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	for name, into := range map[string]any{"project": &s.Project, "domain": &s.Domain, "unscoped": nil, "system": nil, "OS-TRUST:trust": nil} {
		value, given := object[name]
		if !given {
			continue
		}
		s.kinds++
		s.Unscoped = s.Unscoped || name == "unscoped"
		if into == nil {
			continue
		}
		if err := json.Unmarshal(value, into); err != nil {
			return err
		}
	}
	return nil
}

// createToken checks credentials and scope and issues a token.
func (c *Cloud) createToken(r *request) *answer {
	body, refused := c.identityBody(r)
	if refused != nil {
		return refused
	}
	if body["auth"] == nil {
		return malformed("Expecting to find auth in request body.")
	}
	if refused := checkAuth(body["auth"]); refused != nil {
		return refused
	}
	var in authRequest
	if err := json.Unmarshal(r.body, &in); err != nil {
		return malformed("Expecting to find valid JSON in request body.")
	}
	if len(in.Auth.Identity.Methods) == 0 {
		return c.badLogin(r, "The request you have made requires authentication.")
	}
	applied := slices.Contains(in.Auth.Identity.Methods, methodAppCredential) && c.plain()
	if in.Auth.Scope != nil && in.Auth.Scope.kinds != 1 && !applied {
		return noScope()
	}
	if refused := c.checkMethods(r, in.Auth.Identity, body); refused != nil {
		return refused
	}
	t := token{methods: in.Auth.Identity.Methods}
	for _, method := range in.Auth.Identity.Methods {
		if refused := c.authenticateMethod(r, in.Auth.Identity, method, &t); refused != nil {
			return refused
		}
	}
	t.userDomain, _ = c.world.Account(c.opts.Cloud, t.user.AccountID)
	if refused := c.scope(r, in.Auth.Scope, &t); refused != nil {
		return refused
	}
	issued := c.issue(t)
	a := &answer{status: http.StatusCreated, body: c.tokenBody(r, issued)}
	return a.with(headerSubjectToken, issued.id)
}

// The methods of proving who one is.
const (
	methodPassword      = "password"
	methodToken         = "token"
	methodAppCredential = "application_credential"
)

// supportedMethods are those of which a refusal speaks.
func (c *Cloud) supportedMethods() []string {
	if c.plain() {
		return []string{methodPassword, methodToken, methodAppCredential}
	}
	return []string{methodPassword, methodToken}
}

// checkMethods refuses methods without what they need, and methods that there
// are not.
func (c *Cloud) checkMethods(r *request, in *authIdentity, body map[string]any) *answer {
	auth, _ := body["auth"].(map[string]any)
	identity, _ := auth["identity"].(map[string]any)
	for _, method := range in.Methods {
		if _, have := identity[method]; !have {
			return malformed(fmt.Sprintf("Expecting to find %s in identity.", method))
		}
	}
	for _, method := range in.Methods {
		if !slices.Contains(c.supportedMethods(), method) {
			return c.badIdentity(r, "Attempted to authenticate with an unsupported method.", map[string]any{"methods": c.supportedMethods()})
		}
	}
	return nil
}

// authenticateMethod checks one method's credentials and notes the user.
func (c *Cloud) authenticateMethod(r *request, in *authIdentity, method string, t *token) *answer {
	switch {
	case method == methodPassword && in.Password != nil && in.Password.User != nil:
		return c.byPassword(r, *in.Password.User, t)
	case method == methodPassword:
		return malformed("Expecting to find user in None.")
	case method == methodToken && in.Token != nil:
		return c.byToken(r, in.Token.ID, t)
	case method == methodAppCredential && in.AppCredential != nil:
		return c.byAppCredential(r, in, t)
	}
	return malformed(fmt.Sprintf("Expecting to find %s in identity.", method))
}

func (c *Cloud) byToken(r *request, id string, t *token) *answer {
	old := c.token(id)
	switch {
	case old == nil && c.plain():
		return c.unknownToken(id)
	case old == nil:
		return c.badLogin(r, "The request you have made requires authentication.")
	case old.appCredential != nil:
		return keystoneError(http.StatusForbidden, notAuthorized+"Using a delegated token to create another token is not allowed..")
	}
	t.user, t.expires = old.user, old.expires
	return nil
}

// notAuthorized begins what Keystone says of a request that its policies, or
// its own rules, do not allow.
const notAuthorized = "You are not authorized to perform the requested action: "

func (c *Cloud) byPassword(r *request, in authUser, t *token) *answer {
	user, found, refused := c.findUser(in)
	if refused != nil {
		return refused
	}
	if !found || user.Password == "" || !same(user.Password, in.Password) {
		text := "The request you have made requires authentication."
		if !c.plain() {
			text = "The username or password is wrong." // [unconfirmed] wording
		}
		return c.badLogin(r, text)
	}
	if !user.PasswordExpires.IsZero() && !c.world.Now().Before(user.PasswordExpires) {
		return c.badLogin(r, "The password is expired and needs to be changed for user: "+user.ID+".") // keystone/exception.py, PasswordExpired
	}
	t.user = user
	return nil
}

// findAppCredential looks one up by its id, or by its name and user.
func (c *Cloud) findAppCredential(r *request, in *authIdentity) (credential model.AppCredential, refused *answer) {
	given := in.AppCredential
	switch {
	case given.ID != "":
		credential, found := c.world.AppCredential(given.ID)
		if !found {
			// An unknown one, and with it one that was deleted, is not 401.
			return credential, noAppCredential(given.ID)
		}
		return credential, nil
	case given.Name == "":
		return credential, malformed("Expecting to find name or ID in application credential.")
	case given.User == nil:
		return credential, malformed("Expecting to find user in application credential.")
	}
	id := given.User.ID
	if id == "" {
		user, found, refused := c.findUser(*given.User)
		switch {
		case refused != nil:
			return credential, refused
		case !found:
			return credential, keystoneError(http.StatusNotFound, "Could not find user: "+given.User.Name+".")
		}
		id = user.ID
	}
	credential, found := c.world.AppCredentialByName(id, given.Name)
	if !found {
		return credential, c.badLogin(r, "The request you have made requires authentication.")
	}
	return credential, nil
}

func noAppCredential(id string) *answer {
	return keystoneError(http.StatusNotFound, "Could not find Application Credential: "+id+".")
}

func (c *Cloud) byAppCredential(r *request, in *authIdentity, t *token) *answer {
	credential, refused := c.findAppCredential(r, in)
	if refused != nil {
		return refused
	}
	expired := !credential.Expires.IsZero() && !c.world.Now().Before(credential.Expires)
	if expired || !same(credential.Secret, in.AppCredential.Secret) {
		return c.badLogin(r, "The request you have made requires authentication.")
	}
	user, found := c.world.User(c.opts.Cloud, credential.UserID)
	if !found {
		return c.badLogin(r, "The request you have made requires authentication.")
	}
	t.user, t.appCredential = user, &credential
	if !credential.Expires.IsZero() {
		t.expires = earlier(credential.Expires, c.world.Now().Add(c.opts.TokenLifetime))
	}
	return nil
}

// findUser looks a user up by name and domain, or by id. Keystone prefers the
// name where it is given both.
func (c *Cloud) findUser(in authUser) (user model.User, found bool, refused *answer) {
	if in.ID != "" && (in.Name == "" || !c.plain()) {
		user, found = c.world.User(c.opts.Cloud, in.ID)
		return user, found, nil
	}
	if in.Domain == nil {
		return user, false, malformed("Expecting to find domain in user.")
	}
	if domain, known := c.findDomain(in.Domain); known {
		user, found = c.world.UserByName(c.opts.Cloud, domain.ID, in.Name)
	}
	return user, found, nil
}

// findDomain looks a domain up by name or id. Keystone's first domain has the
// fixed id "default" beside its name, whatever the world calls it.
func (c *Cloud) findDomain(in *authNamed) (model.Account, bool) {
	if in.ID == "" || in.Name != "" && c.plain() {
		return c.world.AccountByName(c.opts.Cloud, in.Name)
	}
	if domain, found := c.world.Account(c.opts.Cloud, in.ID); found || in.ID != "default" {
		return domain, found
	}
	return c.world.AccountByName(c.opts.Cloud, "Default")
}

// badLogin is Keystone's 401.
func (c *Cloud) badLogin(r *request, text string) *answer {
	a := keystoneError(http.StatusUnauthorized, text)
	return a.with("WWW-Authenticate", fmt.Sprintf("Keystone uri=%q", c.identityURL(r.Request)+"/v3"))
}

// badIdentity is a 401 that says what is wrong with the identity part.
func (c *Cloud) badIdentity(r *request, text string, identity map[string]any) *answer {
	a := c.badLogin(r, text)
	if body, ok := a.body.(map[string]any)["error"].(map[string]any); ok && c.plain() {
		body["identity"] = identity
	}
	return a
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
