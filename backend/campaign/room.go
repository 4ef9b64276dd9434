package campaign

import (
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Limit is how many campaigns are kept.
const Limit = 100

// place is what decides whether a campaign makes room for a new one.
type place struct {
	id            string
	open, carried bool
}

// makeRoom says which campaigns are forgotten for a new one, the newest of all standing first: those that have ended, the oldest
// of them first. If none has, it is the oldest one whose order was carried out for all accounts: they are due, so that nothing is
// lost but the count. An order that is still being carried out is never forgotten.
func makeRoom(all []place, limit int) (forgotten, displaced []string, err error) {
	tooMany := len(all) - limit + 1
	for _, c := range slices.Backward(all) {
		if len(forgotten) < tooMany && !c.open {
			forgotten = append(forgotten, c.id)
		}
	}
	for _, c := range slices.Backward(all) {
		if len(forgotten)+len(displaced) < tooMany && c.open && c.carried {
			displaced = append(displaced, c.id)
		}
	}
	if len(forgotten)+len(displaced) < tooMany {
		return nil, nil, request.Conflictf("%d campaigns are still being ordered; wait until one of them has not_yet_ordered 0, or delete one "+
			"below campaigns/; to see them: %s", limit, hint.New("list -detailed", "campaigns"))
	}
	return forgotten, displaced, nil
}

// superseded are the open campaigns, of all from the newest to the oldest, all of whose accounts were ordered and that a later
// order covers.
func superseded(all []*campaign) []*campaign {
	var found []*campaign
	for n, c := range all {
		if !c.isOpen() || !c.isCarried() {
			continue
		}
		order := c.record().Order
		if slices.ContainsFunc(all[:n], func(later *campaign) bool { return later.record().covers(order) }) {
			found = append(found, c)
		}
	}
	return found
}
