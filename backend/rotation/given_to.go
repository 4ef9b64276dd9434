package rotation

import (
	"context"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// GivenAccounts are the accounts whose present password somebody was given. A group stands for its members.
type GivenAccounts struct {
	// Known are those whose records name them; Possible those that were given to others, too, than their records name.
	Known, Possible []ID
	// Unable are those of both that nothing can set another password of.
	Unable []ID
	// members counts the accounts of each group.
	members map[ID]int
}

// Count is how many accounts are meant by these.
func (g *GivenAccounts) Count(ids []ID) int {
	n := 0
	for _, id := range ids {
		n += max(1, g.members[id])
	}
	return n
}

// GivenTo finds the accounts whose present password, or the one on its way, was given to somebody: an entity or a display name.
// Passwords are compared, not versions: a restored one was given as an earlier version, and a first-boot password by another
// account. Instances that are gone are left out.
func (c *Core) GivenTo(ctx context.Context, who Requester) (*GivenAccounts, error) {
	var all []*Account
	add := func(a *Account) { all = append(all, a) }
	if err := c.every(ctx, "", add); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *Account) int { return CompareIDs(a.ID, b.ID) })
	if err := c.walkGroups(ctx, func(id ID) error {
		a, err := c.get(ctx, id)
		if err == nil && a != nil {
			add(a)
		}
		return err
	}); err != nil {
		return nil, err
	}
	values := valuesGiven(all, who)
	found := &GivenAccounts{members: map[ID]int{}}
	for _, a := range all {
		if !a.Gone.IsZero() {
			continue
		}
		if group, member := a.Group(); member {
			found.members[group]++
			continue
		}
		switch sure := certaintyOf(a, values); {
		case sure == protocol.NotGiven:
		case !a.Settings.CanReset:
			found.Unable = append(found.Unable, a.ID)
		case sure == protocol.WasGiven:
			found.Known = append(found.Known, a.ID)
		default:
			found.Possible = append(found.Possible, a.ID)
		}
	}
	return found, nil
}

// valuesGiven are the passwords that somebody was given, of any version.
func valuesGiven(all []*Account, who Requester) map[string]protocol.Certainty {
	values := map[string]protocol.Certainty{}
	note := func(password string, given protocol.Given) {
		if sure := given.To(who); sure > values[password] {
			values[password] = sure
		}
	}
	for _, a := range all {
		for _, v := range a.Versions {
			note(v.Password, v.Given)
		}
		if a.Pending != nil {
			note(a.Pending.Password, a.Pending.Given)
		}
	}
	return values
}

// certaintyOf is how sure it is that one of the passwords given is that of an account or group, or on its way to it.
func certaintyOf(a *Account, values map[string]protocol.Certainty) protocol.Certainty {
	sure := protocol.NotGiven
	if cur := a.Current(); cur != nil {
		sure = values[cur.Password]
		if cur.Batch != "" && !a.IsGroup() { // it has left its group, whose record may be gone
			sure = max(sure, protocol.MaybeGiven)
		}
	}
	if a.Pending != nil {
		sure = max(sure, values[a.Pending.Password])
	}
	return sure
}
