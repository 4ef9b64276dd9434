package openstack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// metadataURL is the metadata service of an ECS (OTC, "Elastic Cloud Server User Guide", Obtaining Metadata; Huawei's Go SDK,
// core/auth/internal/metadata_accessor.go).
const metadataURL = "http://169.254.169.254/"

// metadataAddress is where it is. No connection's endpoint may lead there.
var metadataAddress = netip.MustParsePrefix("169.254.169.254/32")

// Paths of the metadata service, and its headers (metadata_accessor.go).
const (
	metadataKeys  = "openstack/latest/securitykey"
	metadataToken = "meta-data/latest/api/token"
	headerTTL     = "X-Metadata-Token-Ttl-Seconds"
	headerSession = "X-Metadata-Token"
)

// noAgency is what the metadata service of an ECS says that has no agency (metadata_accessor.go).
const noAgency = "configure Cloud Service Agency"

// environmentKeys are the variables that the cloud's own tools read.
type environmentKeys struct{ access, secret, token string }

var (
	// huaweiVariables are those of Huawei's SDKs (core/auth/provider/env_provider.go).
	huaweiVariables = environmentKeys{"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"}
	// telekomVariables are those of OTC's Terraform provider and of tools made with its SDK.
	telekomVariables = environmentKeys{"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN"}
)

// ambient gets keys from the environment of the Vault server: variables, then the agency of the ECS.
type ambient struct {
	url       string
	variables environmentKeys
	cloud.MetadataReader
}

func (f family) newAmbient() *ambient { return f.ambientAt(metadataURL, metadataAddress) }

// ambientAt is an environment whose metadata service is at a URL.
func (f family) ambientAt(url string, address netip.Prefix) *ambient {
	return &ambient{url, f.variables, cloud.MetadataReader{
		Client: cloud.NewMetadataClient(address),
		Without: "use_ambient_credentials: the environment of the Vault server (variables, agency of the ECS) gives no credentials of " +
			f.title,
	}}
}

// fetch asks the sources each time, so that changed variables are seen.
func (a *ambient) fetch(ctx context.Context) (signing.Keys, time.Time, error) {
	k := signing.Keys{Access: os.Getenv(a.variables.access), Secret: os.Getenv(a.variables.secret), Token: os.Getenv(a.variables.token)}
	switch {
	case k.Access == "" && k.Secret == "":
		return a.ofServer(ctx)
	case k.Access == "" || k.Secret == "":
		return signing.Keys{}, time.Time{}, a.Errorf("set both %s and %s", a.variables.access, a.variables.secret)
	case !accessKeyForm.MatchString(k.Access), !tokenForm.MatchString(k.Secret), k.Token != "" && !tokenForm.MatchString(k.Token):
		return signing.Keys{}, time.Time{}, a.Errorf("%s, %s or %s holds characters that no key has", a.variables.access, a.variables.secret,
			a.variables.token)
	}
	return k, time.Time{}, nil
}

// ofServer asks the metadata service for the keys of the server's agency. They last an hour, and there are new ones ten minutes
// before their end ("Obtaining Metadata", Security Key).
func (a *ambient) ofServer(ctx context.Context) (signing.Keys, time.Time, error) {
	defer a.Client.CloseIdleConnections()
	token, err := a.Token(ctx, a.url+metadataToken, headerTTL)
	if err != nil {
		return signing.Keys{}, time.Time{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+metadataKeys, nil)
	if err != nil {
		return signing.Keys{}, time.Time{}, a.Errorf("%v", err)
	}
	if token != "" {
		request.Header.Set(headerSession, token)
	}
	status, body, err := a.Send(request)
	switch {
	case err != nil:
		return signing.Keys{}, time.Time{}, err
	case status == http.StatusNotFound, strings.Contains(string(body), noAgency):
		return signing.Keys{}, time.Time{}, a.Errorf("the ECS has no agency; give it one in the console, on its page under Management " +
			"Information")
	case status != http.StatusOK:
		return signing.Keys{}, time.Time{}, a.Errorf("the metadata service answered HTTP %d", status)
	}
	var answer temporaryKeys
	if json.Unmarshal(body, &answer) != nil {
		return signing.Keys{}, time.Time{}, a.Errorf("the metadata service answered something else than keys")
	}
	k, end, complete := answer.read()
	if !complete {
		return signing.Keys{}, time.Time{}, a.Errorf("the metadata service gave incomplete keys")
	}
	return k, end, nil
}
