package rotation

import "fmt"

// someClient draws who reads an account: one of a few, and now and then somebody whom Vault does not name.
func (w *world) someClient(id ID) Client {
	n := w.number("who reads", id.String(), 6)
	if n == 0 {
		return Client{}
	}
	return Client{Requester: Requester{EntityID: fmt.Sprint("entity-", n), DisplayName: fmt.Sprint("name-", n)}, Address: "192.0.2.1"}
}

// checkNamed checks I18 for an answer, at the moment at which it is given.
func (w *world) checkNamed(n *simNode, answer *Answer, to Client) {
	a := w.record(answer.ID)
	if a == nil || n.deposed() && answer.Lease == nil {
		return
	}
	if v := a.Version(answer.Version.Number); v != nil && !v.Given.Knows(to) {
		w.violation("I18", "%v was given version %d of %s, whose readers are %v", to, v.Number, answer.ID, v.Given)
	}
	if answer.Lease != nil && a.ClientOf(a.Leases[answer.Lease.Nonce]) != to {
		w.violation("I18", "a lease of %s does not name %v", answer.ID, to)
	}
}
