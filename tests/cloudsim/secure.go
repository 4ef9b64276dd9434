package cloudsim

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// httpsOnly are the clouds whose own clients refuse plain HTTP. Beside each of their listeners is another with the same
// handler and TLS, whatever Options.TLS says.
var httpsOnly = []model.Cloud{model.Azure}

const secureSuffix = "-tls"

// secure names the listener with TLS beside another.
func secure(listener string) string { return listener + secureSuffix }

func isSecure(listener string) bool { return strings.HasSuffix(listener, secureSuffix) }

// alsoSecure lists the listeners that have one with TLS beside them.
func alsoSecure() []string {
	var out []string
	for _, c := range httpsOnly {
		out = slices.AppendSeq(out, maps.Values(services[c]))
	}
	return out
}

// TLS is where clients go that refuse plain HTTP.
type TLS struct {
	// CAPEM is the certificate to trust, in PEM.
	CAPEM string `json:"ca_pem,omitempty"`
	// Endpoints are base URLs by cloud and service, of the clouds whose own clients refuse plain HTTP.
	Endpoints map[model.Cloud]map[string]string `json:"endpoints,omitempty"`
}

// SecureURL is URL with TLS, "" for a service that has no listener with TLS beside it.
func (s *Sim) SecureURL(c model.Cloud, service string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urls[secure(services[c][service])]
}

func (s *Sim) secureInfo() TLS {
	out := TLS{CAPEM: s.ca.pem, Endpoints: map[model.Cloud]map[string]string{}}
	for _, c := range httpsOnly {
		out.Endpoints[c] = map[string]string{}
		for service := range services[c] {
			out.Endpoints[c][service] = s.SecureURL(c, service)
		}
	}
	return out
}

// azure makes Azure's login service, and ARM with what it says of itself.
func (s *Sim) azure(o Options) http.Handler {
	var options azureapi.Options
	if o.Azure != nil {
		o.Azure(&options)
	}
	s.login = azureapi.NewLogin(s.world, options.TokenLifetime)
	options.Tokens = s.login
	return azureapi.Metadata(azureapi.New(s.world, options), func(secure bool) string {
		if secure && !s.tls {
			return s.SecureURL(model.Azure, "login")
		}
		return s.URL(model.Azure, "login")
	})
}
