package rotation

import (
	"cmp"
	"slices"
)

// LeaseCount counts an account's live leases, those of its role's shared password too. Nothing is waited for.
func (c *Core) LeaseCount(v *View) int {
	n := len(v.Leases)
	if rec := c.sharedBy(v.ID.Connection, v.Role, v.Settings.SharedPassword); rec != nil {
		n += len(rec.Leases)
	}
	return n
}

// Holders names whoever has a live lease of an account or of its role's shared password, as far as Vault told: by display name or,
// without one, by entity id. They are sorted, and at most limit. Nothing is waited for.
func (c *Core) Holders(v *View, limit int) []string {
	var names []string
	add := func(r Requester) {
		if name := cmp.Or(r.DisplayName, r.EntityID); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, l := range v.Leases {
		add(l.Client.Requester)
	}
	if rec := c.sharedBy(v.ID.Connection, v.Role, v.Settings.SharedPassword); rec != nil {
		for _, l := range rec.Leases {
			add(rec.ClientOf(l).Requester)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), limit)]
}

// sharedBy is the record of a role's shared password, whose leases are those of all its accounts; nil: the role has none, or it is not in
// memory.
func (c *Core) sharedBy(connection, role string, shared bool) *Account {
	if role == "" || !shared {
		return nil
	}
	if g := c.inMemory(GroupID(connection, role)); g != nil {
		return g.snapshot.Load()
	}
	return nil
}

// holdings tell which accounts somebody holds, and remember it of shared passwords while many accounts are looked at.
type holdings struct {
	core   *Core
	holder string // empty: everybody, and those that nobody holds
	shared map[[2]string]bool
}

func (c *Core) newHoldings(holder string) holdings {
	return holdings{c, holder, map[[2]string]bool{}}
}

func (h holdings) has(rec *Account) bool {
	if h.holder == "" || h.among(rec) {
		return true
	}
	if rec.Role == "" || !rec.Settings.SharedPassword {
		return false
	}
	key := [2]string{rec.Connection, rec.Role}
	held, known := h.shared[key]
	if !known {
		g := h.core.sharedBy(rec.Connection, rec.Role, true)
		held = g != nil && h.among(g)
		h.shared[key] = held
	}
	return held
}

// among reports whether the holder has a lease of a record. Leases name most clients again and again, so these are looked at first.
func (h holdings) among(rec *Account) bool {
	is := func(c Client) bool { return c.DisplayName == h.holder || c.EntityID == h.holder }
	if len(rec.Leases) == 0 || !slices.ContainsFunc(rec.Clients, is) {
		return false
	}
	for _, l := range rec.Leases {
		if is(rec.ClientOf(l)) {
			return true
		}
	}
	return false
}
