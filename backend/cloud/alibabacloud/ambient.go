package alibabacloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// metadataURL is the metadata service of an ECS instance (credentials-go v1.4.14, ecs_ram_role.go).
const metadataURL = "http://100.100.100.200/latest/"

// metadataAddress is where it is. No connection's endpoint may lead there.
var metadataAddress = netip.MustParsePrefix("100.100.100.200/32")

// Paths of the metadata service, and its headers.
const (
	metadataRoles = "meta-data/ram/security-credentials/"
	metadataToken = "api/token"
	headerTTL     = "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds"
	headerSession = "X-Aliyun-Ecs-Metadata-Token"
)

// roleName is the form of a RAM role's name, which becomes part of a URL.
var roleName = regexp.MustCompile(`^[0-9A-Za-z.-]{1,64}$`)

// ambient gets keys from the environment of the Vault server: variables, then the RAM role of the ECS instance.
type ambient struct {
	url string
	cloud.MetadataReader
}

func newAmbient() *ambient { return ambientAt(metadataURL, metadataAddress) }

// ambientAt is an environment whose metadata service is at a URL.
func ambientAt(url string, address netip.Prefix) *ambient {
	return &ambient{url, cloud.MetadataReader{Client: cloud.NewMetadataClient(address), Without: noAmbient}}
}

// Variables that the cloud's own tools read (credentials-go v1.4.14, env.go).
const (
	envAccessKey = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecretKey = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken     = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

const noAmbient = "use_ambient_credentials: the environment of the Vault server (variables, RAM role of the ECS instance) " +
	"gives no Alibaba Cloud credentials"

// fetch asks the sources each time, so that changed variables are seen.
func (a *ambient) fetch(ctx context.Context) (keys, time.Time, error) {
	k := keys{os.Getenv(envAccessKey), os.Getenv(envSecretKey), os.Getenv(envToken)}
	switch {
	case k.id == "" && k.secret == "":
		return a.instanceRole(ctx)
	case k.id == "" || k.secret == "":
		return keys{}, time.Time{}, a.Errorf("set both %s and %s", envAccessKey, envSecretKey)
	case !k.usable():
		return keys{}, time.Time{}, a.Errorf("%s, %s or %s holds characters that no key has", envAccessKey, envSecretKey, envToken)
	}
	return k, time.Time{}, nil
}

// instanceRole asks the metadata service for the name of the instance's role, then for its keys.
func (a *ambient) instanceRole(ctx context.Context) (keys, time.Time, error) {
	defer a.Client.CloseIdleConnections()
	token, err := a.Token(ctx, a.url+metadataToken, headerTTL)
	if err != nil {
		return keys{}, time.Time{}, err
	}
	list, err := a.get(ctx, metadataRoles, token)
	if err != nil {
		return keys{}, time.Time{}, err
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(list)), "\n")
	if !roleName.MatchString(name) {
		return keys{}, time.Time{}, a.Errorf("the metadata service names no role; attach one to the instance")
	}
	raw, err := a.get(ctx, metadataRoles+name, token)
	if err != nil {
		return keys{}, time.Time{}, err
	}
	return a.roleKeys(name, raw)
}

// roleKeys reads what the metadata service says of a role.
func (a *ambient) roleKeys(name string, raw []byte) (keys, time.Time, error) {
	var answer struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string
		SecurityToken   string
		Expiration      time.Time
		Code            string
	}
	if json.Unmarshal(raw, &answer) != nil {
		return keys{}, time.Time{}, a.Errorf("the metadata service answered something else than keys for the role %s", name)
	}
	if answer.Code != "Success" {
		return keys{}, time.Time{}, a.Errorf("the metadata service refused keys for the role %s (%s)", name, text.Line(answer.Code, 64))
	}
	k := keys{answer.AccessKeyID, answer.AccessKeySecret, answer.SecurityToken}
	if !k.usable() || k.token == "" || answer.Expiration.IsZero() {
		return keys{}, time.Time{}, a.Errorf("the metadata service gave incomplete keys for the role %s", name)
	}
	return k, answer.Expiration, nil
}

// get reads one entry of the metadata service.
func (a *ambient) get(ctx context.Context, name, token string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+name, nil)
	if err != nil {
		return nil, a.Errorf("%v", err)
	}
	if token != "" {
		request.Header.Set(headerSession, token)
	}
	status, body, err := a.Send(request)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		return nil, a.Errorf("the metadata service knows no role; attach one to the instance")
	case status != http.StatusOK:
		return nil, a.Errorf("the metadata service answered HTTP %d", status)
	}
	return body, nil
}
