package cloudsim

import (
	"maps"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Connection is what an operator writes to config/ for the seeded account of a cloud, secrets included.
func (i Info) Connection(cloud model.Cloud) map[string]any {
	account := i.Seeded[cloud]
	fields := map[string]any{"provider": string(cloud), "region": account.Region}
	if i.CAPEM != "" {
		fields["ca_certificate"] = i.CAPEM
	}
	endpoints := maps.Clone(i.Endpoints[cloud])
	switch cloud {
	case model.OpenTelekomCloud: // tokens; the AK/SK clouds are the others
		fields["auth_url"] = endpoints["iam"] + "/v3"
		fields["username"], fields["password"] = account.Username, account.Password
		fields["user_domain_name"], fields["project_name"] = account.UserDomainName, account.ProjectName
		delete(endpoints, "iam")
	case model.OpenStack: // an application credential; the compute service's URL comes from the catalogue
		fields["auth_url"] = endpoints["identity"] + "/v3"
		fields["application_credential_id"], fields["application_credential_secret"] = account.AppCredentialID, account.AppCredential
		clear(endpoints)
	case model.Azure: // a client secret; a subscription has all regions
		delete(fields, "region")
		fields["tenant_id"], fields["subscription_id"] = account.TenantID, account.SubscriptionID
		fields["client_id"], fields["client_secret"] = account.ClientID, account.ClientSecret
	case model.HuaweiCloud:
		fields["project_id"] = account.ProjectID
		fallthrough
	default:
		fields["access_key"], fields["secret_key"] = account.AccessKey, account.SecretKey
	}
	fields["endpoints"] = endpoints
	return fields
}
