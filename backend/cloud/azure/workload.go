package azure

import (
	"cmp"
	"context"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// assertionType says that a client proves who it is by a token of another issuer (RFC 7523, section 2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertion bounds the file with a workload's token, in bytes. Kubernetes' own have about one kilobyte.
	maxAssertion = 64 << 10
)

// assertionForm is that of a signed JWT.
var assertionForm = regexp.MustCompile(`^[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+$`)

// workload gets a token for the identity that a workload's own token stands for. The file is read each time: what wrote it renews it.
func (a ambient) workload(ctx context.Context, file string) (string, time.Time, error) {
	tenant, client := cmp.Or(a.tenant, os.Getenv(envTenantID)), cmp.Or(a.client, os.Getenv(envClientID))
	switch {
	case tenant == "" || checkTenant(tenant) != nil:
		return "", time.Time{}, a.metadata.Errorf("set tenant_id, or %s, to the tenant of the workload's identity", envTenantID)
	case client == "" || checkGUID(client) != nil:
		return "", time.Time{}, a.metadata.Errorf("set client_id, or %s, to the client id of the workload's identity", envClientID)
	}
	l := *a.login
	if host := os.Getenv(envAuthority); host != "" && !a.ownLogin {
		known, ok := authority(host)
		if !ok {
			return "", time.Time{}, a.metadata.Errorf("%s is none of Microsoft's logins, and the workload's token is sent to no other; unset it",
				envAuthority)
		}
		l.base = known
	}
	assertion, err := readAssertion(file)
	if err != nil {
		return "", time.Time{}, err
	}
	return l.get(ctx, tenant, url.Values{"client_id": {client}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}})
}

// authority is the login that a variable names, if it is one of the clouds'.
func authority(host string) (string, bool) {
	for _, known := range places {
		if strings.EqualFold(strings.TrimRight(host, "/"), known.login) {
			return known.login, true
		}
	}
	return "", false
}

// readAssertion reads a workload's token. Errors name the variable, and hold nothing of what the file has.
func readAssertion(name string) (string, error) {
	file, err := os.Open(name) // #nosec G304 G703 -- the environment of the Vault server names it
	if err != nil {
		return "", cloud.Errorf(cloud.Unavailable, "%s: the file of %s cannot be read", noAmbient, envTokenFile)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxAssertion+1))
	if err != nil {
		return "", cloud.Errorf(cloud.Unavailable, "%s: the file of %s cannot be read", noAmbient, envTokenFile)
	}
	assertion := strings.TrimSpace(string(raw))
	if len(raw) > maxAssertion || !assertionForm.MatchString(assertion) {
		return "", cloud.Errorf(cloud.Unavailable, "%s: the file of %s holds no token", noAmbient, envTokenFile)
	}
	return assertion, nil
}
