package novaapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// keypairView shows a key pair as a list does.
func keypairView(v microversion, p model.KeyPair) map[string]any {
	view := map[string]any{"name": p.Name, "public_key": p.AuthorizedKey, "fingerprint": p.MD5}
	if v.atLeast(minorKeypairType) {
		view["type"] = "ssh"
	}
	return view
}

// listKeypairs lists the key pairs. Paging came with microversion 2.35.
func (c *Cloud) listKeypairs(r *request) *answer {
	query, refused := c.checkQuery(r, keypairsSchema(r.version))
	if refused == nil {
		refused = c.ownKeypairs(r, query, "ListKeypairs")
	}
	if refused != nil {
		return refused
	}
	pairs := c.world.KeyPairs(c.opts.Cloud, r.caller.account.ID, r.caller.region())
	slices.SortFunc(pairs, func(a, b model.KeyPair) int { return strings.Compare(a.Name, b.Name) })
	if !r.version.atLeast(minorKeypairPaging) {
		query = nil
	}
	shown, more, found := pageOf(pairs, query, func(p model.KeyPair) string { return p.Name })
	if !found {
		return novaFault(http.StatusBadRequest, fmt.Sprintf("Marker %s could not be found.", last(query, "marker")))
	}
	page := []any{}
	for _, p := range shown {
		page = append(page, map[string]any{"keypair": keypairView(r.version, p)})
	}
	return ok(c.linked(r, map[string]any{"keypairs": page}, "keypairs_links", "/os-keypairs", query, more))
}

// ownKeypairs refuses requests about other users' key pairs, from the version
// on that has such requests: those take an administrator.
func (c *Cloud) ownKeypairs(r *request, query url.Values, action string) *answer {
	user := query["user_id"]
	if !r.version.atLeast(minorKeypairUser) || len(user) == 0 || user[0] == r.caller.user.ID {
		return nil
	}
	return c.denied(r, action)
}

func (c *Cloud) showKeypair(r *request) *answer {
	query, refused := c.checkQuery(r, keypairSchema(r.version))
	if refused == nil {
		refused = c.ownKeypairs(r, query, "ShowKeypair")
	}
	if refused != nil {
		return refused
	}
	p, found := c.world.KeyPair(c.opts.Cloud, r.caller.account.ID, r.caller.region(), r.vars[0])
	if !found {
		return novaFault(http.StatusNotFound, fmt.Sprintf("Keypair %s not found for user %s", r.vars[0], r.caller.user.ID))
	}
	view := keypairView(r.version, p)
	view["id"], view["user_id"] = 1, r.caller.user.ID
	view["created_at"], view["updated_at"] = p.Created.UTC().Format(launchTime), nil
	view["deleted"], view["deleted_at"] = false, nil
	return ok(map[string]any{"keypair": view})
}
