package azure

import (
	"os"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The simulated clouds of these tests listen on loopback, without TLS.
func init() {
	if err := os.Setenv(cloud.LoopbackHTTPVariable, "true"); err != nil {
		panic(err)
	}
}
