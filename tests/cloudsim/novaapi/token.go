package novaapi

import (
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// keystoneTime is how Keystone writes times.
const keystoneTime = "2006-01-02T15:04:05.000000Z"

// token is an issued Keystone token. At most one of project and domain is set.
type token struct {
	id              string
	methods         []string
	user            model.User
	userDomain      model.Account
	project         *model.Project
	domain          *model.Account
	appCredential   *model.AppCredential
	audit           string
	issued, expires time.Time
	// revoked tokens, and those of an application credential that was deleted,
	// are remembered until their end: of them Keystone says something else
	// than of what was never a token.
	revoked, orphaned bool
}

// issue stores a new token.
func (c *Cloud) issue(t token) *token {
	t.id = "gAAAAAB" + c.world.NewHex(176)
	t.audit = c.world.NewHex(22)
	t.issued = c.world.Now().UTC()
	if t.expires.IsZero() {
		t.expires = t.issued.Add(c.opts.TokenLifetime)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, old := range c.tokens {
		if !t.issued.Before(old.expires) {
			delete(c.tokens, id)
		}
	}
	c.tokens[t.id] = &t
	return &t
}

// token finds a token that has neither expired nor been revoked.
func (c *Cloud) token(id string) *token {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tokens[id]
	if t == nil || t.revoked || t.orphaned || !c.world.Now().Before(t.expires) {
		return nil
	}
	return t
}

// unknownToken is what Keystone says of a token that is none, or none any more.
func (c *Cloud) unknownToken(id string) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch t := c.tokens[id]; {
	case t == nil:
		return keystoneError(http.StatusNotFound, "Could not recognize Fernet token")
	case t.orphaned:
		return noAppCredential(t.appCredential.ID)
	}
	return keystoneError(http.StatusNotFound, "Failed to validate token")
}

// orphaned says whether a token's application credential was deleted.
func (c *Cloud) orphaned(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tokens[id]
	return t != nil && t.orphaned
}

// revoke ends one token.
func (c *Cloud) revoke(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tokens[id]; t != nil {
		t.revoked = true
	}
}

// revokeAppCredential ends the tokens that an application credential got.
func (c *Cloud) revokeAppCredential(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tokens {
		if t.appCredential != nil && t.appCredential.ID == id {
			t.orphaned = true
		}
	}
}

// RevokeTokens makes every issued token invalid before its time, as a changed
// user or a rolled key of the identity service does, and returns their number.
func (c *Cloud) RevokeTokens() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.tokens)
	clear(c.tokens)
	return n
}

// TokensIssued lists how many tokens are stored now, expired ones included
// until the next is issued. Tests use it to see that a token was reused.
func (c *Cloud) TokensIssued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tokens)
}
