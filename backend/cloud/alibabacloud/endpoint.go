package alibabacloud

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const rootDomain = "aliyuncs.com"

// globalECS are the regions that the SDK's table (ecs-20140526 v7.7.0 client.go, EndpointMap) leads to the one host of
// all regions, and whose names an account may see.
var globalECS = map[string]bool{"cn-north-2-gov-1": true, "cn-hangzhou-finance": true, "cn-beijing-gov-1": true}

// defaultURL is the URL of a service. ECS has a host in each region; RAM has one for all, and so has STS, whose
// regional hosts need nothing else than the region's name.
func defaultURL(service, region string) string {
	switch {
	case service == endpointECS && !globalECS[region]:
		return "https://" + endpointECS + "." + region + "." + rootDomain
	default:
		return "https://" + service + "." + rootDomain
	}
}

// baseURL is the URL that the requests of a service go to.
func baseURL(cfg cloud.Config, service string) string {
	if own := cfg.Endpoints[service]; own != "" {
		return strings.TrimSuffix(own, "/") + "/"
	}
	return defaultURL(service, cfg.Text(cloud.Region)) + "/"
}
