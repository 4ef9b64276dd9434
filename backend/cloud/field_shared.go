package cloud

import (
	"crypto/fips140"
	"fmt"
	"strings"
)

// Fields that several families have. A family names them in its descriptor, with its own description, default and
// check where those differ. What only one family has is defined there.
var (
	// Region is the part of the cloud that a connection works in.
	Region = Field{
		Name: "region", Kind: FieldAccount, Required: RequiredAlways,
		Description: "The cloud's region, such as eu-central-1.",
	}
	// AccessKey is the id of the key that signs the requests.
	AccessKey = Field{
		Name: "access_key", Kind: FieldIdentity, WriteOnly: true, Generated: true, NamesCredential: true,
		Required:    "unless there are other credentials",
		Description: "Access key id.",
	}
	// SecretKey is the key itself.
	SecretKey = Field{
		Name: "secret_key", Kind: FieldSecret, Generated: true, Check: checkSigningKey,
		Required:    "with access_key",
		Description: "The secret that belongs to access_key.",
	}
	// AmbientCredentials takes the credentials that the Vault server's surroundings supply.
	AmbientCredentials = Field{
		Name: "use_ambient_credentials", Kind: FieldIdentity, Type: FieldFlag, Default: "false",
		Description: "Use the credentials of the Vault server's environment, such as environment variables and instance roles, " +
			"instead of access_key.",
	}
	// RoleARN is a role to assume with the credentials.
	RoleARN = Field{
		Name: "role_arn", Label: "Role ARN", Kind: FieldIdentity, Default: "none", AccountOf: accountOfRole,
		Description: "Role to assume with the credentials.",
	}
	// ExternalID goes with RoleARN.
	ExternalID = Field{
		Name: "external_id", Kind: FieldIdentity, Default: "none",
		Description: "External id that the trust policy of role_arn requires. It is not a secret.",
	}
)

// minSigningKey is the shortest key, in bytes, that Go's HMAC takes under GODEBUG=fips140=only (112 bits). With a
// shorter one it panics. The clouds' own secret keys have 32 characters and more.
const minSigningKey = 14

// checkSigningKey refuses a secret key that this process cannot sign requests with. Other processes can: emulators
// of clouds have short ones.
func checkSigningKey(key string) error {
	if len(key) < minSigningKey && fips140.Enforced() {
		return fmt.Errorf("has %d bytes; under GODEBUG=fips140=only requests are signed with at least %d; give the whole key, "+
			"or run the plugin with fips140=on", len(key), minSigningKey)
	}
	return nil
}

// accountOfRole is the account that a role to assume belongs to, as in arn:aws:iam::123456789012:role/name and
// qcs::cam::uin/100000000001:roleName/name.
func accountOfRole(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 5 {
		return parts[4]
	}
	return arn
}
