package azure

import (
	"fmt"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "azure"

// The provider's own fields of a connection.
var (
	fieldTenantID = cloud.Field{
		Name: "tenant_id", Label: "Tenant ID", Kind: cloud.FieldIdentity, Check: checkTenant,
		Required:    "unless there are other credentials",
		Description: "Tenant of the application in Microsoft Entra: its id, or one of its domain names.",
	}
	fieldClientID = cloud.Field{
		Name: "client_id", Label: "Client ID", Kind: cloud.FieldIdentity, Check: checkGUID,
		Required: "unless there are other credentials",
		Description: "Application (client) id of the application in the tenant. With use_ambient_credentials, that of a user-assigned " +
			"managed identity, or of the identity that a workload's token stands for.",
	}
	fieldClientSecret = cloud.Field{
		Name: "client_secret", Kind: cloud.FieldSecret, Check: checkSecret,
		Required:    "with client_id, unless there are other credentials",
		Description: "Client secret of the application: the secret's value, not its id.",
	}
	fieldSubscriptionID = cloud.Field{
		Name: "subscription_id", Label: "Subscription ID", Kind: cloud.FieldAccount, Required: cloud.RequiredAlways, Check: checkGUID,
		Description: "Subscription whose virtual machines the connection works on.",
	}
	fieldCloud = cloud.Field{
		Name: "cloud", Kind: cloud.FieldPlace, Default: cloudPublic, Allowed: []string{cloudPublic, cloudUSGovernment, cloudChina},
		Fallback:    func(cloud.Values) string { return cloudPublic },
		Description: "Which of Microsoft's clouds the subscription belongs to.",
	}
)

// fields are the provider's own fields of a connection.
func fields() []cloud.Field {
	return []cloud.Field{fieldTenantID, fieldClientID, fieldClientSecret, fieldSubscriptionID, fieldCloud, cloud.AmbientCredentials}
}

// Forms of the fields.
var (
	guidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	// tenantForm takes an id or a domain name. It becomes part of a URL.
	tenantForm = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?)+$`)
	// secretForm is somewhat wider than what Entra generates: letters, digits and ~ . _ -.
	secretForm = regexp.MustCompile(`^[!-~]{1,256}$`)
)

func checkGUID(id string) error {
	if !guidForm.MatchString(id) {
		return fmt.Errorf("%.60q is not an id such as 00000000-0000-0000-0000-000000000000", id)
	}
	return nil
}

func checkTenant(tenant string) error {
	if guidForm.MatchString(tenant) || len(tenant) <= 253 && tenantForm.MatchString(tenant) {
		return nil
	}
	return fmt.Errorf("%.60q is neither the id of a tenant, such as 00000000-0000-0000-0000-000000000000, nor a domain name of one, "+
		"such as contoso.onmicrosoft.com", tenant)
}

func checkSecret(secret string) error {
	if !secretForm.MatchString(secret) {
		return fmt.Errorf("not a client secret; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}
