package novaapi

import (
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
	if t == nil || !c.world.Now().Before(t.expires) {
		return nil
	}
	return t
}

// revoke forgets one token; false means that there was none.
func (c *Cloud) revoke(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, found := c.tokens[id]
	delete(c.tokens, id)
	return found
}

// revokeAppCredential forgets the tokens that an application credential got.
func (c *Cloud) revokeAppCredential(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, t := range c.tokens {
		if t.appCredential != nil && t.appCredential.ID == id {
			delete(c.tokens, text)
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
