package tencentcloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// metadataURL is where an instance asks for the keys of its CAM role (page 213/4934; the SDK's
// cvm_role_provider.go).
const metadataURL = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"

// metadataAddresses are where that name leads inside the cloud: link-local addresses, nothing else.
var metadataAddresses = netip.MustParsePrefix("169.254.0.0/16")

// roleName is the form of a CAM role's name, which becomes part of a URL.
var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

// ambient gets keys from the environment of the Vault server, in the order of the SDK's default chain:
// variables, shared file, role of the CVM instance. The SDK's own source for the last knows neither
// time limit nor context, so this package has its own.
type ambient struct {
	url string
	cloud.MetadataReader
}

func newAmbient() *ambient { return ambientAt(metadataURL, metadataAddresses) }

// ambientAt is an environment whose metadata service is at a URL.
func ambientAt(url string, addresses netip.Prefix) *ambient {
	return &ambient{url, cloud.MetadataReader{Client: cloud.NewMetadataClient(addresses), Without: noAmbient}}
}

// Variables that the SDK's sources read.
const (
	envSecretID  = "TENCENTCLOUD_SECRET_ID"
	envSecretKey = "TENCENTCLOUD_SECRET_KEY"
	envFile      = common.EnvCredentialFile
)

const noAmbient = "use_ambient_credentials: the environment of the Vault server (variables, shared file, role of the CVM instance) " +
	"gives no Tencent Cloud credentials"

// fetch asks the sources each time, so that changed variables and files are seen.
func (a *ambient) fetch(ctx context.Context) (keys, time.Time, error) {
	if os.Getenv(envSecretID) != "" || os.Getenv(envSecretKey) != "" {
		k, err := fixed(common.DefaultEnvProvider(), envSecretID+" and "+envSecretKey)
		return k, time.Time{}, err
	}
	if hasSharedFile() {
		k, err := fixed(common.DefaultProfileProvider(), "the shared credentials file")
		return k, time.Time{}, err
	}
	return a.instanceRole(ctx)
}

// hasSharedFile reports whether the SDK's shared file is named or there.
func hasSharedFile() bool {
	if _, named := os.LookupEnv(envFile); named {
		return true
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	_, err = os.Stat(home + "/.tencentcloud/credentials")
	return err == nil
}

// fixed reads keys that do not expire. The SDK's errors may quote lines of the file and are dropped.
func fixed(source common.Provider, what string) (keys, error) {
	credential, err := source.GetCredential()
	if err != nil {
		return keys{}, cloud.Errorf(cloud.Unavailable, "%s: %s must give both a SecretId and a SecretKey", noAmbient, what)
	}
	id, secret, token := credential.GetCredential()
	if !accessKeyForm.MatchString(id) || !secretKeyForm.MatchString(secret) {
		return keys{}, cloud.Errorf(cloud.Unavailable, "%s: %s hold characters that no SecretId or SecretKey has", noAmbient, what)
	}
	return keys{id, secret, token}, nil
}

// instanceRole asks the metadata service for the name of the instance's role, then for its keys.
func (a *ambient) instanceRole(ctx context.Context) (keys, time.Time, error) {
	defer a.Client.CloseIdleConnections()
	list, err := a.get(ctx, "")
	if err != nil {
		return keys{}, time.Time{}, err
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(list)), "\n")
	if !roleName.MatchString(name) {
		return keys{}, time.Time{}, a.Errorf("the metadata service names no role; bind one to the instance")
	}
	raw, err := a.get(ctx, name)
	if err != nil {
		return keys{}, time.Time{}, err
	}
	var answer struct {
		TmpSecretID  string `json:"TmpSecretId"`
		TmpSecretKey string
		Token        string
		ExpiredTime  int64
		Code         string
	}
	switch err := json.Unmarshal(raw, &answer); {
	case err != nil:
		return keys{}, time.Time{}, a.Errorf("the metadata service answered something else than keys for the role %s", name)
	case answer.Code != "Success":
		return keys{}, time.Time{}, a.Errorf("the metadata service refused keys for the role %s (%s)", name, text.Line(answer.Code, 64))
	case answer.TmpSecretID == "" || answer.TmpSecretKey == "" || answer.Token == "" || answer.ExpiredTime == 0:
		return keys{}, time.Time{}, a.Errorf("the metadata service gave incomplete keys for the role %s", name)
	}
	return keys{answer.TmpSecretID, answer.TmpSecretKey, answer.Token}, time.Unix(answer.ExpiredTime, 0), nil
}

// get reads one entry of the metadata service.
func (a *ambient) get(ctx context.Context, name string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+name, nil)
	if err != nil {
		return nil, a.Errorf("%v", err)
	}
	status, body, err := a.Send(request)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		return nil, a.Errorf("the metadata service knows no role; bind one to the instance")
	case status != http.StatusOK:
		return nil, a.Errorf("the metadata service answered HTTP %d", status)
	}
	return body, nil
}
