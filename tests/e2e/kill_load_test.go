//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

const (
	// mostLeases is how many leases a client holds at once.
	mostLeases = 5
	// loginWithin bounds a login under a lease. The server may be down for a late repetition of the reset that gave it
	// its password.
	loginWithin = 30 * time.Second
)

// client reads passwords, logs in with them, renews and revokes their leases.
type client struct {
	*siege
	t      testing.TB
	random *rand.Rand
	held   []held
}

// held is a lease that the client means to revoke.
type held struct {
	*target
	lease    string
	password string
	leaving  bool // a request to revoke it has failed, so it may have ended
}

// run works until ctx ends. What it holds then stays leased.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		if len(c.held) == 0 || len(c.held) < mostLeases && c.random.IntN(2) == 0 {
			c.read(ctx)
		} else {
			c.use(ctx, c.random.IntN(len(c.held)))
		}
		pause(ctx, between(c.random, 0, 150*time.Millisecond))
	}
}

// pick chooses a server, seldom one whose account settles.
func (c *client) pick() *target {
	for {
		c.mu.Lock()
		a := c.targets[c.random.IntN(len(c.targets))]
		c.mu.Unlock()
		a.mu.Lock()
		settling := a.settling
		a.mu.Unlock()
		if !settling || c.random.IntN(10) == 0 {
			return a
		}
	}
}

// read reads a server's password and looks at once whether the server has it.
func (c *client) read(ctx context.Context) {
	a := c.pick()
	c.arm(c.t, a, c.random) // for the first reset, which the read starts
	query := []string{"wait", c.wait}
	if c.random.IntN(3) == 0 {
		query = nil
	}
	secret, err := c.through().TryRead(ctx, a.creds(), query...)
	if err != nil {
		c.failed(ctx, "read", err)
		return
	}
	g, err := c.check(a, secret)
	if err != nil {
		c.broken("%s: %v", a.id, err)
		return
	}
	c.count("passwords read")
	c.held = append(c.held, held{target: a, lease: g.lease, password: g.password})
}

// check records an answer and compares it with what the server has at this moment, which nobody may change while the
// lease lasts.
func (s *siege) check(a *target, secret *api.Secret) (grant, error) {
	now := time.Now()
	server, ok := s.world.Server(a.id)
	if !ok {
		return grant{}, errors.New("the server is gone")
	}
	number, ok := secret.Data["version"].(json.Number)
	if !ok {
		return grant{}, fmt.Errorf("the answer's version is %v", secret.Data["version"])
	}
	version, err := number.Int64()
	if err != nil {
		return grant{}, fmt.Errorf("the answer's version: %w", err)
	}
	password, _ := secret.Data["password"].(string)
	g := grant{lease: secret.LeaseID, version: int(version), password: password, from: now}
	s.granted(a, g)
	switch {
	case g.lease == "":
		return g, errors.New("the answer has no lease")
	case secret.Data["instance_id"] != a.id:
		return g, fmt.Errorf("the answer is for instance %v", secret.Data["instance_id"])
	case server.Logins[siegeUser] != password:
		return g, fmt.Errorf("version %d was handed out, and the server refuses it", version)
	}
	return g, nil
}

// use does something with a lease.
func (c *client) use(ctx context.Context, i int) {
	switch h := &c.held[i]; {
	case h.leaving:
		c.revoke(ctx, i)
	default:
		switch c.random.IntN(5) {
		case 0:
			c.renew(ctx, h)
		case 1:
			c.login(ctx, h)
		default:
			c.revoke(ctx, i)
		}
	}
}

// renew must succeed where Vault and the plugin are there to answer.
func (c *client) renew(ctx context.Context, h *held) {
	if _, err := c.through().Client.Sys().RenewWithContext(ctx, h.lease, 0); err != nil {
		c.failed(ctx, "renew", err)
		return
	}
	c.count("leases renewed")
}

// login logs in over SSH: under a lease the password works, now or as soon as the server runs again.
func (c *client) login(ctx context.Context, h *held) {
	within, cancel := context.WithTimeout(ctx, loginWithin)
	defer cancel()
	for {
		err := c.cloud.Login(within, h.id, siegeUser, h.password)
		switch {
		case err == nil:
			c.count("SSH logins")
			return
		case ctx.Err() != nil:
			return
		case !errors.Is(err, sshd.ErrRefused) && within.Err() == nil:
			c.broken("%s: log in: %v", h.id, err)
			return
		case !pause(within, 200*time.Millisecond):
			c.broken("%s: the server refused the leased password for %s", h.id, loginWithin)
			return
		}
	}
}

// revoke gives a lease back, unless the account settles: it would wait for its rotation until the test is over. What
// the account is like cannot change while it is leased.
func (c *client) revoke(ctx context.Context, i int) {
	h := &c.held[i]
	if !h.leaving {
		settles, err := c.settles(ctx, h.target)
		if err != nil {
			c.failed(ctx, "account", err)
			return
		}
		if settles {
			c.count("leases kept, since the account settles")
			c.held = slices.Delete(c.held, i, i+1)
			return
		}
		c.arm(c.t, h.target, c.random)
	}
	h.leaving = true
	c.givenBack(h.target, h.lease)
	// Half of the revocations are queued by Vault, which answers at once.
	err := c.through().Client.Sys().RevokeWithOptionsWithContext(ctx, &api.RevokeOptions{LeaseID: h.lease, Sync: c.random.IntN(2) == 0})
	if err != nil {
		c.failed(ctx, "revoke", err)
		return
	}
	c.count("leases revoked")
	c.ended(h.target, h.lease)
	c.held = slices.Delete(c.held, i, i+1)
}

// settles looks into the account.
func (c *client) settles(ctx context.Context, a *target) (bool, error) {
	account, err := c.through().TryRead(ctx, a.account())
	if err != nil {
		return false, err
	}
	settles, ok := account.Data["old_unresolved"].(bool)
	if !ok {
		return false, fmt.Errorf("accounts/: old_unresolved is %v", account.Data["old_unresolved"])
	}
	a.mu.Lock()
	a.settling = settles
	a.mu.Unlock()
	return settles, nil
}

// failed judges an error. While processes die a request may fail; what the engine refuses by its own rules may be
// nothing but "not now".
func (c *client) failed(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	var answer *api.ResponseError
	switch {
	case !errors.As(err, &answer):
		c.count(what + ": no answer")
	case answer.StatusCode == http.StatusServiceUnavailable:
		c.count(what + ": 503")
	case slices.ContainsFunc(processDied, func(text string) bool { return strings.Contains(err.Error(), text) }):
		c.count(fmt.Sprintf("%s: %d while a process was gone", what, answer.StatusCode))
	default:
		c.broken("%s: %v", what, err)
	}
}

// processDied are what Vault answers when its plugin has died under a request, or before it is active again itself.
var processDied = []string{
	"plugin is shut down", "error reading from server", "connection refused", "transport is closing",
	"authentication handshake failed", // it died while Vault was connecting to it
	"local node not active but active cluster node not found", "no handler for route",
	"code = Canceled desc = context canceled", // OpenBao, of requests that run while it is sealed
}
