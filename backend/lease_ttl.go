package backend

import (
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// minLeaseTTL is the shortest lease that a client may ask for, where the role's own are not shorter: each
// end of a lease resets the password of a server.
const minLeaseTTL = time.Minute

// leaseTTLField is the field ttl of a read of creds/.
func leaseTTLField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeDurationSecond, Query: true, DisplayAttrs: request.DisplayName("TTL"),
		Description: fmt.Sprintf("Leased roles: a shorter lease than the role's ttl, at least %s. Renewals keep it. Ignored with a warning if "+
			"the role's ttl is shorter, or the role is static. Default: the role's ttl.", request.FormatDuration(minLeaseTTL))}
}

// leaseTTL reads ttl; 0: none is asked for. What it cannot do for the client, it says in a warning: clients add the field to
// reads of every kind, and the password is what they need.
func leaseTTL(r *role.Record, in request.Fields) (asked time.Duration, warning string, err error) {
	var ttl *time.Duration
	if err := in.Duration("ttl", &ttl); err != nil {
		return 0, "", err
	}
	least := min(minLeaseTTL, r.EffectiveTTL())
	switch {
	case ttl == nil || *ttl == 0: // 0 is Vault's way to ask for the default
	case r.Mode != rotation.Leased:
		return 0, "ttl: ignored, since this role is static and its passwords have no lease", nil
	case *ttl < least:
		return 0, "", request.Invalidf(
			"ttl: must be at least %s, since the end of a lease resets the password of a server; leave it out for the "+
				"role's ttl of %s", request.FormatDuration(least), request.FormatDuration(r.EffectiveTTL()))
	case *ttl > r.EffectiveTTL():
		return 0, fmt.Sprintf("ttl: %s is above the role's ttl, so the lease has that: %s", request.FormatDuration(*ttl),
			request.FormatDuration(r.EffectiveTTL())), nil
	default:
		return *ttl, "", nil
	}
	return 0, "", nil
}
