package protocol

// Who was given the versions of an account, and has its leases.

import "slices"

// forgetReaders keeps the readers of the newest versions only by name.
func (a *Account) forgetReaders() {
	for i := range max(0, len(a.Versions)-versionsWithReaders) {
		if g := &a.Versions[i].Given; len(g.Readers) > 0 {
			*g = Given{More: true}
		}
	}
}

// givenBefore is to whom a password was given as any version.
func (a *Account) givenBefore(password string) Given {
	var g Given
	for _, v := range slices.Backward(a.Versions) {
		if v.Password == password {
			g.join(v.Given)
		}
	}
	return g
}

// clientRef is the number of a client among those that leases name, counted from 1. 0: Vault has told nothing of it, or
// live leases name too many others.
func (a *Account) clientRef(c Client) int {
	if len(a.Leases) == 0 {
		a.Clients = nil
	}
	if c == (Client{}) {
		return 0
	}
	if i := slices.Index(a.Clients, c); i >= 0 {
		return i + 1
	}
	if len(a.Clients) >= maxClients {
		a.dropClients()
	}
	if len(a.Clients) >= maxClients {
		return 0
	}
	a.Clients = append(slices.Clip(a.Clients), c)
	return len(a.Clients)
}

// dropClients drops the clients that no lease names any more.
func (a *Account) dropClients() {
	var kept []Client
	refs := map[int]int{}
	for nonce, l := range a.Leases {
		if l.Client < 1 || l.Client > len(a.Clients) {
			continue
		}
		if refs[l.Client] == 0 {
			kept = append(kept, a.Clients[l.Client-1])
			refs[l.Client] = len(kept)
		}
		l.Client = refs[l.Client]
		a.Leases[nonce] = l
	}
	a.Clients = kept
}

// ClientOf is who has a lease; zero: it is not known.
func (a *Account) ClientOf(l Lease) Client {
	if l.Client < 1 || l.Client > len(a.Clients) {
		return Client{}
	}
	return a.Clients[l.Client-1]
}

// GivenTo says how sure it is that somebody was given the current version, and the value on its way.
func (a *Account) GivenTo(who Requester) (current, pending Certainty) {
	if cur := a.Current(); cur != nil {
		current = cur.Given.To(who)
	}
	if a.Pending != nil {
		pending = a.Pending.Given.To(who)
	}
	return current, pending
}

// rolesOf are the roles whose readers know a password of the account.
func (a *Account) rolesOf(password string) (all RoleSet) {
	for _, v := range a.Versions {
		if v.Password == password {
			all = all.With(v.Roles.Names()...)
		}
	}
	return all
}
