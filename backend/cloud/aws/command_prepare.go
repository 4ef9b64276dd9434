package aws

import (
	"context"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// maxGuestKeys bounds the public keys that are remembered, at less than 1 KB each.
const maxGuestKeys = 10_000

// guestKeys remembers the public keys that Windows servers have shown, by instance id, as long as this
// process lives: they are no secret, and asking again costs a command.
type guestKeys struct {
	mu   sync.Mutex
	keys map[string]string // guest.PublicKey in its text form
}

func (g *guestKeys) get(instance string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.keys[instance]
}

func (g *guestKeys) put(instance, key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys == nil {
		g.keys = map[string]string{}
	}
	for other := range g.keys {
		if len(g.keys) < maxGuestKeys {
			break
		}
		delete(g.keys, other) // any: it can be asked for again
	}
	g.keys[instance] = key
}

// drop forgets a key that the server does not have (any more).
func (g *guestKeys) drop(instance string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.keys, instance)
}

// Prepares implements cloud.ResetPreparer: only Windows needs a key.
func (command) Prepares(platform cloud.Platform) bool { return platform != cloud.Linux }

// PrepareReset implements cloud.ResetPreparer. A Windows server whose public key is
// not known is asked for it by a command of its own, whose end is waited for.
func (c command) PrepareReset(ctx context.Context, reset cloud.Reset) (string, error) {
	instance, err := oneInstance(reset)
	if err != nil {
		return "", err
	}
	if err := c.check(reset.Platform); err != nil {
		return "", err
	}
	if !c.Prepares(reset.Platform) {
		return "", nil
	}
	if known := c.guests.get(instance); known != "" {
		return known, nil
	}
	out, err := send(ctx, c.Provider, sendCommand(instance), c.ssm.sendCommand, commandInput(instance, guest.WindowsPrepare(), commentPrepare))
	if err != nil {
		return "", err
	}
	id, err := commandID(instance, out)
	if err != nil {
		return "", err
	}
	key, err := c.awaitKey(ctx, id, instance)
	if err != nil {
		return "", err
	}
	text, err := key.MarshalText()
	if err != nil {
		return "", cloud.Errorf(cloud.Refused, "%s: %v", sendCommand(instance), err)
	}
	c.guests.put(instance, string(text))
	return string(text), nil
}

// awaitKey waits until the command that shows the public key has ended.
func (c command) awaitKey(ctx context.Context, id, instance string) (guest.PublicKey, error) {
	for {
		wait := time.NewTimer(c.poll)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return guest.PublicKey{}, &cloud.Error{Kind: cloud.Refused, Err: ctx.Err(),
				Message: sendCommand(instance).String() + ": the server has not shown its public key in time; see command " + id + " in Run Command's history"}
		}
		i, err := c.invocation(ctx, id, instance)
		switch {
		case err != nil:
			return guest.PublicKey{}, err
		case i == nil || i.state() == running:
		case i.state() == ended:
			return guest.Prepared(i.exitCode, i.output)
		default:
			return guest.PublicKey{}, cloud.Errorf(cloud.Refused, "%s: %s", sendCommand(instance), i.reason())
		}
	}
}
