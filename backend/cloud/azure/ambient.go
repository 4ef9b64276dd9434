package azure

import (
	"net/netip"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Variables that Microsoft's own tools read (azidentity v1.15.0, azidentity.go and workload_identity.go).
const (
	envTokenFile = "AZURE_FEDERATED_TOKEN_FILE"
	envTenantID  = "AZURE_TENANT_ID"
	envClientID  = "AZURE_CLIENT_ID"
	envAuthority = "AZURE_AUTHORITY_HOST"
)

const noAmbient = "use_ambient_credentials: the environment of the Vault server (workload identity, managed identity) gives no token " +
	"for Azure"

// ambient gets tokens for the identity that the Vault server's environment supplies: a workload's, where there is the file of its token,
// else the managed identity of the virtual machine.
type ambient struct {
	login *login
	// tenant and client are the connection's, or "".
	tenant, client string
	// ownLogin is set where an operator has given endpoints.login.
	ownLogin bool
	audience string
	metadata metadata
}

// metadataURL is where the metadata service of a virtual machine gives tokens (MSAL Go v1.10.1, managedidentity.go). App Service
// and Azure Arc have services of their own (IDENTITY_ENDPOINT), which are not asked.
const metadataURL = "http://169.254.169.254/metadata/identity/oauth2/token"

// metadataAddress is where it is. No connection's endpoint may lead there.
var metadataAddress = netip.MustParsePrefix("169.254.169.254/32")

// metadata is the metadata service of a virtual machine.
type metadata struct {
	url string
	cloud.MetadataReader
}

func newMetadata() metadata {
	return metadata{metadataURL, cloud.MetadataReader{Client: cloud.NewMetadataClient(metadataAddress), Without: noAmbient}}
}

func newAmbient(cfg cloud.Config, l *login, m metadata) ambient {
	return ambient{l, cfg.Text(fieldTenantID), cfg.Text(fieldClientID), cfg.Endpoints[endpointLogin] != "", placeOf(cfg).audience, m}
}
