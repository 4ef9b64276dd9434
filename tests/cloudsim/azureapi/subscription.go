package azureapi

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// listSubscriptions lists what the principal has a role in: the one subscription that its application belongs to. Azure CLI asks for
// it when it signs in.
func listSubscriptions(r *request) (reply, *failure) {
	var all []any
	if a, ok := r.world.Account(model.Azure, r.who.Key.AccountID); ok {
		all = append(all, subscription(a))
	}
	return r.page(all)
}

func getSubscription(r *request) (reply, *failure) {
	a, _ := r.world.Account(model.Azure, r.who.Key.AccountID) // the only one that its roles are in
	return reply{http.StatusOK, subscription(a), nil}, nil
}

// subscription is one in the form of Azure's samples.
func subscription(a model.Account) object {
	return object{
		"id": "/subscriptions/" + a.ID, "subscriptionId": a.ID, "tenantId": a.TenantID, "displayName": a.Name, "state": "Enabled",
		"authorizationSource": "RoleBased", "managedByTenants": []any{},
		"subscriptionPolicies": object{"locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off"},
	}
}
