package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// command runs scripts in a session, whose input they are.
type command struct{ *provider }

var _ guest.Service = command{}

// lookInterval is the time between two looks at a command that has ended already: they ask no host.
const lookInterval = 100 * time.Millisecond

// Limits implements guest.Service. Nothing of a command is kept anywhere that could run it later: what counts against a late one is a
// session that hangs, and the script itself begins with nothing late.
func (c command) Limits() guest.Limits {
	return guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            actionSession,
			BatchSize:         1,
			SignatureLifetime: c.lifetime(),
			LongestOperation:  cloud.ClockTolerance,
			PollInterval:      lookInterval,
			KeepsOrder:        true,
		},
		Call:    "ssh",
		History: "the host's log of sshd and sudo",
	}
}

// lifetime is how long after its beginning a session may still start a command.
func (c command) lifetime() time.Duration {
	if c.options.Timeout > 0 {
		return c.options.Timeout
	}
	return sshclient.DefaultTimeout
}

// Send implements guest.Service: it runs the command to its end. A password that was set is told by the id alone; what became of other
// commands, and a failure that only a record can tell, is kept for Look.
func (c command) Send(ctx context.Context, wanted guest.Command) (string, error) {
	name := wanted.InstanceIDs[0] // Limits has no larger batch
	h, err := c.host(ctx, name)
	if err != nil {
		return "", err
	}
	var run guest.Run
	reach := c.within
	if wanted.AtOnce() {
		reach = c.at
	}
	err = reach(ctx, h, func(client *sshclient.Client) error {
		if err := c.checkRoot(ctx, client, h); err != nil {
			return err
		}
		run, err = c.script(ctx, client, h, wanted.Script)
		if err != nil {
			return err
		}
		c.followRoll(ctx, h, client)
		// The session's answer is the outcome, for its meter, too. What else a failure says, the record tells: an error has no place for it.
		if failed := run.Outcome(); wanted.AtOnce() && failed != nil && !run.TooOld() && !guest.NeedsKey(failed) {
			return about(h, failed)
		}
		return nil
	})
	if err != nil {
		return "", ofOne(harmless(wanted, err))
	}
	id := rand.Text()
	if !wanted.AtOnce() || run.Outcome() != nil {
		c.runs.put(id, run)
	}
	return id, nil
}

// harmless is the error of a command whose end was not seen. One that changes nothing, and tries nothing, has then certainly done nothing.
func harmless(wanted guest.Command, err error) error {
	e := cloud.AsError(err)
	if e == nil || e.Kind != cloud.Unknown || wanted.Purpose == guest.SetPassword || wanted.Purpose == guest.TryPassword {
		return err
	}
	refused := *e
	refused.Kind = cloud.Refused
	return &refused
}

// ofOne marks the error of an unknown outcome as that of one host: one that hangs must not pause the connection.
func ofOne(err error) error {
	e := cloud.AsError(err)
	if e == nil || e.Kind != cloud.Unknown {
		return err
	}
	marked := *e
	marked.Err = errors.Join(cloud.ErrOneServer, e.Err)
	return &marked
}

// about is a command's error with the host that it ran on.
func about(h cloud.Host, err error) error {
	e := *cloud.AsError(err)
	e.Message = "ssh to " + h.Name + ": " + e.Message
	return &e
}

// Look implements guest.Service. It asks no host: a command had ended when Send returned. One whose end is not known any more, as after a
// restart, is left out.
func (c command) Look(_ context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	found := make(map[cloud.ResetRef]guest.Run, len(refs))
	for _, ref := range refs {
		if run, ok := c.runs.get(ref.RequestID); ok {
			found[ref] = run
		}
	}
	return found, nil
}

// Ready implements guest.Service. A host of the inventory is taken to be ready: whether it can be reached shows when it is.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	records := make(map[string]cloud.ResetRecord, len(ids))
	for _, id := range ids {
		h, err := c.cfg.Hosts.Host(ctx, id)
		if err != nil {
			return nil, inventoryFailed(err)
		}
		if h != nil {
			records[id] = cloud.ResetRecord{}
		}
	}
	return records, nil
}
