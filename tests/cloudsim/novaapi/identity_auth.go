package novaapi

import (
	"cmp"
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
			User authUser `json:"user"`
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
	}
)

// UnmarshalJSON also takes the string "unscoped".
func (s *authScope) UnmarshalJSON(text []byte) error {
	if string(text) == `"unscoped"` {
		s.Unscoped = true
		return nil
	}
	var object struct {
		Project *authNamed `json:"project"`
		Domain  *authNamed `json:"domain"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	s.Project, s.Domain = object.Project, object.Domain
	return nil
}

// createToken checks credentials and scope and issues a token.
func (c *Cloud) createToken(r *request) *answer {
	var in authRequest
	if err := json.Unmarshal(r.body, &in); err != nil {
		return malformed("Expecting to find valid JSON in request body.")
	}
	switch {
	case in.Auth == nil:
		return malformed("Expecting to find auth in request body.")
	case in.Auth.Identity == nil:
		return malformed("Expecting to find identity in auth.")
	case len(in.Auth.Identity.Methods) == 0:
		return c.badLogin(r, "The request you have made requires authentication.")
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

// authenticateMethod checks one method's credentials and notes the user.
func (c *Cloud) authenticateMethod(r *request, in *authIdentity, method string, t *token) *answer {
	switch {
	case method == "password" && in.Password != nil:
		return c.byPassword(r, in.Password.User, t)
	case method == "token" && in.Token != nil:
		old := c.token(in.Token.ID)
		if old == nil || old.appCredential != nil {
			return c.badLogin(r, "The request you have made requires authentication.")
		}
		t.user, t.expires = old.user, old.expires
		return nil
	case method == "application_credential" && in.AppCredential != nil && c.plain():
		return c.byAppCredential(r, in, t)
	case slices.Contains([]string{"password", "token"}, method), method == "application_credential" && c.plain():
		return malformed(fmt.Sprintf("Expecting to find %s in identity.", method))
	}
	return c.badLogin(r, "Attempted to authenticate with an unsupported method.")
}

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
	t.user = user
	return nil
}

func (c *Cloud) byAppCredential(r *request, in *authIdentity, t *token) *answer {
	var found bool
	var credential model.AppCredential
	switch given := in.AppCredential; {
	case given.ID != "":
		credential, found = c.world.AppCredential(given.ID)
	case given.Name != "" && given.User != nil:
		user, userFound, refused := c.findUser(*given.User)
		if refused != nil {
			return refused
		}
		if userFound {
			credential, found = c.world.AppCredentialByName(user.ID, given.Name)
		}
	default:
		return malformed("Expecting to find id or name in application_credential.")
	}
	if !found {
		// An unknown one, and with it one that was deleted, is not 401.
		return keystoneError(http.StatusNotFound, "Could not find Application Credential: "+cmp.Or(in.AppCredential.ID, in.AppCredential.Name)+".")
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

// findUser looks a user up by id, or by name and domain.
func (c *Cloud) findUser(in authUser) (user model.User, found bool, refused *answer) {
	if in.ID != "" {
		user, found = c.world.User(c.opts.Cloud, in.ID)
		return user, found, nil
	}
	if in.Name == "" {
		return user, false, malformed("Expecting to find id or name in user.")
	}
	if in.Domain == nil {
		return user, false, malformed("Expecting to find domain in user.")
	}
	if domain, known := c.findDomain(in.Domain); known {
		user, found = c.world.UserByName(c.opts.Cloud, domain.ID, in.Name)
	}
	return user, found, nil
}

// findDomain looks a domain up by id or name. Keystone's first domain has the
// fixed id "default" beside its name, whatever the world calls it.
func (c *Cloud) findDomain(in *authNamed) (model.Account, bool) {
	if in.ID == "" {
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

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
