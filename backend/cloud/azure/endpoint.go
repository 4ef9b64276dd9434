package azure

import (
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The services, as the keys of the endpoints field.
const (
	endpointARM   = "arm"
	endpointLogin = "login"
)

// endpointKeys are the services whose URL an operator can set.
var endpointKeys = []string{endpointARM, endpointLogin}

// placeOf is the cloud of a connection.
func placeOf(cfg cloud.Config) place { return places[cfg.InForce(fieldCloud)] }

// baseURL is the URL that the requests of a service go to, without a slash at its end.
func baseURL(cfg cloud.Config, service string) string {
	if own := cfg.Endpoints[service]; own != "" {
		return strings.TrimRight(own, "/")
	}
	if service == endpointLogin {
		return placeOf(cfg).login
	}
	return placeOf(cfg).arm
}

// simulated reports whether a URL leads to this machine, and the environment says that only tests run here.
func simulated(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(u.Hostname(), "localhost")
	allowed, err := strconv.ParseBool(os.Getenv(cloud.LoopbackHTTPVariable))
	return loopback && err == nil && allowed
}
