package novaapi

import (
	"fmt"
	"net/http"
	"strconv"

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
	pairs := c.world.KeyPairs(c.opts.Cloud, r.caller.account.ID, r.caller.region())
	limit, marker := len(pairs), ""
	if r.version.atLeast(minorKeypairPaging) {
		marker = r.URL.Query().Get("marker")
		if text := r.URL.Query().Get("limit"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return novaFault(http.StatusBadRequest, fmt.Sprintf("Invalid input for query parameters limit. Value: %s.", text))
			}
			limit = n
		}
	}
	page, passed := []any{}, marker == ""
	for _, p := range pairs {
		if passed && len(page) < limit {
			page = append(page, map[string]any{"keypair": keypairView(r.version, p)})
		}
		passed = passed || p.Name == marker
	}
	if !passed {
		return novaFault(http.StatusBadRequest, fmt.Sprintf("marker [%s] not found", marker))
	}
	return ok(map[string]any{"keypairs": page})
}

func (c *Cloud) showKeypair(r *request) *answer {
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
