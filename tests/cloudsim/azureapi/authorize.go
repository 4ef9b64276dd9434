package azureapi

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// checkSubscription refuses a subscription that is not there, or that trusts another tenant than the token's.
func (r *request) checkSubscription() *failure {
	if r.route.permission == "" {
		return nil
	}
	account, ok := r.world.Account(model.Azure, strings.ToLower(r.place.subscription))
	switch {
	case !ok:
		return fail(http.StatusNotFound, "SubscriptionNotFound", "The subscription '"+r.place.subscription+"' could not be found.")
	case account.TenantID != r.who.TenantID:
		return unauthorized("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer. It must match the tenant '"+
			account.TenantID+"' associated with this subscription.")
	}
	return nil
}

// authorize refuses what no role allows the principal, whether the resource exists or not. What a principal lacks is in the Deny
// lists of its key and its user, as "arm:" and the action, with which it is a path: "arm:Microsoft.Compute/*/*/*".
func (r *request) authorize() *failure {
	if r.route.permission == "" {
		return nil
	}
	key, ok := r.world.AccessKey(model.Azure, r.who.Key.ID)
	if !ok {
		key = r.who.Key // a token outlives its secret
	}
	if strings.EqualFold(key.AccountID, r.place.subscription) && r.world.Allowed(key, "arm", r.route.permission) {
		return nil
	}
	return fail(http.StatusForbidden, "AuthorizationFailed", "The client '"+r.who.Key.ID+"' with object id '"+r.who.ObjectID+
		"' does not have authorization to perform action '"+r.route.permission+"' over scope '"+r.place.path+
		"' or the scope is invalid. If access was recently granted, please refresh your credentials.")
}
