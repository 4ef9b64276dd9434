package openstack

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// Registry names of the family's clouds.
const (
	nameHuawei    = "huaweicloud"
	nameOTC       = "opentelekomcloud"
	nameOpenStack = "openstack"
)

// Keys of Config.Endpoints.
const (
	endpointECS     = "ecs"
	endpointIAM     = "iam"
	endpointCompute = "compute"
	endpointCOC     = "coc"
)

// family is what tells one cloud of the family from another.
type family struct {
	name, title string
	// computeURL and identityURL are the region's endpoints; identityURL ends in /v3. Plain OpenStack
	// has neither: auth_url is given and the catalogue knows the rest.
	computeURL  func(region string) string
	identityURL func(region string) string
	// computeKey is the compute service's key in Config.Endpoints, identityKey that of the identity
	// service; empty if auth_url is its only address.
	computeKey, identityKey string
	// cocURL is the endpoint of COC, which runs scripts in servers; nil where there is none.
	cocURL func(region string) string
	// accessKeys and applicationCredentials say which credentials the cloud takes besides a user's name and password. Where it
	// takes access keys, it has temporary ones and agencies, too.
	accessKeys, applicationCredentials bool
	defaultSignatureStyle              string
	variables                          environmentKeys // of access keys in the environment
	// domains are those of the cloud's own services; none where they are anybody's.
	domains []string
	// plain is OpenStack as it comes, without a vendor's gateway: Nova's policies decide, not IAM.
	plain bool
}

func huawei() family {
	return family{
		name:                  nameHuawei,
		title:                 "Huawei Cloud",
		computeURL:            func(region string) string { return "https://ecs." + region + ".myhuaweicloud.com" },
		identityURL:           huaweiIdentityURL,
		domains:               []string{"myhuaweicloud.com", "myhuaweicloud.eu"},
		computeKey:            endpointECS,
		identityKey:           endpointIAM,
		cocURL:                huaweiCOCURL,
		accessKeys:            true,
		defaultSignatureStyle: signing.Direct,
		variables:             huaweiVariables,
	}
}

// dublin is Huawei Cloud's European site, whose identity service answers below .eu while the region
// table of Huawei's SDK keeps its ECS below .com.
const dublin = "eu-west-101"

func huaweiIdentityURL(region string) string {
	if region == dublin {
		return "https://iam.eu-west-101.myhuaweicloud.eu/v3"
	}
	return "https://iam." + region + ".myhuaweicloud.com/v3"
}

// huaweiCOCURL knows that COC has one host for each of Huawei Cloud's sites, and not for each region (services/coc/v1/region of
// Huawei's Go SDK).
func huaweiCOCURL(region string) string {
	switch {
	case region == dublin:
		return "https://coc-eu-west-101-open-api.myhuaweicloud.eu"
	case strings.HasPrefix(region, "cn-"):
		return "https://coc.myhuaweicloud.com"
	}
	return "https://coc-intl.myhuaweicloud.com"
}

// swissOTC is the region of OTC's Swiss sister cloud, whose host names follow another pattern.
const swissOTC = "eu-ch2"

func telekom() family {
	return family{
		name:  nameOTC,
		title: "Open Telekom Cloud",
		computeURL: func(region string) string {
			if region == swissOTC {
				return "https://ecs.eu-ch2.sc.otc.t-systems.com"
			}
			return "https://ecs." + region + ".otc.t-systems.com"
		},
		identityURL: func(region string) string {
			if region == swissOTC {
				return "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3"
			}
			return "https://iam." + region + ".otc.t-systems.com/v3"
		},
		domains:               []string{"otc.t-systems.com"},
		computeKey:            endpointECS,
		identityKey:           endpointIAM,
		accessKeys:            true,
		defaultSignatureStyle: signing.Scoped,
		variables:             telekomVariables,
	}
}

func plainOpenStack() family {
	return family{
		name:                   nameOpenStack,
		title:                  "OpenStack",
		computeKey:             endpointCompute,
		applicationCredentials: true,
		plain:                  true,
	}
}

// endpointKeys lists the services whose URL may be overridden.
func (f family) endpointKeys() []string {
	keys := []string{f.computeKey}
	if f.identityKey != "" {
		keys = append(keys, f.identityKey)
	}
	if f.cocURL != nil {
		keys = append(keys, endpointCOC)
	}
	return keys
}
