package tencentcloud

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "tencentcloud"

// Keys of the endpoints field. Those of cam and tat are accepted for capabilities that other
// packages add; this one calls cvm and sts.
const (
	endpointCVM = "cvm"
	endpointSTS = "sts"
	endpointCAM = "cam"
	endpointTAT = "tat"
)

// requestsPerSecond is the documented limit of each API action that the provider calls (page
// 213/33240: "A maximum of 10 requests can be initiated per second for this API").
const requestsPerSecond = 10

// Descriptor describes the provider to the backend.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Tencent Cloud CVM",
		New:                      New,
		Fields:                   []string{"region", "access_key", "secret_key"},
		Validate:                 validate,
		EndpointKeys:             []string{endpointCVM, endpointSTS, endpointCAM, endpointTAT},
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource:               "tencentcloud.com/document/product/213/33240: at most 10 requests a second for each API action",
		CanReset:                 true,
		ResetMayStop:             true,
	}
}

var (
	// regionForm covers the regions of the SDK's list (common/regions), finance and open regions
	// included, without being a list: new regions appear.
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]{1,24}){1,3}$`)
	// keyForm keeps a credential usable in the Authorization header, which separates its parts by
	// blanks, commas and slashes.
	accessKeyForm = regexp.MustCompile(`^[!-+\-.0-~]{1,256}$`)
	secretKeyForm = regexp.MustCompile(`^[!-~]{1,256}$`)
)

// validate checks what the provider asks of a connection. Its errors name the field and never hold
// a value of a secret one.
func validate(cfg cloud.Config) error {
	if cfg.Region == "" {
		return errors.New("region: required, for example ap-guangzhou or eu-frankfurt")
	}
	if !regionForm.MatchString(cfg.Region) {
		return fmt.Errorf("region: %q is not the name of a Tencent Cloud region, such as ap-guangzhou (a zone such as ap-guangzhou-3 names a part of it)", cfg.Region)
	}
	switch {
	case cfg.AccessKey == "":
		return errors.New("access_key: required; give the SecretId of an API key (CAM console, API keys)")
	case !accessKeyForm.MatchString(cfg.AccessKey):
		return errors.New("access_key: not a SecretId; it holds a character that none has, maybe a blank or a line break")
	case cfg.SecretKey == "":
		return errors.New("secret_key: required; give the SecretKey that belongs to access_key")
	case !secretKeyForm.MatchString(cfg.SecretKey):
		return errors.New("secret_key: not a SecretKey; it holds a character that none has, maybe a blank or a line break")
	}
	for key, url := range cfg.Endpoints {
		if !slices.Contains(Descriptor().EndpointKeys, key) {
			return fmt.Errorf("endpoints: %q is not a service of this provider; use %s", key, strings.Join(Descriptor().EndpointKeys, ", "))
		}
		if err := cloud.ValidateURL("endpoints."+key, url); err != nil {
			return err
		}
	}
	return nil
}

// instanceIDForm is the form of CVM instance ids: "ins-" and eight lower-case letters or digits
// (API pages: ins-r8hr2upy, ins-5d8a23rs).
var instanceIDForm = regexp.MustCompile(`^ins-[0-9a-z]{8}$`)

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return fmt.Errorf("instance id %q: Tencent Cloud ids are ins- and eight lower-case letters or digits, such as ins-r8hr2upy", clean(id, 64))
	}
	return nil
}
