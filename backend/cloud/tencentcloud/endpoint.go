package tencentcloud

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// rootDomain is that of the API. In the cloud's own network, names such as cvm.internal.tencentcloudapi.com lead
// to 169.254.0.95 (the cloud's guides for its Kubernetes service set that address for them); whoever runs Vault
// there without a way to the Internet sets them as endpoints.
const rootDomain = "tencentcloudapi.com"

// defaultHost is a service's host. The plain one leads to the nearest entry; finance regions are
// separate and answer only under a host of their own (cloud.tencent.com/document/product/1278/46710
// and CVM's "Making API Requests" page).
func defaultHost(service, region string) string {
	if strings.HasSuffix(region, "-fsi") || strings.Contains(region, "-fsi-") {
		return service + "." + region + "." + rootDomain
	}
	return service + "." + rootDomain
}

// clientProfile makes the SDK's settings for one service: its endpoint, English messages, and
// everything off that would send a request twice, elsewhere or to a log.
func clientProfile(cfg cloud.Config, service string) (*profile.ClientProfile, error) {
	p := profile.NewClientProfile()
	p.Language = "en-US"
	p.Debug = false
	p.DisableRegionBreaker = true
	p.NetworkFailureMaxRetries = 0
	p.RateLimitExceededMaxRetries = 0
	p.UnsafeRetryOnConnectionFailure = false
	p.HttpProfile.ReqMethod = "POST"
	p.HttpProfile.ReqTimeout = 0 // the context and the connection's client bound the exchange
	p.HttpProfile.Scheme = "https"
	p.HttpProfile.Endpoint = defaultHost(service, cfg.Text(cloud.Region))
	if raw := cfg.Endpoints[service]; raw != "" {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("endpoints.%s: not a URL such as https://%s", service, defaultHost(service, cfg.Text(cloud.Region)))
		}
		p.HttpProfile.Scheme = u.Scheme
		p.HttpProfile.Endpoint = u.Host + strings.TrimSuffix(u.EscapedPath(), "/")
	}
	return p, nil
}
