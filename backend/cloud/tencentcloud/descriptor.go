package tencentcloud

import (
	"fmt"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Name is the value of a connection's provider field.
const Name = "tencentcloud"

// Keys of the endpoints field.
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
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             []string{endpointCVM, endpointSTS, endpointCAM, endpointTAT},
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource:               "tencentcloud.com/document/product/213/33240: at most 10 requests a second for each API action",
		LinkLocalDomains:         []string{rootDomain},
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodAPI, MayStop: true}, {Name: cloud.MethodCommand}},
	}
}

// instanceIDForm is the form of CVM instance ids: "ins-" and eight lower-case letters or digits
// (API pages: ins-r8hr2upy, ins-5d8a23rs).
var instanceIDForm = regexp.MustCompile(`^ins-[0-9a-z]{8}$`)

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return fmt.Errorf("instance id %q: Tencent Cloud ids are ins- and eight lower-case letters or digits, such as ins-r8hr2upy",
			text.Line(id, 64))
	}
	return nil
}
