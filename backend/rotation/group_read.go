package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// ReadGroup is Read for the shared password of the reader's role: it answers once all accounts agree that are
// waited for, and says which ones have the password.
func (c *Core) ReadGroup(ctx context.Context, connection string, by Reader, wait time.Duration) (*Answer, error) {
	id := GroupID(connection, by.Role)
	answer, err := c.waitFor(ctx, c.entry(id), wait, func(e *entry) (*Answer, <-chan struct{}, error) {
		if e.group.disagree() {
			if err := c.agreeNow(ctx, e); err != nil {
				e.mu.Lock()
				defer e.mu.Unlock()
				return nil, e.nextChange(), err
			}
		}
		return c.tryRead(ctx, e, by)
	})
	if err != nil {
		return nil, err
	}
	answer.Holders, err = c.holders(ctx, id, answer.Version.Batch)
	return answer, err
}

// holders lists the members of a group that have a batch.
func (c *Core) holders(ctx context.Context, group ID, batch string) ([]ID, error) {
	g, err := c.get(ctx, group)
	if err != nil || g == nil {
		return nil, err
	}
	members, err := c.members(ctx, g)
	if err != nil {
		return nil, err
	}
	var ids []ID
	for _, m := range members {
		if m.Confirmed(batch) {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// agreeNow is nil if all members of a group that are waited for have its current password.
func (c *Core) agreeNow(ctx context.Context, e *entry) error {
	g, err := c.get(ctx, e.id)
	if err != nil {
		return err
	}
	if g == nil || g.Pending != nil || g.Current() == nil {
		return nil // tryRead knows what to say
	}
	members, err := c.members(ctx, g)
	if err != nil {
		return err
	}
	have := 0
	for _, m := range members {
		switch {
		case m.Awaits(g.Current().Batch):
			return g.NotAgreedError()
		case m.Confirmed(g.Current().Batch):
			have++
		}
	}
	if have == 0 && len(members) > 0 {
		return g.NotAgreedError()
	}
	return nil
}

// ReadMember is Read for one account of a group: the password that this very instance has, under a
// lease of the group.
func (c *Core) ReadMember(ctx context.Context, id ID, by Reader, wait time.Duration) (*Answer, error) {
	member, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if member == nil {
		return nil, noRecord(id)
	}
	if err := member.CheckServes(by.Role); err != nil {
		return nil, err
	}
	groupID, ok := member.Group()
	if !ok {
		return nil, protocol.Errorf(Conflict, "account %s does not share its password", id)
	}
	return c.waitFor(ctx, c.entry(groupID), wait, func(e *entry) (*Answer, <-chan struct{}, error) {
		return c.tryReadMember(ctx, e, id, by)
	})
}

func (c *Core) tryReadMember(ctx context.Context, e *entry, id ID, by Reader) (*Answer, <-chan struct{}, error) {
	for _, of := range []*entry{e, c.entry(id)} {
		if err := c.locate(ctx, of); err != nil {
			return nil, nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := hungUp(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.load(ctx, e); err != nil {
		return nil, nil, err
	}
	if e.rec == nil {
		return nil, nil, protocol.Errorf(NotFound, "role %s has no shared password yet; write the role again", e.id.Username)
	}
	if err := c.startFirst(ctx, e); err != nil {
		return nil, nil, err
	}
	// The member cannot begin to rotate meanwhile: that needs a batch in the group's record, which is
	// held, or the group's present value.
	member, err := c.get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if member == nil {
		return nil, nil, noRecord(id)
	}
	if group, ok := member.Group(); !ok || group != e.id { // it has left meanwhile
		return nil, nil, protocol.Errorf(Conflict, "account %s does not share the password of role %s any more", id, e.rec.Role)
	}
	if !member.Gone.IsZero() {
		return nil, nil, c.explainMember(id, member.CheckReadable(c.opts.Now()))
	}
	if err := member.CheckMemberReadable(e.rec, c.opts.Now()); err != nil {
		return nil, e.nextChange(), c.explainMember(id, err)
	}
	var grant protocol.Grant
	ev := protocol.MemberDisclosed{Batch: member.Current().Batch, VersionDisclosed: protocol.VersionDisclosed{Reader: by, At: c.opts.Now(),
		Grant: &grant}}
	if e.rec.Settings.Mode == Leased {
		if ev.Nonce, err = c.opts.NewID(); err != nil {
			return nil, nil, err
		}
	}
	switch _, err := c.updateLocked(ctx, e, ev); {
	case errors.Is(err, protocol.ErrNoChange):
		if cur := e.rec.Current(); cur.Batch == ev.Batch {
			e.reads.note(cur, by.Client, ev.At)
		}
	case err != nil:
		return nil, e.nextChange(), err
	}
	answer := answerOf(member, grant)
	answer.Settings, answer.NextRotation = e.rec.Settings, c.replacedAt(e)
	answer.Group = e.id
	answer.Version.Number = e.rec.NumberOf(member.Current().Batch)
	return answer, nil, nil
}

// Outside tells which members of a role's group do not have its password: those that are left out, with the
// reason, and those that have joined and wait for the next one.
func (c *Core) Outside(ctx context.Context, connection, role string) (leftOut map[string]hint.Text, joining []string, err error) {
	g, err := c.get(ctx, GroupID(connection, role))
	if err != nil || g == nil {
		return nil, nil, err
	}
	members, err := c.members(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	leftOut = map[string]hint.Text{}
	for _, m := range members {
		switch {
		case !m.LeftOut.IsZero():
			leftOut[m.InstanceID] = m.WhyLeftOut()
		case m.WaitsToJoin(g):
			joining = append(joining, m.InstanceID)
		}
	}
	return leftOut, joining, nil
}
